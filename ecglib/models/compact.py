"""The published Transformer for five seconds of one lead, as it was and repaired.

Chapter: exercise 05, "Model".
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .parts import ECGNetwork
from .published import Norm, draw_as_keras
from .transformer import rotate

WIDTH, HEADS, BLOCKS, INNER = 64, 4, 2, 128


class SelfAttention(nn.Module):
    """Every token looks at every token; shape (batch, tokens, width) both ways.

    Parameters
    ----------
    shared : bool
        One dense layer makes query, key and value alike; else each has its own.
    dropout : float
        Share of the attention weights that are dropped.
    rotary : bool
        Queries and keys are turned by their place (`ecglib.models.transformer.rotate`).
    """

    def __init__(
        self, width: int, *, heads: int, shared: bool, dropout: float, rotary: bool
    ) -> None:
        super().__init__()
        self.heads, self.dropout, self.rotary = heads, dropout, rotary
        self.project = nn.Linear(width, width if shared else 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-1] // self.heads
        x = self.project(x).unflatten(-1, (-1, self.heads, size))  # (batch, tokens, 1 or 3, …)
        query, key, value = x.permute(2, 0, 3, 1, 4).expand(3, -1, -1, -1, -1)
        if self.rotary:
            query, key = rotate(query), rotate(key)
        rate = self.dropout if self.training else 0.0
        x = functional.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        return self.out(x.transpose(1, 2).flatten(2))


class CompactBlock(nn.Module):
    """Attention and two dense layers, each normalised before and added after.

    Shape (batch, tokens, width) both ways.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        inner: int,
        shared: bool,
        rotary: bool,
        dropout: float,
        quiet: float,
    ) -> None:
        super().__init__()
        self.attend = nn.Sequential(
            nn.LayerNorm(width),
            SelfAttention(width, heads=heads, shared=shared, rotary=rotary, dropout=quiet),
            nn.Dropout(dropout),
        )
        self.think = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, inner),
            nn.ReLU(),
            nn.Linear(inner, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(x)
        return x + self.think(x)


class SequencePool(nn.Module):
    """Learned weighted average: (batch, tokens, width) to (batch, width).

    The pooling of compact Transformers (Hassani 2021, arXiv:2104.05704), normalised first.
    """

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        weight = self.score(x).softmax(dim=1)  # (batch, tokens, 1)
        return self.drop((weight * x).sum(dim=1))


class C1DCT(ECGNetwork):
    """The published compact Transformer behind two convolutions: 100 tokens of 1,500 samples.

    As published it hardly learns: one of three trainings gave an F1 of 0.54, the others called
    nearly everything normal. Four things were wrong. The same dense layer made query, key and
    value, so that a token looks first of all at itself and at its likes. Almost all weights
    were drawn with a deviation of 1, where 1 / sqrt(64) keeps the size of what passes: each
    layer multiplies it eightfold, and the first answers are tens apart. Half of everything was
    dropped, the attention weights included. And places were nothing but vectors, each of its own,
    from which attention has to find out how far apart two tokens lie, which is what a rhythm is
    about. Normalising before each layer and again before the pooling was right and stays.

    Parameters
    ----------
    shared_projection : bool
        One layer for query, key and value, as published (65,668 numbers to learn); three layers
        have 82,308.
    repaired : bool
        Three layers, weights by Glorot's rule, positions of 0.02, a tenth dropped, and nothing
        of the attention weights: the first three faults.
    rotary : bool
        Queries and keys are turned by their place, beside the positions that are added: the last.
    dropout : float, optional
        By default 0.5 as published, 0.1 when repaired.

    Input  (batch, n_leads, n_samples), millivolt
    Output (batch, n_classes), logits

    Raises
    ------
    ValueError
        Fewer than two tokens of 15 samples, or another length than it was built for: the
        positions are learnt one by one.
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        shared_projection: bool = True,
        repaired: bool = False,
        rotary: bool = False,
        dropout: float | None = None,
    ) -> None:
        super().__init__(
            n_leads=n_leads, n_classes=n_classes, n_samples=n_samples, shortest=30, any_length=False
        )
        if dropout is None:
            dropout = 0.1 if repaired else 0.5
        self.stem = nn.Sequential(
            nn.Conv1d(n_leads, WIDTH // 2, 5, padding=2),
            nn.ReLU(),
            Norm(WIDTH // 2),
            nn.MaxPool1d(5),
            nn.Conv1d(WIDTH // 2, WIDTH, 3, padding=1),
            nn.ReLU(),
            Norm(WIDTH),
            nn.MaxPool1d(3),
        )
        self.places = nn.Parameter(torch.empty(n_samples // 5 // 3, WIDTH))
        self.drop = nn.Dropout(dropout)
        options = {"shared": shared_projection and not repaired, "rotary": rotary}
        options |= {"dropout": dropout, "quiet": 0.0 if repaired else dropout}
        self.blocks = nn.Sequential(
            *(CompactBlock(WIDTH, heads=HEADS, inner=INNER, **options) for _ in range(BLOCKS))
        )
        self.pool = SequencePool(WIDTH, dropout=dropout)
        self.dense = nn.Sequential(nn.Linear(WIDTH, WIDTH // 2), nn.ReLU())
        self.head = nn.Linear(WIDTH // 2, n_classes)
        draw_as_keras(self)
        nn.init.normal_(self.places, std=0.02 if repaired else 1.0)
        if not repaired:
            self._draw_as_published()

    def _draw_as_published(self) -> None:
        """Weights of deviation 1, those that make query, key and value of 0.1."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.normal_(module.weight, std=0.1 if name.endswith("project") else 1.0)

    def forward(self, x: Tensor) -> Tensor:
        self.prepare(x)  # for its check of the shape
        tokens = self.stem(x).transpose(1, 2)  # (batch, n_samples / 15, width)
        tokens = self.blocks(self.drop(tokens + self.places))
        return self.head(self.dense(self.pool(tokens)))  # (batch, n_classes)
