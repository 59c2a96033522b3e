"""A network of our own for whole recordings of one lead.

Convolutions see the waves, a recurrent layer their sequence, and what lies behind the end of a
short recording is never seen. Chapter: exercise 05, "Model".
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .parts import ECGNetwork, require_counts, require_odd
from .recurrent import POOLS, make_cell
from .residual import SqueezeExcite


def true_lengths(x: Tensor) -> Tensor:
    """Samples of each recording up to the last that is not 0 in every lead, at least 1.

    Shape (batch, n_leads, n_samples) to (batch,). A filtered signal is hardly ever exactly 0, so
    zeros at the end are taken for padding; those further inside count as signal.
    """
    seen = (x != 0).any(dim=1).flip(-1)  # (batch, n_samples), the end first
    behind = seen.int().argmax(dim=-1)
    return (x.shape[-1] - behind).where(seen.any(dim=-1), 1).clamp(min=1)


class Ends:
    """Where each recording of a batch ends, at the rate of some layer.

    Parameters
    ----------
    lengths : tensor, shape (batch,)
        Steps of each recording.
    steps : int
        Steps of the longest row, padding included.
    """

    def __init__(self, lengths: Tensor, steps: int) -> None:
        self.lengths, self.steps = lengths, steps
        place = torch.arange(steps, device=lengths.device)
        self.mask = (place < lengths[:, None])[:, None]  # (batch, 1, steps)

    def after(self, stride: int) -> "Ends":
        """The same after a layer with that stride."""
        return Ends(-(-self.lengths // stride), -(-self.steps // stride))

    def clear(self, x: Tensor) -> Tensor:
        """Zeros behind each end, which a convolution cannot tell from its own padding."""
        return x * self.mask.to(x.dtype)

    def mean(self, x: Tensor) -> Tensor:
        """Average up to each end of what is 0 behind it: (batch, channels, steps) to 2-D."""
        return x.sum(dim=-1, dtype=torch.float32) / self.lengths[:, None]

    def reversed(self, x: Tensor) -> Tensor:
        """Each recording from its end to its start, the padding left behind.

        Shape (batch, steps, channels) both ways.
        """
        place = torch.arange(self.steps, device=x.device).expand(x.shape[0], -1)
        back = self.lengths[:, None] - 1 - place
        return x.gather(1, back.where(back >= 0, place)[..., None].expand_as(x))


class AveragePool(nn.AvgPool1d):
    """Average of so many steps; the last are filled up with zeros, as if padded."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, (0, -x.shape[-1] % self.kernel_size[0])))


