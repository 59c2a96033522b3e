"""Maps put to the test: weights shuffled layer by layer, checks side by side."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from .look import PALE, RIGHT, WRONG

VERDICTS = {"yes": (RIGHT, "o"), "open": (PALE, "D"), "no": (WRONG, "X")}
CHECKS = {  # column of the verdicts: what the axis says, where chance lies
    "weights": "rank correlation with the map of\nshuffled weights (low is good)",
    "deletion": "deletion area less that of\nrandom order (below 0 is good)",
    "insertion": "insertion area less that of\nrandom order (above 0 is good)",
}


def cascade(table: pd.DataFrame, *, limit: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw how alike the maps stay while weights are shuffled from the answer to the input.

    Parameters
    ----------
    table : what `explain.randomised` gives; depth 0, another window, is drawn as a level line
    limit : a correlation that is drawn as a line, above which a map is said to stay
    """
    ax = ax or plt.gca()
    for measure, colour, style in (("signed", RIGHT, "o-"), ("absolute", WRONG, "s--")):
        part = table[table["measure"] == measure]
        other, part = part[part["depth"] == 0].iloc[0], part[part["depth"] > 0]
        at = range(1, len(part) + 1)
        ax.plot([0, *at], [1, *part["value"]], style, color=colour, ms=5, label=measure)
        ax.fill_between(at, part["low"], part["high"], color=colour, alpha=0.15, lw=0)
        ax.axhline(other["value"], color=colour, lw=1, ls=":", label=f"{measure}, another window")
        ax.set_xticks([0, *at], ["none", *part["layer"]], rotation=40, ha="right")
    if limit is not None:
        ax.axhline(limit, color="black", lw=1, label=f"limit, {limit:g}")
    ax.set(xlabel="weights shuffled from the answer down to", ylim=(-1.05, 1.05))
    ax.set(ylabel="rank correlation with the map as it is")
    return ax


def checks(
    verdicts: pd.DataFrame, *, check: str, limit: float = 0.0, ax: Axes | None = None
) -> Axes:
    """Draw one check of many maps, a row each; colour and marker tell whether it was passed.

    Parameters
    ----------
    verdicts : DataFrame with network, method, the column `check` (dicts with value, low and high)
        and ``follows <check>`` (yes, open or no)
    check : weights, deletion or insertion
    limit : where the verdict turns

    Raises
    ------
    ValueError
        If there is no such check.
    """
    if check not in CHECKS:
        raise ValueError(f"need a check of {', '.join(CHECKS)}, got {check!r}")
    ax = ax or plt.gca()
    ax.axvline(limit, color="black", lw=1)
    for row, (value, said) in enumerate(
        zip(verdicts[check], verdicts[f"follows {check}"], strict=True)
    ):
        colour, marker = VERDICTS[said]
        ax.plot([value["low"], value["high"]], [row, row], color=colour, lw=2)
        ax.plot(value["value"], row, marker, color=colour, ms=7)
    for said, (colour, marker) in VERDICTS.items():
        ax.plot([], [], marker, color=colour, label=said)
    names = verdicts["network"] + ": " + verdicts["method"].str.replace("_", " ")
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.set(xlabel=CHECKS[check])
    ax.grid(False, axis="y")
    return ax


def likeness(intervals: Mapping[str, Mapping[str, float]], *, ax: Axes | None = None) -> Axes:
    """Draw rank correlations, or areas, with their intervals, a row each, beside a line at 0.

    Parameters
    ----------
    intervals : {name: {"value", "low", "high"}}
    """
    ax = ax or plt.gca()
    ax.axvline(0, color="black", lw=1)
    for row, d in enumerate(intervals.values()):
        ax.plot([d["low"], d["high"]], [row, row], color=RIGHT, lw=2)
        ax.plot(d["value"], row, "o", color=RIGHT, ms=7)
        said = f"{d['value']:.2f}".replace("-", "−")
        ax.annotate(
            said, (d["value"], row), (0, 7), textcoords="offset points", ha="center", size=8
        )
    ax.set(yticks=range(len(intervals)), yticklabels=list(intervals))
    ax.set(ylim=(len(intervals) - 0.5, -0.6), xlabel="rank correlation of maps")
    ax.grid(False, axis="y")
    return ax
