"""Recordings of half a minute: how windows lie in them, how they differ, how answers are joined.

Chapter: exercise 05, "Data" and "Model".
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from .look import PALE, WRONG

RHYTHM_COLOURS = {"N": "0.55", "O": "#E69F00", "A": "#CC79A7", "~": "black"}  # none of a split
RHYTHM_LINES = {"N": "-", "O": "--", "A": "-.", "~": ":"}
RHYTHM_MARKERS = {"N": "o", "O": "s", "A": "^", "~": "X"}


def class_shares(
    values: ArrayLike,
    rhythm: ArrayLike,
    classes: Sequence[str],
    *,
    xlabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw for each class the share of recordings whose value lies below each point.

    Parameters
    ----------
    values : array, shape (n_records,)
    rhythm : names of the classes, shape (n_records,)
    classes : those that are drawn, in this order; one without a recording is left out
    xlabel : what the values are, with their unit
    """
    ax = ax or plt.gca()
    values, name = np.asarray(values, dtype=float), np.asarray(rhythm)
    if values.ndim != 1 or values.shape != name.shape:
        raise ValueError(f"need a class for each value, got {values.shape} and {name.shape}")
    for c in classes:
        own = np.sort(values[name == c])
        if len(own):
            look = {"color": RHYTHM_COLOURS.get(c), "ls": RHYTHM_LINES.get(c, "-")}
            share = 100 * np.arange(1, len(own) + 1) / len(own)
            ax.step(own, share, where="post", label=f"{c}: {len(own):,}", **look)
    ax.set(xlabel=xlabel, ylabel="recordings below (%)", ylim=(0, 102))
    ax.legend(title="recordings")
    return ax


def strides(
    starts_s: Mapping[str, ArrayLike],
    *,
    length_s: float,
    duration_s: float,
    ax: Axes | None = None,
) -> Axes:
    """Draw where windows lie in a recording, a band a name; those that overlap lie in rows.

    Parameters
    ----------
    starts_s : {name: starts of the windows, second}
    length_s, duration_s : float, seconds, of a window and of the recording
    """
    ax = ax or plt.gca()
    ticks = []
    for number, (name, starts) in enumerate(starts_s.items()):
        starts = np.asarray(starts, dtype=float)
        if len(starts) and not 0 <= starts.min() <= starts.max() <= duration_s - length_s + 1e-9:
            raise ValueError(
                f"need windows within {duration_s:g} s, got {name} from {starts.min():g} to "
                f"{starts.max() + length_s:g} s"
            )
        step = np.diff(starts).min() if len(starts) > 1 else length_s
        n_rows = max(2, int(np.ceil(length_s / max(step, 1e-9) - 1e-9)))
        rows = number + 0.6 * (np.arange(len(starts)) % n_rows - (n_rows - 1) / 2) / n_rows
        colour = RHYTHM_COLOURS.get(name, PALE)
        look = {"height": 0.52 / n_rows, "color": colour, "edgecolor": "white", "lw": 0.8}
        ax.barh(rows, np.full(len(starts), length_s), left=starts, **look)
        count = f"{len(starts)} window" + ("s" if len(starts) != 1 else "")
        ticks.append(f"{name}: {count}")
    ax.axvline(duration_s, color="black", ls="--", lw=1, label="end of the recording")
    ax.set(yticks=range(len(ticks)), yticklabels=ticks, ylim=(len(ticks) - 0.5, -0.5))
    ax.set(xlabel="time (s)", xlim=(0, 1.02 * duration_s))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1))
    ax.grid(False, axis="y")
    return ax


def marked_peaks(
    signal: ArrayLike, *, fs: float, peaks: ArrayLike, unit: str = "mV", ax: Axes | None = None
) -> Axes:
    """Draw a lead with its R peaks and, above, the interval to the next one in milliseconds.

    Parameters
    ----------
    signal : array, shape (n_samples,)
    fs : float, hertz
    peaks : array, shape (n_beats,), samples
    unit : of the signal
    """
    ax = ax or plt.gca()
    x, at = np.asarray(signal, dtype=float), np.asarray(peaks, dtype=int)
    if x.ndim != 1 or fs <= 0 or (len(at) and not 0 <= at.min() <= at.max() < len(x)):
        raise ValueError(f"need (n_samples,), fs > 0 Hz and peaks inside, got {x.shape}, {fs=}")
    seconds = np.arange(len(x)) / fs
    top = x.max() + 0.12 * np.ptp(x)
    ax.plot(seconds, x, color="black", lw=0.7)
    ax.plot(seconds[at], np.full(len(at), top), "v", color=WRONG, ms=5, label="R peak")
    between = {"ha": "center", "va": "bottom", "size": 7, "color": "0.3"}
    for left, right in zip(at[:-1], at[1:], strict=True):
        ax.text((left + right) / 2 / fs, top, f"{1000 * (right - left) / fs:.0f}", **between)
    ax.set(xlabel="time (s)", ylabel=f"ECG ({unit})", xlim=(0, seconds[-1]))
    ax.set_ylim(x.min() - 0.05 * np.ptp(x), top + 0.25 * np.ptp(x))
    return ax


def joined(
    p: ArrayLike,
    classes: Sequence[str],
    *,
    fused: Mapping[str, ArrayLike],
    ax: Axes | None = None,
) -> Axes:
    """Draw the probabilities of a recording's windows and, behind them, what they are joined to.

    Parameters
    ----------
    p : array, shape (n_windows, n_classes), probabilities
    classes : names, in the order of their numbers
    fused : {name of the fusion: what it gives each class, shape (n_classes,)}
    """
    ax = ax or plt.gca()
    p = np.asarray(p, dtype=float)
    ends = {name: np.asarray(value, dtype=float) for name, value in fused.items()}
    if p.ndim != 2 or any(value.shape != p.shape[1:] for value in ends.values()):
        shapes = [value.shape for value in ends.values()]
        raise ValueError(
            f"need (n_windows, n_classes) and a number a class, got {p.shape}, {shapes}"
        )
    n = len(p)
    places = n + 1.5 + np.arange(len(ends))
    for i, name in enumerate(classes):
        look = {"color": RHYTHM_COLOURS.get(name), "marker": RHYTHM_MARKERS.get(name, "o")}
        ax.plot(1 + np.arange(n), p[:, i], ls=RHYTHM_LINES.get(name, "-"), label=name, **look)
        ax.plot(places, [value[i] for value in ends.values()], ls="", ms=9, mec="black", **look)
    ax.axvline(n + 0.75, color=PALE, lw=1)
    step = -(-n // 10)
    ticks = [*range(1, n + 1, step), *places]
    ax.set_xticks(ticks, [*map(str, range(1, n + 1, step)), *ends])
    for tick in ax.get_xticklabels()[len(ticks) - len(ends) :]:
        tick.set(rotation=30, ha="right")
    ax.set(xlabel="window, and what the windows are joined to", ylabel="probability")
    ax.set(xlim=(0.5, n + 1 + len(ends)), ylim=(-0.03, 1.03))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.legend(title="class", loc="upper left", bbox_to_anchor=(1, 1))
    return ax
