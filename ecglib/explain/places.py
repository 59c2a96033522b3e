"""Which layer Grad-CAM looks at, and where in time its steps lie.

Chapter: exercise 06, "Look inside".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecglib.models.images import COLUMNS, Course2D, SpectrogramCNN
from ecglib.models.parts import RhythmBranch
from ecglib.models.published import PublishedBlock
from ecglib.models.residual import SqueezeExcite
from ecglib.models.rhythm import RhythmNet, true_lengths

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d)
PADS = (nn.ZeroPad1d, nn.ZeroPad2d, nn.ConstantPad1d, nn.ConstantPad2d, nn.ReflectionPad1d)
BENDS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU)
ASIDE = (RhythmBranch, SqueezeExcite)  # their axis is not time, or is averaged away
ENDS = (nn.Linear, nn.Flatten, *POOLS)


@dataclass(frozen=True)
class Grid:
    """Where the steps of a layer lie: step j looks at the samples around start + j * step."""

    start: float  # samples
    step: float  # samples

    def at(self, n_steps: int) -> NDArray[np.float64]:
        """The middle of each step, in samples: (n_steps,)."""
        return self.start + self.step * np.arange(n_steps)


def layer_of(model: nn.Module) -> nn.Module:
    """The layer whose output Grad-CAM weighs: the last convolution before pooling or recurrence.

    With the activation behind it, if there is one; where a short cut joins, what comes out of the
    sum. Branches that do not run along time (autocorrelation, weighing of channels) are left out:
    no map over time can show what they see.

    Raises
    ------
    ValueError
        If the model has no convolution along time.
    """
    found, block, waiting = None, None, False
    for module in along_time(model):
        if isinstance(module, nn.RNNBase):
            break
        if isinstance(module, PublishedBlock):
            block = module
        elif isinstance(module, CONVOLUTIONS):
            found, waiting = module, True
        elif isinstance(module, BENDS) and waiting:
            found, waiting = module, False
        elif isinstance(module, ENDS):
            waiting = False
    if found is None:
        raise ValueError(
            f"need a network with convolutions along time for Grad-CAM, {type(model).__name__} "
            "has none; integrated_gradients and occlusion take any network"
        )
    return block.after if block is not None else found


def along_time(model: nn.Module) -> Iterator[nn.Module]:
    """Modules in the order they were made, which is the order they are used in.

    Children named `shortcut` are left out: they lie beside the body.
    """
    yield model
    for name, child in model.named_children():
        if name != "shortcut" and not isinstance(child, ASIDE):
            yield from along_time(child)


def grid(model: nn.Module, layer: nn.Module) -> Grid:
    """Where in the input the steps of `layer` lie, by the strides and padding before it.

    Assumes that modules are used in the order they were made. Behind a short cut, half way between
    where it and the body put a step. Of images the last axis is time; the folded beat of
    `course_2d` has no such axis, see `to_time`.

    Raises
    ------
    ValueError
        If the layer is not part of the model, or lies in a branch that does not run along time.
    """
    hop = float(model.hop) if isinstance(model, SpectrogramCNN) else 1.0
    at, reached = _follow(model, Grid(0.0, hop), layer)
    if not reached:
        raise ValueError(
            f"need a layer of {type(model).__name__} that runs along time, got "
            f"{type(layer).__name__}"
        )
    return at


def _follow(module: nn.Module, at: Grid, layer: nn.Module | None) -> tuple[Grid, bool]:
    """Where steps lie behind `module`, and whether `layer` is reached; it is not looked beyond."""
    if isinstance(module, PADS):
        at = Grid(at.start - at.step * module.padding[0], at.step)
    elif isinstance(module, CONVOLUTIONS + POOLS):
        width = _last(getattr(module, "dilation", 1)) * (_last(module.kernel_size) - 1)
        pad = {"same": width // 2, "valid": 0}.get(module.padding, module.padding)
        start = at.start + at.step * (width / 2 - _last(pad))
        at = Grid(start, at.step * _last(module.stride))
    before = at
    for name, child in module.named_children():
        if name == "shortcut":  # an even width moves the body by half a step, the short cut not
            beside, _ = _follow(child, before, None)
            at = Grid((at.start + beside.start) / 2, at.step)
        elif not isinstance(child, ASIDE):
            at, reached = _follow(child, at, layer)
            if reached:
                return at, True
    return at, module is layer


def to_time(found: Tensor, model: nn.Module, *, layer: nn.Module, x: Tensor) -> Tensor:
    """Maps of a layer's steps or pixels as maps over the samples of the input.

    Linear between the middles of the steps, level beyond the first and last. A spectrogram's map
    is averaged over frequency; that of the folded beat is read row by row. `rhythm_net` never
    sees what lies behind the end of a recording, so its map is 0 there.

    Parameters
    ----------
    found : tensor, shape (n, steps) or (n, rows, columns)
    x : tensor, shape (n, n_leads, n_samples), what the model was shown

    Returns
    -------
    tensor, float32, shape (n, n_samples), on the CPU
    """
    n_samples = x.shape[-1]
    if isinstance(model, Course2D):
        size = (-(-n_samples // COLUMNS), COLUMNS)
        if found.shape[1:] != size:  # behind a pooling
            found = nn.functional.interpolate(found[:, None], size=size, mode="bilinear")[:, 0]
        return found.flatten(1)[:, :n_samples].float().cpu()
    rows = (found.mean(dim=1) if found.ndim == 3 else found).double().cpu().numpy()
    middles = grid(model, layer).at(rows.shape[1])
    if middles[-1] > n_samples + grid(model, layer).step:
        raise ValueError(
            f"need steps within the window of {n_samples} samples, those of "
            f"{type(layer).__name__} would reach from {middles[0]:.0f} to {middles[-1]:.0f}"
        )
    samples = np.arange(n_samples)
    over_time = np.stack([np.interp(samples, middles, row) for row in rows])
    if isinstance(model, RhythmNet):
        over_time[samples >= true_lengths(x).cpu().numpy()[:, None]] = 0
    return torch.from_numpy(over_time.astype(np.float32))


def _last(value: int | tuple[int, ...]) -> int:
    return value[-1] if isinstance(value, tuple) else value
