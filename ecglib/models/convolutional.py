"""Feed-forward networks: a perceptron, a plain CNN, a stem for others, a very small CNN."""

import torch
from torch import Tensor, nn

from .parts import AverageMaxPool, ECGNetwork, RhythmBranch, require_counts, require_odd


class MLP(ECGNetwork):
    """Dense layers on the raw samples: the baseline that knows nothing about time.

    Input  (batch, n_leads, n_samples), millivolt
    Output (batch, n_classes), logits
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        hidden: int = 128,
        depth: int = 2,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(
            n_leads=n_leads, n_classes=n_classes, n_samples=n_samples, any_length=False
        )
        require_counts(hidden=hidden, depth=depth)
        widths = [n_leads * n_samples] + [hidden] * depth
        layers: list[nn.Module] = []
        for width, following in zip(widths, widths[1:], strict=False):
            layers += [nn.Linear(width, following), nn.ReLU(), nn.Dropout(dropout)]
        self.stages = nn.Sequential(nn.Flatten(), *layers)
        self.head = nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.prepare(x))  # (batch, hidden)
        return self.head(x)  # (batch, n_classes)


class CNN(ECGNetwork):
    """Three convolutions with pooling and a dense layer: the model of the previous exercise.

    Input  (batch, n_leads, n_samples), millivolt
    Output (batch, n_classes), logits
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        channels: int = 16,
        kernel: int = 7,
        pool: int = 4,
        hidden: int = 64,
        dropout: float = 0.3,
    ) -> None:
        require_odd(kernel=kernel)
        require_counts(channels=channels, pool=pool, hidden=hidden)
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            shortest=pool**3,
            any_length=False,
        )
        widths = [n_leads, channels, 2 * channels, 4 * channels]
        layers: list[nn.Module] = []
        for width, following in zip(widths, widths[1:], strict=False):
            layers += [
                nn.Conv1d(width, following, kernel, padding=kernel // 2),
                nn.ReLU(),
                nn.MaxPool1d(pool),
            ]
        self.stages = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(4 * channels * (n_samples // pool // pool // pool), hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.prepare(x))  # (batch, 4 * channels, n_samples / pool**3)
        x = self.dense(x)  # (batch, hidden)
        return self.head(x)  # (batch, n_classes)


def pooled_stem(
    n_leads: int, *, channels: int, blocks: int, kernel: int, dropout: float
) -> nn.Sequential:
    """Convolutions with pooling: each doubles the channels and quarters the steps.

    The last has `channels`. There is no batch normalisation: its running statistics are those of
    the patients it learnt from.
    """
    widths = [n_leads, *(channels // 2 ** (blocks - 1 - i) for i in range(blocks))]
    layers: list[nn.Module] = []
    for width, following in zip(widths, widths[1:], strict=False):
        layers += [
            nn.Conv1d(width, following, kernel, padding=kernel // 2),
            nn.ReLU(),
            nn.MaxPool1d(4),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(*layers)


class SeparableBlock(nn.Module):
    """One filter per channel, then a mix of channels, beside an identity where it fits.

    Chollet 2017, doi:10.1109/CVPR.2017.195.
    """

    def __init__(self, n_in: int, n_out: int, *, kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(
                n_in,
                n_in,
                kernel,
                stride=stride,
                padding=dilation * (kernel // 2),
                dilation=dilation,
                groups=n_in,
                bias=False,
            ),
            nn.BatchNorm1d(n_in),
            nn.Conv1d(n_in, n_out, 1, bias=False),
            nn.BatchNorm1d(n_out),
        )
        self.residual = stride == 1 and n_in == n_out
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)  # (batch, n_out, steps / stride)
        return self.activation(x + y if self.residual else y)


class TinyCNN(ECGNetwork):
    """Separable convolutions that fit a microcontroller: 7,521 parameters at most by default.

    The bound is that of Krasteva 2020 (doi:10.3390/s20102875). Growing dilation lets the last
    block see the whole window; `rhythm` features of the autocorrelation tell the rate.

    Input  (batch, n_leads, n_samples), millivolt
    Output (batch, n_classes), logits
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        channels: int = 24,
        blocks: int = 3,
        kernel: int = 9,
        dropout: float = 0.1,
        rhythm: int = 7,
    ) -> None:
        require_odd(kernel=kernel)
        require_counts(channels=channels, blocks=blocks)
        if channels < 4:
            raise ValueError(f"channels must be at least 4, got {channels}")
        super().__init__(n_leads=n_leads, n_classes=n_classes, n_samples=n_samples, shortest=64)
        first, second = 3 * channels // 8, 3 * channels // 4
        self.stages = nn.Sequential(
            nn.Conv1d(n_leads, first, 15, stride=4, padding=7, bias=False),
            nn.BatchNorm1d(first),
            nn.ReLU(),
            SeparableBlock(first, second, kernel=kernel, stride=2, dilation=1),
            SeparableBlock(second, second, kernel=kernel, stride=1, dilation=1),
            SeparableBlock(second, channels, kernel=kernel, stride=2, dilation=1),
            *(
                SeparableBlock(channels, channels, kernel=kernel, stride=1, dilation=2**i)
                for i in range(blocks)
            ),
        )
        self.pool = AverageMaxPool()
        self.dropout = nn.Dropout(dropout)
        self.rhythm = RhythmBranch(n_leads, n_samples, n_features=rhythm) if rhythm else None
        self.head = nn.Linear(2 * channels + rhythm, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        signal = self.prepare(x)
        x = self.stages(signal)  # (batch, channels, n_samples / 16)
        x = self.pool(x)  # (batch, 2 * channels): any duration fits
        if self.rhythm is not None:
            x = torch.cat([x, self.rhythm(signal)], dim=1)  # (batch, 2 * channels + rhythm)
        return self.head(self.dropout(x))  # (batch, n_classes)
