"""A recurrent network that looks back over its steps and weighs them."""

from torch import Tensor, nn

from .features import BeatNetwork, Stem
from .parts import require_counts
from .recurrent import make_cell, make_pool


class GRUAttention(BeatNetwork):
    """Strided convolutions, gated recurrent units both ways, attention over the steps.

    A row of 187 samples becomes 47 steps, and the weight of each says where the network looked.

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
        channels: int = 48,
        kernel: int = 7,
        hidden: int = 64,
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.2,
        position: bool = False,
        pool: str = "attention",
        head: int = 0,
        dense: int = 16,
    ) -> None:
        require_counts(channels=channels)
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            n_features=n_features,
            shortest=32,
        )
        self.stem = Stem(self.n_signals, channels, kernel=kernel, strides=(2, 2), position=position)
        self.between = nn.Dropout(dropout / 2)
        self.cell = make_cell(
            nn.GRU,
            channels,
            hidden=hidden,
            depth=depth,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        width = hidden * (2 if bidirectional else 1)
        self.pool = make_pool(pool, width)
        self.finish(2 * width, hidden=head, dense=dense, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        signal, numbers = self.parted(x)
        waves = self.between(self.stem(signal))  # (batch, channels, n_samples / 4)
        steps, _ = self.cell(waves.transpose(1, 2))  # (batch, steps, width)
        return self.answer(self.pool(steps.transpose(1, 2)), numbers)
