"""Exercise 04's scores: several runs as one, where to operate, and what is reached there.

A network gives logits; a decision also needs a point of operation. It is chosen on validation
beats of the same run and then stands still. Chapter: exercise 04, "Evaluation".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from ecglib import metrics
from ecglib.beat_trials import INPUT_NAMES, title
from ecglib.datasets import Windows

if TYPE_CHECKING:
    from ecglib.runs import Run

AIMS = ("plain", "balanced", "recall")
# Of the balanced point's macro F1, the least that the recall-first point may leave. Between people
# it falls faster, and recall is all the client asks for.
KEPT = {"intra": 0.96, "inter": 0.9}


def logits(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """The logits of a run's predictions or of a stack, shape (n_beats, n_classes)."""
    names = [name for name in predictions if name.startswith("logit_")]
    return predictions[names].to_numpy(np.float64)


def vote(members: Sequence[Run]) -> Run:
    """One run in place of several: the mean of their logits for each beat of each set.

    Where members validate on other patients, a validation beat has the logits of those members
    that did not learn from it. The parameters are those of all members.
    """
    first = members[0]
    if len(members) == 1:
        return first
    names = [name for name in first.predictions if name.startswith("logit_")]
    stacked = pd.concat([m.predictions for m in members], ignore_index=True)
    mean = stacked.groupby(["split", "row"], sort=True)[names].mean()
    about = stacked.drop_duplicates(["split", "row"]).set_index(["split", "row"])
    predictions = about.loc[mean.index, ["label", "patient"]].join(mean).reset_index()
    scores = softmax(predictions[names].to_numpy(np.float64), axis=1)[:, -1]
    return replace(
        first,
        predictions=predictions.assign(score=scores.astype(np.float32)),
        n_parameters=sum(m.n_parameters for m in members),
    )


