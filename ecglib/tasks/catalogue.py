"""The models that the book publishes: which run becomes which, and what its card tells.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ecglib import beat_trials, paths, published, runs
from ecglib.rhythms import trials as rhythm_trials

from . import results, sets, shelf, ways

if TYPE_CHECKING:
    from ecglib.chapter import Chapter
    from ecglib.datasets import Windows
    from ecglib.runs import Run

BUDGET = ("epochs", "epoch_windows", "batch_size", "half")  # of a training: how long, not how
HEADLINES = ("balanced_accuracy", "sensitivity", "specificity", "macro_recall", "macro_f1",
             "accuracy")  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A model of the catalogue and the run that it is made of."""

    name: str
    exercise: str  # where it is trained
    task: str
    model: str
    protocol: str
    about: str
    inputs: str = "signal"
    labels: str = "annotated"
    form: dict = field(default_factory=dict)  # what the windows' parameters must say


SHOCK = "Advises a shock, or none, from four seconds of one lead of an ECG{}."
CATALOGUE = (
    Entry("shock-cnn", "exercise_03", "shock", "cnn", "patient", SHOCK.format("")),
    Entry("shock-cnn_lstm", "exercise_03", "shock", "cnn_lstm", "patient",
          SHOCK.format(": convolutions, then a recurrent layer")),
    Entry("shock-tiny_cnn", "exercise_03", "shock", "tiny_cnn", "patient",
          SHOCK.format(", with few parameters")),
    Entry("beat-rows-se_resnet", "exercise_04", "heartbeats", "se_resnet", "intra",
          "Names the class of a heartbeat from a row of a table as published, in people it learnt "
          "from: the rows of a person lie on both sides of the split.",
          form={"form": "kachuee", "paced": True}),
    Entry("beats-se_resnet", "exercise_04", "heartbeats", "se_resnet", "inter",
          "Names the class of a heartbeat in people it never saw, from the beat, its intervals "
          "and the person's typical beat.",
          inputs="rr+late", form={"form": "context", "paced": False}),
    Entry("rhythms-rhythm_net", "exercise_05", "rhythms", "rhythm_net", "published",
          "Tells sinus rhythm, atrial fibrillation and other rhythms apart in half a minute of "
          "one lead as recorded with a hand-held device.",
          form={"form": "records", "reference": "v3 to learn"}),
)  # fmt: skip


def run_of(
    entry: Entry,
    ledger: Path,
    *,
    windows: dict[str, Windows] | None = None,
    table: pd.DataFrame | None = None,
) -> tuple[Run, Windows]:
    """The run that becomes a model, and its windows.

    Of the runs that were trained in the usual way of their task, whatever their budget, it is one
    on the most windows, trained for the most epochs, the first of several seeds: nothing is chosen
    by what it reaches.

    Parameters
    ----------
    ledger : folder of the runs
    windows : by hash, those that were read already; grows
    table : the ledger's runs as `shelf.listing` has them, where they were read already

    Raises
    ------
    ValueError
        If there is no such run: the exercise that trains it has yet to be run.
    """
    missing = (
        f"need a run of {entry.model} on {entry.task} for {entry.name}, there is none in this "
        f"ledger: run {entry.exercise} first"
    )
    if not ledger.is_dir():
        raise ValueError(missing)
    windows = {} if windows is None else windows
    table = shelf.listing(ledger=ledger)[0] if table is None else table
    for name in ("task", "model", "protocol", "inputs"):
        table = table[table[name] == getattr(entry, name)]
    found = []
    for row in table.itertuples():
        run = runs.load(ledger / row.id)
        own = _windows_of(run, windows) if run.config.labels == entry.labels else None
        if own is not None and _fits(entry, own) and is_usual(run, own):
            found.append((-len(own), -run.config.train.epochs, run.config.train.seed, run.id, run))
    if not found:
        raise ValueError(missing)
    run = min(found, key=lambda one: one[:-1])[-1]
    return run, windows[run.config.data]


def is_usual(run: Run, windows: Windows) -> bool:
    """Whether a run was trained in the usual way of its task, but for its budget."""
    config = run.config
    given = {n: getattr(config, n) for n in ("protocol", "inputs", "split_seed")}
    usual = ways.config(windows, config.model, seed=config.train.seed, given={"run": given})
    budget = {name: getattr(config.train, name) for name in BUDGET}
    return replace(usual, train=replace(usual.train, **budget)).json() == config.json()


def publish(chapter: Chapter, *, folder: Path | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Publish every model of the catalogue whose run there is.

    Parameters
    ----------
    folder : of the published models; by default ``models`` in the chapter's folder

    Returns
    -------
    table : DataFrame
        A row each: name, exercise, run, source, parameters, unit, n, people, metric, value, low,
        high (of the metric, on the test set of that run).
    missing : list of str
        A line on each model that cannot be published yet.

    Raises
    ------
    ValueError
        If there is a run for none of them.
    """
    folder = folder or chapter.out / "models"
    windows: dict[str, Windows] = {}
    table = shelf.listing(ledger=chapter.ledger)[0] if chapter.ledger.is_dir() else None
    rows, missing = [], []
    for entry in CATALOGUE:
        try:
            run, own = run_of(entry, chapter.ledger, windows=windows, table=table)
        except ValueError as error:
            missing.append(str(error))
            continue
        reached = results.evaluate(run, own)
        told = {"test set, this run": reached.scores} | of_the_exercise(entry, run, chapter)
        published.keep(
            run, own, folder, name=entry.name, weights=reached.weights, results=told,
            about=entry.about,
        )  # fmt: skip
        metric, value = results.headline(reached)
        rows.append({
            "name": entry.name, "exercise": entry.exercise, "run": run.id, "source": own.source,
            "parameters": run.n_parameters, "unit": reached.unit,
            "n": sum(map(sum, reached.confusion)), "people": reached.patients, "metric": metric,
            **{end: value[end] for end in ("value", "low", "high")},
        })  # fmt: skip
    if not rows:
        raise ValueError(missing[0])
    return pd.DataFrame(rows).set_index("name"), missing


def of_the_exercise(entry: Entry, run: Run, chapter: Chapter) -> dict[str, dict]:
    """What the exercise's ``metrics.json`` says of this network over all seeds; empty if nothing.

    Only of the same profile, and of the same kind of recordings.
    """
    where = paths.published if chapter.published else paths.demo
    file = where(entry.exercise) / "metrics.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        about = found["protocols"][entry.protocol]["models"][title(run)]
        scores = {name: about["test"][name] for name in HEADLINES if name in about["test"]}
        seeds, same = int(about["seeds"]), found["profile"] == chapter.profile
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not (same and scores):
        return {}
    number = entry.exercise.removeprefix("exercise_")
    return {f"test set, exercise {number}, {seeds} seed{'s' * (seeds > 1)}": scores}


def title(run: Run) -> str:
    """What the exercise's table calls the network of a run."""
    name: Mapping = {"heartbeats": beat_trials.title, "rhythms": rhythm_trials.title}
    return name.get(run.config.task, lambda config: config.model)(run.config)


def _windows_of(run: Run, windows: dict[str, Windows]) -> Windows | None:
    """The windows of a run, read once; None where they are gone."""
    if run.config.data not in windows:
        try:
            windows[run.config.data] = sets.windows_of(run.config)
        except ValueError:
            return None
    return windows[run.config.data]


def _fits(entry: Entry, windows: Windows) -> bool:
    usual = {"paced": True}  # what parameters leave out where it is so
    return all((usual | windows.parameters).get(k) == v for k, v in entry.form.items())
