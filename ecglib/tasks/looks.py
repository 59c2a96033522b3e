"""What a run's network looked at in chosen windows.

Chapter: exercise 06, "Look inside".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from ecglib.datasets import N_FEATURES, Windows
from ecglib.given import nearest
from ecglib.runs import Run

from .results import decision_weights

PREDICTED = "predicted"


@dataclass(frozen=True)
class Looked:
    """Windows with their maps, ready to draw."""

    signal: NDArray[np.float32]  # (n, n_leads, n_samples), without numbers beside the signal
    maps: NDArray[np.float32]  # (n, n_samples)
    about: pd.DataFrame  # window, split, record, lead, start_s, truth, decision, target, p_target
    fs: float
    method: str

    def table(self) -> pd.DataFrame:
        """A row for each sample: what `about` says, time_s in it, lead_1, …, attribution."""
        n, n_leads, n_samples = self.signal.shape
        out = self.about.loc[np.repeat(self.about.index, n_samples)].reset_index(drop=True)
        out["method"] = self.method
        out["time_s"] = np.tile(np.arange(n_samples) / self.fs, n)
        for lead in range(n_leads):
            out[f"lead_{lead + 1}"] = self.signal[:, lead].ravel()
        return out.assign(attribution=self.maps.ravel())

    def titles(self) -> list[str]:
        """A title for each window."""
        return [
            f"{', '.join(filter(None, (row.record, row.lead)))}, {row.start_s:.1f} s "
            f"({row.split or 'no set'}, window {row.window})\n"
            f"truth {row.truth}, decision {row.decision}; for {row.target}, P = {row.p_target:.2f}"
            for row in self.about.itertuples()
        ]


def look(
    run: Run,
    windows: Windows,
    rows: Sequence[int] = (),
    *,
    method: str = "grad_cam",
    target: str = PREDICTED,
) -> Looked:
    """Maps of chosen windows.

    Parameters
    ----------
    windows : those of the run
    rows : numbers of windows; none takes the surest right decision of each class in the test set
    method : a key of `explain.METHODS`
    target : name of the class to explain; ``predicted`` takes what was decided for each window

    Raises
    ------
    ValueError
        If there is no such window, method or class, or nothing is right in the test set.
    """
    from ecglib import explain, train
    from ecglib.runs.parts import shown

    if method not in explain.METHODS:
        near = nearest(method, explain.METHODS) or f": there are {', '.join(explain.METHODS)}"
        raise ValueError(f"unknown method {method!r}{near}")
    if target not in (PREDICTED, *windows.classes):
        known = ", ".join((PREDICTED, *windows.classes))
        raise ValueError(f"need a target of {known}, got {target!r}")
    chosen = np.asarray(rows, np.intp) if len(rows) else _surest(run, windows)
    wrong = chosen[(chosen < 0) | (chosen >= len(windows))]
    if len(wrong):
        raise ValueError(f"need windows from 0 to {len(windows) - 1}, got {wrong[0]}")
    seen, network = shown(windows, run.config.inputs), run.model(windows)
    x = np.ascontiguousarray(seen.signal[chosen])
    p = softmax(train.predict(network, x).astype(np.float64), axis=1)
    pred = (p * decision_weights(run, windows)).argmax(axis=1)
    wanted = pred if target == PREDICTED else np.full(len(x), windows.classes.index(target))
    maps = explain.explain(network, x, method=method, target=wanted, fs=windows.fs)
    names = np.array([*windows.classes, "without a label"])  # a label of -1 is the last
    split = run.predictions.drop_duplicates("row").set_index("row")["split"]
    table = windows.table.iloc[chosen]
    about = pd.DataFrame({
        "window": chosen,
        "split": split.reindex(chosen).fillna("").to_numpy(),
        "record": table["record"].to_numpy(),
        "lead": _leads(windows, table),
        "start_s": table["start_s"].to_numpy(float),
        "truth": names[windows.label[chosen]],
        "decision": names[pred],
        "target": names[wanted],
        "p_target": p[np.arange(len(x)), wanted],
    })  # fmt: skip
    n_signals = x.shape[1] - N_FEATURES[run.config.inputs]
    return Looked(x[:, :n_signals], maps, about, fs=windows.fs, method=method)


def _leads(windows: Windows, table: pd.DataFrame) -> list[str]:
    """What the leads of some windows are called; empty where nobody said."""
    if several := windows.parameters.get("leads"):
        return [f"leads {', '.join(several)}"] * len(table)
    return [f"lead {n}" for n in table["lead_name"]] if "lead_name" in table else [""] * len(table)


def strongest(looked: Looked, seconds: float) -> Looked:
    """Of each window the stretch that its map is strongest in; `start_s` tells where it begins.

    Windows that are shorter are kept whole.
    """
    width = min(round(seconds * looked.fs), looked.maps.shape[1])
    sums = np.cumsum(np.pad(np.abs(looked.maps), ((0, 0), (1, 0))), axis=1, dtype=float)
    first = (sums[:, width:] - sums[:, :-width]).argmax(axis=1)
    at = first[:, None] + np.arange(width)
    return replace(
        looked,
        signal=np.take_along_axis(looked.signal, at[:, None], axis=2),
        maps=np.take_along_axis(looked.maps, at, axis=1),
        about=looked.about.assign(start_s=looked.about["start_s"] + first / looked.fs),
    )


def _surest(run: Run, windows: Windows) -> NDArray[np.intp]:
    """Of each class the test window that is rightly decided with the highest probability."""
    seen = run.of("test")
    p = softmax(seen[[n for n in seen if n.startswith("logit_")]].to_numpy(float), axis=1)
    pred = (p * decision_weights(run, windows)).argmax(axis=1)
    seen = seen.assign(sure=p.max(axis=1), right=pred == seen["label"])
    right = seen[seen["right"]].sort_values("sure", ascending=False)
    if right.empty:
        raise ValueError(f"need a right decision in the test set of run {run.id}: name a window")
    return right.drop_duplicates("label").sort_values("label")["row"].to_numpy(np.intp)
