"""What the network looks at in a class: maps averaged over beats, aligned on the R peak.

Chapter: exercise 06, "Look inside".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import mean_interval


@dataclass(frozen=True)
class ClassAverage:
    """The mean beat of a class and the mean map over it."""

    name: str
    time_s: NDArray[np.float64]  # from the R peak
    beat: NDArray[np.float64]  # mean of the signal, in its unit
    map: NDArray[np.float64]  # mean of the maps, as shares of each window's largest
    low: NDArray[np.float64]  # 95 % interval of the map, by group
    high: NDArray[np.float64]
    n_beats: int
    n_windows: int


def by_class(
    maps: ArrayLike,
    peaks: int | ArrayLike | Sequence[ArrayLike],
    *,
    signal: ArrayLike,
    label: ArrayLike,
    classes: Sequence[str],
    fs: float,
    before_s: float = 0.25,
    after_s: float = 0.45,
    groups: ArrayLike | None = None,
    lead: int = 0,
) -> dict[str, ClassAverage]:
    """Average maps and signal around the R peaks, class by class.

    Each map is first divided by its largest magnitude, so that no window outshouts the others.
    Where a piece reaches beyond its window, the average is over the other pieces.

    Parameters
    ----------
    maps : array, shape (n, n_samples)
    peaks : samples of the R peaks
        One for all windows, one for each, or a sequence of arrays with those of each.
    signal : array, shape (n, n_leads, n_samples)
    label : array, shape (n,), class numbers; windows below 0 are left out
    classes : names, in the order of their numbers
    fs : float, hertz
    before_s, after_s : float, second
    groups : array, shape (n,), the patient of each window, for the interval
    lead : int, the lead that is averaged

    Returns
    -------
    dict by the name of each class that has a beat

    Raises
    ------
    ValueError
        If shapes do not match, or a peak lies outside its window.
    """
    maps, signal, label = np.asarray(maps, float), np.asarray(signal), np.asarray(label)
    n, n_samples = maps.shape if maps.ndim == 2 else (0, 0)
    if not n or signal.ndim != 3 or signal.shape[::2] != maps.shape or label.shape != (n,):
        raise ValueError(
            f"need maps (n, n_samples), signal (n, n_leads, n_samples) and n labels, got "
            f"{maps.shape}, {signal.shape}, {label.shape}"
        )
    row, peak = _listed(peaks, n)
    outside = (peak < 0) | (peak >= n_samples)
    if outside.any():
        raise ValueError(
            f"need peaks within 0..{n_samples - 1}, got {peak[outside][0]} in window "
            f"{row[outside][0]}"
        )
    groups = np.arange(n) if groups is None else np.asarray(groups)
    largest = np.abs(maps).max(axis=1, keepdims=True)
    shares = np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)
    steps = np.arange(-round(before_s * fs), round(after_s * fs) + 1)
    found = {}
    for number, name in enumerate(classes):
        own = label[row] == number
        if not own.any():
            continue
        at = peak[own][:, None] + steps  # (n_beats, n_steps)
        there = (at >= 0) & (at < n_samples)
        place = row[own][:, None], np.clip(at, 0, n_samples - 1)
        around = mean_interval(np.where(there, shares[place], np.nan), groups[row[own]])
        beats = np.where(there, signal[:, lead][place], 0).sum(axis=0, dtype=float)
        with np.errstate(invalid="ignore"):
            beat = beats / there.sum(axis=0)
        found[name] = ClassAverage(
            name=name,
            time_s=steps / fs,
            beat=beat,
            map=around["value"],
            low=around["low"],
            high=around["high"],
            n_beats=int(own.sum()),
            n_windows=len(np.unique(row[own])),
        )
    return found


def _listed(
    peaks: int | ArrayLike | Sequence[ArrayLike], n: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Window and sample of every peak."""
    if not isinstance(peaks, Sequence) and np.ndim(peaks) == 0:
        peaks = [peaks] * n
    if len(peaks) != n:
        raise ValueError(f"need peaks for each of {n} windows, got {len(peaks)}")
    each = [np.atleast_1d(np.asarray(one)) for one in peaks]
    row = np.repeat(np.arange(n), [len(one) for one in each])
    return row, np.concatenate(each).astype(np.intp)
