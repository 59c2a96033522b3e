"""How well each class is found, and what finding more of the sick beats costs."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.metrics import average_precision_score, precision_recall_curve

from ecglib.metrics import sick_curve, tilt

CLASS_COLOURS = {  # none of them the colour of a split
    "N": "0.55",
    "S": "#56B4E9",
    "V": "#E69F00",
    "F": "#CC79A7",
    "Q": "black",
    "normal": "0.55",
    "abnormal": "#E69F00",
}
CLASS_MARKERS = {"N": "o", "S": "^", "V": "s", "F": "D", "Q": "X", "normal": "o", "abnormal": "s"}
CLASS_LINES = {"N": "-", "S": "--", "V": "-.", "F": ":", "Q": (0, (5, 1, 1, 1, 1, 1))}
MODEL_MARKERS = "osD^vPX*"
_TICKS = (0.0001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.9999)
_BLIND = "whichever is cheaper: all beats called sick, or none"


def class_precision_recall(
    y_true: ArrayLike,
    logits: ArrayLike,
    classes: Sequence[str],
    *,
    weights: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw precision against recall of each class, called by its own probability alone.

    A mark shows where the classes lie that are called together: the highest probability, or with
    `weights` the highest after them (`metrics.tilt`). It may lie beside its curve, since there a
    class competes with the others. Classes without a beat are left out.

    Parameters
    ----------
    y_true : array, shape (n_windows,), class numbers
    logits : array, shape (n_windows, n_classes)
    """
    ax = ax or plt.gca()
    y, z = np.asarray(y_true), np.asarray(logits, dtype=float)
    called = tilt(z, weights=np.ones(len(classes)) if weights is None else weights)
    probability = softmax(z, axis=1)
    for i, name in enumerate(classes):
        true = y == i
        if not true.any():
            continue
        precision, recall, _ = precision_recall_curve(true, probability[:, i])
        area = average_precision_score(true, probability[:, i])
        look = {"color": CLASS_COLOURS.get(name), "ls": CLASS_LINES.get(name, "-")}
        (line,) = ax.step(
            100 * recall, 100 * precision, where="post", label=f"{name}, average {area:.3f}", **look
        )
        hits = (true & (called == i)).sum()
        if hits:
            at = 100 * hits / true.sum(), 100 * hits / (called == i).sum()
            mark = {"color": line.get_color(), "mec": "black", "ms": 7, "ls": "", "zorder": 3}
            ax.plot(*at, CLASS_MARKERS.get(name, "o"), **mark)
    ax.set(xlabel="recall (%)", ylabel="precision (%)", aspect="equal")
    ax.set(xlim=(-3, 103), ylim=(-3, 103))
    ax.legend(loc="lower left")
    return ax


