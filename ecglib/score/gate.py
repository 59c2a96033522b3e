"""Where a signal is too poor to say anything: every rule and its reason in one place.

A rule says "cannot tell" only of what no ECG looks like. Motion that fills the band of the ECG
itself (0.5 to 40 Hz) resembles a ventricular rhythm, and no rule here tells the two apart; mains
and muscle above it are filtered out before a network looks. Chapter:
exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, sosfilt

from ecglib import signals

FLAT_S = 1.0  # as in training: a living electrode always shows noise
CLIPPED_S = 0.02  # at the highest or lowest value of the recording; a wave's top is shorter
CLIPPED_SHARE = 0.05  # of a window; a single clipped R peak is no reason to be silent
LARGEST_MV = 15.0  # from the baseline; 10.2 mV is the most in 38,000 windows of arrhythmia
NOISE_HZ = 25.0  # from here to 40 Hz there is little of an ECG, and as much of muscle as below
NOISE_RATIO = 0.5  # of the band's root mean square: 0.55 in white noise, over 0.5 in one of those
STEP_S = 0.1  # to which loudness is measured
NOISE_MV = 0.05  # root mean square; what is fainter is an ECG's own end, as in asystole

REASONS = {  # in the order in which they are told
    "missing": "samples are missing",
    "flat": f"no change for more than {FLAT_S:g} s, as of an electrode that is off",
    "clipped": f"more than {CLIPPED_SHARE:.0%} at the end of the range",
    "large": f"beyond {LARGEST_MV:g} mV, as of motion or a wrong unit",
    "noise": "muscle is louder than the ECG",
}


def reasons(
    x: NDArray, starts: ArrayLike, *, fs: float, length: int, band: NDArray | None = None
) -> NDArray:
    """Why nothing can be said of each window, or an empty text.

    Parameters
    ----------
    x : array, shape (n_leads, n_samples), millivolt, unfiltered; NaN where samples are missing
    starts : array, shape (n_windows,), samples
    fs : float, hertz
    length : int, samples of a window
    band : array, shape (n_leads, n_samples), millivolt, optional
        `x` from 0.5 to 40 Hz, where it is there already.

    Returns
    -------
    array of str, shape (n_windows,), keys of `REASONS`; the first that holds of any lead
    """
    starts = np.asarray(starts, dtype=np.intp)
    if x.ndim != 2 or (
        len(starts) and not 0 <= starts.min() <= starts.max() + length <= x.shape[1]
    ):
        raise ValueError(f"need windows of {length} samples inside (n_leads, n_samples) {x.shape}")
    names = list(REASONS)
    first = np.full(len(starts), len(names))
    for lead, row in enumerate(x):
        found = _found(row, starts, starts + length, fs, None if band is None else band[lead])
        for rank, name in enumerate(names):
            first = np.where(found[name], np.minimum(first, rank), first)
    return np.array([*names, ""], dtype=object)[first]


def _found(
    x: NDArray, first: NDArray, end: NDArray, fs: float, band: NDArray | None
) -> dict[str, NDArray]:
    """Which windows [first, end) of one lead break each rule."""
    missing = ~np.isfinite(x)
    filled = np.where(missing, np.float32(0), x) if missing.any() else x
    if band is None:
        top = min(40.0, 0.45 * fs)
        band = signals.bandpass(filled, fs=fs, low=0.5, high=top)
    flat_n = int(FLAT_S * fs) + 1  # steps without change that exceed the limit
    length = end - first
    return {
        "missing": _count(missing, first, end) > 0,
        "flat": _count(_still(filled, fs) >= flat_n, np.minimum(first + flat_n, end), end) > 0,
        "clipped": _count(_clipped(x, fs), first, end) > CLIPPED_SHARE * length,
        "large": _count(np.abs(band) > LARGEST_MV, first, end) > 0,
        "noise": _noisy(band, first, end, fs),
    }


def _count(yes: NDArray[np.bool_], first: NDArray, end: NDArray) -> NDArray[np.intp]:
    """How many are True in each stretch [first, end)."""
    if not yes.any():
        return np.zeros(len(first), np.intp)
    at = np.flatnonzero(yes)
    return np.searchsorted(at, end) - np.searchsorted(at, first)


def _still(x: NDArray, fs: float, *, tolerance: float = 1e-3) -> NDArray[np.int32]:
    """For each sample, how many steps up to it were below `tolerance` millivolt in a row."""
    still = np.abs(np.diff(x, prepend=x[:1] + 1)) < tolerance
    index = np.arange(len(x), dtype=np.int32)
    moved = np.maximum.accumulate(np.where(still, np.int32(0), index))
    return index - moved


def _clipped(x: NDArray, fs: float) -> NDArray[np.bool_]:
    """Samples that stay at the highest or lowest value of the whole recording for `CLIPPED_S`."""
    out = np.zeros(len(x), dtype=bool)
    if not np.isfinite(x).any() or np.nanmax(x) == np.nanmin(x):
        return out
    for edge in (np.nanmax(x), np.nanmin(x)):
        at = np.flatnonzero(x == edge)
        for run in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1):
            if len(run) >= max(3, CLIPPED_S * fs):
                out[run] = True
    return out


def _noisy(band: NDArray, first: NDArray, end: NDArray, fs: float) -> NDArray[np.bool_]:
    """Windows that are mostly muscle, whose loudness is the same at all frequencies."""
    if fs < 100:  # the end of the band was not recorded
        return np.zeros(len(first), dtype=bool)
    high = sosfilt(butter(4, NOISE_HZ, btype="highpass", fs=fs, output="sos"), band)
    muscle, all_of_it = (_rms(y, first, end, fs) for y in (high, band))
    return (muscle > NOISE_MV) & (muscle > NOISE_RATIO * all_of_it)


def _rms(x: NDArray, first: NDArray, end: NDArray, fs: float) -> NDArray[np.float64]:
    """Root mean square of each stretch, to the nearest `STEP_S`."""
    step = max(int(STEP_S * fs), 1)
    pieces = x[: len(x) // step * step].reshape(-1, step)
    total = np.concatenate([[0.0], np.cumsum(np.einsum("ij,ij->i", pieces, pieces))])
    a = np.minimum(first // step, len(pieces))
    b = np.clip(end // step, np.minimum(a + 1, len(pieces)), len(pieces))
    return np.sqrt((total[b] - total[a]) / np.maximum(b - a, 1) / step)
