"""Filter, resample, cut windows and measure them: arrays in, arrays out, time last.

Every function takes signals in millivolt with time on the last axis and needs the sampling rate
`fs` in hertz. Chapter: exercise 03, "Data".
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

RATES_PER_MIN = (40.0, 400.0)  # slowest and fastest rhythm that `rate_per_min` looks for


def bandpass(x: ArrayLike, *, fs: float, low: float = 0.5, high: float = 40.0) -> NDArray:
    """Keep the band where a surface ECG carries information, without phase shift.

    Parameters
    ----------
    x : array, shape (..., n_samples), millivolt
    fs : float, hertz
    low, high : float, hertz
        Edges of the pass band; need ``0 < low < high < fs / 2``.

    Returns
    -------
    array, same shape and unit as `x`

    Raises
    ------
    ValueError
        If the band does not fit the rate, or a value is not finite.
    """
    x = np.asarray(x)
    if not 0 < low < high < fs / 2:
        raise ValueError(f"need 0 < low < high < fs/2, got {low=} {high=} {fs=} Hz")
    if not np.isfinite(x).all():
        raise ValueError(f"need finite samples, got {(~np.isfinite(x)).sum()} NaN or infinite")
    sos = butter(3, (low, high), btype="bandpass", fs=fs, output="sos")
    return sosfiltfilt(sos, x, axis=-1)


def resample(x: ArrayLike, *, fs: float, new_fs: float) -> NDArray:
    """Change the sampling rate with an anti-aliasing polyphase filter.

    Parameters
    ----------
    x : array, shape (..., n_samples)
    fs, new_fs : float, hertz
        Present and wanted rate; their ratio must be that of two integers below 1,000.

    Returns
    -------
    array, shape (..., ceil(n_samples * new_fs / fs)), same unit as `x`
    """
    if fs <= 0 or new_fs <= 0:
        raise ValueError(f"need positive rates, got {fs=} {new_fs=} Hz")
    ratio = Fraction(new_fs / fs).limit_denominator(1000)
    if abs(float(ratio) * fs - new_fs) > 1e-6 * new_fs:
        raise ValueError(f"need new_fs/fs as a ratio of integers below 1000, got {new_fs}/{fs} Hz")
    if ratio == 1:
        return np.asarray(x)
    return resample_poly(x, ratio.numerator, ratio.denominator, axis=-1, padtype="line")


def window_starts(start: int, end: int, *, length: int, stride: int) -> NDArray[np.intp]:
    """First samples of all windows of `length` samples that lie wholly in [start, end)."""
    if length <= 0 or stride <= 0:
        raise ValueError(f"need positive length and stride, got {length=} {stride=} samples")
    return np.arange(start, end - length + 1, stride, dtype=np.intp)


def cut(x: NDArray, starts: ArrayLike, *, length: int) -> NDArray:
    """Cut windows: (n_leads, n_samples) and n starts give (n, n_leads, length)."""
    starts = np.asarray(starts, dtype=np.intp)
    if len(starts) and (starts.min() < 0 or starts.max() + length > x.shape[-1]):
        raise ValueError(f"need windows inside {x.shape[-1]} samples, got {starts.max() + length}")
    view = np.lib.stride_tricks.sliding_window_view(x, length, axis=-1)
    return np.ascontiguousarray(view[:, starts].swapaxes(0, 1))


def amplitude_mv(x: ArrayLike, *, fs: float) -> NDArray:
    """Peak-to-peak amplitude in millivolt: the median over one-second pieces.

    The median keeps one artefact or one premature beat from passing for the amplitude of the
    rhythm. `x` has shape (..., n_samples) with at least a second; returns shape (...).
    """
    x = np.asarray(x)
    n = int(round(fs))
    if x.shape[-1] < n:
        raise ValueError(f"need at least one second ({n} samples), got {x.shape[-1]}")
    pieces = x[..., : x.shape[-1] // n * n].reshape(*x.shape[:-1], -1, n)
    return np.median(np.ptp(pieces, axis=-1), axis=-1)


def autocorrelation(x: ArrayLike) -> NDArray:
    """Autocorrelation over time, unbiased and scaled to 1 at lag 0; shape as `x`."""
    x = np.asarray(x, dtype=np.float64)
    n = x.shape[-1]
    x = x - x.mean(axis=-1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(x, 2 * n, axis=-1)) ** 2
    r = np.fft.irfft(spectrum, axis=-1)[..., :n] / (n - np.arange(n))
    return r / np.maximum(r[..., :1], 1e-12)


def organisation(x: ArrayLike, *, fs: float) -> NDArray:
    """How well a rhythm repeats itself: the highest autocorrelation peak from 40 to 400 per minute.

    1 for a pattern that repeats exactly, near 0 for noise. Over four seconds a monomorphic
    tachycardia rarely stays below 0.6 and fibrillation rarely exceeds it.

    Parameters
    ----------
    x : array, shape (..., n_samples), millivolt; at least 2 s

    Returns
    -------
    array, shape (...), between 0 and 1
    """
    x = np.asarray(x)
    shortest, longest = (int(round(60 * fs / r)) for r in RATES_PER_MIN[::-1])
    if x.shape[-1] < 2 * fs:
        raise ValueError(f"need at least two seconds, got {x.shape[-1] / fs:.2f} s")
    longest = min(longest, x.shape[-1] * 3 // 4)
    r = autocorrelation(x)[..., shortest - 1 : longest + 2]
    middle = r[..., 1:-1]
    is_peak = (middle >= r[..., :-2]) & (middle > r[..., 2:])
    return np.clip(np.where(is_peak, middle, 0.0).max(axis=-1), 0.0, 1.0)


def rate_per_min(x: ArrayLike, *, fs: float) -> NDArray:
    """Rate of a ventricular rhythm: how often the signal swings from below to above its middle.

    The signal is band-passed (1 to 10 Hz); a swing counts when it passes from below -h to above
    +h, with h = 15 % of the peak-to-peak amplitude, so that notches and small T waves do not
    count. The rate is that between the first and the last swing. Meant for wide complexes; in
    narrow rhythms a tall T wave can count as a swing of its own.

    Parameters
    ----------
    x : array, shape (..., n_samples), millivolt; at least 2 s

    Returns
    -------
    array, shape (...), per minute; 0 where fewer than three swings were seen
    """
    x = np.asarray(x, dtype=np.float64)
    if x.shape[-1] < 2 * fs:
        raise ValueError(f"need at least two seconds, got {x.shape[-1] / fs:.2f} s")
    sos = butter(2, (1.0, 10.0), btype="bandpass", fs=fs, output="sos")
    y = sosfiltfilt(sos, x, axis=-1).reshape(-1, x.shape[-1])
    h = 0.15 * amplitude_mv(y, fs=fs)[:, None]
    side = np.sign(y) * (np.abs(y) > h)
    last_seen = np.maximum.accumulate(np.where(side != 0, np.arange(y.shape[-1]), 0), axis=-1)
    side = np.take_along_axis(side, last_seen, axis=-1)  # hold the last side until the next one
    swings = (side[:, 1:] > 0) & (side[:, :-1] < 0)
    count = swings.sum(axis=-1)
    first = swings.argmax(axis=-1)
    last = swings.shape[-1] - 1 - swings[:, ::-1].argmax(axis=-1)
    rate = np.where(count > 2, 60 * fs * (count - 1) / np.maximum(last - first, 1), 0.0)
    return rate.reshape(x.shape[:-1])


def narrowness(x: ArrayLike, *, fs: float) -> NDArray:
    """Share of time spent near the baseline: high for narrow complexes, low for wide ones.

    Near means within 20 % of the peak-to-peak amplitude around the median. Sinus rhythm stays
    there for 80 % of the time and more, a sine wave for 26 %, ventricular fibrillation about 50 %.
    """
    x = np.asarray(x)
    middle = np.median(x, axis=-1, keepdims=True)
    near = np.abs(x - middle) < 0.2 * amplitude_mv(x, fs=fs)[..., None]
    return near.mean(axis=-1)


def longest_flat_s(x: ArrayLike, *, fs: float, tolerance: float = 1e-3) -> NDArray:
    """Seconds of the longest stretch without change (steps below `tolerance` millivolt).

    Raw signals, before any filter: a living electrode always shows noise, a lead that is off or
    clipped does not. `x` has shape (..., n_samples); returns shape (...).
    """
    still = np.abs(np.diff(np.asarray(x), axis=-1)) < tolerance
    index = np.arange(1, still.shape[-1] + 1)
    last_move = np.maximum.accumulate(np.where(still, 0, index), axis=-1)
    return (index - last_move).max(axis=-1) / fs
