"""What can be learnt from, and the device it is learnt on."""

import warnings

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn


def choose_device(name: str = "auto") -> torch.device:
    """The GPU if there is one, else the CPU; or the one asked for.

    Raises
    ------
    ValueError
        When a GPU is asked for and none is there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but torch finds no GPU")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def checked_signals(x: ArrayLike, *, name: str) -> Tensor:
    """Signals as a float32 tensor without a copy; ValueError for a wrong shape or a NaN."""
    array = np.asarray(x)
    if array.ndim != 3 or len(array) == 0:
        raise ValueError(
            f"{name} signals must have shape (n, n_leads, n_samples) with n > 0, got {array.shape}"
        )
    array = np.ascontiguousarray(array, dtype=np.float32)
    with warnings.catch_warnings():
        # Prepared sets are read-only; nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        signals = torch.from_numpy(array)
    bad = ~torch.isfinite(signals.sum(dim=(1, 2)))
    if bad.any():
        raise ValueError(
            f"{name} signals hold NaN or infinity in {int(bad.sum())} of {len(bad)} windows, "
            f"first in window {int(bad.nonzero()[0])}"
        )
    return signals


def check_labels(y: Tensor, *, n_windows: int, n_classes: int, name: str) -> None:
    """Raise ValueError unless each window has a class and each class has a window."""
    if y.shape != (n_windows,):
        raise ValueError(
            f"{name} has {n_windows} windows, so labels must have shape ({n_windows},), "
            f"got {tuple(y.shape)}"
        )
    if y.is_floating_point() or y.is_complex():
        raise ValueError(f"{name} labels must be whole numbers, got {y.dtype}")
    outside = y[(y < 0) | (y >= n_classes)]
    if len(outside):
        raise ValueError(
            f"{name} labels must lie in 0..{n_classes - 1}, got {sorted(set(outside.tolist()))}"
        )
    missing = sorted(set(range(n_classes)) - set(y.tolist()))
    if missing:
        raise ValueError(f"{name} has no window of class {', '.join(map(str, missing))}")


def count_classes(model: nn.Module, x: Tensor) -> int:
    """Number of logits, found with one window: the model need not say."""
    model.eval()
    with torch.inference_mode():
        return model(x[:1].to(next(model.parameters()).device)).shape[1]
