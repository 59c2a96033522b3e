"""What a run reaches, whatever its task; and how runs compare.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecglib import metrics, splits
from ecglib.datasets import Windows
from ecglib.runs import Run

METRICS = ("accuracy", "macro_recall", "macro_f1")  # to compare by, and recall_ or f1_ of a class
UNITS = {"heartbeats": "beats", "ptb": "beats", "rhythms": "recordings"}


@dataclass(frozen=True)
class Result:
    """The scores of one run on one set."""

    run: str
    task: str
    model: str
    split: str
    unit: str  # what is counted: windows, beats or recordings
    weights: tuple[float, ...]  # that decide, see `decision_weights`
    scores: dict[str, dict[str, float]]  # value, low, high by name; 95 % by patient
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]  # rows true, columns predicted
    patients: int

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON; what is not known is None."""
        scores = {
            name: {k: float(v) if np.isfinite(v) else None for k, v in value.items()}
            for name, value in self.scores.items()
        }
        return {
            "run": self.run, "task": self.task, "model": self.model, "split": self.split,
            "unit": self.unit, "n": int(np.sum(self.confusion)), "patients": self.patients,
            "weights": list(self.weights), "classes": list(self.classes), "scores": scores,
            "confusion": [list(row) for row in self.confusion],
        }  # fmt: skip


def decision_weights(run: Run, windows: Windows) -> tuple[float, ...]:
    """What each class's probability is multiplied by, chosen on validation data.

    For shock advice a threshold t, as ``(t, 1 - t)``; for rhythms the class's share of the training
    recordings to the power that `rhythms.fusion.choose_alpha` finds, inverted; else the weights
    that balance recall and F1.
    """
    if run.config.task == "shock":
        from ecglib import study

        t = study.threshold(run)
        return (t, 1 - t)
    if run.config.task == "rhythms":
        from ecglib.rhythms import fusion

        features = [fusion.record_features(run, windows)]
        _, log_prior = fusion.with_prior(features)
        return tuple(np.exp(-fusion.tilted(features)[1] * (log_prior - log_prior[0])).tolist())
    from ecglib import beat_scores

    return tuple(beat_scores.weights(run).tolist())


def decided(run: Run, windows: Windows, *, weights: Sequence[float] | None = None) -> pd.DataFrame:
    """A row for each window, beat or recording that has a label: what was decided.

    Parameters
    ----------
    windows : those of the run
    weights : that decide; default `decision_weights`. Rhythms are decided by recording, with the
        prior taken out as far as validation recordings say, and leave them aside

    Returns
    -------
    DataFrame: unit (what is decided), split, label, pred, patient
    """
    if run.config.task == "rhythms":
        from ecglib.rhythms import scores

        found = scores.decided([run], {"these": windows}, how="prior-corrected")
        return found.assign(unit=lambda d: d["record"])
    from ecglib import beat_scores

    seen = run.predictions[run.predictions["label"] >= 0]
    weights = weights or decision_weights(run, windows)
    if run.config.task == "shock":
        pred = (seen["score"] >= weights[0]).astype(int)
    else:
        pred = metrics.tilt(beat_scores.logits(seen), weights=weights)
    return seen.assign(pred=pred, unit=run.config.data + "/" + seen["row"].astype(str))


def evaluate(run: Run, windows: Windows, *, split: str = "test", n: int = 1000) -> Result:
    """Scores with 95 % intervals by patient, and what was taken for what.

    Parameters
    ----------
    windows : those of the run
    split : train, validation or test
    n : resamples of the intervals

    Raises
    ------
    ValueError
        If there is no such set, or the run has nothing with a label in it.
    """
    if split not in splits.SPLITS:
        raise ValueError(f"need a set of {', '.join(splits.SPLITS)}, got {split!r}")
    weights = decision_weights(run, windows)
    seen = decided(run, windows, weights=weights)
    seen = seen[seen["split"] == split]
    if seen.empty:
        raise ValueError(f"need labelled predictions of the {split} set, run {run.id} has none")
    if run.config.task == "shock":
        scores = metrics.bootstrap(
            seen["label"], seen["score"], seen["patient"], threshold=weights[0], n=n
        )
    else:
        scores = metrics.class_bootstrap(
            seen["label"], seen["pred"], seen["patient"], windows.classes, n=n
        )
    k = len(windows.classes)
    cells = np.bincount(seen["label"] * k + seen["pred"], minlength=k * k).reshape(k, k)
    return Result(
        run=run.id,
        task=run.config.task,
        model=run.config.model,
        split=split,
        unit=UNITS.get(run.config.task, "windows"),
        weights=weights,
        scores=scores,
        classes=windows.classes,
        confusion=tuple(tuple(row) for row in cells.tolist()),
        patients=int(seen["patient"].nunique()),
    )


def compare(
    found: Sequence[Run],
    windows: Mapping[str, Windows],
    *,
    metric: str = "macro_recall",
    split: str = "test",
    n: int = 1000,
) -> pd.DataFrame:
    """The runs beside the first one, on the same patients.

    Parameters
    ----------
    found : two runs or more
    windows : by the id of the run
    metric : one of `METRICS`, or recall_, f1_ or precision_ with the name of a class

    Returns
    -------
    DataFrame: run, model, value, low, high (of the metric), and, but for the first,
    difference, difference_low, difference_high (to the first, paired by patient)

    Raises
    ------
    ValueError
        If runs decide over other windows, labels or classes, or there is no such metric.
    """
    if len({run.id for run in found}) < 2:
        raise ValueError(f"need two runs or more to compare, got {len({r.id for r in found})}")
    first, parts = found[0], []
    for run in found:
        part = decided(run, windows[run.id])
        parts.append(part[part["split"] == split].set_index("unit").sort_index())
    rows, truth = [], parts[0]["label"]
    classes = windows[first.id].classes
    for run, part in zip(found, parts, strict=True):
        same = truth.index.equals(part.index) and (truth == part["label"]).all()
        if not same or windows[run.id].classes != classes:
            raise ValueError(
                f"need runs over the same {split} data and labels, {run.id} has others than "
                f"{first.id}"
            )
        about = (part["label"], part["pred"], part["patient"], classes)
        scores = metrics.class_bootstrap(*about, n=n)
        if metric not in scores:
            raise ValueError(f"need a metric of {', '.join(scores)}, got {metric!r}")
        row = {"run": run.id, "model": run.config.model, **scores[metric]}
        if run is not first:
            gap = metrics.class_difference(
                truth, part["pred"], parts[0]["pred"], part["patient"], classes,
                metric=metric, n=n,
            )  # fmt: skip
            names = {"value": "difference", "low": "difference_low", "high": "difference_high"}
            row |= {names[k]: v for k, v in gap.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def headline(result: Result) -> tuple[str, dict[str, float]]:
    """The name and value of the score that a line of summary tells."""
    name = "balanced_accuracy" if result.task == "shock" else "macro_f1"
    return name.replace("_", " "), result.scores[name]
