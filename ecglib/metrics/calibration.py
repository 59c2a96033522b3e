"""From scores to decisions and honest probabilities: threshold, temperature, reliability."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import beta

from .intervals import bootstrap
from .scores import checked


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
    edges, curve = _by_threshold(*checked(y_true, y_score), metric=metric)
    good = curve >= curve.max() - tolerance - 1e-12
    first, end = np.flatnonzero(np.diff(np.r_[0, good, 0])).reshape(-1, 2).T
    widest = np.argmax(edges[end] - edges[first])
    low, high = edges[first[widest]], edges[end[widest]]
    middle = (low + high) / 2
    return float(middle if middle > low else high)


def steady_threshold(
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike,
    *,
    metric: str = "balanced_accuracy",
    seed: int = 0,
) -> float:
    """Choose the threshold nearest to one half that is no worse than the best by chance.

    To be called with the validation set only. A dozen patients cannot tell thresholds apart that
    lie within a standard error of the best (by patient bootstrap); among those the least bent one
    is taken: the one-standard-error rule of Breiman et al. 1984, sec. 3.4.3.

    Parameters
    ----------
    y_true, y_score : as for `choose_threshold`
    groups : array, shape (n_windows,), the patient of each window
    """
    edges, curve = _by_threshold(*checked(y_true, y_score), metric=metric)
    best = choose_threshold(y_true, y_score, metric=metric)
    interval = bootstrap(y_true, y_score, groups, threshold=best, n=200, seed=seed)[metric]
    error = np.nan_to_num((interval["high"] - interval["low"]) / (2 * 1.96))
    good = np.flatnonzero(curve >= curve.max() - error - 1e-12)
    # threshold i may lie anywhere above edges[i] and up to edges[i + 1]
    low, high = np.nextafter(edges[good], 2), edges[good + 1]
    nearest = np.clip(0.5, low, high)
    return float(nearest[np.argmin(np.abs(nearest - 0.5))])


def _by_threshold(
    y: NDArray[np.float64], p: NDArray[np.float64], *, metric: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The metric for a threshold between each pair of neighbouring edges."""
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
    return np.r_[0.0, levels, max(1.0, np.nextafter(levels[-1], 2))], curves[metric]


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
    y, p = checked(y_true, y_score)
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    grouped = pd.DataFrame({"bin": bins, "predicted": p, "observed": y}).groupby("bin")
    frame = grouped.mean().assign(windows=grouped.size())
    n, hits = frame["windows"], frame["observed"] * frame["windows"]
    frame["low"] = np.where(hits > 0, beta.ppf(0.025, hits, n - hits + 1), 0)
    frame["high"] = np.where(hits < n, beta.ppf(0.975, hits + 1, n - hits), 1)
    return frame.reset_index()[["windows", "predicted", "observed", "low", "high"]]
