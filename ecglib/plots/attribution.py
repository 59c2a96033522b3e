"""What a network looked at: maps under an ECG, class averages, curves that test them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import ArrayLike

from .ecg import ecg_paper
from .look import PALE, RIGHT, WRONG

if TYPE_CHECKING:
    from ecglib.explain import ClassAverage, Curves

# Blue speaks for the class, orange against it: told apart by colour-blind readers.
BOTH_WAYS = LinearSegmentedColormap.from_list("for_and_against", [WRONG, "white", RIGHT])
ONE_WAY = LinearSegmentedColormap.from_list("for", ["white", RIGHT])
KIND_COLOURS = {"deletion": WRONG, "insertion": RIGHT}


def attribution(
    signal: ArrayLike,
    map: ArrayLike,
    *,
    fs: float,
    leads: Sequence[str] | None = None,
    start_s: float = 0.0,
    limit_mv: float | None = None,
    largest: float | None = None,
    unit: str = "mV",
    ax: Axes | None = None,
) -> Axes:
    """Draw an ECG on paper with its map as the colour behind the trace, and a colour bar.

    Parameters
    ----------
    signal : array, shape (n_samples,) or (n_leads, n_samples), millivolt
    map : array, shape (n_samples,); below 0 it speaks against the class, in orange
    fs : float, hertz
    leads, start_s, limit_mv : as for `ecg_paper`
    largest : float
        The magnitude of the strongest colour, for figures beside each other; by default the map's
        own.
    unit : of the signal; where it is not millivolt, what the paper says of its scale is left out
    """
    ax = ax or plt.gca()
    values = np.asarray(map, dtype=float)
    if values.shape != np.shape(signal)[-1:] or not np.isfinite(values).all():
        raise ValueError(
            f"need a finite map of shape {np.shape(signal)[-1:]} as the signal, got {values.shape}"
        )
    ecg_paper(signal, fs=fs, leads=leads, start_s=start_s, limit_mv=limit_mv, ax=ax)
    if unit != "mV":
        ax.set_ylabel(f"ECG ({unit})")
        for note in list(ax.texts):
            if note.get_text().startswith("25 mm/s"):
                note.remove()
    largest = largest or float(np.abs(values).max()) or 1.0
    signed = values.min() < 0
    edges = start_s + (np.arange(len(values) + 1) - 0.5) / fs
    colours = ax.pcolormesh(
        edges,
        ax.get_ylim(),
        values[None] / largest,
        cmap=BOTH_WAYS if signed else ONE_WAY,
        vmin=-1 if signed else 0,
        vmax=1,
        alpha=0.75,
        zorder=0.3,  # under the squares, which are under the trace
        rasterized=True,
    )
    ax.set_xlim(start_s, start_s + len(values) / fs)
    beside = ax.inset_axes([1.015, 0, 0.015, 1])  # as high as the paper
    ticks = {-1: "against", 0: "0", 1: "for"} if signed else {0: "0", 1: "most"}
    bar = ax.figure.colorbar(colours, cax=beside, label="attribution")
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    return ax


def class_average(average: ClassAverage, *, unit: str = "mV", ax: Axes | None = None) -> Axes:
    """Draw the mean beat of a class and, on an axis of its own, the mean map with its interval.

    Parameters
    ----------
    average : one of what `explain.by_class` gives
    unit : of the signal
    """
    ax = ax or plt.gca()
    ms = 1000 * average.time_s
    right = ax.twinx()
    right.set_zorder(ax.get_zorder() - 1)  # the beat lies over its map
    ax.patch.set_visible(False)
    right.fill_between(ms, average.low, average.high, color=RIGHT, alpha=0.25, lw=0)
    right.plot(ms, average.map, color=RIGHT, lw=1.6)
    right.axhline(0, color=RIGHT, lw=0.6, ls=":")
    right.set_ylabel("attribution (share of the largest)", color=RIGHT)
    right.tick_params(axis="y", colors=RIGHT)
    right.spines["right"].set_visible(True)
    right.grid(False)
    ax.axvline(0, color=PALE, lw=0.8, ls="--")
    ax.plot(ms, average.beat, color="black", lw=1.6, label="mean beat")
    ax.plot([], [], color=RIGHT, lw=1.6, label="mean map, 95 %")
    ax.set(xlabel="time from the R peak (ms)", ylabel=f"ECG ({unit})", xlim=(ms[0], ms[-1]))
    beats = f"{average.n_beats:,} beat" + ("s" if average.n_beats > 1 else "")
    title = f"{average.name}: {beats}"
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, title=title, alignment="left")
    return ax


def deletion(curves: Curves, *, ax: Axes | None = None) -> Axes:
    """Draw how the probability follows what is taken away or given back, against random order.

    Parameters
    ----------
    curves : what `explain.curves` gives; the legend tells the areas
    """
    ax = ax or plt.gca()
    area = curves.areas.set_index(["kind", "order"])["value"]
    for (kind, order), part in curves.table.groupby(["kind", "order"], sort=False):
        look = {"color": KIND_COLOURS[kind], "ls": "-" if order == "map" else ":"}
        name = f"{kind}, {'by the map' if order == 'map' else 'random'}: {area[kind, order]:.2f}"
        share = 100 * part["share"]
        ax.plot(share, part["value"], label=name, **look)
        ax.fill_between(share, part["low"], part["high"], color=look["color"], alpha=0.15, lw=0)
    ax.set(xlabel="taken away or given back (% of the window)", ylabel="P(target)")
    ax.set(xlim=(0, 100), ylim=(0, 1.02))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), title=f"area, {curves.n:,} windows")
    return ax


def agreement(matrix: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the rank correlation between methods as a matrix, with its intervals.

    Parameters
    ----------
    matrix : DataFrame with a, b, value, low, high, a row a pair, as `explain.agreement` gives
    """
    ax = ax or plt.gca()
    names = list(dict.fromkeys([*matrix["a"], *matrix["b"]]))
    shown = np.full((len(names), len(names)), np.nan)
    for pair in matrix.to_dict("records"):
        row, column = names.index(pair["b"]), names.index(pair["a"])
        shown[row, column] = pair["value"]
        ink = "white" if abs(pair["value"]) > 0.6 else "black"
        value, low, high = (f"{pair[x]:.2f}".replace("-", "−") for x in ("value", "low", "high"))
        said = f"{value}\n({low} to {high})"
        ax.text(column, row, said, ha="center", va="center", size=9, color=ink)
    image = ax.imshow(shown[1:, :-1], cmap=BOTH_WAYS, vmin=-1, vmax=1,
                      extent=(-0.5, len(names) - 1.5, len(names) - 0.5, 0.5))  # fmt: skip
    ax.figure.colorbar(image, ax=ax, label="rank correlation", fraction=0.05)
    words = [name.replace("_", " ") for name in names]
    ax.set_xticks(range(len(names) - 1), words[:-1])
    ax.set_yticks(range(1, len(names)), words[1:])
    ax.set(xlabel="method", ylabel="other method")
    ax.grid(False)
    return ax
