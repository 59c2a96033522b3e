"""Exercise 03's experiments: which runs there are, and how several runs are scored as one.

A decision is a probability held against the threshold of its own run, chosen on that run's
validation set. Runs of several seeds, or of the folds of a cross-validation, are scored together:
their test windows are stacked, so that counts add up over the whole set and a patient that is
drawn for an interval is drawn with all seeds. Chapter: exercise 03, "Evaluation".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from ecglib import datasets, metrics
from ecglib.chapter import Chapter
from ecglib.datasets import Windows
from ecglib.runs import Run, RunConfig
from ecglib.train import TrainConfig

MODELS = ("mlp", "cnn", "lstm", "gru", "cnn_lstm", "cnn_gru", "tiny_cnn")
PREVIOUS = "cnn"  # the model of the previous exercise
SMALL = "tiny_cnn"
AUGMENT = ("polarity", "shift", "speed", "baseline_wander", "noise", "mains")
N_FOLDS = 5
CARRIED = ["database", "record", "patient", "start_s", "rhythm"]


def config(
    windows: Windows,
    model: str,
    *,
    seed: int = 0,
    protocol: str = "patient",
    arguments: dict | None = None,
    **train: object,
) -> RunConfig:
    """One run of this exercise; further keywords go to `TrainConfig`.

    The model's arguments are written out, so that a changed default makes another run.
    """
    from ecglib import models

    usual = {"label_smoothing": 0.05, "average": 0.99}
    train = {"augment": AUGMENT, "fs": windows.fs, "seed": seed} | usual | train
    return RunConfig(
        model=model,
        data=windows.hash,
        labels=windows.parameters["labels"],
        protocol=protocol,
        arguments=models.arguments(model) | (arguments or {}),
        train=TrainConfig(**train),
    )


def versions(
    source: str, *, n_patients: int = 40, stride_s: float = 4.0, needs: str = "annotated"
) -> dict[str, Windows]:
    """The windows by version of their labels; only real recordings were reviewed.

    `n_patients` is that of synthetic recordings, `stride_s` that of real ones.

    Raises
    ------
    ValueError
        If there is no version `needs`.
    """
    names = datasets.LABELS if source == "physionet" else datasets.LABELS[:1]
    if needs not in names:
        raise ValueError(f"need labels {' or '.join(names)} ({source} recordings), got {needs!r}")
    about = {"source": source, "n_patients": n_patients}
    about |= {"stride_s": stride_s} if source == "physionet" else {}
    return {name: datasets.shock_windows(labels=name, progress=False, **about) for name in names}


def chosen(models: str, *, model: str = "") -> tuple[str, ...]:
    """Names out of ``"all"`` or ``"cnn, gru"``, the previous ones first; `model` if empty.

    Raises
    ------
    ValueError
        If a name is none of `MODELS`.
    """
    asked = {name.strip() for name in models.split(",")} - {""}
    asked = set(MODELS) if asked == {"all"} else asked
    asked |= {model} - {""}
    if not asked or asked - set(MODELS):
        raise ValueError(f"need models of {', '.join(MODELS)} or all, got {models or model!r}")
    return tuple(name for name in MODELS if name in asked)


def configs(
    by_labels: dict[str, Windows],
    models: Sequence[str],
    *,
    seeds: Sequence[int] = (0,),
    protocols: Sequence[str] = ("patient",),
    **train: object,
) -> list[RunConfig]:
    """Every combination of labels, protocol, model and seed; further keywords as for `config`."""
    return [
        config(windows, model, seed=seed, protocol=protocol, **train)
        for windows in by_labels.values()
        for protocol in protocols
        for model in models
        for seed in seeds
    ]


def by_model(
    runs: Iterable[Run], *, labels: str = "annotated", protocols: Sequence[str] = ("patient",)
) -> dict[str, list[Run]]:
    """The runs of one version of the labels and one or more protocols, by model."""
    out: dict[str, list[Run]] = {}
    for run in runs:
        if run.config.labels == labels and run.config.protocol in protocols:
            out.setdefault(run.config.model, []).append(run)
    return out


def folds() -> list[str]:
    """The protocols that together test every patient once."""
    return [f"fold{number}" for number in range(N_FOLDS)]


def databases(windows: Windows) -> list[str]:
    """Names of the databases; a single one cannot be left out."""
    return sorted(windows.table["database"].unique())


def data_entry(windows: Windows) -> dict[str, dict]:
    """What ``metrics.json`` says of each database: records, patients, windows, checksum."""
    sums = windows.parameters.get("data", {})
    return {
        str(name): {
            "records": part["record"].nunique(),
            "patients": part["patient"].nunique(),
            "windows": int((part["lead"] == 0).sum()),
            "sha256": sums.get(name, sums.get("course")),
        }
        for name, part in windows.table.groupby("database")
    }


def threshold(run: Run, *, metric: str = "balanced_accuracy") -> float:
    """The run's threshold, from its validation windows and patients."""
    seen = run.of("validation")
    return metrics.steady_threshold(seen["label"], seen["score"], seen["patient"], metric=metric)


def stack(runs: Iterable[Run], windows: Windows, *, split: str = "test") -> pd.DataFrame:
    """Predictions of several runs, one below the other, with what is known of each window.

    Returns
    -------
    DataFrame: run, seed, row, label (-1: not scored), score, logit_0, logit_1, threshold, shock
        (the decision, 0 or 1), aha (row of the AHA's table), and the columns in `CARRIED`
    """
    about = windows.table[[*CARRIED, f"aha_{windows.parameters['labels']}"]]
    about = about.set_axis([*CARRIED, "aha"], axis=1)
    parts = []
    for run in runs:
        part = run.of(split).drop(columns="patient")
        part = part.assign(run=run.id, seed=run.config.train.seed, threshold=threshold(run))
        parts.append(part.join(about, on="row"))
    out = pd.concat(parts, ignore_index=True)
    return out.assign(shock=(out["score"] >= out["threshold"]).astype(int))


