"""Sick against well: the threshold that misses few, and what that costs in false alarms.

"Sick" is every class but the well one; a beat is called sick where its score reaches the threshold.
Thresholds are chosen on validation only. Chapter: exercise 04, "Evaluation".
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from .scores import checked, patient_codes


def sick_score(logits: ArrayLike, well: int = 0) -> NDArray[np.float64]:
    """One minus the probability of the well class, exact also where that is nearly one.

    Parameters
    ----------
    logits : array, shape (n_windows, n_classes)
    well : int, the number of the well class

    Returns
    -------
    array, shape (n_windows,), from 0 to 1
    """
    z = np.asarray(logits, dtype=float)
    if z.ndim != 2 or not 0 <= well < z.shape[1] or z.shape[1] < 2:
        raise ValueError(f"need logits (n_windows, n_classes) with class {well}, got {z.shape}")
    if not np.isfinite(z).all():
        raise ValueError("need finite logits, got nan or infinity")
    sick = logsumexp(np.delete(z, well, axis=1), axis=1)
    return np.exp(sick - np.logaddexp(sick, z[:, well]))


def sick_curve(y_sick: ArrayLike, score: ArrayLike, *, per: float = 1000) -> pd.DataFrame:
    """What each threshold finds and costs, from the highest threshold down.

    Returns
    -------
    DataFrame, one row a distinct score: threshold, recall (share of the sick that is found),
    precision, false_alarms and missed (both by `per` beats of this set)
    """
    y, p = _checked(y_sick, score)
    levels, level = np.unique(-p, return_inverse=True)
    n_levels = len(levels)
    found = np.bincount(level, weights=y, minlength=n_levels).cumsum()
    false = np.bincount(level, weights=1 - y, minlength=n_levels).cumsum()
    columns = {
        "threshold": -levels,
        "recall": found / y.sum(),
        "precision": found / (found + false),
        "false_alarms": per * false / len(y),
        "missed": per * (y.sum() - found) / len(y),
    }
    return pd.DataFrame(columns)


def constraint_threshold(
    y_sick: ArrayLike,
    score: ArrayLike,
    *,
    recall: float = 0.99,
    margin: float = 0.0,
    groups: ArrayLike | None = None,
) -> float:
    """Choose the threshold with the highest precision that still finds `recall` of the sick.

    To be called with the validation set only. Recall that just reaches the limit there falls below
    it on every second new set; with a `margin` it has to exceed the limit by so many of its
    standard errors. The threshold lies halfway between the last sick score that is needed and the
    next score below.

    Parameters
    ----------
    y_sick : array, shape (n_windows,), 0 or 1
    score : array, shape (n_windows,), from 0 to 1
    recall : float, above 0, at most 1
    margin : float, standard errors
    groups : array, shape (n_windows,), the patient of each window
        With it the standard error is that between patients; without, windows count as independent.
    """
    if not 0 < recall <= 1 or margin < 0:
        raise ValueError(f"need 0 < recall <= 1 and margin >= 0, got {recall=} {margin=}")
    y, p = _checked(y_sick, score)
    sick = np.flatnonzero(y == 1)
    order = sick[np.argsort(-p[sick], kind="stable")]  # from the highest sick score down
    codes = np.arange(len(order))
    if groups is not None:
        codes = patient_codes(groups, len(y))[0][order]
    found = np.arange(1, len(order) + 1) / len(order)
    # A margin cannot ask for more than all: with every sick beat found there is no error left.
    enough = found - margin * _standard_errors(codes) >= recall - 1e-12
    enough[-1] = True
    well = np.sort(p[y == 0])
    reach = p[order]
    false = len(well) - np.searchsorted(well, reach, side="left")
    true = np.searchsorted(-reach, -reach, side="right")  # ties are found together
    precision = np.where(enough[true - 1], true / (true + false), -1)
    best = reach[np.flatnonzero(precision == precision.max())[-1]]
    below = p[p < best]
    return float((best + below.max()) / 2 if len(below) else best)


def _standard_errors(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Standard error of recall after each sick beat, found in this order; by patient `codes`.

    With h of n beats found for a patient and rate r over all, the sum of (h - r n)² grows along
    with h, so no patient is counted twice.
    """
    _, patient, size = np.unique(codes, return_inverse=True, return_counts=True)
    total, k = len(codes), len(size)
    if k < 2:
        return np.zeros(total)
    order = np.argsort(patient, kind="stable")
    before = np.empty(total)  # how many of the same patient were found earlier
    before[order] = np.arange(total) - np.repeat(np.cumsum(size) - size, size)
    rate = np.arange(1, total + 1) / total
    squares = np.cumsum(2 * before + 1)
    mixed = np.cumsum(size[patient])
    between = squares - 2 * rate * mixed + rate**2 * (size.astype(float) ** 2).sum()
    return np.sqrt(np.maximum(between, 0) * k / (k - 1)) / total


