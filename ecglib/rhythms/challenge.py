"""The score of the 2017 challenge: the mean of the F1 of N, O and A over recordings.

Clifford et al., Computing in Cardiology 44 (2017): AF classification from a short single lead ECG
recording. Chapter: exercise 05, "Evaluation".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ecglib import metrics

CLASSES = ("N", "O", "A")  # in the order of their numbers; the score is a mean over these
NOISE = "~"  # a fourth class where noise is learnt, too


def names(n_classes: int) -> tuple[str, ...]:
    """The classes of a network with so many outputs."""
    known = (*CLASSES, NOISE)
    if n_classes not in (len(CLASSES), len(known)):
        raise ValueError(f"need {len(CLASSES)} or {len(known)} classes, got {n_classes}")
    return known[:n_classes]


def challenge_f1(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean F1 of N, O and A over a whole set; noise counts only where it is taken for these.

    Parameters
    ----------
    y_true, y_pred : arrays, shape (n_records,), class numbers

    Raises
    ------
    ValueError
        If one of the three classes has no record.

    Examples
    --------
    >>> round(challenge_f1([0, 0, 1, 2], [0, 1, 1, 2]), 3)
    0.778
    """
    y = np.asarray(y_true)
    require_classes(y, where="the set to score")
    n = max(len(CLASSES), int(y.max()) + 1, int(np.max(y_pred)) + 1)
    found = metrics.class_scores(y, y_pred, names(n))
    return float(np.mean([found[f"f1_{name}"] for name in CLASSES]))


def require_classes(y: ArrayLike, *, where: str, n_classes: int = len(CLASSES)) -> None:
    """Raise ValueError, saying where, unless each class has a record."""
    lacking = [name for i, name in enumerate(names(n_classes)) if not (np.asarray(y) == i).any()]
    if lacking:
        raise ValueError(
            f"need records of every class in {where}, got none of {', '.join(lacking)}"
        )
