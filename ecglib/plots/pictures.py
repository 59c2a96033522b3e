"""How a beat is cut, what its classes weigh, and how positions turn queries and keys."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from .look import PALE, RIGHT, WRONG

LEAST_NAMED = 5  # per cent: a narrower part of a bar has no room for its number


def recipe(
    scaled: ArrayLike,
    *,
    fs: float,
    candidates: ArrayLike,
    peak: int,
    length: int,
    limit: float = 0.9,
    marked: ArrayLike = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw scaled seconds of ECG, candidates for R peaks, and the piece that becomes a row.

    Parameters
    ----------
    scaled : array, shape (n_samples,), from 0 to 1
    fs : float, hertz
    candidates : samples of the local maxima above `limit`
    peak, length : samples, where the piece starts and how long it is
    marked : samples of the beats that a cardiologist marked
    """
    ax = ax or plt.gca()
    x = np.asarray(scaled, dtype=float)
    found, marks = np.asarray(candidates, dtype=int), np.asarray(marked, dtype=int)
    if x.ndim != 1 or not 0 <= peak < len(x) or fs <= 0:
        raise ValueError(f"need (n_samples,) and a peak in it, got shape {x.shape} and {peak=}")
    seconds = np.arange(len(x)) / fs
    piece = slice(peak, min(peak + length, len(x)))
    ax.plot(seconds, x, color="black", lw=0.9)
    ax.plot(seconds[piece], x[piece], color=WRONG, lw=2.4, label="piece that becomes a row")
    ax.axhline(limit, color=PALE, ls="--", lw=1, label=f"limit for candidates, {limit:g}")
    ax.plot(seconds[found], x[found], "v", color=RIGHT, ms=7, label="candidates")
    if len(marks):
        ax.plot(seconds[marks], np.full(len(marks), -0.06), "|", color="black", ms=10,
                mew=2, label="marked beats")  # fmt: skip
    ax.set(xlabel="time (s)", ylabel="scaled (0 to 1)", ylim=(-0.12, 1.06))
    ax.set_xlim(seconds[0], seconds[-1])
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=8)
    return ax


def stacked(shares: pd.DataFrame, *, xlabel: str, ax: Axes | None = None) -> Axes:
    """Draw a bar a row, divided into the columns' shares of it, in per cent.

    `shares` holds numbers from 0 to 1 that sum to 1 in each row.
    """
    ax = ax or plt.gca()
    if not np.allclose(shares.sum(axis=1), 1):
        raise ValueError(f"need shares that sum to 1, got {shares.sum(axis=1).round(3).tolist()}")
    left = np.zeros(len(shares))
    hatches = ("", "///", "...", "xxx", "\\\\\\")
    for number, name in enumerate(shares):
        width = 100 * shares[name].to_numpy()
        look = {"hatch": hatches[number % len(hatches)], "edgecolor": "white", "lw": 0.5}
        ax.barh(range(len(shares)), width, left=left, label=name, color=f"C{number}", **look)
        for row in np.flatnonzero(width >= LEAST_NAMED):
            note = {"ha": "center", "va": "center", "size": 8}
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            ax.text(left[row] + width[row] / 2, row, f"{width[row]:.0f}", bbox=box, **note)
        left += width
    ax.set(yticks=range(len(shares)), yticklabels=list(shares.index), xlabel=xlabel, xlim=(0, 100))
    ax.invert_yaxis()
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(shares.columns))
    ax.grid(False)
    return ax


def turned(arrows: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw one pair of coordinates at each position, shape (n_positions, 2), as an arrow."""
    ax = ax or plt.gca()
    tips = np.asarray(arrows, dtype=float)
    if tips.ndim != 2 or tips.shape[1] != 2:
        raise ValueError(f"need (n_positions, 2), got shape {tips.shape}")
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(tips)))
    for position, ((x, y), shade) in enumerate(zip(tips, shades, strict=True)):
        ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": shade, "lw": 1.5})
        ax.text(1.12 * x, 1.12 * y, f"{position}", color=shade, ha="center", va="center", size=9)
    reach = 1.25 * np.abs(tips).max()
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set(xlabel="first coordinate", ylabel="second coordinate", title="turned by position")
    return ax


def token_matrix(
    values: ArrayLike, *, label: str, most: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a number for each pair of positions, shape (n_queries, n_keys), as colours.

    Colours go from 0 up to `most`, by default the largest number, and as far below 0 if any is.
    """
    ax = ax or plt.gca()
    matrix = np.asarray(values, dtype=float)
    if matrix.ndim != 2:
        raise ValueError(f"need (n_queries, n_keys), got shape {matrix.shape}")
    most = np.abs(matrix).max() if most is None else most
    signed = matrix.min() < 0
    look = {"cmap": "PuOr", "vmin": -most} if signed else {"cmap": "cividis", "vmin": 0}
    image = ax.imshow(matrix, vmax=most, origin="upper", **look)
    ax.figure.colorbar(image, ax=ax, label=label)
    ax.set(xlabel="position of the key", ylabel="position of the query")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(False)
    return ax
