"""Figures of the book: each function draws on `ax` and returns it; `examples` returns a figure.

Arrays and tables in, artists out. One colour a split throughout, every axis with its unit, ECGs on
paper squares at equal scale. Explained in the chapters that show them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from ecglib.metrics import binary_scores, reliability

SPLIT_COLOURS = {"train": "#0072B2", "validation": "#D55E00", "test": "#009E73"}
SPLIT_LINES = {"train": "-", "validation": "--", "test": ":"}
SHOCK = ("non-shockable", "shockable")
WRONG, RIGHT, PALE = "#D55E00", "#0072B2", "0.45"
SQUARES = {  # seconds, millivolt, colour, line width, layer
    "minor": (0.04, 0.1, "#f9e3df", 0.4, 0.5),
    "major": (0.2, 0.5, "#eab5ac", 0.7, 0.6),
}
BACKED = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
LABELS = {
    "sensitivity": "sensitivity (%)",
    "specificity": "specificity (%)",
    "balanced_accuracy": "balanced accuracy (%)",
    "f1": "F1 (%)",
    "roc_auc": "area under ROC",
    "average_precision": "average precision",
    "brier": "Brier score (low is good)",
    "ece": "calibration error (low is good)",
    "accuracy": "accuracy (%)",
}
LOWER_IS_BETTER = ("brier", "ece")
MOST_POINTS = 3000  # more jittered outcomes than this show no more


def style() -> None:
    """Give every figure that follows the look of the book."""
    plt.style.use(Path(__file__).with_name("book.mplstyle"))


def learning_curves(
    history: pd.DataFrame, *, quantity: str = "loss", ax: Axes | None = None
) -> Axes:
    """Draw one quantity of training and validation by epoch, the kept epoch marked.

    `history` has `epoch`, `train_<quantity>`, `validation_<quantity>`, and `validation_loss`,
    whose lowest value says which epoch was kept. `quantity` is "loss" or "balanced_accuracy".
    """
    ax = ax or plt.gca()
    percent = 1 if quantity == "loss" else 100
    for split in ("train", "validation"):
        values = percent * history[f"{split}_{quantity}"]
        line = {"color": SPLIT_COLOURS[split], "ls": SPLIT_LINES[split]}
        ax.plot(history["epoch"], values, label=split, marker=".", **line)
    best = history["epoch"][history["validation_loss"].idxmin()]
    ax.axvline(best, color=PALE, lw=1, label=f"weights kept: epoch {best}")
    ax.set(xlabel="epoch", ylabel=LABELS.get(quantity, f"{quantity} (mean per window)"))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return ax


def calibration(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    split: str = "test",
    n_bins: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Regress the outcome on the predicted probability of a shock.

    Dots below and above are single windows, spread apart at random. Points are observed frequencies
    by bin, with exact 95 % intervals that take windows as independent. The curve is a logistic
    regression of the outcome on the logit of the score (Cox, Biometrika 1958, 45:562): slope 1 is
    well calibrated, below 1 too sure. It needs both classes.
    """
    ax = ax or plt.gca()
    y, p = np.asarray(y_true), np.asarray(y_score, dtype=float)
    colour = SPLIT_COLOURS[split]
    bins = reliability(y, p, n_bins=n_bins)
    rng = np.random.default_rng(0)
    shown = rng.permutation(len(y))[:MOST_POINTS]
    away = rng.uniform(0.03, 0.13, len(shown))
    heights = np.where(y[shown] == 1, 1 + away, -away)
    dots = {"s": 5, "alpha": 0.3, "color": colour, "lw": 0, "rasterized": True}
    ax.scatter(p[shown], heights, label="windows (spread apart)", **dots)
    ax.plot([0, 1], [0, 1], color=PALE, ls="--", label="perfect")
    if np.ptp(y) > 0:
        z = logit(np.clip(p, 1e-6, 1 - 1e-6))
        fit = LogisticRegression(C=1e6, max_iter=1000).fit(z[:, None], y)
        grid = np.linspace(0.001, 0.999, 500)
        line = expit(fit.intercept_[0] + fit.coef_[0, 0] * logit(grid))
        ax.plot(grid, line, color=colour, label=f"logistic fit, slope {fit.coef_[0, 0]:.2f}")
    error = (bins["observed"] - bins["low"], bins["high"] - bins["observed"])
    mark = {"fmt": "o", "color": "black", "ms": 5, "capsize": 2, "lw": 1}
    ax.errorbar(bins["predicted"], bins["observed"], error, label="observed, 95 %", **mark)
    ax.set(xlabel="predicted P(shock)", ylabel="observed share of shockable", aspect="equal")
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.16, 1.16), yticks=np.linspace(0, 1, 6))
    for height, name, n in ((1.08, SHOCK[1], y.sum()), (-0.08, SHOCK[0], (1 - y).sum())):
        text = f"{name}: {int(n):,} windows"
        ax.text(0.5, height, text, ha="center", va="center", size=8, bbox=BACKED)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), title=split)
    return ax


