"""Networks for rhythms beside each other: differences, seeds and fusions, score against cost."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from .classes import MODEL_MARKERS
from .look import PALE, RIGHT

RHYTHM_COLOURS = {"N": "0.55", "O": "#56B4E9", "A": "#E69F00"}  # none of them that of a split
INITS, NINE = ("Rand Init 1", "Rand Init 2", "Rand Init 3"), "logreg on 9 values"
STRONGEST = 10.0  # points
F1 = "mean F1 of N, O and A (%)"


def difference_matrix(
    differences: pd.DataFrame, *, what: str = "F1", factor: float = 100, ax: Axes | None = None
) -> Axes:
    """Draw each row's score minus each column's; colour only where the interval leaves zero out.

    From `STRONGEST` points on the colour grows no stronger.

    Parameters
    ----------
    differences : DataFrame with a, b, value (a minus b) and apart, a row a pair
    what : the score, for the label
    factor : what values are multiplied by; 100 gives points
    """
    ax = ax or plt.gca()
    names = list(dict.fromkeys([*differences["a"], *differences["b"]]))
    place = {name: i for i, name in enumerate(names)}
    shown = np.full((len(names), len(names)), np.nan)
    for pair in differences.itertuples():
        row, column = place[pair.b], place[pair.a]
        gap = -factor * pair.value
        shown[row, column] = gap if pair.apart else 0.0
        look = {"color": "black", "weight": "bold"} if pair.apart else {"color": PALE}
        said = round(gap, 1) + 0.0  # no minus before nothing
        ax.text(column, row, f"{said:+.1f}", ha="center", va="center", size=8, **look)
    most = 1.6 * STRONGEST  # keeps the text readable
    ax.imshow(shown.clip(-STRONGEST, STRONGEST), cmap="PuOr", vmin=-most, vmax=most, aspect="auto")
    ax.set_xticks(range(len(names) - 1), names[:-1], rotation=35, ha="right")
    ax.set_yticks(range(1, len(names)), names[1:])
    ax.set(xlim=(-0.5, len(names) - 1.5), ylim=(len(names) - 0.5, 0.5))
    ax.set_xlabel(f"{what} of the row minus {what} of the column (points)")
    ax.grid(False)
    ax.tick_params(length=0)
    return ax


def score_against_cost(
    found: pd.DataFrame, *, xlabel: str, ylabel: str = F1, ax: Axes | None = None
) -> Axes:
    """Draw what each network reaches, with its interval, against what it costs, on a log scale.

    Parameters
    ----------
    found : DataFrame by network with cost, value, low and high
    """
    ax = ax or plt.gca()
    for i, row in enumerate(found.itertuples()):
        colour = f"C{i % 7}"
        ax.plot([row.cost] * 2, [100 * row.low, 100 * row.high], color=colour, lw=1)
        marker = MODEL_MARKERS[i % len(MODEL_MARKERS)]
        ax.plot(row.cost, 100 * row.value, marker, color=colour, ms=7, label=row.Index)
    ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))  # 200M
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def beside_published(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each network's seeds and what they reach together, the published ones hollow below.

    Parameters
    ----------
    table : what `rhythms.results.results_table` returns; a line shows the interval of the mean
    """
    ax = ax or plt.gca()
    published = [f"published {i + 1}" for i in range(len(INITS))]
    for place, (_, row) in enumerate(table.iterrows()):
        first = not place
        ax.plot([100 * row["low"], 100 * row["high"]], [place - 0.15] * 2, color=RIGHT, lw=1)
        looks = (
            (INITS, NINE, place - 0.15, {"color": RIGHT}, "here"),
            (published, "published on 9 values", place + 0.2, {"color": PALE, "mfc": "white"},
             "published"),
        )  # fmt: skip
        for seeds, nine, height, look, whose in looks:
            values = 100 * row[list(seeds)].to_numpy(float)
            label = f"{whose}: one network" if first else None
            ax.plot(values, [height] * len(seeds), "o", ms=5, ls="", label=label, **look)
            label = f"{whose}: regression on nine values" if first else None
            ax.plot(100 * row[nine], height, "D", ms=6, ls="", label=label, **look)
    ax.set(yticks=range(len(table)), yticklabels=list(table.index), xlabel=F1)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return ax


def fusions(
    found: pd.DataFrame, *, split: str = "test", hows: Sequence[str] = (), ax: Axes | None = None
) -> Axes:
    """Draw what each way from windows to a recording reaches, network by network.

    Parameters
    ----------
    found : DataFrame with model, fusion and the column `split`
    hows : the fusions to draw, in this order; by default all there are
    """
    ax = ax or plt.gca()
    hows = list(hows) or list(dict.fromkeys(found["fusion"]))
    names = list(dict.fromkeys(found["model"]))
    for i, how in enumerate(hows):
        part = found[found["fusion"] == how].set_index("model").reindex(names)
        rows = np.arange(len(names)) + 0.6 * (i - (len(hows) - 1) / 2) / max(len(hows), 2)
        look = {"color": f"C{i % 7}", "ls": "", "ms": 5, "label": how}
        ax.plot(100 * part[split], rows, MODEL_MARKERS[i % len(MODEL_MARKERS)], **look)
    for row in range(1, len(names)):
        ax.axhline(row - 0.5, color="0.9", lw=0.8)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
    ax.set_xlabel(f"{F1[:-4]}, {split} recordings (%)")
    ax.grid(False, axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def moved(gains: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far each class's F1 moves from one version of the labels to another.

    Parameters
    ----------
    gains : DataFrame by network, a column a class, differences of F1 as shares
    """
    ax = ax or plt.gca()
    step = 0.8 / len(gains.columns)
    for i, name in enumerate(gains):
        rows = np.arange(len(gains)) + step * (i - (len(gains.columns) - 1) / 2)
        ax.barh(
            rows,
            100 * gains[name],
            height=step,
            color=RHYTHM_COLOURS.get(name, "black"),
            label=name,
        )
    ax.axvline(0, color="black", lw=1)
    ax.set(yticks=range(len(gains)), yticklabels=list(gains.index))
    ax.set(xlabel="change of F1 (points)", ylim=(len(gains) - 0.4, -0.6))
    ax.grid(False, axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax
