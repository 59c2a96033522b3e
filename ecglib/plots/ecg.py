"""ECGs on paper: 25 mm/s and 10 mm/mV at equal scale."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import ArrayLike

from .look import BACKED, SHOCK, WRONG

SQUARES = {  # seconds, millivolt, colour, line width, layer
    "minor": (0.04, 0.1, "#f9e3df", 0.4, 0.5),
    "major": (0.2, 0.5, "#eab5ac", 0.7, 0.6),
}


def ecg_paper(
    signal: ArrayLike,
    *,
    fs: float,
    leads: Sequence[str] | None = None,
    start_s: float = 0.0,
    limit_mv: float | None = None,
    small: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw an ECG as on paper: 25 mm/s and 10 mm/mV, so a square is 0.2 s by 0.5 mV.

    Parameters
    ----------
    signal : array, shape (n_samples,) or (n_leads, n_samples), millivolt
        Leads are drawn one below the other.
    fs : float, hertz
    leads : names, one a lead
    start_s : float, seconds shown at the left edge
    limit_mv : float, millivolt
        Each lead spans plus and minus this; by default what it needs, from 1 to 3 mV. What goes
        beyond is cut off, and the figure says so.
    small : bool
        For many small figures: thinner lines, large squares only, no note of scale or cut.
    """
    ax = ax or plt.gca()
    rows = np.atleast_2d(np.asarray(signal, dtype=float))  # (n_leads, n_samples)
    if rows.ndim != 2 or fs <= 0:
        raise ValueError(
            f"need (n_leads, n_samples) and fs > 0 Hz, got shape {rows.shape}, fs={fs}"
        )
    largest = np.nanmax(np.abs(rows), initial=0)
    limit = limit_mv or float(np.clip(np.ceil(2 * largest) / 2, 1, 3))
    duration = rows.shape[1] / fs
    for row, values in enumerate(rows):
        middle = -2 * limit * row
        seconds = start_s + np.arange(len(values)) / fs
        ax.plot(
            seconds,
            np.clip(values, -limit, limit) + middle,
            color="black",
            lw=0.6 if small else 0.9,
        )
        if leads is not None:
            ax.text(start_s + 0.04, middle + limit - 0.12, leads[row], size=8, va="top")
    note = "25 mm/s, 10 mm/mV" + (f"; cut at ±{limit:g} mV" if largest > limit else "")
    if not small:
        ax.text(0.995, 0.02, note, size=7, ha="right", transform=ax.transAxes, bbox=BACKED)
    ax.set(xlim=(start_s, start_s + duration), ylim=(limit - 2 * limit * len(rows), limit))
    ax.set(xlabel="time (s)", ylabel="ECG (mV)", aspect=10 / 25)  # 1 mV is 10 mm, 1 s is 25 mm
    ax.grid(False)
    _squares(ax, "major")
    if duration <= 12 and not small:  # a longer strip would be all lines
        _squares(ax, "minor")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    ax.yaxis.set_major_locator(MultipleLocator(1))
    ax.tick_params(length=0)
    if len(rows) > 1:
        ax.tick_params(axis="y", labelleft=False)
        ax.set_ylabel("ECG (large square 0.5 mV)")
    return ax


def _squares(ax: Axes, size: str) -> None:
    """Rule the paper; the large squares lie over the small ones, both below the trace."""
    seconds, millivolt, colour, width, zorder = SQUARES[size]
    for ruler, step, along, across in (
        (ax.vlines, seconds, ax.get_xlim(), ax.get_ylim()),
        (ax.hlines, millivolt, ax.get_ylim(), ax.get_xlim()),
    ):
        first, last = np.ceil(along[0] / step - 1e-6), np.floor(along[1] / step + 1e-6)
        places = step * np.arange(first, last + 1)
        ruler(places, *across, color=colour, lw=width, zorder=zorder, label=f"_{size}")


