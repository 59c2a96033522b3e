"""What a beat looks like: samples laid over each other, time and frequency, images, intervals."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from .classes import CLASS_COLOURS, CLASS_MARKERS
from .look import PALE, RIGHT


def beats_overlay(
    signal: ArrayLike,
    *,
    fs: float,
    start_ms: float = 0.0,
    name: str = "",
    unit: str = "scaled 0 to 1",
    most: int = 40,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Lay examples of one class over each other, with their median sample by sample.

    Parameters
    ----------
    signal : array, shape (n_beats, n_samples), or (n_beats, n_leads, n_samples): its first lead
    fs : float, hertz
    start_ms : float, milliseconds shown at the left edge; minus the time before the R peak
    name : the class, for its colour and the legend
    unit : of the signal
    most : int, how many examples are drawn; chosen at random
    """
    ax = ax or plt.gca()
    rows = np.asarray(signal, dtype=float)
    rows = rows[:, 0] if rows.ndim == 3 else rows
    if rows.ndim != 2 or not len(rows) or fs <= 0:
        raise ValueError(
            f"need (n_beats, n_samples) and fs > 0 Hz, got shape {rows.shape}, fs={fs}"
        )
    shown = np.random.default_rng(seed).permutation(len(rows))[:most]
    ms = start_ms + 1000 * np.arange(rows.shape[1]) / fs
    look = {"color": CLASS_COLOURS.get(name, RIGHT), "lw": 0.5, "alpha": 0.5}
    lines = ax.plot(ms, rows[shown].T, **look)
    lines[0].set_label(f"{name}: {len(shown)} of {len(rows):,} beats".removeprefix(": "))
    ax.plot(ms, np.median(rows, axis=0), color="black", lw=1.6, label="median of all")
    ax.set(xlabel="time (ms)", ylabel=f"ECG ({unit})", xlim=(ms[0], ms[-1]))
    ax.legend(loc="upper right")
    return ax


def beats_by_class(
    signal: ArrayLike,
    label: ArrayLike,
    classes: Sequence[str],
    *,
    fs: float,
    n_columns: int = 3,
    **look: object,
) -> Figure:
    """Draw `beats_overlay` once a class, all at one scale; classes without a beat are left out.

    Parameters
    ----------
    signal : array, shape (n_beats, n_samples) or (n_beats, n_leads, n_samples)
    label : array, shape (n_beats,), class numbers
    classes : names, in the order of their numbers
    fs : float, hertz
    look : further keywords of `beats_overlay`
    """
    signal, label = np.asarray(signal), np.asarray(label)
    there = [i for i in range(len(classes)) if (label == i).any()]
    if len(signal) != len(label) or not there:
        raise ValueError(
            f"need beats with a label each, got {len(signal)} beats, {len(label)} labels"
        )
    n_columns = min(n_columns, len(there))
    n_rows = -(-len(there) // n_columns)
    size = (0.6 + 2.9 * n_columns, 0.3 + 2.2 * n_rows)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=size, sharex=True, sharey=True, squeeze=False
    )
    for ax in axes.flat[len(there) :]:
        ax.remove()
    for place, (ax, i) in enumerate(zip(axes.flat, there, strict=False)):
        beats_overlay(signal[label == i], fs=fs, name=classes[i], ax=ax, **look)
        ax.get_legend().remove()
        count = int((label == i).sum())
        ax.set_title(f"{classes[i]}: {count:,} beat" + ("s" if count > 1 else ""))
        below = place + n_columns >= len(there)
        ax.set(xlabel="time (ms)" if below else "")
        ax.tick_params(labelbottom=below)
        if place % n_columns:
            ax.set_ylabel("")
    return figure


