"""The card of a published model, written from its configuration and its numbers.

What a card should say follows Mitchell 2019 (doi:10.1145/3287560.3287596). Chapter: exercise 06,
"Scoring and exporting".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from ecglib.chapter import SOURCES, interval, listed, owners, plural

TASKS = {
    "shock": "whether a shock is advised",
    "heartbeats": "the class of a heartbeat",
    "rhythms": "the rhythm of a recording of half a minute with one lead",
    "own": "the labels of one's own recordings",
}
SETS = {"train": "training", "validation": "validation", "test": "test"}
USE, CUT = "## How to use it", "its `config.json` says"  # which beside an export is another
FEW = 30  # windows or people below which a share says little


def card(config: dict, predictions: pd.DataFrame, table: pd.DataFrame) -> str:
    """The card in Markdown.

    Parameters
    ----------
    config : of the published model, as in its ``config.json``
    predictions : of the run: row, split, label, patient, logit_0, logit_1, …
    table : of the windows, a row each, with database and patient

    Returns
    -------
    str
        What it is, data, numbers, operating point, limits, how to load it.
    """
    parts = [f"# {config['name']}"]
    if config["about"]:
        parts.append(config["about"])
    parts += ["## What it is", _what(config), "## Data", _data(config, predictions, table)]
    parts += ["## Operating point", _operating_point(config)]
    parts += ["## Numbers", _numbers(config, predictions)]
    parts += ["## Limits", _limits(config, predictions), USE, _use(config)]
    return "\n\n".join(parts) + "\n"


def _what(config: dict) -> str:
    run = config["run"]["config"]
    task, arguments = run["task"], run["arguments"]
    seconds = config["n_samples"] / config["fs"]
    about = [
        f"A network `{run['model']}` with {plural(config['n_parameters'], 'parameter')} that tells "
        f"{TASKS.get(task, task)}: {listed(config['classes'], last='or')}.",
        f"It is shown {plural(config['n_leads'], 'lead')} of {config['n_samples']:,} samples, "
        f"{seconds:g} s at {config['fs']:g} Hz, in {_unit(config)}"
        + (f", with the inputs `{run['inputs']}`." if run.get("inputs") else "."),
    ]
    if arguments:
        about.append(f"Arguments: {listed([f'`{k}={v}`' for k, v in sorted(arguments.items())])}.")
    about.append(f"Run {config['run']['id']}, ecglib {config['ecglib']}.")
    return "\n".join(about)


def _unit(config: dict) -> str:
    unit = config["preparation"]["unit"]
    return "millivolt" if unit == "mV" else f"multiples of its own size ({unit})"


def _data(config: dict, predictions: pd.DataFrame, table: pd.DataFrame) -> str:
    preparation = config["preparation"]
    source = preparation.get("source", "unknown")
    # A patient's number is the database's own, so people are counted within each.
    people = table["database"].astype(str) + "/" + table["patient"].astype(str)
    names = listed(sorted(table["database"].astype(str).unique()))
    run = config["run"]["config"]
    lines = [
        f"From {SOURCES.get(source, f'{source} recordings')}: {names}, "
        f"{owners(people.nunique(), run['task'])}; windows `{run['data']}`, "
        f"labels `{run['labels']}`, divided by the protocol `{run['protocol']}`.",
        "",
        f"| set | {'recordings' if run['task'] == 'rhythms' else 'people'} | "
        + " | ".join(config["classes"])
        + " |",
        "|---|--:|" + "--:|" * len(config["classes"]),
    ]
    for split, part in _by_set(predictions):
        whose = people.iloc[part["row"]].nunique()
        counts = [f"{int((part['label'] == i).sum()):,}" for i in range(len(config["classes"]))]
        lines.append(f"| {SETS.get(split, split)} | {whose} | {' | '.join(counts)} |")
    return "\n".join(lines)


def _by_set(predictions: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    found = dict(list(predictions.groupby("split")))
    return [(split, found[split]) for split in [*SETS, *sorted(set(found) - set(SETS))]
            if split in found]  # fmt: skip


def _operating_point(config: dict) -> str:
    classes, weights = config["classes"], config["weights"]
    if len(classes) == 2 and abs(sum(weights) - 1) < 1e-9:
        return f"{classes[1]} is answered above a probability of {weights[0]:g}."
    if len(set(weights)) == 1:
        return "The most probable class is answered."
    told = listed([f"{c} {w:g}" for c, w in zip(classes, weights, strict=True)])
    return f"Probabilities are weighed before the largest decides: {told}."


def _numbers(config: dict, predictions: pd.DataFrame) -> str:
    results, parts = config["results"], []
    groups = {k: v for k, v in results.items() if isinstance(v, dict) and "value" not in v}
    single = {k: v for k, v in results.items() if k not in groups}
    for name, rows in [*([("", single)] if single else []), *groups.items()]:
        head = f"{name}:\n\n" if name else ""
        lines = [f"| {k.replace('_', ' ')} | {_value(v)} |" for k, v in _flat(rows).items()]
        parts.append(head + "\n".join(["| measure | value |", "|---|--:|", *lines]))
    if any(isinstance(v, dict) and v.get("low") is not None for v in _flat(results).values()):
        parts.append("In brackets the 95 % interval.")
    recall = _recall(config, predictions)
    if recall is not None:
        told = listed(
            [
                f"{c} {_value(r)} of {n:,}"
                for c, (r, n) in zip(config["classes"], recall, strict=True)
            ]
        )
        parts.append(f"Recognised among the test windows, each by itself: {told}.")
    return "\n\n".join(parts) or "None were given."


def _flat(rows: dict, before: str = "") -> dict:
    """Values by name, those of a dict within by both names."""
    found: dict = {}
    for name, value in rows.items():
        if isinstance(value, dict) and "value" not in value:
            found |= _flat(value, f"{before}{name}, ")
        else:
            found[before + name] = value
    return found


def _value(value: object) -> str:
    if isinstance(value, dict):
        return interval(value, scale=1, digits=3)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _recall(config: dict, predictions: pd.DataFrame) -> list[tuple[float | None, int]] | None:
    """Share recognised and count of each class among the labelled test windows."""
    test = predictions[(predictions["split"] == "test") & (predictions["label"] >= 0)]
    if test.empty:
        return None
    answer = decided(test, config["weights"])
    label, found = test["label"].to_numpy(), []
    for i in range(len(config["classes"])):
        n = int((label == i).sum())
        found.append((float((answer[label == i] == i).mean()) if n else None, n))
    return found


def decided(predictions: pd.DataFrame, weights: list[float]) -> NDArray[np.int64]:
    """Class numbers from the logits of a run, at an operating point."""
    logits = predictions[[f"logit_{i}" for i in range(len(weights))]].to_numpy(np.float64)
    return (softmax(logits, axis=1) * weights).argmax(axis=1)


def _limits(config: dict, predictions: pd.DataFrame) -> str:
    length = (
        "at least as long as its shortest" if config["any_length"] else "of exactly this length"
    )
    lines = [
        f"It expects windows cut as {CUT}, {length}; another rate, unit, filter "
        "or lead gives other answers.",
        f"It always names one of {listed(config['classes'])}, on noise, on a lost electrode and "
        "on what it was never shown, too.",
        "Its probabilities follow the shares of the classes it learnt from, which differ in use.",
        "Other people, devices and leads than those of its data were not tried. It is no medical "
        "device and no ground for treating anyone.",
    ]
    if config["preparation"].get("source") == "synthetic":
        lines.insert(
            0, "It learnt from synthetic recordings: its numbers say nothing about people."
        )
    recall = _recall(config, predictions) or []
    few = [c for c, (_, n) in zip(config["classes"], recall, strict=False) if n < FEW]
    if few:
        lines.append(f"Of {listed(few)} there are fewer than {FEW} test windows.")
    return "\n".join(f"- {line}" for line in lines)


def _use(config: dict) -> str:
    return "\n".join([
        "```python",
        "from ecglib import published, train",
        "",
        f'model = published.load("{config["name"]}")  # this folder',
        "logits = train.predict(model.network(), windows)  # "
        f"(n, {config['n_leads']}, {config['n_samples']})",
        "```",
    ])  # fmt: skip
