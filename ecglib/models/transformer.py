"""Transformers: the course's small one, and one with rotary positions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .features import BeatNetwork, Stem
from .parts import require_counts
from .recurrent import make_pool


class Attention(nn.Module):
    """Every step looks at every step; shape (batch, steps, width) both ways.

    With `rotary`, queries and keys are turned by an angle that grows with their place, so that
    their product depends on how far two steps lie apart (Su 2021, arXiv:2104.09864). The weights
    themselves are not dropped out, which would take most of the time on a CPU.
    """

    def __init__(self, width: int, *, heads: int, rotary: bool) -> None:
        super().__init__()
        self.heads, self.rotary = heads, rotary
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.project(x).unflatten(-1, (3, self.heads, -1))  # (batch, steps, 3, heads, size)
        query, key, value = x.permute(2, 0, 3, 1, 4)  # (batch, heads, steps, size) each
        if self.rotary:
            query, key = rotate(query), rotate(key)
        x = functional.scaled_dot_product_attention(query, key, value)
        return self.out(x.transpose(1, 2).flatten(2))


class CourseBlock(nn.Module):
    """Attention and two dense layers, normalised after each addition (Vaswani 2017).

    Shape (batch, steps, width) both ways.
    """

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.attend = nn.Sequential(
            Attention(width, heads=heads, rotary=False), nn.Dropout(dropout)
        )
        self.think = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.Dropout(dropout)
        )
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.norms[0](x + self.attend(x))
        return self.norms[1](x + self.think(x))


class CourseTransformer(BeatNetwork):
    """The start model in one dimension: a convolution, positions, two blocks, an average.

    A baseline, so it takes the samples as they are and normalises after each addition, as the
    first Transformer did (arXiv:1706.03762).

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
        hidden: int = 16,
        heads: int = 2,
        blocks: int = 2,
        dropout: float = 0.1,
        dense: int = 16,
    ) -> None:
        require_heads(hidden, heads=heads)
        require_counts(blocks=blocks)
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            n_features=n_features,
            shortest=32,
        )
        self.embed = nn.Conv1d(self.n_signals, hidden, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(
            *(CourseBlock(hidden, heads=heads, dropout=dropout) for _ in range(blocks))
        )
        self.finish(hidden, hidden=0, dense=dense, dropout=0.0)

    def forward(self, x: Tensor) -> Tensor:
        _, numbers = self.parted(x)  # which also checks the shape
        x = self.embed(x[:, : self.n_signals]).transpose(1, 2)  # (batch, n_samples / 2, hidden)
        x = x + sinusoids(x.shape[1], x.shape[2], device=x.device).to(x.dtype)
        return self.answer(self.blocks(x).mean(dim=1), numbers)


class EncoderBlock(nn.Module):
    """Attention and two dense layers, each normalised before and added after.

    Shape (batch, steps, width) both ways. Normalising first trains without a warm-up of its own
    (Xiong 2020, arXiv:2002.04745).
    """

    def __init__(self, width: int, *, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attend = nn.Sequential(
            nn.LayerNorm(width),
            Attention(width, heads=heads, rotary=True),
            nn.Dropout(dropout),
        )
        self.think = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, inner),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(inner, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(x)
        return x + self.think(x)


class Transformer(BeatNetwork):
    """Strided convolutions make tokens, attention compares them, attention pools them.

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
        width: int = 48,
        heads: int = 4,
        depth: int = 3,
        inner: float = 2.0,
        kernel: int = 7,
        stride: int = 4,
        dropout: float = 0.1,
        position: bool = True,
        pool: str = "attention",
        hidden: int = 0,
        dense: int = 16,
    ) -> None:
        require_heads(width, heads=heads, even=True)
        require_counts(depth=depth, stride=stride)
        if stride % 2:
            raise ValueError(f"stride must be even, got {stride}")
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            n_features=n_features,
            shortest=8 * stride,
        )
        strides = (2, stride // 2)
        self.stem = Stem(self.n_signals, width, kernel=kernel, strides=strides, position=position)
        self.blocks = nn.Sequential(
            *(
                EncoderBlock(width, heads=heads, inner=round(inner * width), dropout=dropout)
                for _ in range(depth)
            ),
            nn.LayerNorm(width),
        )
        self.pool = make_pool(pool, width)
        self.finish(2 * width, hidden=hidden, dense=dense, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        signal, numbers = self.parted(x)
        tokens = self.stem(signal).transpose(1, 2)  # (batch, n_samples / stride, width)
        tokens = self.blocks(tokens)
        return self.answer(self.pool(tokens.transpose(1, 2)), numbers)


def require_heads(width: int, *, heads: int, even: bool = False) -> None:
    """Raise ValueError unless `heads` share `width` evenly, each with an even part if asked."""
    require_counts(width=width, heads=heads)
    if width % heads or (even and width // heads % 2):
        part = "an even whole number" if even else "a whole number"
        raise ValueError(f"width / heads must be {part}, got {width} / {heads}")


def angles(steps: int, size: int, *, device: torch.device | None = None) -> Tensor:
    """Step times rate, (steps, size / 2): rates fall from 1 to 1 / 10,000 along the second axis."""
    rate = 10_000.0 ** (-torch.arange(0, size, 2, device=device) / size)
    return torch.arange(steps, device=device)[:, None] * rate


def sinusoids(steps: int, size: int, *, device: torch.device | None = None) -> Tensor:
    """Sines and cosines of the place of each step, (steps, size)."""
    at = angles(steps, size, device=device)
    return torch.stack([at.sin(), at.cos()], dim=-1).flatten(1)[:, :size]


def rotate(x: Tensor) -> Tensor:
    """Turn the halves of each vector against each other by its place; shape (…, steps, size)."""
    at = angles(x.shape[-2], x.shape[-1], device=x.device)
    cos, sin = at.cos().to(x.dtype), at.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
