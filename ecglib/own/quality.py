"""How much of a signal is flat, clipped or missing.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLAT_S = 1.0  # a shorter stretch without change can be the baseline of a coarse converter
CLIPPED_S = 0.02  # a wave stays shorter than this at its very top


def flat_s(x: ArrayLike, *, fs: float) -> float:
    """Seconds in stretches of more than `FLAT_S` without any change; `x` is (n_samples,)."""
    still = np.diff(np.asarray(x)) == 0  # False beside a NaN
    runs = _runs(still)
    return float(runs[runs >= FLAT_S * fs].sum() / fs)


def clipped_s(x: ArrayLike, *, fs: float) -> float:
    """Seconds in which a signal (n_samples,) stays at its largest or smallest value.

    Stretches of `CLIPPED_S` and more, at least three samples, count, if they are not so long that
    they are flat.
    """
    x = np.asarray(x)
    if not np.isfinite(x).any() or np.nanmax(x) == np.nanmin(x):
        return 0.0
    total = 0
    for edge in (np.nanmax(x), np.nanmin(x)):
        runs = _runs(x == edge)
        total += runs[(runs >= max(3, CLIPPED_S * fs)) & (runs <= FLAT_S * fs)].sum()
    return float(total / fs)


def missing_s(x: ArrayLike, *, fs: float) -> float:
    """Seconds of NaN or infinite samples in a signal (n_samples,)."""
    return float((~np.isfinite(np.asarray(x))).sum() / fs)


def _runs(yes: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], yes, [False]])))
    return edges[1::2] - edges[::2]
