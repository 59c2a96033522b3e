"""Networks that read the window from one end to the other: LSTM, GRU, and both on a CNN."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from .convolutional import pooled_stem
from .parts import (
    AttentionMaxPool,
    AverageMaxPool,
    ECGNetwork,
    RhythmBranch,
    require_counts,
    require_odd,
)

POOLS = ("attention", "average")


def make_cell(
    kind: type[nn.RNNBase],
    n_in: int,
    *,
    hidden: int,
    depth: int,
    bidirectional: bool,
    dropout: float,
) -> nn.RNNBase:
    """A recurrent layer with orthogonal recurrent weights and, for an LSTM, open forget gates.

    Orthogonal weights keep a gradient's length over many steps (Saxe 2014, arXiv:1312.6120); a
    forget gate that starts open lets memory form (Jozefowicz 2015).
    """
    require_counts(hidden=hidden, depth=depth)
    cell = kind(
        n_in,
        hidden,
        num_layers=depth,
        bidirectional=bidirectional,
        dropout=dropout if depth > 1 else 0.0,  # torch applies it between layers only
        batch_first=True,
    )
    for name, weight in cell.named_parameters():
        if name.startswith("weight_hh"):
            for gate in weight.data.split(hidden):
                nn.init.orthogonal_(gate)
        elif name.startswith("bias"):
            nn.init.zeros_(weight)
            if kind is nn.LSTM and name.startswith("bias_ih"):
                weight.data[hidden : 2 * hidden] = 1.0
    return cell


def make_pool(kind: str, channels: int) -> nn.Module:
    """Pooling over time by name, (batch, channels, steps) to (batch, 2 * channels)."""
    if kind not in POOLS:
        raise ValueError(f"unknown pool {kind!r}, expected one of {', '.join(POOLS)}")
    return AttentionMaxPool(channels) if kind == "attention" else AverageMaxPool()


class Recurrent(ECGNetwork):
    """Patches of samples, one linear embedding, recurrent layers, pooling over time.

    A recurrent layer takes its steps one after the other, so a step for each sample would be
    both slow and forgetful; patches of 40 ms turn 1,000 samples into 100 steps.

    Input  (batch, n_leads, n_samples), millivolt
    Output (batch, n_classes), logits
    """

    cell_type: ClassVar[type[nn.RNNBase]]

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        patch: int = 10,
        hidden: int = 48,
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.2,
        pool: str = "average",
    ) -> None:
        require_counts(patch=patch, hidden=hidden)
        super().__init__(
            n_leads=n_leads, n_classes=n_classes, n_samples=n_samples, shortest=4 * patch
        )
        width = hidden * (2 if bidirectional else 1)
        self.patch = patch
        self.embed = nn.Linear(n_leads * patch, hidden)
        self.cell = make_cell(
            self.cell_type,
            hidden,
            hidden=hidden,
            depth=depth,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.pool = make_pool(pool, width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.prepare(x)
        steps = x.shape[-1] // self.patch  # an incomplete last patch is left out
        x = x[..., : steps * self.patch].unflatten(-1, (steps, self.patch))
        x = x.transpose(1, 2).flatten(2)  # (batch, steps, n_leads * patch)
        x, _ = self.cell(self.embed(x))  # (batch, steps, width)
        x = self.pool(x.transpose(1, 2))  # (batch, 2 * width)
        return self.head(self.dropout(x))  # (batch, n_classes)


class LSTM(Recurrent):
    """Long short-term memory on patches (Hochreiter 1997, doi:10.1162/neco.1997.9.8.1735)."""

    cell_type = nn.LSTM


class GRU(Recurrent):
    """Gated recurrent units on patches (Cho 2014, arXiv:1406.1078)."""

    cell_type = nn.GRU


class ConvRecurrent(ECGNetwork):
    """Convolutions with pooling see the waves, recurrent layers their sequence.

    Each block quarters the steps: three blocks turn 1,000 samples into 15 steps of a quarter of a
    second, about a heart beat's parts; the layers are those of `CNN`, the model before. The last
    layer sees the convolutions' own pooled features beside the recurrent ones when `skip` is set,
    and as many features of the autocorrelation as `rhythm` says.

    Input  (batch, n_leads, n_samples), millivolt
    Output (batch, n_classes), logits
    """

    cell_type: ClassVar[type[nn.RNNBase]]

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        channels: int = 64,
        blocks: int = 3,
        kernel: int = 7,
        hidden: int = 48,
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.2,
        pool: str = "attention",
        skip: bool = True,
        rhythm: int = 16,
    ) -> None:
        require_odd(kernel=kernel)
        require_counts(channels=channels, blocks=blocks)
        super().__init__(
            n_leads=n_leads, n_classes=n_classes, n_samples=n_samples, shortest=4**blocks
        )
        width = hidden * (2 if bidirectional else 1)
        self.stages = pooled_stem(
            n_leads, channels=channels, blocks=blocks, kernel=kernel, dropout=dropout / 2
        )
        self.cell = make_cell(
            self.cell_type,
            channels,
            hidden=hidden,
            depth=depth,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.pool = make_pool(pool, width)
        self.skip = AverageMaxPool() if skip else None
        self.dropout = nn.Dropout(dropout)
        self.rhythm = (
            RhythmBranch(n_leads, n_samples, n_features=rhythm, norm=False) if rhythm else None
        )
        self.head = nn.Linear(2 * width + (2 * channels if skip else 0) + rhythm, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        signal = self.prepare(x)
        waves = self.stages(signal)  # (batch, channels, steps)
        x, _ = self.cell(waves.transpose(1, 2))  # (batch, steps, width)
        x = self.pool(x.transpose(1, 2))  # (batch, 2 * width)
        if self.skip is not None:
            x = torch.cat([x, self.skip(waves)], dim=1)  # (batch, 2 * width + 2 * channels)
        if self.rhythm is not None:
            x = torch.cat([x, self.rhythm(signal)], dim=1)  # (batch, … + rhythm)
        return self.head(self.dropout(x))  # (batch, n_classes)


class CNNLSTM(ConvRecurrent):
    """Convolutions and LSTM, the family of Picon 2019 (doi:10.1371/journal.pone.0216756)."""

    cell_type = nn.LSTM


class CNNGRU(ConvRecurrent):
    """Convolutions and GRU: the same with fewer gates."""

    cell_type = nn.GRU
