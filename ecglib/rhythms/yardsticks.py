"""What exercise 05's networks are held against: the naive rule, models of what can be measured.

Chapter: exercise 05, "Evaluation".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import find_peaks
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from ecglib import signals, splits
from ecglib.datasets import Windows

NAIVE, LINEAR = "always N", "logistic regression on R-R intervals"
BOOSTED = "gradient boosting on measurements"
BOOSTING = {"max_iter": 160, "learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 40,
            "l2_regularization": 5.0}  # fmt: skip
STATISTICS = ("rate_per_min", "rr_spread", "rmssd", "pnn50", "shortest", "longest", "entropy",
              "organisation", "narrowness")  # fmt: skip
QRS_HZ = (5.0, 20.0)
REFRACTORY_S = 0.25  # no two beats are closer
ALIKE_S = 0.05  # intervals that differ by less are alike


def r_peaks(x: NDArray, *, fs: float) -> NDArray[np.intp]:
    """Samples of the R peaks of one lead: where the band of the QRS complex is strongest.

    The energy of 5 to 20 Hz, averaged over 100 ms, must exceed a third of its typical highest
    value in pieces of two seconds; of two peaks within 250 ms the higher one stands. Polarity does
    not matter. In the manner of Pan and Tompkins, IEEE Trans. Biomed. Eng. 32:230, 1985.

    Parameters
    ----------
    x : array, shape (n_samples,), any unit
    fs : float, hertz
    """
    if len(x) < 2 * fs:
        raise ValueError(f"need at least two seconds, got {len(x) / fs:.2f} s")
    energy = signals.bandpass(x, fs=fs, low=QRS_HZ[0], high=QRS_HZ[1]) ** 2
    width = max(1, round(0.1 * fs))
    energy = np.convolve(energy, np.full(width, 1 / width), mode="same")
    n = round(2 * fs)
    typical = np.median(energy[: len(energy) // n * n].reshape(-1, n).max(axis=1))
    peaks, _ = find_peaks(energy, height=max(typical / 3, 1e-12), distance=round(REFRACTORY_S * fs))
    return peaks


def rr_statistics(x: NDArray, *, fs: float) -> NDArray[np.float64]:
    """The numbers of `STATISTICS` for one lead; trailing zeros are padding and left out.

    Rate per minute; spread and successive difference (RMSSD) of the R-R intervals, and the
    shortest and longest, in parts of the median; share of successive differences above 50 ms;
    entropy, the logarithm of how seldom an interval like another is followed by one like that
    other's (sample entropy of length one, Richman and Moorman, Am. J. Physiol. 278:H2039, 2000);
    how well the signal repeats itself, and how long it stays near its middle. Without three
    intervals what is said of them is 0.

    Parameters
    ----------
    x : array, shape (n_samples,), any unit; at least 2 s without the padding
    """
    x = np.trim_zeros(np.asarray(x, np.float64), "b")
    shape = [float(f(x, fs=fs)) for f in (signals.organisation, signals.narrowness)]
    rr = np.diff(r_peaks(x, fs=fs)) / fs
    if len(rr) < 3:
        return np.array([0.0] * (len(STATISTICS) - 2) + shape)
    step, middle = np.diff(rr), np.median(rr)
    alike = np.abs(rr[:, None] - rr) < ALIKE_S
    pairs = np.triu(alike[:-1, :-1], 1)
    followed = (pairs & alike[1:, 1:]).sum()
    entropy = np.log((pairs.sum() + 1) / (followed + 0.5))
    return np.array([
        60 / rr.mean(), rr.std() / middle, np.sqrt(np.mean(step**2)) / middle,
        np.mean(np.abs(step) > 0.05), rr.min() / middle, rr.max() / middle, entropy, *shape,
    ])  # fmt: skip


def record_statistics(windows: Windows, *, progress: bool = True) -> pd.DataFrame:
    """`STATISTICS` of each record, the mean over its windows; meant for whole recordings.

    Returns
    -------
    DataFrame by record: patient, label, `STATISTICS`
    """
    values = np.stack(of_windows(rr_statistics, windows, what="R-R intervals", progress=progress))
    frame = pd.DataFrame(values, columns=STATISTICS).assign(label=windows.label)
    frame = frame.assign(patient=windows.table["patient"].to_numpy())
    records = frame.groupby(windows.table["record"].to_numpy())
    out = records[["patient", "label"]].first().join(records[list(STATISTICS)].mean())
    return out.rename_axis("record")


def of_windows(
    measure: Callable[..., Any], windows: Windows, *, what: str, progress: bool = True
) -> list[Any]:
    """What `measure` says of the first lead of each window; a ValueError names its record."""
    found = []
    bar = tqdm(windows.signal[:, 0], desc=what, unit="window", mininterval=2, disable=not progress)
    for record, x in zip(windows.table["record"], bar, strict=True):
        try:
            found.append(measure(x, fs=windows.fs))
        except ValueError as error:
            raise ValueError(f"record {record}: {error}") from None
    return found


def linear(windows: Windows, *, protocol: str = "published", progress: bool = True) -> pd.DataFrame:
    """Logistic regression on `STATISTICS`, in the form of `scores.decided`.

    Classes count alike while it is fitted on training records.
    """
    found = record_statistics(windows, progress=progress)
    parts = _parts(windows, protocol).join(found, on="record")
    x, y = parts[list(STATISTICS)].to_numpy(), parts["label"].to_numpy()
    inside = (parts["split"] == "train").to_numpy()
    scale = StandardScaler().fit(x[inside])
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    model.fit(scale.transform(x[inside]), y[inside])
    p = model.predict_proba(scale.transform(x))
    return _decisions(parts, p, model.classes_, protocol)


def boosted(
    windows: Windows, measured: pd.DataFrame, *, protocol: str = "published"
) -> pd.DataFrame:
    """Gradient boosting on measurements, in the form of `scores.decided`.

    Small trees, one after the other, fitted on training records (Friedman, Ann. Stat. 29:1189,
    2001, with binned values). What could not be measured goes its own way in each tree.

    Parameters
    ----------
    measured : what `measurements.of_records` returns, for every record of `windows`
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    parts = _parts(windows, protocol)
    table = windows.table.assign(label=windows.label).drop_duplicates("record")
    parts = parts.join(table.set_index("record")[["patient", "label"]], on="record")
    if lacking := sorted(set(parts["record"]) - set(measured.index)):
        raise ValueError(f"need measurements of every record, got none of {lacking[0]}")
    x, y = measured.loc[parts["record"]].to_numpy(), parts["label"].to_numpy()
    inside = (parts["split"] == "train").to_numpy()
    model = HistGradientBoostingClassifier(**BOOSTING, early_stopping=False, random_state=0)
    model.fit(x[inside], y[inside])
    return _decisions(parts, model.predict_proba(x), model.classes_, protocol)


