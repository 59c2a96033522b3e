"""Design feedback: one change at a time, judged on validation windows.

Chapter: exercise 03, "Feedback loops".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from sklearn.metrics import log_loss

from ecglib import metrics, models, study
from ecglib.runs import Run


def fitting(changes: Mapping[str, dict], model: str, *, wanted: str = "all") -> dict[str, dict]:
    """The changes that are wanted and that this model knows the arguments of.

    Parameters
    ----------
    changes : {name: keywords of `study.config`}
    model : name of a network
    wanted : ``"all"`` or names, separated by commas

    Raises
    ------
    ValueError
        If a wanted name is none of `changes`.
    """
    names = list(changes) if wanted == "all" else [n.strip() for n in wanted.split(",")]
    names = [name for name in names if name]
    if unknown := [name for name in names if name not in changes]:
        raise ValueError(f"need changes of {', '.join(changes)}, got {', '.join(unknown)}")
    known = set(models.arguments(model))
    return {n: changes[n] for n in names if set(changes[n].get("arguments", {})) <= known}


def table(groups: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """What each group of runs (a change, all seeds) reaches on its validation windows.

    Returns
    -------
    DataFrame by name: balanced accuracy at each run's own threshold, log loss with both classes
        weighing alike, parameters, best epoch, seconds; means over the runs
    """
    rows = {}
    for name, runs in groups.items():
        found = pd.DataFrame([_measured(run) for run in runs])
        rows[name] = found.mean()
    return pd.DataFrame(rows).T.rename_axis("change")


def _measured(run: Run) -> dict[str, float]:
    seen = run.of("validation")
    y, p = seen["label"], seen["score"].astype(float)
    weight = y.map(1 / y.value_counts())
    scores = metrics.binary_scores(y, p, threshold=study.threshold(run))
    return {
        "balanced accuracy": scores["balanced_accuracy"],
        "log loss": log_loss(y, p, sample_weight=weight),
        "parameters": run.n_parameters,
        "best epoch": run.kept["epoch"],
        "seconds": run.history["seconds"].sum(),
    }
