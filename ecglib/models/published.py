"""The seven published convolutional networks for five seconds of one lead, on one page.

They come from public notebooks on the recordings of the 2017 challenge (Clifford 2017,
doi:10.22489/CinC.2017.065-469), written for Keras. Chapter: exercise 05, "Model".
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from .parts import ECGNetwork


@dataclass(frozen=True)
class Block:
    """Convolutions one after the other, then perhaps pooling and dropout."""

    filters: tuple[tuple[int, int], ...]  # of each convolution: how many, how wide in samples
    residual: bool = True  # with a short cut, which is a convolution where the channels change
    same: bool = True  # zeros at both ends keep the number of steps
    pool: int = 1  # the largest of so many steps
    drop: bool = True  # dropout at the end


@dataclass(frozen=True)
class Layout:
    """A published network: its blocks, its hidden dense layers, how its weights are drawn."""

    blocks: tuple[Block, ...]
    dense: tuple[int, ...]
    normal: bool = False  # weights from a normal distribution of 0.05, else by Glorot's rule


def stem(filters: int, width: int, *, pool: int, same: bool = True) -> Block:
    """One convolution without a short cut."""
    return Block(((filters, width),), residual=False, same=same, pool=pool)


def last(*filters: tuple[int, int], residual: bool = True, same: bool = True) -> Block:
    """A block whose dropout is the first thing in the head."""
    return Block(filters, residual=residual, same=same, drop=False)


WIDE = stem(64, 192, pool=7, same=False)  # 192 samples are 640 ms at 300 Hz
NARROW = stem(32, 15, pool=5)

LAYOUTS: dict[str, Layout] = {
    "basic_cnn": Layout(
        blocks=(
            stem(64, 192, pool=5, same=False),
            stem(48, 64, pool=5, same=False),
            last((32, 18), residual=False, same=False),
        ),
        dense=(64, 32),
        normal=True,
    ),
    "resnet_like_x3": Layout(
        blocks=(WIDE, Block(3 * ((48, 32),), pool=5), last(*3 * ((24, 16),))),
        dense=(48, 24),
    ),
    "resnet_like_x4": Layout(
        blocks=(
            WIDE,
            Block(((96, 1), (96, 9), (96, 9), (48, 3)), pool=5),
            last((72, 1), (72, 5), (72, 5), (24, 3)),
        ),
        dense=(48, 24),
    ),
    "smaller_resnet_4x2": Layout(
        blocks=(
            NARROW,
            Block(2 * ((48, 5),), pool=3),
            Block(2 * ((56, 5),), pool=3),
            Block(2 * ((64, 3),), pool=3),
            Block(2 * ((72, 3),)),  # dropped out here, and once more in the head
        ),
        dense=(40,),
    ),
    "smaller_resnet_4x3": Layout(
        blocks=(
            NARROW,
            Block(((48, 1), (48, 5), (40, 1)), pool=3),
            Block(((64, 1), (64, 5), (48, 1)), pool=3),
            Block(((74, 1), (74, 3), (56, 1)), pool=3),
            last((96, 1), (96, 3), (64, 1)),
        ),
        dense=(48,),
    ),
    "identity_resnet_4x2": Layout(
        blocks=(
            stem(64, 15, pool=5),
            Block(2 * ((64, 7),), pool=3),
            Block(2 * ((64, 5),), pool=3),
            Block(2 * ((64, 5),), pool=3),
            last(*2 * ((64, 3),)),
        ),
        dense=(48,),
    ),
    "identity_resnet_8x2": Layout(
        blocks=(
            stem(48, 15, pool=5),
            Block(2 * ((48, 7),)),
            Block(2 * ((48, 7),), pool=3),
            Block(2 * ((48, 5),)),
            Block(2 * ((48, 5),), pool=3),
            Block(2 * ((48, 5),)),
            Block(2 * ((48, 5),), pool=3),
            Block(2 * ((48, 3),)),
            last(*2 * ((48, 3),)),
        ),
        dense=(48,),
    ),
}


class Norm(nn.BatchNorm1d):
    """Batch normalisation with Keras's guard of 1e-3, which also takes a single number.

    One number a channel has no spread; it is then judged by the running values, while learning,
    too. Those keep PyTorch's pace: Keras's is ten times slower and lags behind a short training.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            running = (self.running_mean, self.running_var)
            return functional.batch_norm(x, *running, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class PublishedBlock(nn.Module):
    """A `Block`: (batch, n_in, steps) to (batch, channels, fewer steps).

    Each convolution is followed by ReLU and then by the norm; the sum with the short cut is not
    rectified again.
    """

    def __init__(self, n_in: int, block: Block, *, dropout: float) -> None:
        super().__init__()
        body: list[nn.Module] = []
        channels = n_in
        for filters, width in block.filters:
            if block.same:  # an even width has no middle: the odd zero goes behind, as in Keras
                body.append(nn.ZeroPad1d(((width - 1) // 2, width // 2)))
            body += [nn.Conv1d(channels, filters, width), nn.ReLU(), Norm(filters)]
            channels = filters
        self.channels = channels
        self.body = nn.Sequential(*body)
        self.shortcut = None
        if block.residual:
            fits = channels == n_in
            convolution = nn.Sequential(nn.Conv1d(n_in, channels, 1), Norm(channels))
            self.shortcut = nn.Identity() if fits else convolution
        self.after = nn.Sequential(
            nn.MaxPool1d(block.pool), nn.Dropout(dropout if block.drop else 0.0)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return self.after(y if self.shortcut is None else y + self.shortcut(x))


class PublishedCNN(ECGNetwork):
    """A published convolutional network: what its `layout` says.

    Its dense layer is as wide as the window is long: it was published for 1,500 samples (5 s at
    300 Hz), can be built for other lengths, and takes only the length it was built for. It sees
    the signal as it is, unfiltered and not scaled.

    Parameters
    ----------
    dropout : float
        After each block and between the dense layers.

    Input  (batch, n_leads, n_samples), millivolt
    Output (batch, n_classes), logits

    Raises
    ------
    ValueError
        A window in which not one step is left, or another length than it was built for.
    """

    layout: ClassVar[Layout]

    def __init__(
        self, *, n_leads: int, n_classes: int, n_samples: int, dropout: float = 0.5
    ) -> None:
        super().__init__(
            n_leads=n_leads,
            n_classes=n_classes,
            n_samples=n_samples,
            shortest=shortest(self.layout),
            any_length=False,
        )
        blocks, channels, steps = [], n_leads, n_samples
        for block in self.layout.blocks:
            blocks.append(PublishedBlock(channels, block, dropout=dropout))
            channels = blocks[-1].channels
            steps = (steps - lost(block)) // block.pool
        self.blocks = nn.Sequential(*blocks)
        width = channels * steps
        layers: list[nn.Module] = [nn.Flatten()]
        for units in self.layout.dense:
            layers += [nn.Dropout(dropout), nn.Linear(width, units), nn.ReLU(), Norm(units)]
            width = units
        self.dense = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_classes)
        draw_as_keras(self, normal=self.layout.normal)

    def forward(self, x: Tensor) -> Tensor:
        self.prepare(x)  # for its check of the shape
        x = self.blocks(x)  # (batch, channels, steps)
        x = self.dense(x)  # (batch, units)
        return self.head(x)  # (batch, n_classes)


class BasicCNN(PublishedCNN):
    """Three wide convolutions, two dense layers."""

    layout = LAYOUTS["basic_cnn"]


class ResNetLikeX3(PublishedCNN):
    """Two residual blocks of three equal convolutions."""

    layout = LAYOUTS["resnet_like_x3"]


class ResNetLikeX4(PublishedCNN):
    """Two residual blocks of four convolutions, wide ones between narrow ones."""

    layout = LAYOUTS["resnet_like_x4"]


class SmallerResNet4x2(PublishedCNN):
    """Four residual blocks of two convolutions that grow in channels."""

    layout = LAYOUTS["smaller_resnet_4x2"]


class SmallerResNet4x3(PublishedCNN):
    """Four residual blocks of three: one mixes channels, one sees time, one mixes."""

    layout = LAYOUTS["smaller_resnet_4x3"]


class IdentityResNet4x2(PublishedCNN):
    """Four residual blocks of two whose short cuts change nothing."""

    layout = LAYOUTS["identity_resnet_4x2"]


class IdentityResNet8x2(PublishedCNN):
    """Eight residual blocks of two whose short cuts change nothing."""

    layout = LAYOUTS["identity_resnet_8x2"]


def lost(block: Block) -> int:
    """How many steps the convolutions of a block take away."""
    return 0 if block.same else sum(width - 1 for _, width in block.filters)


def shortest(layout: Layout) -> int:
    """Fewest samples of which one step is left."""
    samples = 1
    for block in reversed(layout.blocks):
        samples = samples * block.pool + lost(block)
    return samples


def draw_as_keras(model: nn.Module, *, normal: bool = False) -> None:
    """Draw the weights of dense layers and convolutions as Keras does; biases start at 0.

    Uniform by Glorot's rule (Glorot 2010), or normal with a deviation of 0.05.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            if normal:
                nn.init.normal_(module.weight, std=0.05)
            else:
                nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


def keras_total(model: nn.Module) -> int:
    """Parameters as Keras totals them: the learnt ones and the running values of the norms."""
    learnt = sum(p.numel() for p in model.parameters() if p.requires_grad)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    return learnt + sum(m.running_mean.numel() + m.running_var.numel() for m in norms)
