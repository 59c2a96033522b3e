"""What every network is held against: the naive rule, a linear model, published figures.

Chapter: exercise 03, "Evaluation".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from ecglib import metrics, signals, splits, study
from ecglib.datasets import Windows

NAIVE = "always non-shockable"
LINEAR = "logistic regression"
PUBLISHED = {  # patient-wise on public databases whose marks experts had gone through
    "Picon 2019": {"sensitivity": 0.997, "specificity": 0.989, "balanced_accuracy": 0.993},
    "Figuera 2016": {"sensitivity": 0.966, "specificity": 0.988, "balanced_accuracy": 0.978},
}


def naive(y: np.ndarray) -> dict[str, dict[str, float]]:
    """Scores of never advising a shock; what does not vary has no interval."""
    scores = metrics.binary_scores(y, np.zeros(len(y)))
    unknown = {"low": float("nan"), "high": float("nan")}
    return {name: {"value": value, **unknown} for name, value in scores.items()}


def linear(windows: Windows, *, protocol: str = "patient", split: str = "test") -> pd.DataFrame:
    """Logistic regression on the simple features in the form of `study.stack`."""
    rows = splits.usable(
        splits.protocol(windows.table, protocol), windows.label, windows.table["lead"]
    )
    x, y = simple_features(windows), windows.label
    fitted = LogisticRegression(class_weight="balanced", max_iter=1000)
    fitted.fit(x[rows["train"]], y[rows["train"]])
    p = {name: fitted.predict_proba(x[rows[name]])[:, 1] for name in ("validation", split)}
    seen = rows["validation"]
    cut = metrics.steady_threshold(y[seen], p["validation"], windows.table["patient"].iloc[seen])
    r = rows[split]
    out = pd.DataFrame({"seed": 0, "row": r, "label": y[r], "score": p[split], "threshold": cut})
    out = out.assign(shock=(out["score"] >= cut).astype(int))
    return out.join(windows.table[study.CARRIED], on="row")


def simple_features(windows: Windows) -> np.ndarray:
    """What a linear model may look at: rate, amplitude, organisation, narrowness of each window.

    Returns an array of shape (n_windows, 4), standardised by fixed scales so that no statistic of
    the test set enters.
    """
    measures = ("rate_per_min", "amplitude_mv", "organisation", "narrowness")
    rate, amplitude, *shape = (
        windows.table[name].to_numpy()
        if name in windows.table
        else getattr(signals, name)(windows.signal[:, 0], fs=windows.fs)
        for name in measures
    )
    return np.stack([rate / 100, np.log10(amplitude + 1e-3), *shape], axis=1)


def ladder(
    entry: dict, windows: Windows, *, metric: str = "balanced_accuracy"
) -> dict[str, dict[str, float]]:
    """Test intervals of one metric from the naive rule up to the networks of a protocol.

    `entry` is what `study.protocol_entry` makes of the protocol `patient`.
    """
    fitted = linear(windows)
    seen = fitted["label"] >= 0
    rows = {
        NAIVE: naive(fitted.loc[seen, "label"])[metric],
        LINEAR: study.scores(fitted)[metric],
    }
    return rows | {name: found["test"][metric] for name, found in entry["models"].items()}
