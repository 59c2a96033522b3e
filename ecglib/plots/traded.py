"""What each class gains in recall and pays in precision between two operating points."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .classes import CLASS_COLOURS, CLASS_MARKERS


def traded(
    before: Mapping[str, Mapping[str, float]],
    after: Mapping[str, Mapping[str, float]],
    classes: Sequence[str],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw precision against recall of each class: hollow before, filled after, a line between.

    Parameters
    ----------
    before, after : what `metrics.class_bootstrap` gives at each point
    classes : names; a class without recall or precision at either point is left out

    Raises
    ------
    ValueError
        If no class has both.
    """
    ax = ax or plt.gca()
    points = {c: [_point(scores, c) for scores in (before, after)] for c in classes}
    points = {c: ends for c, ends in points.items() if None not in ends}
    if not points:
        raise ValueError(f"need recall and precision of a class of {', '.join(classes)}")
    for number, (name, ends) in enumerate(points.items()):
        colour = CLASS_COLOURS.get(name, f"C{number % 7}")
        marker = CLASS_MARKERS.get(name, "o")
        ax.plot(*zip(*ends, strict=True), color=colour, lw=1.2, zorder=2)
        ax.plot(*ends[0], marker, mfc="white", mec=colour, ms=7, zorder=3)
        ax.plot(*ends[1], marker, mfc=colour, mec="black", ms=7, ls="", zorder=4, label=name)
    ax.set(xlabel="recall (%)", ylabel="precision (%)")
    ax.margins(0.1)
    ax.legend(loc="best", title="class")
    return ax


def _point(scores: Mapping[str, Mapping[str, float]], name: str) -> tuple[float, float] | None:
    values = [scores.get(f"{what}_{name}", {}).get("value") for what in ("recall", "precision")]
    known = all(value is not None and value == value for value in values)
    return (100 * values[0], 100 * values[1]) if known else None
