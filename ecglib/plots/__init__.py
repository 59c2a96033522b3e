"""Figures of the book: each function draws on `ax` and returns it; `examples` returns a figure.

Arrays and tables in, artists out. One colour a split throughout, every axis with its unit, ECGs on
paper squares at equal scale. Explained in the chapters that show them.
"""

from .comparisons import aha, by_record, forest
from .ecg import ecg_paper, examples, gallery
from .look import LABELS, SHOCK, SPLIT_COLOURS, SPLIT_LINES, style
from .scores import (
    MOST_POINTS,
    calibration,
    confusion,
    learning_curves,
    metrics_table,
    precision_recall,
    roc,
)

__all__ = [
    "LABELS",
    "MOST_POINTS",
    "SHOCK",
    "SPLIT_COLOURS",
    "SPLIT_LINES",
    "aha",
    "by_record",
    "calibration",
    "confusion",
    "ecg_paper",
    "examples",
    "forest",
    "gallery",
    "learning_curves",
    "metrics_table",
    "precision_recall",
    "roc",
    "style",
]