def examples(
    signal: ArrayLike,
    label: ArrayLike,
    score: ArrayLike,
    table: pd.DataFrame,
    *,
    fs: float,
    threshold: float = 0.5,
    n_columns: int = 2,
    limit_mv: float | None = None,
) -> Figure:
    """Draw windows on ECG paper with the truth and P(shock); wrong advice is marked.

    Parameters
    ----------
    signal : array, shape (n_windows, n_leads, n_samples), millivolt; at most 24 windows
    label, score : arrays, shape (n_windows,), 0 or 1, and P(shock)
    table : DataFrame, one row a window, with `database, record, start_s, rhythm`
    fs : float, hertz
    limit_mv : float, the same span for all; by default what the largest needs, up to 2 mV
    """
    signal, label, score = np.asarray(signal), np.asarray(label), np.asarray(score)
    if not 0 < len(signal) <= 24 or not len(signal) == len(label) == len(score) == len(table):
        raise ValueError(
            f"need 1 to 24 windows, each with label, score and table row, got "
            f"{len(signal)}, {len(label)}, {len(score)}, {len(table)}"
        )
    right = (score >= threshold) == (label == 1)
    titles = [
        f"{row['database']} {row['record']}, {row['start_s']:.0f} s, {row['rhythm']}\n"
        f"truth: {SHOCK[int(y)]}; P(shock) = {p:.2f}" + (" ✓" if good else " ✗ wrong")
        for row, y, p, good in zip(table.to_dict("records"), label, score, right, strict=True)
    ]
    colours = np.where(right, "black", WRONG)
    return gallery(signal, titles, fs=fs, colours=colours, n_columns=n_columns, limit_mv=limit_mv)


def gallery(
    signal: ArrayLike,
    titles: Sequence[str],
    *,
    fs: float,
    leads: Sequence[str] | None = None,
    colours: Sequence[str] | None = None,
    n_columns: int = 2,
    limit_mv: float | None = None,
    scale: float = 1.0,
) -> Figure:
    """Draw windows on ECG paper, all at one scale, a title over each.

    Parameters
    ----------
    signal : array, shape (n_windows, n_leads, n_samples), millivolt
    titles : one a window
    fs : float, hertz
    colours : of the titles, one a window
    limit_mv : float, the same span for all; by default what the largest needs, from 1 to 2 mV
    scale : float, the size on the page; at 1 a second takes 25 mm
    """
    signal = np.asarray(signal)
    if signal.ndim != 3 or not 0 < len(signal) == len(titles):
        raise ValueError(
            f"need (n_windows, n_leads, n_samples) and a title each, got shape {signal.shape} "
            f"and {len(titles)} titles"
        )
    limit = limit_mv or float(np.clip(np.ceil(2 * np.abs(signal).max()) / 2, 1, 2))
    n_rows = -(-len(signal) // n_columns)
    width = signal.shape[2] / fs * 25 / 25.4 * scale  # inches at 25 mm/s
    height = signal.shape[1] * 2 * limit * 10 / 25.4 * scale  # inches at 10 mm/mV
    over = 0.3 + 0.2 * max(title.count("\n") + 1 for title in titles)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(n_columns * (width + 0.4) + 0.4, n_rows * (height + over) + 0.3),
        squeeze=False,
    )
    for ax in axes.flat[len(signal) :]:
        ax.remove()
    for i, (ax, title) in enumerate(zip(axes.flat, titles, strict=False)):
        ecg_paper(signal[i], fs=fs, leads=leads, limit_mv=limit, small=scale < 1, ax=ax)
        ax.set_title(
            title,
            color=colours[i] if colours is not None else "black",
            fontsize=9 if scale == 1 else 7,
        )
        last = i + n_columns >= len(signal)
        ax.set(xlabel="time (s)" if last else "", ylabel="" if i % n_columns else "ECG (mV)")
        if scale < 1:
            ax.tick_params(labelsize=7)
    return figure
