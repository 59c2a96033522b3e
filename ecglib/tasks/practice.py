"""For practice with recordings of one's own: yardsticks, and real recordings to try on.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecglib import metrics, paths
from ecglib.datasets import Windows
from ecglib.rhythms.yardsticks import rr_statistics
from ecglib.runs import Run
from ecglib.runs.parts import clean_split, rows

from .results import decided, decision_weights

NETWORK, LINEAR, NAIVE = "network", "rule of R-R intervals", "always the commonest"
LENT = {"N": "normal", "A": "fibrillation"}  # labels of the database: names of the sub-folders


def beside(run: Run, windows: Windows, *, metric: str = "macro_recall") -> dict[str, dict]:
    """A network beside a rule of R-R intervals and the naive answer, on the same test windows.

    The rule is a logistic regression on what `rhythms.yardsticks` measures in each window, fitted
    on the training windows with all classes alike; the naive answer is the commonest class there.

    Parameters
    ----------
    windows : those of the run, with a first lead that shows beats
    metric : one of `metrics.class_scores`

    Returns
    -------
    dict by name, and ``network − rule``: value, low and high (95 % by patient)
    """
    truth = decided(run, windows)
    truth = truth[truth["split"] == "test"]
    parts = rows(
        windows, clean_split(windows, run.config.protocol, run.config.split_seed), labelled=True
    )
    x = np.stack([rr_statistics(row, fs=windows.fs) for row in windows.signal[:, 0]])
    known = windows.label[parts["train"]]
    rule = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    rule.fit(x[parts["train"]], known)
    pred = {
        NETWORK: truth["pred"].to_numpy(),
        LINEAR: rule.predict(x[truth["row"]]),
        NAIVE: np.full(len(truth), np.bincount(known).argmax()),
    }
    about = (truth["patient"], windows.classes)
    out = {
        name: metrics.class_bootstrap(truth["label"], p, *about)[metric] for name, p in pred.items()
    }
    gap = metrics.class_difference(
        truth["label"], pred[NETWORK], pred[LINEAR], *about, metric=metric
    )
    return out | {"network − rule": gap}


def decisions(run: Run, windows: Windows, *, factor: float = 1.0) -> NDArray[np.intp]:
    """Class numbers (n_windows,) that a run answers if every sample is `factor` times as large."""
    from ecglib import train

    signal = (windows.signal * np.float32(factor)).astype(np.float32)
    weights = decision_weights(run, windows)
    return metrics.tilt(train.predict(run.model(windows), signal), weights=weights)


def miscalled(run: Run, windows: Windows, factors: Mapping[str, float]) -> pd.DataFrame:
    """What a run decides on its test windows if their unit is mistaken.

    Parameters
    ----------
    factors : by what it is called: how many times too large the samples are

    Returns
    -------
    DataFrame by name: balanced accuracy, and the share decided otherwise than with the first
    """
    test = run.of("test")
    test = test[test["label"] >= 0]
    shown, out, first = windows.take(test["row"].to_numpy()), {}, None
    for name, factor in factors.items():
        pred = decisions(run, shown, factor=factor)
        first = pred if first is None else first
        recall = metrics.class_scores(test["label"], pred, windows.classes)["macro_recall"]
        out[name] = {
            "balanced accuracy": recall,
            "decided otherwise": float((pred != first).mean()),
        }
    return pd.DataFrame(out).T


def alike(sets: Mapping[str, Windows], run: Run) -> pd.DataFrame:
    """The same recordings from several folders: do they come to the same windows and decisions?

    Parameters
    ----------
    sets : windows by name of the folder; the first is what the others are held against

    Returns
    -------
    DataFrame by name: windows, largest difference (mV), decided otherwise

    Raises
    ------
    ValueError
        If the windows are not of the same recordings and times.
    """
    out, first = {}, None
    for name, windows in sets.items():
        keys = windows.table[["record", "start_s"]].round(3)
        order = keys.sort_values(["record", "start_s"]).index.to_numpy()
        keys = keys.loc[order].reset_index(drop=True)
        signal, pred = windows.signal[order], decisions(run, windows)[order]
        first = first or (keys, signal, pred)
        if not keys.equals(first[0]):
            raise ValueError(f"need windows of the same recordings, {name} has others")
        away = float(np.abs(signal - first[1]).max())
        out[name] = {"windows": len(signal), "largest difference (mV)": away,
                     "decided otherwise": int((pred != first[2]).sum())}  # fmt: skip
    return pd.DataFrame(out).T.rename_axis("folder")


def lend(folder: str | Path, *, n: int, seed: int = 0) -> tuple[Path, int]:
    """Lay out real recordings as if they were somebody's own: sub-folders named by their label.

    From the fetched ``challenge-2017``, `n` of each label of `LENT` (version 3) drawn at random;
    of recordings with the same samples one. A ``settings.yml`` lies beside the sub-folders.

    Returns
    -------
    the folder, and how many recordings lie in it

    Raises
    ------
    ValueError
        If `folder` is there, or the database has not as many.
    """
    folder, source = Path(folder), paths.data() / "challenge-2017"
    if folder.exists():
        raise ValueError(f"{folder}: need a new folder, there is one")
    table = pd.read_csv(source / "REFERENCE-v3.csv", header=None, names=["record", "label"])
    table = table.sample(frac=1, random_state=seed)
    seen: set[bytes] = set()
    chosen: dict[str, list[str]] = {label: [] for label in LENT}
    for name, label in table.itertuples(index=False):
        if len(chosen.get(label, [None] * n)) >= n:
            continue
        mark = hashlib.sha256((source / f"{name}.mat").read_bytes()).digest()
        if mark not in seen:
            chosen[label].append(name)
        seen.add(mark)
    if short := [label for label, names in chosen.items() if len(names) < n]:
        raise ValueError(f"{source}: need {n} recordings of {short[0]}, found fewer")
    for label, names in chosen.items():
        inside = folder / LENT[label]
        inside.mkdir(parents=True)
        for name in names:
            for ending in (".hea", ".mat"):
                shutil.copyfile(source / f"{name}{ending}", inside / f"{name}{ending}")
    settings = {"labels": "folders", "classes": list(LENT.values()), "window_s": 9.0}
    text = yaml.safe_dump(settings | {"window_rate": 125.0}, sort_keys=False)
    (folder / "settings.yml").write_text(text, encoding="utf-8")
    return folder, sum(map(len, chosen.values()))
