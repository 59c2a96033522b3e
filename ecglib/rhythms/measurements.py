"""What can be measured on a recording without a network: its rhythm, its mean beat, what is left.

Gradient boosting on these numbers (`ecglib.rhythms.yardsticks.boosted`) is a yardstick and a second
opinion. Chapter: exercise 05, "Evaluation".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecglib.datasets import Windows

from .yardsticks import STATISTICS, of_windows, r_peaks, rr_statistics

BEFORE_S, AFTER_S = 0.28, 0.45  # of a beat, from its R peak
WAVES_S = {"qrs": (-0.1, 0.12), "p": (-0.25, -0.07)}  # where they lie, from the R peak
SHAPE_STEP_S = 0.02  # of the mean beat as numbers
SHIFT_S = 0.06  # how far a beat is moved to lie on the others
EARLY, LATE = 0.88, 1.05  # R-R intervals in parts of the median
ODD = 0.8  # correlation with the mean beat below which a wave is another one
FEWEST_BEATS = 5
FIBRILLATION_HZ = (4.0, 9.0)  # of the waves that replace P waves in atrial fibrillation
SEEN_HZ = (0.7, 40.0)
N_SHAPE = round((BEFORE_S + AFTER_S) / SHAPE_STEP_S)


def measure(x: NDArray, *, fs: float) -> dict[str, float]:
    """Measurements of one lead by name; trailing zeros are padding and left out.

    With fewer than `FEWEST_BEATS` beats only `STATISTICS` are there.

    Parameters
    ----------
    x : array, shape (n_samples,), any unit; at least 2 s without the padding
    fs : float, hertz
    """
    x = np.trim_zeros(np.asarray(x, np.float64), "b")
    found = dict(zip(STATISTICS, rr_statistics(x, fs=fs), strict=True))
    peaks = r_peaks(x, fs=fs)
    if len(peaks) < FEWEST_BEATS:
        return found
    rr = np.diff(peaks) / fs
    found |= rhythm(rr)
    beats, peaks, came = _beats(x, peaks, rr / np.median(rr), fs=fs)
    if len(beats) < FEWEST_BEATS - 1:
        return found
    return found | waves(beats, came, fs=fs) | _left_over(x, beats, peaks, fs=fs)


def rhythm(rr: NDArray) -> dict[str, float]:
    """Of R-R intervals (n,), seconds: rate, early beats and pauses, how regular, in what order.

    All but the rate are in parts of the median interval, or shares of the intervals.
    """
    middle = np.median(rr)
    part = rr / middle
    step = np.diff(part)
    paused = (part[:-1] < EARLY) & (part[1:] > LATE)
    halves = part[: len(part) // 2], part[len(part) // 2 :]
    low, lower, upper, high = np.quantile(part, [0.1, 0.25, 0.75, 0.9])
    return {
        "median_rate": 60 / middle,
        "early": np.mean(part < EARLY),
        "late": np.mean(part > 1 / EARLY),
        "early_then_pause": paused.mean(),
        "n_early_then_pause": float(paused.sum()),
        "deviation": np.median(np.abs(part - 1)),
        "step_deviation": np.median(np.abs(step)),
        "low": low,
        "high": high,
        "middle_half": upper - lower,
        "in_a_row": _correlation(part[:-1], part[1:]),
        "drift": abs(np.median(halves[0]) - np.median(halves[1])),
        "to_and_fro": np.mean(step[:-1] * step[1:] < 0),
        "small_steps": np.mean(np.abs(np.diff(rr)) < 0.02),
    }


def waves(beats: NDArray, came: NDArray, *, fs: float) -> dict[str, float]:
    """Of aligned beats (n, n_samples): the mean beat, and how far each beat's waves are like it.

    Sizes are in parts of that of the mean QRS complex, which is turned upright.

    Parameters
    ----------
    came : array, shape (n,), each beat's R-R interval in parts of the median
    """
    mean = np.median(beats, axis=0)
    start = round(BEFORE_S * fs)
    ends = {
        name: (start + round(a * fs), start + round(b * fs)) for name, (a, b) in WAVES_S.items()
    }
    span = {name: slice(*pair) for name, pair in ends.items()}
    qrs = mean[span["qrs"]]
    sign, size = np.sign(qrs[np.abs(qrs).argmax()]), np.ptp(qrs) + 1e-9
    beats, mean = sign * beats / size, sign * mean / size
    found = {"upright": float(sign), "qrs_spread": np.ptp(beats[:, span["qrs"]], axis=1).std()}
    for name, inside in span.items():
        alike = np.array([_correlation(one, mean[inside]) for one in beats[:, inside]])
        noise = np.median((beats[:, inside] - mean[inside]).std(axis=1))
        found |= {
            f"{name}_alike": np.median(alike),
            f"{name}_alike_low": np.quantile(alike, 0.1),
            f"{name}_odd": np.mean(alike < ODD),
            f"{name}_size": np.ptp(mean[inside]),
            f"{name}_noise": np.log(noise + 1e-3),
        }
        if name == "qrs":
            found["odd_and_early"] = np.mean((alike < ODD) & (came < EARLY))
            found["alike_and_early"] = np.mean((alike > 1 - (1 - ODD) / 2) & (came < EARLY))
    strong = np.abs(mean[span["qrs"]]) > 0.3 * np.abs(mean[span["qrs"]]).max()
    found["qrs_width_s"] = strong.sum() / fs
    p = mean[span["p"]] - np.linspace(*mean[span["p"]][[0, -1]], len(mean[span["p"]]))
    found |= {"p_high": p.max(), "p_low": p.min(), "p_place": np.abs(p).argmax() / len(p)}
    steps = np.array_split(mean, N_SHAPE)
    return found | {f"shape_{i}": one.mean() for i, one in enumerate(steps)}


def of_records(windows: Windows, *, progress: bool = True) -> pd.DataFrame:
    """`measure` of each record, the mean over its windows; meant for whole recordings.

    Returns
    -------
    DataFrame by record, a column a measurement; what could not be measured is missing
    """
    frame = pd.DataFrame(of_windows(measure, windows, what="measurements", progress=progress))
    return frame.groupby(windows.table["record"].to_numpy()).mean().rename_axis("record")


def _beats(
    x: NDArray, peaks: NDArray, came: NDArray, *, fs: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Beats cut out and moved to lie on their median, their R peaks, and how long each took."""
    before, after, most = (round(s * fs) for s in (BEFORE_S, AFTER_S, SHIFT_S))
    inside = (peaks >= before + most) & (peaks < len(x) - after - most)
    came = np.concatenate([[1.0], came])[inside]
    peaks = peaks[inside]
    if not len(peaks):
        return np.empty((0, before + after)), peaks, came
    wide = x[peaks[:, None] + np.arange(-before - most, after + most)]
    wide = wide - np.median(wide, axis=1, keepdims=True)
    a, b = (round((BEFORE_S + s) * fs) for s in WAVES_S["qrs"])
    model = np.median(wide, axis=0)[most + a : most + b]
    pieces = np.lib.stride_tricks.sliding_window_view(wide[:, a : b + 2 * most], b - a, axis=1)
    shift = (pieces @ model).argmax(axis=1)
    place = shift[:, None] + np.arange(before + after)
    return np.take_along_axis(wide, place, axis=1), peaks + shift - most, came


def _left_over(x: NDArray, beats: NDArray, peaks: NDArray, *, fs: float) -> dict[str, float]:
    """What is left once the mean beat is taken off every beat: how much, and how fast it waves."""
    rest, before = x.copy(), round(BEFORE_S * fs)
    mean = np.median(beats, axis=0)
    for peak in peaks:
        rest[peak - before : peak - before + len(mean)] -= mean
    hertz = np.fft.rfftfreq(len(x), 1 / fs)
    seen = (hertz > SEEN_HZ[0]) & (hertz < SEEN_HZ[1])
    slow = (hertz >= FIBRILLATION_HZ[0]) & (hertz < FIBRILLATION_HZ[1])
    whole, left = (np.abs(np.fft.rfft(one * np.hanning(len(x)))) ** 2 for one in (x, rest))
    return {
        "left_over": np.log(left[seen].sum() / whole[seen].sum() + 1e-4),
        "fibrillation_waves": np.log(left[slow].sum() / left[seen].sum() + 1e-4),
    }


def _correlation(a: NDArray, b: NDArray) -> float:
    """Pearson's, 0 where one of the two is flat."""
    a, b = a - a.mean(), b - b.mean()
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size > 1e-9 else 0.0
