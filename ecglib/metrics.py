"""Pure functions of truth and prediction over a whole set, with intervals by patient.

Shock advice is the binary case: 1 is shockable, a score is P(shock), and a shock is advised where
the score reaches the threshold. Explained in the chapter on evaluation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import coo_array, csr_array
from scipy.special import log_softmax
from scipy.stats import beta
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
_CHUNK = 100  # resamples scored at once: keeps the largest array below about 30 MB


@dataclass(frozen=True)
class Goal:
    """A performance goal for one rhythm: Kerber et al., Circulation 1997, 95:1677."""

    shock: bool  # what is counted as a hit: a shock advised (True) or not (False)
    goal: float = np.nan  # the observed rate has to exceed it
    limit: float = np.nan  # its one-sided 90 % lower limit has to reach it
    windows: int = 25  # fewer than these say too little


_OTHER = Goal(shock=False, goal=0.95, limit=0.88, windows=30)
AHA_GOALS = {
    "coarse VF": Goal(shock=True, goal=0.90, limit=0.87, windows=200),
    "rapid VT": Goal(shock=True, goal=0.75, limit=0.67, windows=50),
    "NSR": Goal(shock=False, goal=0.99, limit=0.97, windows=100),
    "AF": _OTHER,
    "SVT": _OTHER,
    "bradycardia": _OTHER,
    "block": _OTHER,
    "idioventricular": _OTHER,
    "PVC": _OTHER,
    "other non-shockable": _OTHER,
    "asystole": Goal(shock=False, goal=0.95, limit=0.92, windows=100),
    "fine VF": Goal(shock=True),
    "other VT": Goal(shock=True),
}


@dataclass(frozen=True)
class _Tally:
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


def _checked(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray, NDArray]:
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


def _codes(groups: ArrayLike, n: int) -> tuple[NDArray[np.intp], int]:
    """Patients numbered 0, 1, …, and how many there are."""
    if len(groups) != n or pd.isna(groups).any():
        raise ValueError(
            f"groups needs a known patient for each of {n} windows, "
            f"got {len(groups)} of which {int(pd.isna(groups).sum())} unknown"
        )
    names, codes = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    return codes, len(names)


def _tally(
    y: NDArray, p: NDArray, codes: NDArray[np.intp], *, n_patients: int, threshold: float
) -> _Tally:
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
    return _Tally(np.stack(sums, axis=1), gaps, *curves)


def _resamples(n_patients: int, n: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each patient is drawn, in chunks of shape (≤ 100, n_patients)."""
    rng = np.random.default_rng(seed)
    for start in range(0, n, _CHUNK):
        size = min(_CHUNK, n - start)
        yield rng.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size).astype(float)


def _interval(value: float, draws: NDArray[np.float64]) -> dict[str, float]:
    """The value with the middle 95 % of its resamples, those where it is undefined left out."""
    draws = draws[np.isfinite(draws)]
    known = np.isfinite(value) and len(draws)
    low, high = np.percentile(draws, (2.5, 97.5)) if known else (np.nan, np.nan)
    return {"value": float(value), "low": float(low), "high": float(high)}


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
    y, p = _checked(y_true, y_score)
    tally = _tally(y, p, np.zeros(len(y), dtype=int), n_patients=1, threshold=threshold)
    return {name: float(value[0]) for name, value in tally.scores(np.ones((1, 1))).items()}