def by_title(found: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by the name of their network and what it is shown; several are seeds."""
    out: dict[str, list[Run]] = {}
    for run in found:
        out.setdefault(title(run.config), []).append(run)
    return out


def with_votes(by_name: Mapping[str, Sequence[Run]]) -> dict[str, list[Run]]:
    """The same, and behind every network of several seeds their vote (``se_resnet x3``)."""
    out = {}
    for name, members in by_name.items():
        out[name] = list(members)
        if len(members) > 1:
            out[f"{name} x{len(members)}"] = [vote(members)]
    return out


def together(
    by_name: Mapping[str, Sequence[Run]], models: Sequence[str], *, inputs: str
) -> dict[str, list[Run]]:
    """The vote of all runs of several networks that are shown the same: ``{name: [vote]}``."""
    members = [
        run
        for found in by_name.values()
        for run in found
        if run.config.model in models and run.config.inputs == inputs
    ]
    return {" + ".join(models) + INPUT_NAMES[inputs]: [vote(members)]}


def weights(run: Run, *, aim: str = "balanced") -> NDArray[np.float64]:
    """What each class's probability is multiplied by, chosen on the run's validation beats.

    `plain` changes nothing, `balanced` makes the lesser of macro recall and macro F1 as high as can
    be, `recall` looks for the highest macro recall that leaves `KEPT` of the macro F1.
    """
    if aim not in AIMS:
        raise ValueError(f"need an aim of {', '.join(AIMS)}, got {aim!r}")
    seen = run.of("validation")
    y, z = seen["label"].to_numpy(), logits(seen)
    if aim == "plain":
        return np.ones(z.shape[1])
    owners = seen["patient"]
    found = metrics.choose_weights(y, z, aim="balanced", groups=owners)
    if aim == "balanced":
        return found
    classes = [str(number) for number in range(z.shape[1])]
    there = metrics.class_scores(y, metrics.tilt(z, weights=found), classes)
    heard = np.flatnonzero(metrics.judged(y, owners, n_classes=z.shape[1]))
    reached = float(np.mean([there[f"f1_{number}"] for number in heard]))
    floor = reached * KEPT.get(run.config.protocol, KEPT["intra"])
    return metrics.choose_weights(y, z, aim="recall", floor=floor, margin=0, groups=owners)


def stack(found: Iterable[Run], *, aim: str = "balanced") -> pd.DataFrame:
    """Predictions of several runs, one below the other, each decided at its own point.

    Returns
    -------
    DataFrame: run, seed, split, row, label, patient, logit_0, …, pred (the decision)
    """
    parts = []
    for run in found:
        part = run.predictions.drop(columns="score")
        pred = metrics.tilt(logits(part), weights=weights(run, aim=aim))
        parts.append(part.assign(run=run.id, seed=run.config.train.seed, pred=pred))
    return pd.concat(parts, ignore_index=True)


def of(stacked: pd.DataFrame, split: str) -> pd.DataFrame:
    """The labelled beats of one set."""
    return stacked[(stacked["split"] == split) & (stacked["label"] >= 0)]


def scores(
    stacked: pd.DataFrame, classes: Sequence[str], *, split: str = "test", n: int = 1000
) -> dict[str, dict[str, float]]:
    """Every class score of one set of a stack, with 95 % intervals by patient."""
    seen = of(stacked, split)
    return metrics.class_bootstrap(seen["label"], seen["pred"], seen["patient"], classes, n=n)


def plain_scores(
    stacked: pd.DataFrame, classes: Sequence[str], *, split: str = "test"
) -> dict[str, float]:
    """Every class score of one set of a stack, without intervals."""
    seen = of(stacked, split)
    return metrics.class_scores(seen["label"], seen["pred"], classes)


def compare(
    a: pd.DataFrame,
    b: pd.DataFrame,
    classes: Sequence[str],
    *,
    metric: str = "macro_recall",
    split: str = "test",
) -> dict[str, float]:
    """Score of `a` minus score of `b` (two stacks over the same beats), paired by patient.

    Raises
    ------
    ValueError
        If the stacks do not hold the same beats.
    """
    a, b = (of(s, split).sort_values(["seed", "row"]) for s in (a, b))
    if not (np.array_equal(a["row"], b["row"]) and np.array_equal(a["label"], b["label"])):
        raise ValueError(f"need stacks over the same beats, got {len(a)} and {len(b)} rows")
    return metrics.class_difference(
        a["label"], a["pred"], b["pred"], a["patient"], classes, metric=metric
    )


def merit(run: Run, classes: Sequence[str]) -> float:
    """What networks are chosen by: mean of macro recall and macro F1 on validation beats."""
    found = plain_scores(stack([run]), classes, split="validation")
    return (found["macro_recall"] + found["macro_f1"]) / 2


def select(by_name: Mapping[str, Sequence[Run]], classes: Sequence[str]) -> str:
    """The network whose runs have the best mean merit; test beats have no say."""
    mean = {n: np.mean([merit(run, classes) for run in found]) for n, found in by_name.items()}
    return max(mean, key=mean.get)


def protocol_entry(
    by_name: Mapping[str, Sequence[Run]], windows: Windows, *, aims: Sequence[str] = ("balanced",)
) -> dict:
    """A protocol for ``metrics.json``: sizes of the split, and the scores of each network.

    Of several `aims` the first keeps the network's name, the others are named behind it
    (``se_resnet, recall``).
    """
    owner, models, sizes = windows.table["patient"].astype(str), {}, {}
    known = not owner.str.startswith("beat-").all()
    first = next(iter(by_name.values()))
    same = [run for run in first if run.config.train.seed == first[0].config.train.seed]
    predicted = pd.concat([run.predictions for run in same]).drop_duplicates(["row", "split"])
    for name, part in predicted.groupby("split"):
        patients = owner.iloc[part["row"]].nunique() if known else None
        sizes[name] = {"patients": patients, "windows": len(part)}
    for name, found in by_name.items():
        for number, aim in enumerate(aims):
            stacked = stack(found, aim=aim)
            models[f"{name}, {aim}" if number else name] = {
                "parameters": found[0].n_parameters,
                "seeds": len({run.config.train.seed for run in found}),
                **{
                    split: plain_scores(stacked, windows.classes, split=split)
                    for split in ("train", "validation")
                },
                "test": scores(stacked, windows.classes),
            }
    return {"split": sizes, "models": models}


def elsewhere(
    members: Sequence[Run], windows: Windows, other: Windows, *, aim: str = "balanced"
) -> pd.DataFrame:
    """What the vote of `members` says of beats from another table, at the vote's own point.

    Parameters
    ----------
    windows : those that the members were trained on
    other : of the same form and classes; they are given to the networks as they are

    Returns
    -------
    DataFrame as of `stack`, its only set called `test`
    """
    from ecglib import train

    mean = np.mean([train.predict(m.model(windows), other.signal) for m in members], axis=0)
    pred = metrics.tilt(mean, weights=weights(vote(members), aim=aim))
    about = {"run": "", "seed": 0, "split": "test", "row": np.arange(len(other))}
    about |= {"label": other.label, "patient": other.table["patient"].to_numpy(), "pred": pred}
    return pd.DataFrame(about)


def plainest(stacked: pd.DataFrame, windows: Windows, *, n: int = 6, well: int = 0) -> pd.DataFrame:
    """The sick test beats that are called well with the greatest certainty, two a record."""
    seen = of(stacked, "test").drop_duplicates("row")
    missed = seen[(seen["label"] != well) & (seen["pred"] == well)]
    certain = missed.assign(sick=metrics.sick_score(logits(missed), well) if len(missed) else [])
    certain = certain.assign(record=windows.table["record"].to_numpy()[certain["row"]])
    return certain.sort_values("sick").groupby("record").head(2).head(n).reset_index(drop=True)


def record_recall(stacked: pd.DataFrame, windows: Windows, name: str) -> pd.DataFrame:
    """How many test beats of one class each record has, and how many of them were found.

    Returns
    -------
    DataFrame by record, the richest first: beats, found, recall, and the share of all such beats
    """
    seen = of(stacked, "test")
    seen = seen[seen["label"] == windows.classes.index(name)]
    record = windows.table["record"].to_numpy()[seen["row"]]
    right = (seen["pred"] == seen["label"]).groupby(record)
    out = pd.DataFrame({"beats": right.size(), "found": right.sum()}).rename_axis("record")
    out = out.assign(recall=out["found"] / out["beats"], share=out["beats"] / out["beats"].sum())
    return out.sort_values("beats", ascending=False)