def cost_threshold(y_sick: ArrayLike, score: ArrayLike, *, cost_ratio: float) -> float:
    """Choose the threshold with the lowest cost, a missed beat costing `cost_ratio` false alarms.

    To be called with the validation set only. For a calibrated score it would be
    1 / (1 + cost_ratio): Elkan, IJCAI 2001. Among the thresholds whose cost is not higher than the
    lowest by more than the standard error of that difference, the nearest to it is taken.

    Parameters
    ----------
    y_sick : array, shape (n_windows,), 0 or 1
    score : array, shape (n_windows,), from 0 to 1
    cost_ratio : float, above 0
    """
    if not (np.isfinite(cost_ratio) and cost_ratio > 0):
        raise ValueError(f"need a cost_ratio above 0, got {cost_ratio}")
    y, p = _checked(y_sick, score)
    levels, level = np.unique(p, return_inverse=True)
    # Threshold i lies above levels[i - 1] and reaches up to levels[i].
    missed = np.r_[0, np.bincount(level, weights=y).cumsum()]
    spared = np.r_[0, np.bincount(level, weights=1 - y).cumsum()]
    cost = cost_ratio * missed - spared
    best = int(np.argmin(cost))
    changed_sick, changed_well = np.abs(missed - missed[best]), np.abs(spared - spared[best])
    gap = cost - cost[best]
    error = np.sqrt(changed_well + cost_ratio**2 * changed_sick - gap**2 / len(y))
    good = np.flatnonzero(gap <= error)
    edges = np.r_[0.0, levels, max(1.0, np.nextafter(levels[-1], 2))]
    asked = 1 / (1 + cost_ratio)
    nearest = np.clip(asked, np.nextafter(edges[good], 2), edges[good + 1])
    return float(nearest[np.argmin(np.abs(nearest - asked))])


def price(
    y_sick: ArrayLike,
    sick_pred: ArrayLike,
    *,
    per: float = 1000,
    beats_per_hour: float = 4500,
    sick_share: float | None = None,
) -> dict[str, float]:
    """What a decision finds and what it costs, by so many beats and by hour of Holter.

    False alarms are well beats called sick. How many there are hangs on how many beats are well:
    `sick_share` moves the rates to a recording with another share of sick beats.

    Parameters
    ----------
    y_sick, sick_pred : arrays, shape (n_windows,), 0 or 1
    per : float, beats
    beats_per_hour : float, beats; 4,500 is a heart rate of 75 /min
    sick_share : float, from 0 to 1; by default that of this set

    Returns
    -------
    dict: recall (share of the sick that is found), precision, false_alarms, missed (both by `per`
    beats), false_alarms_per_hour, missed_per_hour; nan where one is undefined

    >>> found = price([1, 1, 0, 0], [1, 0, 1, 0], per=100, beats_per_hour=4000)
    >>> found["recall"], found["false_alarms"], found["false_alarms_per_hour"]
    (0.5, 25.0, 1000.0)
    """
    y, called = np.asarray(y_sick), np.asarray(sick_pred)
    if y.ndim != 1 or y.shape != called.shape or not len(y):
        raise ValueError(f"need one decision a beat, got shapes {y.shape}, {called.shape}")
    if not (np.isin(y, (0, 1)).all() and np.isin(called, (0, 1)).all()):
        raise ValueError("y_sick and sick_pred may hold 0 and 1 only")
    if sick_share is not None and not 0 <= sick_share <= 1:
        raise ValueError(f"need a sick_share from 0 to 1, got {sick_share}")
    y, called = y.astype(bool), called.astype(bool)
    share = float(y.mean()) if sick_share is None else sick_share
    recall = float(called[y].mean()) if y.any() else np.nan
    alarm = float(called[~y].mean()) if not y.all() else np.nan
    hits = share * recall if share > 0 else 0.0  # shares of all beats
    false = (1 - share) * alarm if share < 1 else 0.0
    missed = share - hits
    return {
        "recall": recall,
        "precision": hits / (hits + false) if hits + false > 0 else np.nan,
        "false_alarms": per * false,
        "missed": per * missed,
        "false_alarms_per_hour": beats_per_hour * false,
        "missed_per_hour": beats_per_hour * missed,
    }


def _checked(y_sick: ArrayLike, score: ArrayLike) -> tuple[NDArray, NDArray]:
    """As `scores.checked`, with sick and well beats both there."""
    y, p = checked(y_sick, score)
    if y.min() == y.max():
        raise ValueError(f"need sick and well beats both, got only {'sick' if y[0] else 'well'}")
    return y, p