def spectrogram(
    signal: ArrayLike,
    *,
    fs: float,
    n_fft: int = 32,
    hop: int = 4,
    start_ms: float = 0.0,
    limit_hz: float = 40.0,
    depth_db: float = 50.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw where the power of one beat lies in time and frequency, in decibel below its peak.

    The mean of each window is taken out first, so there is nothing to show at 0 Hz.

    Parameters
    ----------
    signal : array, shape (n_samples,)
    fs : float, hertz
    n_fft, hop : int, samples: length of the Hann window, and from one to the next
    start_ms : float, milliseconds shown at the left edge
    limit_hz : float, the highest frequency that is shown
    depth_db : float, what lies further below the peak has one colour
    """
    ax = ax or plt.gca()
    x = np.asarray(signal, dtype=float)
    if x.ndim != 1 or len(x) < n_fft or fs <= 0:
        raise ValueError(
            f"need one beat of at least {n_fft} samples and fs > 0 Hz, got shape {x.shape}, fs={fs}"
        )
    transform = ShortTimeFFT(hann(n_fft, sym=False), hop, fs)
    power = transform.spectrogram(x, detr="constant", padding="edge")  # (n_frequencies, n_times)
    level = 10 * np.log10(np.maximum(power / max(power.max(), 1e-30), 1e-12))
    ms, hertz = start_ms + 1000 * transform.t(len(x)), transform.f
    look = {"cmap": "magma", "vmin": -depth_db, "vmax": 0, "rasterized": True}
    image = ax.pcolormesh(ms, hertz, level, shading="nearest", **look)
    ax.figure.colorbar(image, ax=ax, label="power (dB below peak)")
    ax.set(xlabel="time (ms)", ylabel="frequency (Hz)", ylim=(hertz[1] / 2, min(limit_hz, fs / 2)))
    ax.set_xlim(start_ms, start_ms + 1000 * len(x) / fs)
    ax.grid(False)
    return ax


def folded(
    signal: ArrayLike,
    *,
    fs: float | None = None,
    rows: int = 16,
    columns: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw a beat folded into an image, as a network on images gets it: time runs like text.

    Each row goes on where the one above ends; so samples that are neighbours from left to right
    are neighbours in time, those from top to bottom are `columns` samples apart.

    Parameters
    ----------
    signal : array, shape (n_samples,), at most rows × columns; zeros are added behind it
    fs : float, hertz; with it rows are named by the time they start at, else by their number
    """
    ax = ax or plt.gca()
    x = np.asarray(signal, dtype=float)
    if x.ndim != 1 or not 0 < len(x) <= rows * columns:
        raise ValueError(f"need 1 to {rows * columns} samples of one beat, got shape {x.shape}")
    folded = np.pad(x, (0, rows * columns - len(x))).reshape(rows, columns)
    image = ax.imshow(folded, cmap="viridis", aspect="equal", interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="ECG")
    shown = np.arange(0, rows, max(1, rows // 8))
    ax.set_yticks(shown, [f"{1000 * columns * row / fs:.0f}" if fs else row for row in shown])
    ax.set_xticks(np.arange(0, columns, max(1, columns // 4)))
    ax.set(xlabel="sample of the row", ylabel="start of the row (ms)" if fs else "row")
    ax.grid(False)
    return ax


def rr_scatter(
    rr_prev: ArrayLike,
    rr_next: ArrayLike,
    rhythm: ArrayLike,
    *,
    classes: Sequence[str] = ("N", "S", "V", "F", "Q"),
    unit: str = "s",
    limit: float = 2.0,
    most: int = 1500,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the R-R interval before each beat against the one after it, by class.

    An even rhythm lies on the dashed line; a beat that comes early lies left, and with a pause
    behind it above the line. Beats without one of the intervals are left out.

    Parameters
    ----------
    rr_prev, rr_next : arrays, shape (n_beats,), second, or a share of the person's mean
    rhythm : names of the classes, shape (n_beats,)
    classes : in the order they are drawn, the later over the earlier
    unit : of the intervals
    limit : the end of both axes; beats beyond it are counted in the legend
    most : int, beats drawn of each class; chosen at random
    """
    ax = ax or plt.gca()
    name = np.asarray(rhythm)
    points = np.stack([np.asarray(rr_prev, float), np.asarray(rr_next, float)], axis=-1)
    if points.ndim != 2 or name.shape != points.shape[:1]:
        raise ValueError(f"need a class for each pair, got {len(points)} pairs, {name.shape} names")
    rng = np.random.default_rng(seed)
    known = np.isfinite(points).all(axis=1)
    for c in classes:
        own = points[known & (name == c)]
        if not len(own):
            continue
        inside = own[(own <= limit).all(axis=1)]
        shown = inside[rng.permutation(len(inside))[:most]]
        beyond = len(own) - len(inside)
        label = f"{c}: {len(own):,}" + (f" ({beyond:,} beyond)" if beyond else "")
        look = {"s": 12, "alpha": 0.4, "lw": 0, "rasterized": True, "label": label}
        marker = CLASS_MARKERS.get(c, "o")
        ax.scatter(*shown.T, color=CLASS_COLOURS.get(c), marker=marker, **look)
    ax.plot([0, limit], [0, limit], color=PALE, ls="--", lw=1, label="even rhythm")
    ax.set(xlabel=f"R-R before ({unit})", ylabel=f"R-R after ({unit})", aspect="equal")
    ax.set(xlim=(0, limit), ylim=(0, limit))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1, 1), title="beats")
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    return ax
