"""What the networks share: checks of the input, amplitude, pooling over time."""

import torch
from torch import Tensor, nn

UNIT_MV = 0.2  # the amplitude at which ventricular fibrillation counts as coarse


class ECGNetwork(nn.Module):
    """A network that knows its input and says so when it gets another.

    Parameters
    ----------
    n_leads, n_classes, n_samples : int
    shortest : int
        Fewest samples the network can work on.
    any_length : bool
        Whether a window of another length than `n_samples` will do.
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        shortest: int = 1,
        any_length: bool = True,
    ) -> None:
        super().__init__()
        require_counts(n_leads=n_leads, n_classes=n_classes)
        if n_samples < shortest:
            raise ValueError(
                f"{type(self).__name__} needs at least {shortest} samples, got {n_samples=}"
            )
        self.n_leads, self.n_classes, self.n_samples = n_leads, n_classes, n_samples
        self.shortest = shortest if any_length else n_samples
        self.any_length = any_length

    def prepare(self, x: Tensor, n_signals: int | None = None) -> Tensor:
        """Check the shape and compress the amplitude; (batch, n_leads, n_samples) both ways.

        Of `n_signals` only so many leads, the first, are returned.

        The inverse hyperbolic sine is linear below 0.2 mV and logarithmic above: a paced beat of
        5 mV does not drown the rest, and asystole stays distinct from fine fibrillation, which a
        standardised window would not allow.
        """
        fits = x.ndim == 3 and x.shape[1] == self.n_leads and x.shape[2] >= self.shortest
        if not fits or (not self.any_length and x.shape[2] != self.n_samples):
            length = f"at least {self.shortest}" if self.any_length else f"{self.n_samples}"
            raise ValueError(
                f"{type(self).__name__} expects (batch, {self.n_leads}, {length} samples), "
                f"got {tuple(x.shape)}"
            )
        return torch.asinh(x[:, :n_signals] / UNIT_MV)


class AverageMaxPool(nn.Module):
    """Average and maximum over time: (batch, channels, steps) to (batch, 2 * channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=1)


class RhythmBranch(nn.Module):
    """Sees how the window repeats itself: (batch, n_leads, n_samples) to (batch, n_features).

    Convolutions with strides tell the shape of a wave well and its rate badly; the
    autocorrelation shows the rate as a place. It covers lags up to 3/8 of `n_samples`: 1.5 s of a
    window of 4 s, or 40 beats per minute. `norm`: with batch normalisation.
    """

    def __init__(
        self, n_leads: int, n_samples: int, *, n_features: int, channels: int = 8, norm: bool = True
    ) -> None:
        super().__init__()
        self.n_lags = 3 * n_samples // 8
        self.stages = nn.Sequential(
            nn.Conv1d(n_leads, channels, 9, stride=3, padding=4, bias=not norm),
            nn.BatchNorm1d(channels) if norm else nn.Identity(),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 5, stride=3, padding=2, bias=not norm),
            nn.BatchNorm1d(channels) if norm else nn.Identity(),
            nn.ReLU(),
            nn.Flatten(),
            nn.LazyLinear(n_features),
            nn.ReLU(),
        )
        self.stages(torch.zeros(2, n_leads, self.n_lags))  # settles the width of the dense layer

    def forward(self, x: Tensor) -> Tensor:
        n = 2 * x.shape[-1]
        if torch.compiler.is_exporting():  # a power of two is faster and exacter elsewhere
            n = 1 << (n - 1).bit_length()
        x = (x - x.mean(dim=-1, keepdim=True)).float()
        power = torch.fft.rfft(x, n).abs().square()
        lags = torch.fft.irfft(power)[..., : self.n_lags]  # (batch, n_leads, n_lags)
        return self.stages(lags / (lags[..., :1] + 1e-3))


class AttentionMaxPool(nn.Module):
    """Learned weighted average and maximum: (batch, channels, steps) to (batch, 2 * channels)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.score(x.transpose(1, 2)).softmax(dim=1)  # (batch, steps, 1)
        average = torch.bmm(x, weight).squeeze(-1)  # (batch, channels)
        return torch.cat([average, x.amax(dim=-1)], dim=1)


def require_counts(**values: int) -> None:
    """Raise ValueError for the first value that is not a whole number above 0."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")


def require_odd(**values: int) -> None:
    """Raise ValueError for the first kernel without a middle."""
    require_counts(**values)
    for name, value in values.items():
        if value % 2 == 0:
            raise ValueError(f"{name} must be odd, got {value}")
