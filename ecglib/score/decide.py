"""From probabilities to a decision that stands: weights, and several windows that agree.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

CANNOT_TELL = "cannot tell"


def decide(
    probability: ArrayLike, weights: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The class of each window and how sure it is.

    Parameters
    ----------
    probability : array, shape (n, n_classes)
    weights : what each probability is multiplied by before the largest decides

    Returns
    -------
    said : array, shape (n,); -1 where a probability is NaN
    sure : array, shape (n,), from 0 to 1
        By how much the largest weighted probability exceeds the second, as a share of both.
    """
    weighted = np.asarray(probability, np.float64) * np.asarray(weights)
    told = np.isfinite(weighted).all(axis=1)
    second, first = np.sort(np.where(told[:, None], weighted, 0), axis=1)[:, -2:].T
    sure = np.where(told, (first - second) / np.maximum(first + second, 1e-12), np.nan)
    said = np.where(told, np.where(told[:, None], weighted, 0).argmax(axis=1), -1)
    return said.astype(np.int64), sure.astype(np.float32)


def agreed(
    said: ArrayLike, *, needed: int, of: int, n_classes: int, otherwise: int | None = None
) -> NDArray[np.int64]:
    """What `needed` of the last `of` windows say, at each window.

    A window of which nothing can be told speaks for nobody, and so do those before the first. A
    decision stands only if they could not have changed it.

    Parameters
    ----------
    said : array, shape (n,), class numbers in order of time; -1: cannot tell
    needed, of : int, more than half of the windows must be needed
    otherwise : class number, optional
        What is decided when no other class can have as many; without it nothing is decided then.

    Returns
    -------
    array, shape (n,); -1 where nothing can be decided, and wherever `said` is -1
    """
    said = np.asarray(said, dtype=np.int64)
    if not of / 2 < needed <= of:
        raise ValueError(f"need more than half of the windows to agree, got {needed} of {of}")
    counts = np.stack([_among(said == c, of) for c in range(n_classes)], axis=1)
    unknown = of - counts.sum(axis=1)  # (n,), those before the first included
    out = np.where(counts.max(axis=1) >= needed, counts.argmax(axis=1), -1)
    if otherwise is not None:
        others = np.delete(counts, otherwise, axis=1).max(axis=1, initial=0)
        out = np.where((out < 0) & (others + unknown < needed), otherwise, out)
    return np.where(said < 0, -1, out)


def _among(yes: NDArray[np.bool_], of: int) -> NDArray[np.int64]:
    """How many of the last `of` are True, at each."""
    total = np.concatenate([np.zeros(of, np.int64), np.cumsum(yes)])
    return total[of:] - total[:-of]
