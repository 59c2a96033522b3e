"""Several classes: intervals by patient, paired differences.

A class score is a function of the confusion counts alone, and counts add up over patients. So a
resample is a weighted sum of small tables, whatever the number of beats. Chapter: exercise 04,
"Evaluation".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import interval
from .scores import patient_codes


def class_bootstrap(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    groups: ArrayLike,
    classes: Sequence[str],
    *,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Give every class score a 95 % interval by drawing whole patients with replacement.

    A resample without a beat of some class is left out of the scores that need it: the recall, F1
    and precision of that class, and both macro means. One patient alone has no interval.

    Parameters
    ----------
    y_true, y_pred : arrays, shape (n_windows,), class numbers
    groups : array, shape (n_windows,), the patient of each window; the window itself where
        patients are unknown
    classes : names, in the order of their numbers
    n : int, number of resamples

    Returns
    -------
    dict of {"value", "low", "high"} for each name of `class_scores`, and `precision_<class>`

    Raises
    ------
    ValueError
        If lengths differ, a class has no name or a patient is unknown.
    """
    table, n_patients = by_patient(y_true, [y_pred], groups, n_classes=len(classes))
    whole, draws = resampled(table, n=n, seed=seed)
    there = whole[0].sum(axis=1) > 0
    value = rates(whole, classes, there=there)
    drawn = rates(draws[:, 0], classes, there=there)
    none = np.array([])
    return {k: interval(v[0], drawn[k] if n_patients > 1 else none) for k, v in value.items()}


def class_difference(
    y_true: ArrayLike,
    pred_a: ArrayLike,
    pred_b: ArrayLike,
    groups: ArrayLike,
    classes: Sequence[str],
    *,
    metric: str = "macro_recall",
    n: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Score of `a` minus score of `b` on the same patients, with its 95 % interval.

    Both are scored on the same resamples: what is hard for both cancels. An interval that covers
    zero shows no clear difference. `metric` is a name of `class_bootstrap`, the rest is as there.
    """
    table, n_patients = by_patient(y_true, [pred_a, pred_b], groups, n_classes=len(classes))
    whole, draws = resampled(table, n=n, seed=seed)
    there = whole[0].sum(axis=1) > 0
    value = rates(whole, classes, there=there)
    if metric not in value:
        raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(value)}")
    a, b = (rates(draws[:, i], classes, there=there)[metric] for i in (0, 1))
    gap = value[metric][0] - value[metric][1]
    return interval(gap, a - b if n_patients > 1 else np.array([]))


def by_patient(
    y_true: ArrayLike, predictions: Sequence[ArrayLike], groups: ArrayLike, *, n_classes: int
) -> tuple[NDArray[np.int64], int]:
    """Confusion counts of each patient, shape (n_patients, n_predictions, C, C), and n_patients."""
    y = numbers(y_true, n_classes=n_classes)
    codes, n_patients = patient_codes(groups, len(y))
    tables = []
    for prediction in predictions:
        pred = numbers(prediction, n_classes=n_classes)
        if pred.shape != y.shape:
            raise ValueError(f"need a prediction for each of {len(y)} windows, got {len(pred)}")
        cell = (codes * n_classes + y) * n_classes + pred
        counts = np.bincount(cell, minlength=n_patients * n_classes**2)
        tables.append(counts.reshape(n_patients, n_classes, n_classes))
    return np.stack(tables, axis=1), n_patients


def numbers(values: ArrayLike, *, n_classes: int) -> NDArray[np.int64]:
    """Class numbers, or one clear error."""
    v = np.asarray(values)
    if v.ndim != 1 or not len(v) or not np.isin(v, np.arange(n_classes)).all():
        found = np.unique(v)[:8].tolist()
        raise ValueError(
            f"need class numbers from 0 to {n_classes - 1}, got shape {v.shape} with {found}"
        )
    return v.astype(np.int64)


def resampled(
    table: NDArray[np.int64], *, n: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of the whole set, (n_predictions, C, C), and of `n` resamples, (n, ...) of them.

    Patients with the same counts are drawn together: that is the same distribution, and a set
    whose patients are single windows has a few dozen kinds of them.
    """
    n_patients, *shape = table.shape
    kinds, copies = np.unique(table.reshape(n_patients, -1), axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(n_patients, copies / n_patients, size=n)  # (n, n_kinds)
    draws = times.astype(float) @ kinds.astype(float)
    return table.sum(axis=0).astype(float), draws.reshape(n, *shape)


def rates(
    counts: NDArray[np.float64], classes: Sequence[str], *, there: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Every class score of each table in `counts`, (n, C, C): rows are true, columns predicted.

    `there` says which classes the whole set has; where a resample lacks one of these, its scores
    are nan.
    """
    hits = np.diagonal(counts, axis1=1, axis2=2)  # (n, C)
    true, predicted = counts.sum(axis=2), counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 is nan: undefined
        recall, precision = hits / true, hits / predicted
        f1 = 2 * hits / (true + predicted)
    lacks = there & (true == 0)
    f1[lacks] = precision[lacks] = np.nan
    scores = {
        "accuracy": hits.sum(axis=1) / counts.sum(axis=(1, 2)),
        "macro_recall": recall[:, there].mean(axis=1),
        "macro_f1": f1[:, there].mean(axis=1),
    }
    for name, values in (("recall", recall), ("f1", f1), ("precision", precision)):
        scores |= {f"{name}_{c}": values[:, i] for i, c in enumerate(classes)}
    return scores
