"""The look of the book: colours, names of metrics, the style sheet."""

from pathlib import Path

import matplotlib.pyplot as plt

SPLIT_COLOURS = {"train": "#0072B2", "validation": "#D55E00", "test": "#009E73"}
SPLIT_LINES = {"train": "-", "validation": "--", "test": ":"}
SHOCK = ("non-shockable", "shockable")
WRONG, RIGHT, PALE = "#D55E00", "#0072B2", "0.45"
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


def style() -> None:
    """Give every figure that follows the look of the book."""
    plt.style.use(Path(__file__).parents[1] / "book.mplstyle")
