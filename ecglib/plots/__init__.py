"""Figures of the book: each function draws on `ax` and returns it; `examples`, `gallery`,
`beats_by_class`, `timeline` and `sizes_and_times` return a figure.

Arrays and tables in, artists out. One colour a split throughout, every axis with its unit, ECGs on
paper squares at equal scale. Explained in the chapters that show them.
"""

from .attribution import agreement, attribution, class_average, deletion
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
from .exported import sizes_and_times, tracks
from .look import LABELS, SHOCK, SPLIT_COLOURS, SPLIT_LINES, style
from .pictures import recipe, stacked, token_matrix, turned
from .rhythm_scores import (
    beside_published,
    difference_matrix,
    fusions,
    moved,
    score_against_cost,
)
from .rhythms import (
    RHYTHM_COLOURS,
    RHYTHM_LINES,
    RHYTHM_MARKERS,
    class_shares,
    joined,
    marked_peaks,
    strides,
)
from .sanity import cascade, checks, likeness
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
from .timeline import timeline
from .traded import traded

__all__ = [
    "CLASS_COLOURS",
    "CLASS_MARKERS",
    "LABELS",
    "MOST_POINTS",
    "RHYTHM_COLOURS",
    "RHYTHM_LINES",
    "RHYTHM_MARKERS",
    "SHOCK",
    "SPLIT_COLOURS",
    "SPLIT_LINES",
    "against",
    "agreement",
    "aha",
    "alarms_against_recall",
    "attribution",
    "beats_by_class",
    "beats_overlay",
    "beside_published",
    "by_record",
    "cascade",
    "calibration",
    "checks",
    "class_average",
    "class_forest",
    "class_precision_recall",
    "class_shares",
    "confusion",
    "cost_curve",
    "deletion",
    "difference_matrix",
    "ecg_paper",
    "examples",
    "folded",
    "forest",
    "fusions",
    "gallery",
    "importance",
    "joined",
    "learning_curves",
    "likeness",
    "luck",
    "marked_peaks",
    "metrics_table",
    "moved",
    "parallel",
    "precision_recall",
    "recipe",
    "roc",
    "rr_scatter",
    "score_against_cost",
    "sizes_and_times",
    "spectrogram",
    "stacked",
    "strides",
    "style",
    "timeline",
    "token_matrix",
    "tracks",
    "traded",
    "trial_curves",
    "turned",
]