def scores(stacked: pd.DataFrame, *, n: int = 1000) -> dict[str, dict[str, float]]:
    """Every metric over the labelled windows of `stack`, with 95 % intervals by patient."""
    seen = stacked[stacked["label"] >= 0]
    return metrics.bootstrap(
        seen["label"], seen["score"], seen["patient"], threshold=seen["threshold"].to_numpy(), n=n
    )


def plain_scores(stacked: pd.DataFrame) -> dict[str, float]:
    """Every metric over the labelled windows of `stack`, without intervals."""
    seen = stacked[stacked["label"] >= 0]
    return metrics.binary_scores(
        seen["label"], seen["score"], threshold=seen["threshold"].to_numpy()
    )


def compare(a: pd.DataFrame, b: pd.DataFrame, *, metric: str = "balanced_accuracy") -> dict:
    """Metric of `a` minus metric of `b` (two stacks over the same windows), paired by patient."""
    a, b = (s[s["label"] >= 0].sort_values(["seed", "row"]) for s in (a, b))
    if not (np.array_equal(a["row"], b["row"]) and np.array_equal(a["label"], b["label"])):
        raise ValueError(
            f"need stacks over the same windows and labels, got {len(a)} and {len(b)} rows"
        )
    return metrics.paired_difference(
        a["label"], a["score"], b["score"], a["patient"], metric=metric,
        threshold_a=a["threshold"].to_numpy(), threshold_b=b["threshold"].to_numpy(),
    )  # fmt: skip


def select(runs: Sequence[Run]) -> str:
    """The model whose runs have the best mean balanced accuracy on validation windows."""
    rows = [
        (run.config.model, metrics.binary_scores(v["label"], v["score"], threshold=threshold(run)))
        for run in runs
        for v in [run.of("validation")]
    ]
    by_model = pd.Series([s["balanced_accuracy"] for _, s in rows], [m for m, _ in rows])
    return str(by_model.groupby(level=0).mean().idxmax())


def protocol_entry(
    by_model: dict[str, list[Run]],
    windows: Windows,
    *,
    splits: Sequence[str] = ("train", "validation"),
) -> dict:
    """A protocol for ``metrics.json``: sizes of the split, and the scores of each model."""
    first = next(iter(by_model.values()))
    predicted = pd.concat([run.predictions for run in first]).drop_duplicates(["row", "split"])
    sizes = {}
    for name, part in predicted.groupby("split"):
        patients = windows.table["patient"].iloc[part["row"]].nunique()
        sizes[name] = {"patients": int(patients), "windows": int((part["label"] >= 0).sum())}
    models = {}
    for model, runs in by_model.items():
        models[model] = {
            "parameters": runs[0].n_parameters,
            "seeds": len({run.config.train.seed for run in runs}),
            **{name: plain_scores(stack(runs, windows, split=name)) for name in splits},
            "test": scores(stack(runs, windows)),
        }
    return {"split": sizes, "models": models}


def aha(stacked: pd.DataFrame) -> pd.DataFrame:
    """The AHA's table over a stack of one seed: what stays unclear is left out."""
    seen = stacked.assign(aha=stacked["aha"].where(stacked["aha"].isin(list(metrics.AHA_GOALS))))
    return metrics.aha_table(seen["shock"], seen)


def pick(stacked: pd.DataFrame, *, n: int = 6, seed: int = 0) -> pd.DataFrame:
    """Windows to look at: the plainest errors, up to half of them, then right ones of both classes.

    Of a record not more than two windows are taken.
    """
    seen = stacked[(stacked["label"] >= 0) & (stacked["seed"] == stacked["seed"].min())]
    right = seen[seen["shock"] == seen["label"]].sample(frac=1, random_state=seed)
    errors = worst(seen, n=n // 2)
    right = right.groupby("record").head(2)
    half = (n - len(errors) + 1) // 2
    shown = [errors, *(right[right["label"] == label].head(half) for label in (1, 0))]
    return pd.concat(shown).head(n)


def worst(stacked: pd.DataFrame, *, n: int = 6) -> pd.DataFrame:
    """The wrong windows whose probability lies furthest from the threshold, two a record."""
    wrong = stacked[(stacked["label"] >= 0) & (stacked["shock"] != stacked["label"])]
    margin = (wrong["score"] - wrong["threshold"]).abs()
    order = wrong.assign(margin=margin).sort_values("margin", ascending=False)
    return order.drop_duplicates("row").groupby("record").head(2).head(n).drop(columns="margin")


def tempered(run: Run, *, split: str = "test") -> tuple[float, pd.DataFrame]:
    """Temperature from the validation windows, and a set's predictions after dividing by it."""
    logits = ["logit_0", "logit_1"]
    seen = run.of("validation")
    temperature = metrics.fit_temperature(seen[logits], seen["label"])
    found = run.of(split)
    margin = found["logit_1"] - found["logit_0"]
    return temperature, found.assign(score=expit(margin / temperature))


def results(chapter: Chapter) -> dict:
    """``metrics.json`` of this chapter; ValueError if the page on evaluation has yet to be run."""
    found = chapter.read_metrics()
    if not found["selected"]:
        raise ValueError(
            f"need results of the profile {chapter.profile!r} on {chapter.source} recordings in "
            f"{chapter.out.name}/metrics.json: run 05_evaluation first"
        )
    return found
