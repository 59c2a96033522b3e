"""Networks that see a beat as an image: samples folded into rows, or a spectrogram."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .features import BeatNetwork
from .parts import AverageMaxPool, require_counts, require_odd

COLUMNS = 12  # of the folded beat: 187 samples, padded to 192, are 16 rows


def fold(x: Tensor) -> Tensor:
    """Rows of 12 samples, one below the other: (…, n_samples) to (…, rows, 12), padded by zeros.

    Neighbours in a row are neighbours in time, neighbours in a column are a tenth of a second
    apart: an image for the filters, not for the eye.
    """
    missing = -x.shape[-1] % COLUMNS
    return functional.pad(x, (0, missing)).unflatten(-1, (-1, COLUMNS))


class Course2D(BeatNetwork):
    """The start model in two dimensions: blocks of two 3x3 convolutions on the folded beat.

    One block takes the leads to `hidden` channels, `layers` more follow, a maximum over 2x2 pixels
    and a dense layer end it. A baseline, so it takes the samples as they are.

    Input  (batch, n_leads, n_samples); the last n_features leads are numbers
    Output (batch, n_classes), logits
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        n_features: int = 0,
        hidden: int = 32,
        layers: int = 2,
        dropout: float = 0.0,
        dense: int = 16,
    ) -> None:
        require_counts(hidden=hidden, layers=layers)
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            n_features=n_features,
            shortest=4 * COLUMNS,
            any_length=False,
        )
        blocks: list[nn.Module] = []
        for width in [self.n_signals] + [hidden] * layers:
            blocks += [
                nn.Conv2d(width, hidden, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(hidden, hidden, 3, padding=1),
                nn.ReLU(),
            ]
        rows = math.ceil(n_samples / COLUMNS)
        self.stages = nn.Sequential(
            *blocks,
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(hidden * (rows // 2) * (COLUMNS // 2), hidden),
            nn.ReLU(),
        )
        self.finish(hidden, hidden=0, dense=dense, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        _, numbers = self.parted(x)  # which also checks the shape
        image = fold(x[:, : self.n_signals])  # (batch, n_signals, rows, 12)
        return self.answer(self.stages(image), numbers)


def spectrogram(x: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Logarithm of the magnitude of short Fourier transforms, in the batch.

    Shape (batch, n_leads, n_samples) to (batch, n_leads, n_fft // 2 + 1, n_samples // hop + 1).
    The floor keeps padding and a lost electrode finite.
    """
    window = torch.hann_window(n_fft, device=x.device)
    flat = x.float().flatten(0, 1)
    if x.shape[-1] <= n_fft // 2:
        raise ValueError(f"need more than {n_fft // 2} samples, got {x.shape[-1]}")
    made = torch.stft(flat, n_fft, hop, window=window, return_complex=True)
    return (made.abs() / n_fft**0.5 + 0.01).log().unflatten(0, x.shape[:2])


class ImageBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut, half the pixels each way with a stride of 2."""

    def __init__(self, n_in: int, n_out: int, *, stride: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
            nn.Conv2d(n_in, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.shortcut(x))


class SpectrogramCNN(BeatNetwork):
    """Residual 2-D convolutions on an image whose axes mean something: frequency and time.

    `n_fft` samples are transformed at a time, every `hop` samples: 32 at 125 Hz are a quarter of a
    second, long enough to part the P wave from the QRS complex and short enough to see both.

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
        n_fft: int = 32,
        hop: int = 4,
        width: int = 24,
        growth: float = 2.0,
        stages: int = 2,
        depth: int = 1,
        kernel: int = 5,
        dropout: float = 0.2,
        hidden: int = 0,
        dense: int = 16,
    ) -> None:
        require_odd(kernel=kernel)
        require_counts(n_fft=n_fft, hop=hop, width=width, stages=stages, depth=depth)
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            n_features=n_features,
            shortest=max(n_fft, hop * 2 ** (stages + 1)),
        )
        self.n_fft, self.hop = n_fft, hop
        padding = kernel // 2
        layers: list[nn.Module] = [
            nn.Conv2d(self.n_signals, width, kernel, stride=2, padding=padding, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        for _ in range(stages):
            following = round(width * growth)
            layers.append(ImageBlock(width, following, stride=2, dropout=dropout / 2))
            layers += [
                ImageBlock(following, following, stride=1, dropout=dropout / 2)
                for _ in range(depth - 1)
            ]
            width = following
        self.stages = nn.Sequential(*layers)
        self.pool = AverageMaxPool()
        self.finish(2 * width, hidden=hidden, dense=dense, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        signal, numbers = self.parted(x)
        image = spectrogram(signal, n_fft=self.n_fft, hop=self.hop)
        waves = self.stages(image).flatten(2)  # (batch, width, pixels)
        return self.answer(self.pool(waves), numbers)
