"""Figures of the book: each function draws on `ax` and returns it; `examples`, `gallery` and
`beats_by_class` return a figure.

Arrays and tables in, artists out. One colour a split throughout, every axis with its unit, ECGs on
paper squares at equal scale. Explained in the chapters that show them.
"""

from .classes import (
    CLASS_COLOURS,
    CLASS_MARKERS,
    alarms_against_recall,
    class_forest,
    class_precision_recall,
    cost_curve,
)
from .comparisons import aha, by_record, forest
from .ecg import ecg_paper, examples, gallery
from .look import LABELS, SHOCK, SPLIT_COLOURS, SPLIT_LINES, style
from .pictures import recipe, stacked, token_matrix, turned
from .scores import (
    MOST_POINTS,
    calibration,
    confusion,
    learning_curves,
    metrics_table,
    precision_recall,
    roc,
)
from .search import against, importance, luck, parallel, trial_curves
from .shapes import beats_by_class, beats_overlay, folded, rr_scatter, spectrogram
from .traded import traded

__all__ = [
    "CLASS_COLOURS",
    "CLASS_MARKERS",
    "LABELS",
    "MOST_POINTS",
    "SHOCK",
    "SPLIT_COLOURS",
    "SPLIT_LINES",
    "against",
    "aha",
    "alarms_against_recall",
    "beats_by_class",
    "beats_overlay",
    "by_record",
    "calibration",
    "class_forest",
    "class_precision_recall",
    "confusion",
    "cost_curve",
    "ecg_paper",
    "examples",
    "folded",
    "forest",
    "gallery",
    "importance",
    "learning_curves",
    "luck",
    "metrics_table",
    "parallel",
    "precision_recall",
    "recipe",
    "roc",
    "rr_scatter",
    "spectrogram",
    "stacked",
    "style",
    "token_matrix",
    "traded",
    "trial_curves",
    "turned",
]