def bootstrap(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float = 0.5,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Give every metric a 95 % interval by drawing whole patients with replacement.

    Windows of a patient resemble each other, so the patient is what can be drawn anew. Patients
    with windows of one class only are drawn like the others; a resample that lacks a class is left
    out of the metrics that need it. One patient alone has no interval: its limits are nan.

    Parameters
    ----------
    y_true, y_score, threshold : as for `binary_scores`
    groups : array, shape (n_windows,), the patient of each window
    n : int, number of resamples

    Returns
    -------
    dict of {"value", "low", "high"} for each metric in `BINARY`
    """
    y, p = _checked(y_true, y_score)
    codes, n_patients = _codes(groups, len(y))
    tally = _tally(y, p, codes, n_patients=n_patients, threshold=threshold)
    value = tally.scores(np.ones((1, n_patients)))
    chunks = [tally.scores(weights) for weights in _resamples(n_patients, n, seed)]
    draws = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in BINARY}
    if n_patients == 1:
        draws = dict.fromkeys(BINARY, np.array([]))
    return {name: _interval(value[name][0], draws[name]) for name in BINARY}


def paired_difference(
    y_true: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    groups: ArrayLike,
    *,
    threshold_a: float = 0.5,
    threshold_b: float = 0.5,
    metric: str = "balanced_accuracy",
    n: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Metric of `a` minus metric of `b` on the same patients, with its 95 % interval.

    Both are scored on the same resamples: what is hard for both cancels. An interval that covers
    zero shows no clear difference. Arguments otherwise as for `bootstrap`.
    """
    if metric not in BINARY:
        raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(BINARY)}")
    tallies = []
    for score, threshold in ((score_a, threshold_a), (score_b, threshold_b)):
        y, p = _checked(y_true, score)
        codes, n_patients = _codes(groups, len(y))
        tallies.append(_tally(y, p, codes, n_patients=n_patients, threshold=threshold))

    def difference(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b = (tally.scores(weights)[metric] for tally in tallies)
        return a - b

    draws = [difference(weights) for weights in _resamples(n_patients, n, seed)]
    value = difference(np.ones((1, n_patients)))[0]
    return _interval(value, np.concatenate(draws) if n_patients > 1 else np.array([]))


def choose_threshold(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    metric: str = "balanced_accuracy",
    tolerance: float = 0.001,
) -> float:
    """Choose the middle of the widest stretch of thresholds that are as good as the best.

    To be called with the validation set only. The single best threshold sits on a spike of chance;
    all within `tolerance` of it are equally good, and the middle of their widest stretch is far
    from both edges. `metric` is "balanced_accuracy", "f1" or "accuracy".
    """
    y, p = _checked(y_true, y_score)
    if y.min() == y.max():
        raise ValueError(f"a threshold needs both classes, got only {int(y[0])}")
    levels, level = np.unique(p, return_inverse=True)
    # Threshold i lies above levels[i - 1] and reaches up to levels[i].
    fn, tn = (np.r_[0, np.bincount(level, weights=side).cumsum()] for side in (y, 1 - y))
    tp, fp = y.sum() - fn, (1 - y).sum() - tn
    curves = {
        "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "accuracy": (tp + tn) / len(y),
    }
    if metric not in curves:
        raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(curves)}")
    good = curves[metric] >= curves[metric].max() - tolerance - 1e-12
    edges = np.r_[0.0, levels, max(1.0, np.nextafter(levels[-1], 2))]
    first, end = np.flatnonzero(np.diff(np.r_[0, good, 0])).reshape(-1, 2).T
    widest = np.argmax(edges[end] - edges[first])
    low, high = edges[first[widest]], edges[end[widest]]
    middle = (low + high) / 2
    return float(middle if middle > low else high)


def clopper_pearson_lower(hits: float, n: float, *, confidence: float = 0.90) -> float:
    """Exact one-sided lower limit of a rate: Clopper and Pearson, Biometrika 1934, 26:404.

    `hits` and `n` may be fractions, as they are once divided by a design effect.

    >>> round(clopper_pearson_lower(100, 100), 4)
    0.9772
    """
    if not 0 <= hits <= n or n <= 0:
        raise ValueError(f"need 0 <= hits <= n and n > 0, got {hits=} {n=}")
    return float(beta.ppf(1 - confidence, hits, n - hits + 1)) if hits > 0 else 0.0


def design_effect(hits_by_patient: ArrayLike, n_by_patient: ArrayLike) -> float:
    """How many times fewer independent windows these are worth: Rao and Scott, Biometrics 1992.

    Variance of the rate between patients over that of independent windows, at least 1. A rate of
    exactly 0 or 1 shows no variance: 1 (Korn and Graubard 1998). A single patient cannot show how
    patients differ: its windows count as one.

    Parameters
    ----------
    hits_by_patient, n_by_patient : arrays, shape (n_patients,), counts of windows
    """
    hits, n = np.asarray(hits_by_patient, dtype=float), np.asarray(n_by_patient, dtype=float)
    if hits.shape != n.shape or (hits > n).any() or (n <= 0).any():
        raise ValueError("each patient needs 0 <= hits <= n and n > 0")
    k, total, rate = len(n), n.sum(), hits.sum() / n.sum()
    if k == 1:
        return float(total)
    if rate in (0, 1):
        return 1.0
    between = k / (k - 1) * ((hits - rate * n) ** 2).sum() / total**2
    return float(max(1.0, between / (rate * (1 - rate) / total)))


