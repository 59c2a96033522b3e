"""A whole recording on one page: what was decided when, and strips of the surest moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from .classes import CLASS_COLOURS
from .ecg import ecg_paper
from .look import WRONG
from .rhythms import RHYTHM_COLOURS

if TYPE_CHECKING:
    from ecglib.score import Moment

CANNOT_TELL = "cannot tell"
USUAL = "#cfd8dc"  # the first class: what one expects to see
OTHERS = (WRONG, "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "black")
DARK = {"facecolor": "white", "edgecolor": "0.55", "hatch": "/////", "lw": 0}
ROWS_S = (10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 86400)  # what a row may span
MOST_ROWS = 24
LEAST = 0.003  # of a row: the width at which a short episode is still seen
BAND, HALF = 0.74, 0.37  # height of a band where rows are 1 apart


def timeline(
    episodes: pd.DataFrame,
    moments: Sequence[Moment] = (),
    *,
    classes: Sequence[str],
    colours: Mapping[str, str] | None = None,
    counted: str = "",
    title: str = "",
) -> Figure:
    """Draw the decisions over a recording in rows, an hour each for a day, and strips on ECG paper.

    Episodes that are too short to be seen are drawn wider than they are. Letters mark where the
    strips were taken, a bar on each strip the window that was judged.

    Parameters
    ----------
    episodes : DataFrame with start_s, end_s and decision, as `score.timeline` gives it
    moments : as `score.moments` gives them, at most 8
    classes : the model's; the first is what one expects to see
    colours : of the classes, by default one for each
    counted : what a window is, `beats` say, where their number tells more than their duration;
        the episodes have n_windows then, and the strips show which one is meant
    title : recording, lead and model, say

    Returns
    -------
    Figure, a landscape page
    """
    if not len(episodes) or len(moments) > 8:
        raise ValueError(
            f"need episodes and at most 8 moments, got {len(episodes)}, {len(moments)}"
        )
    colours = dict(colours or _colours(classes))
    n_pairs = -(-len(moments) // 2)
    limit = _limit_mv(moments)
    strips = n_pairs * (2 * limit * 10 / 25.4 + 0.5)  # inches at 10 mm/mV
    row_s = _row_s(float(episodes["end_s"].max()))
    n_rows = int(np.ceil(episodes["end_s"].max() / row_s - 1e-9))
    bands = max(0.18 * n_rows, 0.35) + 1.3
    figure = plt.figure(figsize=(11.0, bands + strips), layout="constrained")
    grid = figure.add_gridspec(
        1 + n_pairs, 2, height_ratios=[bands, *[strips / n_pairs] * n_pairs] if n_pairs else [1]
    )
    _bands(
        episodes, moments, classes=classes, colours=colours, row_s=row_s, title=title,
        counted=counted,
        ax=figure.add_subplot(grid[0, :]),
    )  # fmt: skip
    for i, moment in enumerate(moments):
        ax = figure.add_subplot(grid[1 + i // 2, i % 2])
        _strip(moment, ascii_lowercase[i], colour=colours.get(moment.decision, "0.35"),
               limit_mv=limit, last=i + 2 >= len(moments), marked=bool(counted), ax=ax)  # fmt: skip
    return figure


def _bands(
    episodes: pd.DataFrame,
    moments: Sequence[Moment],
    *,
    classes: Sequence[str],
    colours: Mapping[str, str],
    row_s: float,
    title: str,
    counted: str,
    ax: Axes,
) -> None:
    end_s = float(episodes["end_s"].max())
    n_rows = int(np.ceil(end_s / row_s - 1e-9))
    unit, name = (60, "min") if row_s > 60 else (1, "s")
    width_s = min(row_s, end_s)
    amount = episodes["n_windows"] if counted else episodes["end_s"] - episodes["start_s"]
    total = amount.groupby(episodes["decision"]).sum()
    order = [classes[0], CANNOT_TELL, *classes[1:]]  # what is rare lies on top
    for layer, decision in enumerate(order):
        own = episodes[episodes["decision"] == decision]
        look = DARK if decision == CANNOT_TELL else {"facecolor": colours[decision], "lw": 0}
        least = 0.0 if decision == classes[0] else LEAST * width_s
        for row, spans in _in_rows(own, row_s, least=least, width_s=width_s).items():
            ax.broken_barh(spans / unit, (row - HALF, BAND), zorder=2 + 0.1 * layer,
                           label=f"_{decision}", **look)  # fmt: skip
    for row in range(n_rows):  # a frame shows where there is a recording at all
        length = min(row_s, end_s - row * row_s)
        ax.broken_barh([(0, length / unit)], (row - HALF, BAND), facecolor="none",
                       edgecolor="0.6", lw=0.5, zorder=3)  # fmt: skip
    for letter, moment in zip(ascii_lowercase, moments, strict=False):
        row, at = divmod(moment.time_s, row_s)
        _letter(letter, at / unit, int(row), ax=ax, width=width_s / unit)
    rare = [c for c in classes[1:] if c in total or len(classes) == 2]
    _sums(episodes, rare, colours, row_s=row_s, n_rows=n_rows, counted=counted, ax=ax)
    shown = [*classes, *([CANNOT_TELL] if CANNOT_TELL in total else [])]
    handles = [
        Patch(
            **({**DARK, "lw": 0.5} if c == CANNOT_TELL else {"facecolor": colours[c]}),
            label=f"{c}: {_share(total.get(c, 0), total.sum(), counted)}",
        )
        for c in shown
    ]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(shown), 4),
              borderaxespad=0.2, columnspacing=2.5, fontsize=10)  # fmt: skip
    if title:
        ax.set_title(title, fontsize=11, fontweight="bold", pad=8 + 20 * -(-len(shown) // 4))
    ax.set(xlim=(0, width_s / unit), ylim=(n_rows - 0.4, -0.6))
    step = max(1, -(-n_rows // MOST_ROWS))
    names = [_clock(row * row_s, seconds=row_s < 60) for row in range(0, n_rows, step)]
    ax.set_yticks(range(0, n_rows, step), names)
    ax.set_xlabel(f"time into the row ({name})")
    ax.set_ylabel("start of the row (h:min)" if row_s >= 60 else "start of the row (h:min:s)")
    if row_s > 60:
        ax.xaxis.set_major_locator(MultipleLocator(_tick(width_s / unit)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.grid(False)
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "bottom"]].set_visible(False)


def _in_rows(
    episodes: pd.DataFrame, row_s: float, *, least: float, width_s: float
) -> dict[int, np.ndarray]:
    """Spans (start, width), seconds into the row, by row; at least `least` wide, inside the row."""
    out: dict[int, list] = {}
    for start, end in episodes[["start_s", "end_s"]].to_numpy(float):
        first, last = int(start // row_s), int(max(start, end - 1e-9) // row_s)
        for row in range(first, last + 1):
            a, b = max(start - row * row_s, 0.0), min(end - row * row_s, row_s)
            if b - a < least:
                middle = np.clip((a + b) / 2, least / 2, width_s - least / 2)
                a, b = middle - least / 2, middle + least / 2
            out.setdefault(row, []).append((a, b - a))
    return {row: np.array(spans) for row, spans in out.items()}


def _letter(letter: str, x: float, row: int, *, ax: Axes, width: float) -> None:
    """A letter beside its place, on the side where there is room."""
    right = x < 0.97 * width
    ax.annotate(
        letter, (x, row), xytext=(7 if right else -7, 0), textcoords="offset points", size=8,
        weight="bold", ha="center", va="center", zorder=5,
        bbox={"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": "black", "lw": 0.8},
    )  # fmt: skip


def _sums(
    episodes: pd.DataFrame,
    classes: Sequence[str],
    colours: Mapping[str, str],
    *,
    row_s: float,
    n_rows: int,
    counted: str,
    ax: Axes,
) -> None:
    """How long each row is in each class that one does not expect, at the right of the row."""
    for column, decision in enumerate(classes[:3]):
        own = episodes[episodes["decision"] == decision]
        if counted:
            sums = own.groupby((own["start_s"] // row_s).astype(int))["n_windows"].sum().to_dict()
        else:
            spans = _in_rows(own, row_s, least=0.0, width_s=row_s)
            sums = {row: parts[:, 1].sum() for row, parts in spans.items()}
        x = 1.012 + 0.055 * column
        ax.annotate(
            decision if len(decision) < 5 or len(classes) == 1 else decision[:4] + ".", (x, -0.75),
            xycoords=("axes fraction", "data"), size=8, color=colours[decision], va="bottom",
            annotation_clip=False,
        )  # fmt: skip
        for row in range(n_rows):
            amount = sums.get(row, 0)
            said = f"{amount:,}" if counted else _duration(amount)
            ax.annotate(
                said if amount else "–", (x, row), va="center", size=8,
                xycoords=("axes fraction", "data"), annotation_clip=False,
                color=colours[decision] if amount else "0.6",
            )  # fmt: skip


def _strip(
    moment: Moment,
    letter: str,
    *,
    colour: str,
    limit_mv: float,
    last: bool,
    marked: bool,
    ax: Axes,
) -> None:
    ecg_paper(moment.signal, fs=moment.fs, start_s=0.0, limit_mv=limit_mv, ax=ax)
    said = moment.decision + (f" ({moment.reason})" if moment.reason else "")
    said += f", P {_probability(moment.probability)}" if np.isfinite(moment.probability) else ""
    ax.set_title(f"{letter}   from {_clock(moment.start_s, seconds=True)}   {said}", fontsize=10,
                 fontweight="bold", color="0.35" if colour == USUAL else colour)  # fmt: skip
    ax.set(xlabel="time (s)" if last else "", ylabel=f"lead {moment.lead} (mV)")
    middle, height = moment.time_s - moment.start_s, 0.92 * limit_mv
    if marked:
        ax.plot(middle, height, "v", color=colour, ms=7)
    else:  # the window that was judged
        ends = [middle - moment.half_s, middle + moment.half_s]
        ax.plot(ends, [height, height], "|-", color=colour, lw=2.5, ms=9, mew=2.5)


def _colours(classes: Sequence[str]) -> dict[str, str]:
    for known in (RHYTHM_COLOURS, CLASS_COLOURS):
        if set(classes) <= set(known):
            return {c: known[c] for c in classes} | {classes[0]: USUAL}
    return {c: ([USUAL, *OTHERS])[i % (1 + len(OTHERS))] for i, c in enumerate(classes)}


def _limit_mv(moments: Sequence[Moment]) -> float:
    largest = max((np.nanmax(np.abs(m.signal), initial=0) for m in moments), default=0)
    return float(np.clip(np.ceil(2 * largest) / 2, 1, 2))


def _row_s(end_s: float) -> float:
    return next((s for s in ROWS_S if end_s <= s * MOST_ROWS), ROWS_S[-1])


def _tick(width: float) -> float:
    return next((t for t in (1, 2, 5, 10, 30, 60, 120, 240) if width / t <= 13), 240)


def _clock(seconds_: float, *, seconds: bool = False) -> str:
    whole = int(seconds_ + 1e-6)
    text = f"{whole // 3600}:{whole // 60 % 60:02d}"
    return f"{text}:{whole % 60:02d}" if seconds else text


def _duration(seconds: float) -> str:
    whole = int(round(seconds))
    if whole < 60:
        return f"{whole} s" if whole or not seconds else f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole // 60 % 60} min" if whole // 60 % 60 else "")


def _share(part: float, whole: float, counted: str) -> str:
    percent = 100 * part / whole
    rounded = f"{percent:.0f}" if percent >= 10 or not percent else f"{percent:.2g}"
    if 99 <= percent < 100:  # not all
        rounded = f"{min(percent, 99.9):.1f}"
    return (f"{part:,.0f} {counted}" if counted else _duration(part)) + f" ({rounded} %)"


def _probability(p: float) -> str:
    return "> 0.99" if p > 0.995 else f"= {p:.2f}"