def ecg_paper(
    signal: ArrayLike,
    *,
    fs: float,
    leads: Sequence[str] | None = None,
    start_s: float = 0.0,
    limit_mv: float | None = None,
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
        ax.plot(seconds, np.clip(values, -limit, limit) + middle, color="black", lw=0.9)
        if leads is not None:
            ax.text(start_s + 0.04, middle + limit - 0.12, leads[row], size=8, va="top")
    note = "25 mm/s, 10 mm/mV" + (f"; cut at ±{limit:g} mV" if largest > limit else "")
    ax.text(0.995, 0.02, note, size=7, ha="right", transform=ax.transAxes, bbox=BACKED)
    ax.set(xlim=(start_s, start_s + duration), ylim=(limit - 2 * limit * len(rows), limit))
    ax.set(xlabel="time (s)", ylabel="ECG (mV)", aspect=10 / 25)  # 1 mV is 10 mm, 1 s is 25 mm
    ax.grid(False)
    _squares(ax, "major")
    if duration <= 12:  # a longer strip would be all lines
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
    limit = limit_mv or float(np.clip(np.ceil(2 * np.abs(signal).max()) / 2, 1, 2))
    n_rows = -(-len(signal) // n_columns)
    width = signal.shape[2] / fs * 25 / 25.4  # inches at 25 mm/s
    height = signal.shape[1] * 2 * limit * 10 / 25.4  # inches at 10 mm/mV
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(n_columns * (width + 0.4) + 0.4, n_rows * (height + 0.75) + 0.3),
        squeeze=False,
    )
    for ax in axes.flat[len(signal) :]:
        ax.remove()
    for i, (ax, row) in enumerate(zip(axes.flat, table.to_dict("records"), strict=False)):
        ecg_paper(signal[i], fs=fs, start_s=0.0, limit_mv=limit, ax=ax)
        right = (score[i] >= threshold) == (label[i] == 1)
        ax.set_title(
            f"{row['database']} {row['record']}, {row['start_s']:.0f} s, {row['rhythm']}\n"
            f"truth: {SHOCK[int(label[i])]}; P(shock) = {score[i]:.2f}"
            + (" ✓" if right else " ✗ wrong"),
            color="black" if right else WRONG,
            fontsize=9,
        )
        last = i + n_columns >= len(signal)
        ax.set(xlabel="time (s)" if last else "", ylabel="" if i % n_columns else ax.get_ylabel())
    return figure


def metrics_table(
    scores: Mapping[str, Mapping],
    *,
    metrics: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw metrics by sets as a table: the darker, the better.

    `scores` maps a set (or model) to its metrics, each a number or {"value", "low", "high"}.
    """
    ax = ax or plt.gca()
    metrics = metrics or [m for m in LABELS if any(m in s for s in scores.values())]
    text, good = [], []
    for metric in metrics:
        cells = [scores[name].get(metric, np.nan) for name in scores]
        values = [c["value"] if isinstance(c, Mapping) else c for c in cells]
        good.append([1 - v if metric in LOWER_IS_BETTER else v for v in values])
        text.append([_cell(cell, metric) for cell in cells])
    sns.heatmap(
        np.nan_to_num(np.array(good, dtype=float)),  # undefined: pale, and a dash
        annot=np.array(text),
        fmt="",
        cmap="Blues",
        vmin=0.5,
        vmax=1.1,  # keeps the text readable on the best cells
        cbar=False,
        linewidths=1,
        xticklabels=list(scores),
        yticklabels=[LABELS.get(m, m.replace("_", " ")) for m in metrics],
        ax=ax,
    )
    ax.xaxis.tick_top()
    ax.tick_params(length=0, labelrotation=0)
    for tick, name in zip(ax.get_xticklabels(), scores, strict=True):
        tick.set(color=SPLIT_COLOURS.get(name, "black"), weight="bold")
    return ax


def _cell(cell: float | Mapping[str, float], metric: str) -> str:
    """A number as the table prints it, with its interval if it has one."""
    percent = "%" in LABELS.get(metric, "%")
    factor, digits = (100, 1) if percent else (1, 3)
    value = cell["value"] if isinstance(cell, Mapping) else cell
    text = "–" if np.isnan(value) else f"{factor * value:.{digits}f}"
    if isinstance(cell, Mapping) and np.isfinite(cell["low"]):
        low, high = factor * cell["low"], factor * cell["high"]
        text += f"\n({low:.{digits}f} to {high:.{digits}f})"
    return text


def confusion(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: Sequence[str] = SHOCK,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw what was predicted for each true class: windows, and their share of the row."""
    ax = ax or plt.gca()
    counts = confusion_matrix(y_true, y_pred, labels=range(len(classes)))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    pairs = zip(counts.flat, share.flat, strict=True)
    text = np.array([f"{n:,}\n{100 * s:.1f} %" for n, s in pairs]).reshape(counts.shape)
    names = {"xticklabels": classes, "yticklabels": classes}
    look = {"cmap": "Blues", "vmin": 0, "vmax": 1, "cbar": False, "square": True}
    sns.heatmap(share, annot=text, fmt="", linewidths=1, ax=ax, **look, **names)
    ax.set(xlabel="predicted (windows, share of true class)", ylabel="true")
    ax.tick_params(length=0)
    return ax


def roc(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    label: str | None = None,
    colour: str | None = None,
    threshold: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw sensitivity against false alarms; call again to lay another curve over it.

    A circle marks `threshold`.
    """
    ax = ax or plt.gca()
    false, true, _ = roc_curve(y_true, y_score)
    area = binary_scores(y_true, y_score)["roc_auc"]
    (line,) = ax.plot(
        100 * false, 100 * true, color=colour, label=f"{label or 'ROC'}, area {area:.3f}"
    )
    if threshold is not None:
        at = binary_scores(y_true, y_score, threshold=threshold)
        point = 100 * (1 - at["specificity"]), 100 * at["sensitivity"]
        ax.plot(*point, "o", mfc="white", color=line.get_color(), ms=7)
    ax.plot([0, 100], [0, 100], color=PALE, ls="--", lw=1)
    ax.set(xlabel="1 − specificity (%)", ylabel="sensitivity (%)", aspect="equal")
    ax.legend(loc="lower right")
    return ax


def precision_recall(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    label: str | None = None,
    colour: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many advised shocks are right against how many needed ones are given."""
    ax = ax or plt.gca()
    precision, recall, _ = precision_recall_curve(y_true, y_score)
    area = binary_scores(y_true, y_score)["average_precision"]
    name = f"{label or 'precision'}, average {area:.3f}"
    ax.step(100 * recall, 100 * precision, where="post", color=colour, label=name)
    ax.axhline(100 * np.mean(y_true), color=PALE, ls="--", lw=1)
    ax.set(xlabel="sensitivity (%)", ylabel="positive predictive value (%)", aspect="equal")
    ax.set(xlim=(-3, 103), ylim=(-3, 103))
    ax.legend(loc="lower left")
    return ax


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