class RhythmBlock(nn.Module):
    """Two convolutions and a weighing of channels beside a short cut, up to each recording's end.

    Shape (batch, n_in, steps) to (batch, n_out, steps / stride). The short cut averages `stride`
    steps (He 2018, arXiv:1812.01187).
    """

    def __init__(
        self, n_in: int, n_out: int, *, kernel: int, stride: int, ratio: int, dropout: float
    ) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Sequential(
            nn.Conv1d(n_in, n_out, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(n_out),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.second = nn.Sequential(
            nn.Conv1d(n_out, n_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(n_out),
        )
        self.excite = SqueezeExcite(n_out, ratio=ratio) if ratio else None
        shortcut: list[nn.Module] = []  # an identity where the shapes agree
        if stride > 1:
            shortcut.append(AveragePool(stride))
        if n_in != n_out:
            shortcut += [nn.Conv1d(n_in, n_out, 1, bias=False), nn.BatchNorm1d(n_out)]
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor, ends: Ends) -> tuple[Tensor, Ends]:
        after = ends.after(self.stride)
        y = self.second(after.clear(self.first(x)))
        if self.excite is not None:
            weight = self.excite.weigh(after.mean(after.clear(y)))  # (batch, n_out)
            y = y * weight[..., None]
        return after.clear(self.activation(y + self.shortcut(x))), after


class MaskedPool(nn.Module):
    """Average and maximum up to each end: (batch, channels, steps) to (batch, 2 * channels).

    The average is weighed by a learned score of each step ("attention") or plain ("average").
    """

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        if kind not in POOLS:
            raise ValueError(f"unknown pool {kind!r}, expected one of {', '.join(POOLS)}")
        self.score = nn.Linear(channels, 1) if kind == "attention" else None

    def forward(self, x: Tensor, ends: Ends) -> Tensor:
        if self.score is None:
            average = ends.mean(ends.clear(x))
        else:
            score = self.score(x.transpose(1, 2)).transpose(1, 2)  # (batch, 1, steps)
            weight = score.masked_fill(~ends.mask, -torch.inf).softmax(dim=-1)
            average = (weight * x).sum(dim=-1)
        largest = x.masked_fill(~ends.mask, -torch.inf).amax(dim=-1)
        return torch.cat([average, largest], dim=1)


class RhythmNet(ECGNetwork):
    """Residual strided convolutions, gated recurrent units both ways, pooling over time.

    Thirty seconds at 150 Hz become 71 steps of 0.43 s, each with the shape of what it holds and,
    by the recurrent layer, what came before and after: irregular beats are a matter of sequence.

    Recordings shorter than the row are padded with zeros behind; the network finds the end by
    them and answers as if the padding were not there: zeros behind the end enter each
    convolution, the recurrent layer runs up to the end and back from it, and averages, maxima
    and attention leave the rest out. Only while learning do the statistics of batch
    normalisation count the padding.

    Parameters
    ----------
    width, growth, stages, depth : int, float, int, int
        Channels of the first stage, how they grow from stage to stage, stages (each halves the
        steps) and blocks in each.
    kernel, first_kernel, first_stride : int
        Width of the convolutions; width and stride of the first, which looks at most samples.
    ratio : int
        How much narrower the weighing of channels is (0: none; Hu 2018, arXiv:1709.01507).
    hidden, layers : int
        Units of the recurrent layer in each direction, and how many layers.
    pool : {"attention", "average"}
    skip : bool
        Whether the answer also sees the pooled waves themselves.
    dropout : float
        Before the answer; half as much in the blocks and before the recurrent layer.

    Input  (batch, n_leads, n_samples), in multiples of the recording's amplitude or millivolt
    Output (batch, n_classes), logits

    Raises
    ------
    ValueError
        An argument out of range, or fewer samples than two steps take.
    """

    def __init__(
        self,
        *,
        n_leads: int,
        n_classes: int,
        n_samples: int,
        width: int = 32,
        growth: float = 1.5,
        stages: int = 4,
        depth: int = 1,
        kernel: int = 7,
        first_kernel: int = 15,
        first_stride: int = 4,
        ratio: int = 4,
        hidden: int = 64,
        layers: int = 1,
        pool: str = "attention",
        skip: bool = True,
        dropout: float = 0.2,
    ) -> None:
        require_odd(kernel=kernel, first_kernel=first_kernel)
        require_counts(width=width, stages=stages, depth=depth, first_stride=first_stride)
        require_counts(hidden=hidden, layers=layers)
        if growth < 1 or ratio < 0:
            raise ValueError(f"need growth >= 1 and ratio >= 0, got {growth=} {ratio=}")
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            shortest=max(32, 2 * first_stride * 2**stages),
        )
        self.first_stride = first_stride
        self.stem = nn.Sequential(
            nn.Conv1d(
                n_leads,
                width,
                first_kernel,
                stride=first_stride,
                padding=first_kernel // 2,
                bias=False,
            ),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        options = {"kernel": kernel, "ratio": ratio, "dropout": dropout / 2}
        blocks = []
        for stage in range(stages):
            following = round(width * (growth if stage else 1))
            blocks.append(RhythmBlock(width, following, stride=2, **options))
            blocks += [
                RhythmBlock(following, following, stride=1, **options) for _ in range(depth - 1)
            ]
            width = following
        self.blocks = nn.ModuleList(blocks)
        self.between = nn.Dropout(dropout / 2)
        self.layers = nn.ModuleList(
            nn.ModuleList(make_gru(2 * hidden if layer else width, hidden) for _ in range(2))
            for layer in range(layers)
        )
        self.pool = MaskedPool(pool, 2 * hidden)
        self.skip = MaskedPool("average", width) if skip else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * hidden + (2 * width if skip else 0), n_classes)

    def forward(self, x: Tensor) -> Tensor:
        signal = self.prepare(x)
        ends = Ends(true_lengths(x), x.shape[-1]).after(self.first_stride)
        waves = ends.clear(self.stem(signal))
        for block in self.blocks:
            waves, ends = block(waves, ends)
        found = self.pool(self._read(self.between(waves), ends), ends)  # (batch, 4 * hidden)
        if self.skip is not None:
            found = torch.cat([found, self.skip(waves, ends)], dim=1)  # (batch, … + 2 * width)
        return self.head(self.dropout(found))  # (batch, n_classes)

    def _read(self, waves: Tensor, ends: Ends) -> Tensor:
        """The recurrent layers up to each end and back: (batch, 2 * hidden, steps)."""
        steps = waves.transpose(1, 2)  # (batch, steps, width)
        for ahead, back in self.layers:
            both = ahead(steps)[0], ends.reversed(back(ends.reversed(steps))[0])
            steps = torch.cat(both, dim=2)  # (batch, steps, 2 * hidden)
        return steps.transpose(1, 2)


def make_gru(n_in: int, hidden: int) -> nn.RNNBase:
    """One recurrent layer in one direction."""
    return make_cell(nn.GRU, n_in, hidden=hidden, depth=1, bidirectional=False, dropout=0.0)