def aha_table(y_pred: ArrayLike, table: pd.DataFrame) -> pd.DataFrame:
    """Hold predictions against the performance goals for automated defibrillators, by rhythm.

    Parameters
    ----------
    y_pred : array, shape (n_windows,), 1 where a shock is advised
    table : DataFrame with `aha`, a name in `AHA_GOALS` or missing (left out), and `patient`

    Returns
    -------
    DataFrame, one row a goal: rhythm, windows, patients, hits, value, low, goal, limit, verdict.
    `low` is the exact one-sided 90 % limit of an effective number of windows, those there are
    divided by their design effect. The verdict is "pass", "fail", "too few" (windows below the
    minimum, or one patient only) or "report only" (`value` is then how often a shock is advised).
    """
    y_pred = np.asarray(y_pred)
    if y_pred.shape != (len(table),) or not np.isin(y_pred, (0, 1)).all():
        raise ValueError(
            f"y_pred needs 0 or 1 for each of {len(table)} windows, got {y_pred.shape}"
        )
    unknown = set(table["aha"].dropna()) - set(AHA_GOALS)
    if unknown:
        raise ValueError(f"unknown names in `aha`: {sorted(unknown)}; known: {list(AHA_GOALS)}")
    rows = []
    for rhythm, goal in AHA_GOALS.items():
        chosen = (table["aha"] == rhythm).to_numpy()
        hit = pd.Series(y_pred[chosen] == goal.shock)
        by_patient = hit.groupby(table["patient"].to_numpy()[chosen]).agg(["sum", "count"])
        n, hits, patients = len(hit), int(hit.sum()), len(by_patient)
        value = low = np.nan
        if n:
            effective = n / design_effect(by_patient["sum"], by_patient["count"])
            value = hits / n
            low = clopper_pearson_lower(value * effective, effective)
        if np.isnan(goal.goal):
            verdict = "report only"
        elif n < goal.windows or patients < 2:
            verdict = "too few"
        else:
            verdict = "pass" if value > goal.goal and low >= goal.limit else "fail"
        rows.append((rhythm, n, patients, hits, value, low, goal.goal, goal.limit, verdict))
    names = ["rhythm", "windows", "patients", "hits", "value", "low", "goal", "limit", "verdict"]
    return pd.DataFrame(rows, columns=names)


def fit_temperature(logits: ArrayLike, y: ArrayLike) -> float:
    """The divisor of the logits that makes validation outcomes most likely: Guo et al., ICML 2017.

    It changes how sure a network says it is, never which class it prefers.

    Parameters
    ----------
    logits : array, shape (n_windows, n_classes)
    y : array, shape (n_windows,), class numbers
    """
    logits, y = np.asarray(logits, dtype=float), np.asarray(y)
    if logits.ndim != 2 or y.shape != logits.shape[:1] or not np.isfinite(logits).all():
        raise ValueError(
            f"need finite logits (n_windows, n_classes) and one class each, "
            f"got shapes {logits.shape}, {y.shape}"
        )

    def loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(len(y)), y].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))


def reliability(y_true: ArrayLike, y_score: ArrayLike, *, n_bins: int = 10) -> pd.DataFrame:
    """Observed frequency by bin of predicted probability; empty bins are left out.

    Returns
    -------
    DataFrame: windows, predicted (mean score), observed (share of 1), low, high (exact 95 %
    interval of the share, windows taken as independent)
    """
    y, p = _checked(y_true, y_score)
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    grouped = pd.DataFrame({"bin": bins, "predicted": p, "observed": y}).groupby("bin")
    frame = grouped.mean().assign(windows=grouped.size())
    n, hits = frame["windows"], frame["observed"] * frame["windows"]
    frame["low"] = np.where(hits > 0, beta.ppf(0.025, hits, n - hits + 1), 0)
    frame["high"] = np.where(hits < n, beta.ppf(0.975, hits + 1, n - hits), 1)
    return frame.reset_index()[["windows", "predicted", "observed", "low", "high"]]


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