def boosted_size(n_classes: int) -> int:
    """Numbers in the trees of `boosted`, at most: a value a leaf, place and limit of each fork."""
    leaves = BOOSTING["max_leaf_nodes"]
    return BOOSTING["max_iter"] * n_classes * (leaves + 2 * (leaves - 1))


def naive(windows: Windows, *, protocol: str = "published") -> pd.DataFrame:
    """Every record called by the commonest class, in the form of `scores.decided`."""
    parts = _parts(windows, protocol)
    table = windows.table.assign(label=windows.label).drop_duplicates("record")
    parts = parts.join(table.set_index("record")[["patient", "label"]], on="record")
    learnt = parts.loc[parts["split"] == "train", "label"]
    p = np.tile(np.bincount(learnt, minlength=len(windows.classes)) / len(learnt), (len(parts), 1))
    return _decisions(parts, p, np.arange(p.shape[1]), protocol)


def _parts(windows: Windows, protocol: str) -> pd.DataFrame:
    """Record and split, a row each."""
    rows = splits.usable(
        splits.protocol(windows.table, protocol), windows.label, windows.table["lead"]
    )
    record = windows.table["record"].to_numpy()
    return pd.concat(
        [pd.DataFrame({"record": pd.unique(record[r]), "split": s}) for s, r in rows.items()],
        ignore_index=True,
    )


def _decisions(parts: pd.DataFrame, p: NDArray, classes: NDArray, protocol: str) -> pd.DataFrame:
    about = parts[["record", "patient", "split", "label"]]
    columns = {f"p_{number}": one for number, one in zip(classes, p.T, strict=True)}
    about = about.assign(run="", seed=0, protocol=protocol, pred=classes[p.argmax(axis=1)])
    return about.assign(**columns)
