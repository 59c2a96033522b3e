"""Scores of a whole set of windows, of two classes or more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from sklearn.metrics import confusion_matrix

BINARY = (
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "f1",
    "roc_auc",
    "average_precision",
    "brier",
    "ece",
    "accuracy",
)
_ECE_BINS = 10


@dataclass(frozen=True)
class Tally:
    """What each patient adds to every metric, so that a resample is only a weighted sum.

    Counts, squared errors and calibration gaps add up over patients. The two areas need ranks:
    rows of `positives` and `negatives` are score levels from the highest down, so a cumulative sum
    of the weighted levels is the exact curve of a resample, ties included.
    """

    sums: NDArray[np.float64]  # (n_patients, 5): tp, fn, fp, tn, squared error
    gaps: NDArray[np.float64]  # (n_patients, bins): sum of score minus outcome
    positives: csr_array  # (n_levels, n_patients): shockable windows
    negatives: csr_array  # (n_levels, n_patients): the others

    def scores(self, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Every metric for every row of `weights`, shape (n_resamples, n_patients)."""
        tp, fn, fp, tn, squared = (weights @ self.sums).T  # (n_resamples,) each
        total = tp + fn + fp + tn
        pos, neg = self.positives @ weights.T, self.negatives @ weights.T  # (n_levels, n_resamples)
        true, false = pos.cumsum(axis=0), neg.cumsum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 is nan: undefined
            sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
            values = {
                "sensitivity": sensitivity,
                "specificity": specificity,
                "balanced_accuracy": (sensitivity + specificity) / 2,
                "f1": 2 * tp / (2 * tp + fp + fn),
                "roc_auc": (neg * (true - pos / 2)).sum(axis=0) / (true[-1] * false[-1]),
                "average_precision": (pos * true / np.maximum(true + false, 1)).sum(axis=0)
                / true[-1],
                "brier": squared / total,
                "ece": np.abs(weights @ self.gaps).sum(axis=1) / total,
                "accuracy": (tp + tn) / total,
            }
        return values


def checked(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray, NDArray]:
    """Outcomes and probabilities as float arrays, or one clear error."""
    y, p = np.asarray(y_true), np.asarray(y_score, dtype=float)
    if y.ndim != 1 or y.shape != p.shape or not len(y):
        raise ValueError(
            f"y_true and y_score need one value a window, got shapes {y.shape}, {p.shape}"
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"y_true may hold 0 and 1 only, got {np.unique(y)[:6].tolist()}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"y_score needs probabilities from 0 to 1, got {p.min()} to {p.max()}")
    return y.astype(float), p


def patient_codes(groups: ArrayLike, n: int) -> tuple[NDArray[np.intp], int]:
    """Patients numbered 0, 1, …, and how many there are."""
    if len(groups) != n or pd.isna(groups).any():
        raise ValueError(
            f"groups needs a known patient for each of {n} windows, "
            f"got {len(groups)} of which {int(pd.isna(groups).sum())} unknown"
        )
    names, codes = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    return codes, len(names)


def tally_up(
    y: NDArray, p: NDArray, codes: NDArray[np.intp], *, n_patients: int, threshold: float
) -> Tally:
    shock = p >= threshold
    columns = (y * shock, y * ~shock, (1 - y) * shock, (1 - y) * ~shock, (p - y) ** 2)
    sums = [np.bincount(codes, weights=column, minlength=n_patients) for column in columns]
    bins = np.minimum((p * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gaps = np.zeros((n_patients, _ECE_BINS))
    np.add.at(gaps, (codes, bins), p - y)
    _, level = np.unique(-p, return_inverse=True)
    # A run of levels that only negatives hold changes neither area: it becomes one level.
    held = np.bincount(level, weights=y) > 0
    level = (np.cumsum(held | np.r_[True, held[:-1]]) - 1)[level]
    shape = (level.max() + 1, n_patients)
    curves = [coo_array((side, (level, codes)), shape=shape).tocsr() for side in (y, 1 - y)]
    return Tally(np.stack(sums, axis=1), gaps, *curves)


def binary_scores(
    y_true: ArrayLike, y_score: ArrayLike, *, threshold: float = 0.5
) -> dict[str, float]:
    """Score a set of windows as a whole, never by batch.

    Parameters
    ----------
    y_true : array, shape (n_windows,), 0 or 1
    y_score : array, shape (n_windows,), probability of 1
    threshold : float
        1 is predicted where the score reaches it.

    Returns
    -------
    dict of the metrics in `BINARY`; nan where one is undefined, as sensitivity without positives.
    `ece` has ten bins of equal width: Guo et al., ICML 2017, for the positive class.

    Raises
    ------
    ValueError
        If lengths differ, labels are not 0 and 1, or scores are not probabilities.

    Examples
    --------
    >>> scores = binary_scores([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9])
    >>> scores["sensitivity"], scores["specificity"], scores["roc_auc"]
    (1.0, 0.5, 1.0)
    """
    y, p = checked(y_true, y_score)
    tally = tally_up(y, p, np.zeros(len(y), dtype=int), n_patients=1, threshold=threshold)
    return {name: float(value[0]) for name, value in tally.scores(np.ones((1, 1))).items()}


def class_scores(y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str]) -> dict[str, float]:
    """Accuracy, recall and F1 of each class, and their plain means over the classes there are.

    >>> scores = class_scores([0, 0, 1, 2], [0, 1, 1, 2], ["N", "S", "V"])
    >>> scores["recall_N"], scores["f1_V"]
    (0.5, 1.0)
    """
    counts = confusion_matrix(y_true, y_pred, labels=range(len(classes))).astype(float)
    if counts.sum() != len(np.asarray(y_true)):
        raise ValueError(f"labels must be class numbers below {len(classes)}")
    hits, true, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, f1 = hits / true, 2 * hits / (true + predicted)
    there = true > 0
    scores = {
        "accuracy": hits.sum() / counts.sum(),
        "macro_recall": recall[there].mean(),
        "macro_f1": f1[there].mean(),
    }
    for name, values in (("recall", recall), ("f1", f1)):
        scores |= {f"{name}_{c}": value for c, value in zip(classes, values, strict=True)}
    return {name: float(value) for name, value in scores.items()}