def class_forest(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]],
    classes: Sequence[str],
    *,
    metric: str = "recall",
    ax: Axes | None = None,
) -> Axes:
    """Draw one score of every class with its interval, the models of a class one below the other.

    Parameters
    ----------
    scores : {model: what `metrics.class_bootstrap` gives}
    classes : names, top to bottom
    metric : "recall", "f1" or "precision"; the macro mean is the last row where there is one
    """
    ax = ax or plt.gca()
    keys = {name: f"{metric}_{name}" for name in classes}
    if all(f"macro_{metric}" in found for found in scores.values()):
        keys["mean"] = f"macro_{metric}"
    if not scores or any(key not in found for found in scores.values() for key in keys.values()):
        raise ValueError(f"need {', '.join(keys.values())} of each model, got {list(scores)}")
    step = 0.7 / max(len(scores), 2)
    for i, (model, found) in enumerate(scores.items()):
        colour = f"C{i % 7}"
        rows = np.arange(len(keys)) + step * (i - (len(scores) - 1) / 2)
        values = 100 * np.array(
            [[found[k][x] for x in ("value", "low", "high")] for k in keys.values()]
        )
        ax.hlines(rows, values[:, 1], values[:, 2], color=colour, lw=1.6)
        marker = MODEL_MARKERS[i % len(MODEL_MARKERS)]
        ax.plot(values[:, 0], rows, marker, color=colour, ms=5, label=model)
    ax.set(yticks=range(len(keys)), yticklabels=list(keys), ylim=(len(keys) - 0.4, -0.6))
    ax.set(xlabel=f"{metric.replace('f1', 'F1')} (%)", ylabel="class")
    for row in range(1, len(keys)):
        ax.axhline(row - 0.5, color="0.9", lw=0.8)
    ax.grid(False, axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def alarms_against_recall(
    y_sick: ArrayLike,
    score: ArrayLike,
    *,
    label: str = "",
    colour: str | None = None,
    threshold: float | None = None,
    per: float = 1000,
    lowest: float = 0.5,
    ax: Axes | None = None,
) -> Axes:
    """Draw the false alarms that each recall of sick beats costs; call again for another curve.

    A circle marks `threshold`. `lowest` is the recall at the left edge.
    """
    ax = ax or plt.gca()
    curve = sick_curve(y_sick, score, per=per)
    least = per / (2 * len(np.asarray(score)))  # none at all has no place on a log axis
    alarms = np.maximum(curve["false_alarms"], least)
    shown = curve["recall"] >= lowest
    recall = 100 * curve["recall"][shown]
    (line,) = ax.step(recall, alarms[shown], where="pre", color=colour, label=label or None)
    if threshold is not None:
        reached = curve[curve["threshold"] >= threshold]
        at = reached.iloc[-1] if len(reached) else curve.iloc[0] * 0
        point = 100 * at["recall"], max(at["false_alarms"], least)
        ax.plot(*point, "o", mfc="white", color=line.get_color(), ms=7)
    ax.set(xlabel="sick beats found (%)", ylabel=f"false alarms per {per:,.0f} beats")
    ax.set(yscale="log", xlim=(100 * lowest, 100 + 2 * (1 - lowest)))
    if label:
        ax.legend(loc="upper left")
    return ax


def cost_curve(
    y_sick: ArrayLike,
    score: ArrayLike,
    *,
    cost_ratio: float,
    threshold: float | None = None,
    per: float = 1000,
    colour: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what each threshold costs, in false alarms; a missed beat costs `cost_ratio` of them.

    The dotted line is what it costs to call no beat sick, or every one, whichever is cheaper. A
    circle marks `threshold`. Call again with another ratio to lay it over.
    """
    ax = ax or plt.gca()
    curve = sick_curve(y_sick, score, per=per)
    cost = curve["false_alarms"] + cost_ratio * curve["missed"]
    share = np.mean(np.asarray(y_sick))
    at = np.clip(curve["threshold"], 1e-6, 1 - 1e-6)
    name = f"a missed beat costs {cost_ratio:g} false alarm" + ("s" if cost_ratio != 1 else "")
    (line,) = ax.step(at, cost, where="post", color=colour, label=name)
    if threshold is not None:
        reached = np.flatnonzero(curve["threshold"] >= threshold)
        height = cost.iloc[reached[-1]] if len(reached) else per * cost_ratio * share
        mark = {"mfc": "white", "color": line.get_color(), "ms": 7}
        ax.plot(np.clip(threshold, 1e-6, 1 - 1e-6), height, "o", **mark)
    blind = per * min(cost_ratio * share, 1 - share)
    said = any(other.get_label() == _BLIND for other in ax.lines)
    dotted = {"color": line.get_color(), "ls": ":", "lw": 1, "label": None if said else _BLIND}
    ax.axhline(blind, **dotted)
    ax.set(xscale="logit", xlabel="threshold on P(sick)", xlim=(1e-5, 1 - 1e-5))
    ax.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    ax.set_xticks([], minor=True)
    ax.set(yscale="log", ylabel=f"cost (false alarms per {per:,.0f} beats)")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1))
    return ax
