"""Intervals by drawing whole patients anew."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .scores import BINARY, checked, patient_codes, tally_up

_CHUNK = 100  # resamples scored at once: keeps the largest array below about 30 MB


def resamples(n_patients: int, n: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each patient is drawn, in chunks of shape (≤ 100, n_patients)."""
    rng = np.random.default_rng(seed)
    for start in range(0, n, _CHUNK):
        size = min(_CHUNK, n - start)
        yield rng.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size).astype(float)


def interval(value: float, draws: NDArray[np.float64]) -> dict[str, float]:
    """The value with the middle 95 % of its resamples, those where it is undefined left out."""
    draws = draws[np.isfinite(draws)]
    known = np.isfinite(value) and len(draws)
    low, high = np.percentile(draws, (2.5, 97.5)) if known else (np.nan, np.nan)
    return {"value": float(value), "low": float(low), "high": float(high)}


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
    y, p = checked(y_true, y_score)
    codes, n_patients = patient_codes(groups, len(y))
    tally = tally_up(y, p, codes, n_patients=n_patients, threshold=threshold)
    value = tally.scores(np.ones((1, n_patients)))
    chunks = [tally.scores(weights) for weights in resamples(n_patients, n, seed)]
    draws = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in BINARY}
    if n_patients == 1:
        draws = dict.fromkeys(BINARY, np.array([]))
    return {name: interval(value[name][0], draws[name]) for name in BINARY}


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
        y, p = checked(y_true, score)
        codes, n_patients = patient_codes(groups, len(y))
        tallies.append(tally_up(y, p, codes, n_patients=n_patients, threshold=threshold))

    def difference(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b = (tally.scores(weights)[metric] for tally in tallies)
        return a - b

    draws = [difference(weights) for weights in resamples(n_patients, n, seed)]
    value = difference(np.ones((1, n_patients)))[0]
    return interval(value, np.concatenate(draws) if n_patients > 1 else np.array([]))
