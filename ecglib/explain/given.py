"""What every method is given: a network at rest, classes to explain, what stands for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ecglib.models.rhythm import true_lengths

BASELINES = ("zero", "mean")


def flat(signals: Tensor, baseline: str) -> Tensor:
    """What stands for nothing to see, in the shape of `signals`; 0 behind each recording's end."""
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}, expected one of {', '.join(BASELINES)}")
    if baseline == "zero":
        return torch.zeros_like(signals)
    lengths = true_lengths(signals)[:, None, None]
    inside = torch.arange(signals.shape[-1], device=signals.device) < lengths
    return inside * signals.sum(dim=-1, keepdim=True) / lengths  # 0 behind the end adds nothing


@contextmanager
def at_rest(model: nn.Module) -> Iterator[torch.device]:
    """The model in evaluation mode, as it was afterwards; gives its device.

    On a GPU the fast recurrent layers refuse a gradient in evaluation mode, the plain ones do not.
    """
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    plain = recurrent and device.type == "cuda"
    model.eval()
    try:
        with torch.backends.cudnn.flags(enabled=False) if plain else nullcontext():
            yield device
    finally:
        for module, mode in modes:
            module.training = mode


def targets(model: nn.Module, signals: Tensor, target: int | ArrayLike) -> Tensor:
    """One class for each window; ValueError for another number of them, or no class."""
    chosen = np.asarray(target)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (len(signals),)):
        raise ValueError(
            f"need one class as a target, or one for each of {len(signals)} windows, got "
            f"{chosen.dtype} of shape {chosen.shape}"
        )
    with at_rest(model) as device, torch.no_grad():
        n_classes = model(signals[:1].to(device)).shape[1]
    if ((chosen < 0) | (chosen >= n_classes)).any():
        raise ValueError(
            f"need targets in 0..{n_classes - 1}, got {sorted(set(chosen.ravel().tolist()))}"
        )
    return torch.from_numpy(np.broadcast_to(chosen, len(signals)).astype(np.int64))


def n_numbers(model: nn.Module) -> int:
    """How many of the last leads are numbers beside the signal."""
    return getattr(model, "n_features", 0)
