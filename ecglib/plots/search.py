"""A search and its trials: settings side by side, curves up to the stop, luck of the best."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from .look import BACKED, PALE, RIGHT, SPLIT_COLOURS, SPLIT_LINES

STATUS = {"completed": {"mfc": None, "ms": 6}, "stopped": {"mfc": "white", "ms": 5}}
MARKERS = ("o", "s", "^", "D", "v", "P")
RECALL = "macro recall on validation beats (%)"


def parallel(
    table: pd.DataFrame,
    columns: Sequence[str],
    *,
    value: str = "validation_macro_recall",
    log: Sequence[str] = (),
    label: str = RECALL,
    factor: float = 100,
    ax: Axes | None = None,
) -> Axes:
    """Draw each trial as a line across its settings, in the colour of its value.

    Parameters
    ----------
    table : a row a trial; names are spread evenly, a setting that a trial has not leaves a gap
    columns : settings, from left to right
    log : those of `columns` whose axis is logarithmic
    """
    ax = ax or plt.gca()
    seen = table[table[value].notna()].sort_values(value)
    places = pd.DataFrame({name: _place(seen[name], log=name in log) for name in columns})
    # From the median up the eye should see a difference; one bad trial must not take the scale.
    low, high = factor * seen[value].quantile([0.1, 1.0]) if len(seen) else (0, 1)
    colours = ScalarMappable(Normalize(low, max(high, low + 1e-9)), "cividis_r")
    for place, height in zip(places.to_numpy(), seen[value], strict=True):
        line = {"color": colours.to_rgba(factor * height), "alpha": 0.7, "lw": 1.2}
        ax.plot(np.arange(len(columns)), place, marker=".", **line)
    for x, name in enumerate(columns):
        ax.axvline(x, color="0.6", lw=0.8, zorder=0)
        for height, text in _ends(seen[name], log=name in log):
            ax.text(x + 0.04, height, text, size=7.5, va="center", bbox=BACKED)
    ax.set(xlim=(-0.2, len(columns) - 0.5), ylim=(-0.06, 1.06), yticks=[])
    ax.set_xticks(range(len(columns)), [c.replace("model.", "") for c in columns], rotation=20)
    ax.set(xlabel="setting (each axis from its lowest to its highest value)")
    ax.grid(False)
    ax.figure.colorbar(colours, ax=ax, label=label, extend="min", pad=0.02)
    return ax


def importance(found: pd.DataFrame, *, most: int = 10, ax: Axes | None = None) -> Axes:
    """Draw how much shuffling each setting costs the forest, with the spread of the shuffles.

    `found` is what `hypertune.importance` returns first.
    """
    ax = ax or plt.gca()
    shown = found.head(most)
    rows = np.arange(len(shown))
    ax.barh(rows, shown["importance"], color=RIGHT, height=0.6)
    ax.hlines(rows, shown["low"], shown["high"], color="black", lw=1.2)
    ax.set_yticks(rows, [name.replace("model.", "") for name in shown["setting"]])
    ax.set(xlabel="loss of R² when shuffled", ylabel="setting", ylim=(len(shown) - 0.4, -0.6))
    ax.grid(False, axis="y")
    return ax


def against(
    table: pd.DataFrame,
    column: str,
    *,
    value: str = "validation_macro_recall",
    by: str = "model",
    log: bool = False,
    factor: float = 100,
    ax: Axes | None = None,
) -> Axes:
    """Draw the value of each trial against one setting; stopped trials are hollow.

    Colour and marker tell `by`. Names stand side by side, spread a little.
    """
    ax = ax or plt.gca()
    seen = table[table[value].notna() & table[column].notna()]
    names = pd.to_numeric(seen[column], errors="coerce").isna().any()
    order = sorted(seen[column].unique()) if names else []
    jitter = np.random.default_rng(0).uniform(-0.15, 0.15, len(seen))
    x = seen[column].map(order.index).astype(float) + jitter if names else seen[column]
    groups = sorted(table[by].unique())
    for number, group in enumerate(groups):
        colour, marker = f"C{number % 7}", MARKERS[number % len(MARKERS)]
        for status, look in STATUS.items():
            rows = (seen[by] == group) & (seen["status"] == status)
            face = look["mfc"] or colour
            ax.plot(
                x[rows], factor * seen.loc[rows, value], marker, color=colour, mfc=face,
                ms=look["ms"], label=group if status == "completed" else None,
            )  # fmt: skip
    if names:
        ax.set_xticks(range(len(order)), [str(name) or "none" for name in order])
        ax.set_xlim(-0.5, max(len(order), 1) - 0.5)
    elif log:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(lambda x, _: _short(x))
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel=column.replace("model.", ""), ylabel=RECALL)
    return ax


def trial_curves(
    histories: Mapping[int, pd.DataFrame],
    status: Mapping[int, str],
    *,
    best: int | None = None,
    quantity: str = "validation_balanced_accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Draw macro recall by epoch: stopped trials pale with a cross at the stop, the best thick.

    `histories` are tables with `epoch` and `quantity`, by trial, as is `status`.
    """
    ax = ax or plt.gca()
    looks = {
        "stopped": {"color": "0.7", "lw": 0.9, "label": "stopped"},
        "completed": {"color": RIGHT, "lw": 1.0, "alpha": 0.6, "label": "trained to the end"},
    }
    drawn = set()
    for trial, history in histories.items():
        look = looks[status[trial]]
        label = look["label"] if status[trial] not in drawn else None
        drawn.add(status[trial])
        ax.plot(history["epoch"], 100 * history[quantity], **look | {"label": label})
        if status[trial] == "stopped":
            last = history.iloc[-1]
            ax.plot(last["epoch"], 100 * last[quantity], "x", color=PALE, ms=4)
    if best in histories:
        look = {"color": SPLIT_COLOURS["validation"], "lw": 2.5, "label": f"best: trial {best}"}
        ax.plot(histories[best]["epoch"], 100 * histories[best][quantity], **look)
    ax.set(xlabel="epoch", ylabel=RECALL)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="lower right")
    return ax


