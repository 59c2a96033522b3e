"""Models beside models, records beside records, rhythms beside their goals."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from .look import PALE, RIGHT, WRONG


def forest(
    intervals: Mapping[str, Mapping[str, float]],
    *,
    xlabel: str = "balanced accuracy (%)",
    baselines: Sequence[str] = (),
    references: Mapping[str, float] | None = None,
    factor: float = 100,
    ax: Axes | None = None,
) -> Axes:
    """Draw a value with its interval for each model, top to bottom in the order given.

    Parameters
    ----------
    intervals : {name: {"value", "low", "high"}}
    baselines : names drawn hollow: the naive rule, the previous model
    references : {name: value}, vertical lines: a published figure, or no difference at 0
    factor : what values are multiplied by; 100 gives percent
    """
    ax = ax or plt.gca()
    for row, (name, d) in enumerate(intervals.items()):
        colour, face = (PALE, "white") if name in baselines else (RIGHT, RIGHT)
        ax.plot([factor * d["low"], factor * d["high"]], [row, row], color=colour, lw=2)
        ax.plot(factor * d["value"], row, "o", color=colour, mfc=face, ms=7)
        note = f"{factor * d['value']:.1f}"
        if np.isfinite(d["low"]):
            note += f" ({factor * d['low']:.1f} to {factor * d['high']:.1f})"
        ax.text(1.02, row, note, size=9, va="center", transform=ax.get_yaxis_transform())
    for (name, value), line in zip(
        (references or {}).items(), ("--", ":", "-.", "-"), strict=False
    ):
        ax.axvline(factor * value, color="black", ls=line, lw=1, label=name)
    if references:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.set(yticks=range(len(intervals)), yticklabels=list(intervals))
    ax.set(xlabel=xlabel, ylim=(len(intervals) - 0.5, -0.5))
    ax.grid(False, axis="y")
    return ax


def by_record(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    table: pd.DataFrame,
    *,
    most: int = 15,
    ax: Axes | None = None,
) -> Axes:
    """Draw which records the errors come from, the worst first: missed and needless shocks."""
    ax = ax or plt.gca()
    y, shock = np.asarray(y_true), np.asarray(y_pred)
    name = (table["database"].astype(str) + " " + table["record"].astype(str)).to_numpy()
    errors = pd.DataFrame({"missed": (y == 1) & (shock == 0), "needless": (y == 0) & (shock == 1)})
    errors = errors.groupby(name).sum().assign(windows=pd.Series(name).value_counts())
    errors["all"] = errors["missed"] + errors["needless"]
    worst = errors[errors["all"] > 0].nlargest(most, "all")
    rows = range(len(worst))
    ax.barh(rows, worst["missed"], color=WRONG, label="missed shocks")
    hatch = {"color": RIGHT, "hatch": "///", "edgecolor": "white"}
    ax.barh(rows, worst["needless"], left=worst["missed"], label="needless shocks", **hatch)
    labels = [f"{name} (of {n:,})" for name, n in worst["windows"].items()]
    shown = f"{worst['all'].sum():,} of {errors['all'].sum():,} errors"
    ax.set(yticks=rows, yticklabels=labels, ylabel="record (windows)")
    ax.set(xlabel=f"windows in error ({shown}, {len(worst)} of {len(errors)} records)")
    ax.set_ylim(max(len(worst), 1) - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.grid(False, axis="y")
    return ax


def aha(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw `metrics.aha_table`: rate and one-sided 90 % limit of each rhythm, and what is asked.

    The point has to lie right of the goal, and the left end of its line right of the limit.
    """
    ax = ax or plt.gca()
    there = table[table["windows"] > 0].reset_index(drop=True)
    colours = {"pass": RIGHT, "fail": WRONG}
    for row in there.itertuples():
        colour = colours.get(row.verdict, PALE)
        ax.plot([100 * row.low, 100 * row.value], [row.Index] * 2, color=colour, lw=2)
        ax.plot(100 * row.value, row.Index, "o", color=colour, ms=7)
        people = f"{row.patients} patient" + ("s" if row.patients > 1 else "")
        note = f"{row.verdict}: {row.hits:,} of {row.windows:,}, {people}"
        place = {"transform": ax.get_yaxis_transform(), "va": "center", "color": colour}
        ax.text(1.02, row.Index, note, size=9, **place)
    ax.plot(100 * there["goal"], there.index, "|", color="black", ms=16, mew=2, label="goal")
    limit = {"color": "black", "ms": 6, "mfc": "white", "ls": ""}
    ax.plot(100 * there["limit"], there.index, marker=">", label="limit to be reached", **limit)
    ax.set(yticks=there.index, yticklabels=there["rhythm"], ylim=(len(there) - 0.5, -0.5))
    ax.set_xlabel("right advice (%)")
    if (there["verdict"] == "report only").any():
        ax.set_xlabel("right advice (%); to report only: shock advised (%)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.grid(False, axis="y")
    return ax
