"""What the networks for single beats share: numbers beside the signal, place in time, a head."""

import torch
from torch import Tensor, nn

from .parts import ECGNetwork, require_counts, require_odd


class BeatNetwork(ECGNetwork):
    """A network whose last leads may be numbers: the same value at every sample.

    Such numbers (intervals to the neighbouring beats) need no filters. `parted` takes them from
    the signal, `answer` brings them back where the classes are told apart.

    Parameters
    ----------
    n_features : int
        How many of the `n_leads` are numbers.
    shortest : int
        Fewest samples the network can work on.
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        n_features: int,
        shortest: int,
        any_length: bool = True,
    ) -> None:
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            shortest=shortest,
            any_length=any_length,
        )
        if not 0 <= n_features < n_leads:
            raise ValueError(
                f"n_features must leave at least one lead of signal, got {n_features} of {n_leads}"
            )
        self.n_features, self.n_signals = n_features, n_leads - n_features

    def finish(self, width: int, *, hidden: int, dense: int, dropout: float) -> None:
        """Make the last layers, for `width` numbers from the body.

        Before the last lies one of `hidden` units (0: none), and one of `dense` for the features.
        """
        require_counts(dense=dense)
        n = self.n_features
        self.features = nn.Sequential(nn.Linear(n, dense), nn.ReLU()) if n else None
        width += dense if n else 0
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        if hidden:
            require_counts(hidden=hidden)
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(hidden or width, self.n_classes))

    def parted(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The signal, its amplitude compressed, and the numbers.

        Shapes (batch, n_leads, n_samples) to (batch, n_signals, n_samples), (batch, n_features).
        Beats in millivolt and beats scaled to 0..1 both lie where the compression is gentle.
        """
        return self.prepare(x, self.n_signals), x[:, self.n_signals :, 0]

    def answer(self, body: Tensor, numbers: Tensor) -> Tensor:
        """Logits from what the body found, (batch, width), and the numbers."""
        if self.features is not None:
            body = torch.cat([body, self.features(numbers)], dim=1)
        return self.head(body)  # (batch, n_classes)


class Linear(BeatNetwork):
    """Logistic regression: on the numbers beside the signal or, where there are none, on samples.

    A few weights cannot learn people by heart. Beside a network of many, in a vote, that helps
    with people who were not there to learn from.

    Input  (batch, n_leads, n_samples), of which the last n_features leads are numbers
    Output (batch, n_classes), logits
    """

    def __init__(
        self, *, n_leads: int, n_classes: int, n_samples: int, n_features: int = 0
    ) -> None:
        shape = {"n_leads": n_leads, "n_classes": n_classes, "n_samples": n_samples}
        super().__init__(**shape, n_features=n_features, shortest=32, any_length=bool(n_features))
        self.head = nn.Linear(n_features or n_leads * n_samples, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        signal, numbers = self.parted(x)
        return self.head(numbers if self.n_features else signal.flatten(1))


class Stem(nn.Sequential):
    """Two strided convolutions: (batch, n_in, n_samples) to (batch, width, n_samples / strides).

    With `position`, a ramp along the window joins the leads: filters cannot tell where in the
    window they are, and beats are cut so that a place means a phase (Liu 2018, arXiv:1807.03247).
    """

    def __init__(
        self, n_in: int, width: int, *, kernel: int, strides: tuple[int, int], position: bool
    ) -> None:
        require_odd(kernel=kernel)
        require_counts(width=width, stride=min(strides))
        first, second = strides
        options = {"padding": kernel // 2, "bias": False}
        super().__init__(
            nn.Conv1d(n_in + position, width, kernel, stride=first, **options),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, kernel, stride=second, **options),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.position = position

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(with_ramp(x) if self.position else x)


def with_ramp(x: Tensor) -> Tensor:
    """One more lead that rises from -1 to 1 along the window."""
    ramp = torch.linspace(-1, 1, x.shape[-1], device=x.device, dtype=x.dtype)
    return torch.cat([x, ramp.expand(x.shape[0], 1, -1)], dim=1)