def luck(found: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what the best of n trials has on validation, which chose it, and on test.

    `found` is what `hypertune.best_of` returns.
    """
    ax = ax or plt.gca()
    for split in ("validation", "test"):
        line = {"color": SPLIT_COLOURS[split], "ls": SPLIT_LINES[split]}
        marker = "." if len(found) < 30 else ""
        ax.plot(found["n"], 100 * found[split], marker=marker, label=split, **line)
    ax.fill_between(found["n"], 100 * found["test"], 100 * found["validation"], color="0.9")
    ax.set(xlabel="trials of which the best on validation is taken", ylabel="macro recall (%)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="lower right")
    return ax


def _numbers(column: pd.Series) -> pd.Series | None:
    """The column as numbers; None if some are names."""
    numbers = pd.to_numeric(column, errors="coerce")
    return None if (numbers.isna() & column.notna()).any() else numbers.astype(float)


def _place(column: pd.Series, *, log: bool) -> pd.Series:
    """Heights from 0 to 1 on an axis; one value alone lies in the middle."""
    numbers = _numbers(column)
    if numbers is None:
        numbers = column.map({name: i for i, name in enumerate(_names(column))}).astype(float)
    elif log:
        numbers = np.log(numbers)
    span = numbers.max() - numbers.min()
    return (numbers - numbers.min()) / span if span > 0 else numbers * 0 + 0.5


def _ends(column: pd.Series, *, log: bool) -> list[tuple[float, str]]:
    """Where an axis is labelled, and with what: each name, or the lowest and highest number."""
    numbers = _numbers(column)
    if numbers is None:
        names = _names(column)
        step = max(len(names) - 1, 1)
        heights = [i / step if len(names) > 1 else 0.5 for i in range(len(names))]
        return [(h, str(name) or "none") for h, name in zip(heights, names, strict=True)]
    low, high = numbers.min(), numbers.max()
    if not np.isfinite(low):
        return []
    return [(0.5, _short(low))] if low == high else [(0.0, _short(low)), (1.0, _short(high))]


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.2g}"


def _names(column: pd.Series) -> list[str]:
    return sorted(column.dropna().unique(), key=str)
