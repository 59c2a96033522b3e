"""What a network weighs and how long it takes, form by form; a decision beside its marks."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .look import PALE, RIGHT, SHOCK, WRONG
from .timeline import DARK

FORMS = {  # colour, marker, name
    "torch": (PALE, "o", "PyTorch"),
    "onnx": (RIGHT, "s", "ONNX"),
    "int8": (WRONG, "D", "eight bits"),
}
SAID = {SHOCK[0]: "#cfd8dc", SHOCK[1]: WRONG, "not judged": "white"}  # colours
STEP = 0.22  # of a row, from form to form


def sizes_and_times(table: pd.DataFrame) -> Figure:
    """Draw size, time of a single window and time of one in a batch for each model and form.

    Parameters
    ----------
    table : a row a model and form, with name, form (torch, onnx, int8), bytes, latency_ms, low_ms,
        high_ms and batch_ms, as `export.measure` has them

    Returns
    -------
    Figure of three axes, logarithmic
    """
    needed = {"name", "form", "bytes", "latency_ms", "low_ms", "high_ms", "batch_ms"}
    if missing := sorted(needed - set(table)):
        raise ValueError(f"need a table of sizes and times, {', '.join(missing)} missing")
    names = list(dict.fromkeys(table["name"]))
    figure, axes = plt.subplots(
        1, 3, figsize=(10.5, 1.3 + 0.62 * len(names)), sharey=True, layout="constrained"
    )
    quantities = {
        "bytes": ("size (kB)", 1e-3),
        "latency_ms": ("one window alone (ms)", 1.0),
        "batch_ms": ("a window in a batch (ms)", 1.0),
    }
    for ax, (column, (label, factor)) in zip(axes, quantities.items(), strict=True):
        for number, (form, (colour, marker, title)) in enumerate(FORMS.items()):
            part = table[table["form"] == form]
            y = np.array([names.index(name) for name in part["name"]]) + STEP * (number - 1)
            x = factor * part[column].to_numpy(float)
            if column == "latency_ms":
                ax.hlines(y, part["low_ms"], part["high_ms"], color=colour, lw=1.5)
            ax.plot(x, y, marker, color=colour, ms=6, label=title)
            right = part["high_ms"].to_numpy(float) if column == "latency_ms" else x
            for at, value, end in zip(y, x, right, strict=True):
                ax.annotate(_short(value), (end, at), xytext=(7, 0), textcoords="offset points",
                            size=7.5, va="center", color="0.25")  # fmt: skip
        ax.set_xscale("log")
        ax.set_xlim(ax.get_xlim()[0], ax.get_xlim()[1] * 2)  # room for the numbers
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel(label)
        ax.grid(False, axis="y")
    axes[0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def tracks(
    bands: Mapping[str, pd.DataFrame],
    *,
    colours: Mapping[str, str] = SAID,
    end_s: float,
    start_s: float = 0.0,
    framed: Mapping[str, tuple[float, float]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what was said when, a track each, one below the other on the same time axis.

    Parameters
    ----------
    bands : {track: DataFrame with start_s, end_s and said}
    colours : of what may be said; anything else, such as cannot tell, is hatched
    end_s, start_s : seconds that are drawn
    framed : {name: (start_s, end_s)}, stretches that are marked over all tracks
    """
    ax = ax or plt.gca()
    unit, label = (60.0, "time (min)") if end_s - start_s > 300 else (1.0, "time (s)")
    seen: dict[str, dict] = {}
    for row, rows in enumerate(bands.values()):
        for start, end, said in rows[["start_s", "end_s", "said"]].itertuples(index=False):
            known = said in colours
            seen[said] = {"facecolor": colours[said], "lw": 0} if known else DARK
            ax.broken_barh([(start / unit, (end - start) / unit)], (row - 0.36, 0.72), **seen[said])
        ax.broken_barh([(start_s / unit, (end_s - start_s) / unit)], (row - 0.36, 0.72),
                       facecolor="none", edgecolor="0.6", lw=0.5)  # fmt: skip
    for name, (start, end) in (framed or {}).items():
        for at in (start, end):
            ax.axvline(at / unit, color="black", lw=0.8, ls=":")
        ax.text((start + end) / 2 / unit, len(bands) - 0.42, name.replace(" ", "\n"), ha="center",
                va="top", size=8)  # fmt: skip
    ax.set(yticks=range(len(bands)), yticklabels=list(bands), ylim=(len(bands) - 0.5, -0.5))
    ax.set(xlim=(start_s / unit, end_s / unit))
    ax.set_xlabel(label)
    ax.tick_params(axis="x", pad=24 if framed else 3)
    order = [*(said for said in colours if said in seen), *(set(seen) - set(colours))]
    patches = [Patch(**seen[said] | {"edgecolor": "0.55", "lw": 0.5}, label=said) for said in order]
    ax.legend(handles=patches, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    ax.grid(False)
    return ax


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
