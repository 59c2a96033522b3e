"""Residual convolutions whose channels are weighed by what the whole window shows."""

from torch import Tensor, nn

from .features import BeatNetwork, with_ramp
from .parts import require_counts, require_odd
from .recurrent import make_pool


class SqueezeExcite(nn.Module):
    """Each channel times a weight that the channels' averages decide (Hu 2018, arXiv:1709.01507).

    Shape (batch, channels, steps) both ways.
    """

    def __init__(self, channels: int, *, ratio: int) -> None:
        super().__init__()
        narrow = max(4, channels // ratio)
        self.weigh = nn.Sequential(
            nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x.mean(dim=-1))[..., None]


class SEBlock(nn.Module):
    """Two convolutions and a weighing of channels beside a short cut.

    Shape (batch, n_in, steps) to (batch, n_out, steps / stride). A `ratio` of 0 weighs nothing.
    """

    def __init__(
        self, n_in: int, n_out: int, *, kernel: int, stride: int, ratio: int, dropout: float
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(n_in, n_out, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(n_out),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(n_out, n_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(n_out),
            SqueezeExcite(n_out, ratio=ratio) if ratio else nn.Identity(),
        )
        self.shortcut = nn.Sequential()  # an identity where the shapes agree
        if stride > 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.AvgPool1d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv1d(n_in, n_out, 1, bias=False),
                nn.BatchNorm1d(n_out),
            )
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.shortcut(x))


class SEResNet(BeatNetwork):
    """Squeeze-and-excite residual network on the samples.

    `stages` of `depth` blocks each; every stage halves the steps and has `growth` times the
    channels of the one before. The first convolution has a stride, too, as an ECG at 125 Hz
    holds little above 30 Hz and the first layers cost most.

    Input  (batch, n_leads, n_samples), millivolt or 0..1; the last n_features leads are numbers
    Output (batch, n_classes), logits
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        n_features: int = 0,
        width: int = 32,
        growth: float = 1.5,
        stages: int = 3,
        depth: int = 2,
        kernel: int = 5,
        first_kernel: int = 11,
        first_stride: int = 2,
        ratio: int = 4,
        dropout: float = 0.2,
        position: bool = True,
        pool: str = "average",
        hidden: int = 0,
        dense: int = 16,
    ) -> None:
        require_odd(kernel=kernel, first_kernel=first_kernel)
        require_counts(width=width, stages=stages, depth=depth, first_stride=first_stride)
        if growth < 1 or ratio < 0:
            raise ValueError(f"need growth >= 1 and ratio >= 0, got {growth=} {ratio=}")
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            n_features=n_features,
            shortest=max(32, 2 * first_stride * 2**stages),
        )
        self.position = position
        padding = first_kernel // 2
        n_in = self.n_signals + position
        layers: list[nn.Module] = [
            nn.Conv1d(n_in, width, first_kernel, stride=first_stride, padding=padding, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        ]
        options = {"kernel": kernel, "ratio": ratio, "dropout": dropout / 2}
        for stage in range(stages):
            following = round(width * (growth if stage else 1))
            layers.append(SEBlock(width, following, stride=2, **options))
            layers += [SEBlock(following, following, stride=1, **options) for _ in range(depth - 1)]
            width = following
        self.stages = nn.Sequential(*layers)
        self.pool = make_pool(pool, width)
        self.finish(2 * width, hidden=hidden, dense=dense, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        signal, numbers = self.parted(x)
        if self.position:
            signal = with_ramp(signal)
        waves = self.stages(signal)  # (batch, width, steps)
        return self.answer(self.pool(waves), numbers)
