"""How one model learns, and how its scores relate to the truth."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from ecglib.metrics import binary_scores, reliability

from .look import BACKED, LABELS, LOWER_IS_BETTER, PALE, SHOCK, SPLIT_COLOURS, SPLIT_LINES

MOST_POINTS = 3000  # more jittered outcomes than this show no more


def learning_curves(
    history: pd.DataFrame,
    *,
    quantity: str = "loss",
    kept: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one quantity of training and validation by epoch, the kept epoch marked.

    `history` has `epoch`, `train_<quantity>`, `validation_<quantity>` and `validation_loss`.
    `quantity` is "loss" or "balanced_accuracy". `kept` is the epoch whose weights were kept, by
    default that of the lowest validation loss.
    """
    ax = ax or plt.gca()
    percent = 1 if quantity == "loss" else 100
    for split in ("train", "validation"):
        values = percent * history[f"{split}_{quantity}"]
        line = {"color": SPLIT_COLOURS[split], "ls": SPLIT_LINES[split]}
        ax.plot(history["epoch"], values, label=split, marker=".", **line)
    kept = history["epoch"][history["validation_loss"].idxmin()] if kept is None else kept
    ax.axvline(kept, color=PALE, lw=1, label=f"weights kept: epoch {kept:.0f}")
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
        yticklabels=[LABELS.get(m, f"{m.replace('_', ' ')} (%)") for m in metrics],
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
    unit: str = "windows",
    ax: Axes | None = None,
) -> Axes:
    """Draw what was predicted for each true class: how many, and their share of the row."""
    ax = ax or plt.gca()
    counts = confusion_matrix(y_true, y_pred, labels=range(len(classes)))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    pairs = zip(counts.flat, share.flat, strict=True)
    text = np.array([f"{n:,}\n{100 * s:.1f} %" for n, s in pairs]).reshape(counts.shape)
    names = {"xticklabels": classes, "yticklabels": classes}
    look = {"cmap": "Blues", "vmin": 0, "vmax": 1, "cbar": False, "square": True}
    sns.heatmap(share, annot=text, fmt="", linewidths=1, ax=ax, **look, **names)
    ax.set(xlabel=f"predicted ({unit}, share of true class)", ylabel="true")
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
