"""What exercise 04's networks are held against: the naive rule, a linear model, published figures.

Chapter: exercise 04, "Evaluation".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ecglib import datasets, splits
from ecglib.datasets import Windows

NAIVE, LINEAR = "always N", "logistic regression"
PUBLISHED = {  # random split by beat, the published rows
    "ECGTransForm 2024": {"macro_recall": 0.9315, "macro_f1": 0.9426},
    "Keras 1-D CNN 2018": {"macro_f1": 0.915},
}
PUBLISHED_INTER = {"de Chazal 2004": {"recall_S": 0.759, "recall_V": 0.777}}
PUBLISHED_PTB = {"ECGTransForm 2024": {"macro_recall": 0.9946, "macro_f1": 0.9941}}
_FIT_ROWS = 20_000  # beats that the linear model is fitted on


def linear(windows: Windows, *, protocol: str = "intra", inputs: str = "rr") -> pd.DataFrame:
    """Logistic regression on the samples and R-R intervals, in the form of `stack`.

    It is fitted on at most 20,000 beats of the training set, classes in balance.
    """
    rows = splits.usable(
        splits.protocol(windows.table, protocol), windows.label, windows.table["lead"]
    )
    rng = np.random.default_rng(0)
    fitted_on = np.sort(rng.permutation(rows["train"])[:_FIT_ROWS])
    seen = np.concatenate(list(rows.values()))
    inputs = inputs if np.isfinite(windows.table["rr_prev_s"]).any() else "signal"

    def simple(which: NDArray) -> NDArray:
        part = datasets.with_inputs(windows.take(which), inputs).signal
        beat = part[:, 0, ::2]  # half the rate is enough for a linear model
        return np.concatenate([beat, part[:, 1:, 0]], axis=1)

    scale = StandardScaler().fit(simple(fitted_on))
    model = LogisticRegression(class_weight="balanced", max_iter=100, tol=1e-2)
    model.fit(scale.transform(simple(fitted_on)), windows.label[fitted_on])
    return _stack_of(windows, rows, model.predict(scale.transform(simple(seen))))


def naive(windows: Windows, *, protocol: str = "intra") -> pd.DataFrame:
    """Every beat called by the commonest class, in the form of `stack`."""
    rows = splits.usable(
        splits.protocol(windows.table, protocol), windows.label, windows.table["lead"]
    )
    commonest = np.bincount(windows.label[rows["train"]]).argmax()
    return _stack_of(windows, rows, np.full(sum(map(len, rows.values())), commonest))


def _stack_of(windows: Windows, rows: splits.Split, pred: NDArray) -> pd.DataFrame:
    seen = np.concatenate(list(rows.values()))
    names = np.repeat(list(rows), [len(r) for r in rows.values()])
    about = {"run": "", "seed": 0, "split": names, "row": seen, "label": windows.label[seen]}
    patients = windows.table["patient"].to_numpy()[seen]
    return pd.DataFrame({**about, "patient": patients, "pred": pred})
