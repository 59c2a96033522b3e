"""Means with an interval by drawing whole groups anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecglib.metrics.intervals import interval, resamples


def mean_interval(
    values: ArrayLike, groups: ArrayLike | None = None, *, n: int = 1000, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Mean over the first axis with its 95 % interval; what is not finite is left out.

    Parameters
    ----------
    values : array, shape (n_windows, k)
    groups : array, shape (n_windows,), the patient of each window; by default each its own
    n : int, number of resamples

    Returns
    -------
    dict of arrays, shape (k,): value, low, high; limits are nan where one group is all there is
    """
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if values.ndim != 2 or not len(values) or groups.shape != values.shape[:1]:
        raise ValueError(
            f"need values (n, k) and a group for each row, got {values.shape} and {groups.shape}"
        )
    names, code = np.unique(groups, return_inverse=True)
    known = np.isfinite(values)
    sums, counts = np.zeros((2, len(names), values.shape[1]))
    np.add.at(sums, code, np.where(known, values, 0))
    np.add.at(counts, code, known)
    with np.errstate(invalid="ignore"):
        value = sums.sum(axis=0) / counts.sum(axis=0)
        draws = [(w @ sums) / (w @ counts) for w in resamples(len(names), n, seed)]
    draws = np.concatenate(draws) if len(names) > 1 else np.empty((0, values.shape[1]))
    found = [interval(mean, column) for mean, column in zip(value, draws.T, strict=True)]
    return {what: np.array([one[what] for one in found]) for what in ("value", "low", "high")}


def mean_of(values: ArrayLike, groups: ArrayLike | None = None) -> dict[str, float]:
    """`mean_interval` of one number a window, and how many of these there were."""
    values = np.asarray(values, dtype=float)
    found = {what: float(v[0]) for what, v in mean_interval(values[:, None], groups).items()}
    return found | {"n": int(np.isfinite(values).sum())}
