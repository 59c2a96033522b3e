"""Several predictions in place of one: seeds or networks that vote, windows that follow each other.

Each function returns runs again, so that whatever scores a run scores a vote. Chapter: exercise 03,
"Evaluation".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit, softmax

from ecglib.datasets import Windows
from ecglib.runs import Run

CONTEXT = 3  # windows that decide together where a decision may take longer: 12 s


def ensembles(runs: Iterable[Run]) -> list[Run]:
    """One run in place of several seeds: for each model, labels and protocol their mean logits.

    The result is named after its model and the number of seeds (``cnn_gru x3``); its parameters
    are those of all members. It gets a threshold from its own validation scores.
    """
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        key = (run.config.model, run.config.labels, run.config.protocol)
        groups.setdefault(key, []).append(run)
    return [_mean(m, name=f"{m[0].config.model} x{len(m)}") for m in groups.values()]


def together(by_model: dict[str, list[Run]]) -> list[Run]:
    """One run in place of several models: for each labels, protocol and seed their mean logits.

    The result is named after its members (``cnn + gru``). A single model has nobody to vote with:
    an empty list.
    """
    groups: dict[tuple, list[Run]] = {}
    for run in (run for runs in by_model.values() for run in runs):
        key = (run.config.labels, run.config.protocol, run.config.train.seed)
        groups.setdefault(key, []).append(run)
    name = " + ".join(by_model)
    return [_mean(m, name=name) for m in groups.values() if len(m) == len(by_model) > 1]


def in_context(runs: Iterable[Run], windows: Windows, *, n: int = CONTEXT) -> list[Run]:
    """Each run with decisions over `n` windows: its mean logits over a window and those before it.

    Only windows of the same record that follow each other without a gap count, so the first ones
    of a stretch decide alone; nothing of the future is used. A single window speaks with a margin
    of at most 6, so that it cannot outshout the others. The result is named after its model
    (``cnn, 12 s``) and gets a threshold from its own validation scores.
    """
    window_s = windows.signal.shape[-1] / windows.fs
    about = windows.table[["database", "record", "start_s"]]
    out = []
    for run in runs:
        p = run.predictions.join(about, on="row")
        p = p.sort_values(["split", "database", "record", "start_s"], kind="stable")
        margin = (p["logit_1"] - p["logit_0"]).clip(-6, 6)
        total, count = margin.to_numpy(np.float64, copy=True), np.ones(len(p))
        follows = np.ones(len(p), dtype=bool)
        for back in range(1, n):
            before = p.shift(back)
            for column in ("split", "database", "record"):
                follows &= (before[column] == p[column]).to_numpy()
            gap_s = (p["start_s"] - before["start_s"]).to_numpy()
            follows &= gap_s <= back * window_s * 1.01
            total += np.where(follows, margin.shift(back), 0)
            count += follows
        mean = total / count
        predictions = p.assign(logit_0=0.0, logit_1=mean, score=expit(mean))
        predictions = predictions[list(run.predictions)].sort_index()
        name = f"{run.config.model}, {n * window_s:.0f} s"
        out.append(replace(run, config=replace(run.config, model=name), predictions=predictions))
    return out


def decisions(by_model: dict[str, list[Run]], windows: Windows) -> dict[str, list[Run]]:
    """Every way to decide: each network, their vote, and each of these over `CONTEXT` windows."""
    voted = together(by_model)
    four = by_model | ({voted[0].config.model: voted} if voted else {})
    longer = [in_context(runs, windows) for runs in four.values()]
    return four | {runs[0].config.model: runs for runs in longer}


def _mean(members: Sequence[Run], *, name: str) -> Run:
    """The first member with the mean logits of all; they must predict the same rows."""
    first = members[0]
    if any(not member.predictions["row"].equals(first.predictions["row"]) for member in members):
        raise ValueError(f"need predictions of the same windows to vote, got others in {name!r}")
    logits = [column for column in first.predictions if column.startswith("logit_")]
    mean = np.mean([m.predictions[logits].to_numpy(np.float64) for m in members], axis=0)
    predictions = first.predictions.assign(
        **dict(zip(logits, mean.T, strict=True)), score=softmax(mean, axis=1)[:, -1]
    )
    return replace(
        first,
        config=replace(first.config, model=name),
        predictions=predictions,
        n_parameters=sum(m.n_parameters for m in members),
    )
