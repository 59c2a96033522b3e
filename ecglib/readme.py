"""Keep the headline results of README.md in step with the published metrics.

Chapter: "How to run".
"""

from __future__ import annotations

import json

from ecglib import chapter, paths

BEGIN, END = "<!-- results: written by `python -m ecglib readme` -->", "<!-- end of results -->"
NOT_RUN = "Not yet run: the published edition has no results of it so far."
SHOCK = {
    "patient": "patients apart, labels as annotated",
    "patient_reviewed": "patients apart, labels as reviewed",
    "5fold": "five folds of patients, labels as annotated",
    "5fold_reviewed": "five folds of patients, labels as reviewed",
    "5fold_decisions": "the same, way to decide chosen on validation, labels as annotated",
    "5fold_decisions_reviewed": "the same, labels as reviewed",
    "leave_one_database_out": "a database never seen in training",
}
BEATS = {
    "intra": "random by beat, the same people on both sides",
    "inter": "new people (DS1 to DS2)",
    "ptb": "PTB table, five folds by beat",
}
RHYTHMS = {
    "published": "published test set",
    "5fold": "five folds, every recording once",
}
OURS = ("three views", "rhythm_net and measurements", "rhythm_net")  # means over seeds
RECALL = ", recall"  # behind a network's name: decided with recall first


def results() -> str:
    """Markdown of the headline results of every exercise that is published.

    Each number in per cent of the test set with its 95 % interval; the selected network in bold,
    beside it those it is compared with.

    Raises
    ------
    ValueError
        If a metrics.json is no JSON or holds another edition than the published one.
    """
    parts = []
    for exercise, (title, describe) in EXERCISES.items():
        metrics = _metrics(exercise)
        parts += [f"### {title}", "", describe(metrics) if metrics else NOT_RUN, ""]
    return "\n".join(parts).rstrip()


def _metrics(exercise: str) -> dict | None:
    file = paths.published(exercise) / "metrics.json"
    if not file.exists():
        return None
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: need JSON, {error}") from None
    if not chapter.is_published(metrics.get("profile"), metrics.get("source")):
        raise ValueError(f"{file}: need the profile full on physionet")
    return metrics


def _shock(metrics: dict) -> str:
    selected = metrics["selected"].get("model")
    wanted = {}
    for protocol in SHOCK:
        chosen = metrics["protocols"].get(protocol, {}).get("chosen")
        wanted[protocol] = (chosen, "cnn") if chosen else (selected, "cnn", "tiny_cnn")
    data = metrics["data"]
    patients = sum(database["patients"] for database in data.values())
    windows = sum(database["windows"] for database in data.values())
    return (
        _rows(metrics, SHOCK, wanted, ("sensitivity", "specificity", "balanced_accuracy"))
        + f"\n\nPer cent, with 95 % intervals by patient, on the test sets; {windows:,} windows of "
        f"{chapter.plural(patients, 'patient')} in {chapter.listed(sorted(data))}. The selected "
        "network is set in bold; `cnn` is the network of the exercise before."
    )


def _beats(metrics: dict) -> str:
    picked = metrics["selected"]
    best = {"intra": picked["model"], "inter": picked["inter_model"]}
    ways = metrics["protocols"].get("ptb", {}).get("models", {})
    if ways:  # the way to learn is not chosen by test scores
        best["ptb"] = max(ways, key=lambda name: ways[name]["validation"]["macro_recall"])
    wanted = {protocol: (name, f"{name}{RECALL}") for protocol, name in best.items()}
    wanted["intra"] += ("course_2d",)
    shown = ("macro_recall", "macro_f1", "recall_S", "recall_V")
    return (
        _rows(metrics, BEATS, wanted, shown)
        + "\n\nPer cent, with 95 % intervals by patient (of the PTB table, which names nobody, by "
        "beat). The selected network is set in bold, decided where the lesser of macro recall and "
        "macro F1 is highest on validation beats; below it, with recall first. `course_2d` is the "
        "course's start model, which sees the published rows alone. What counts as a new person's "
        "own beat, and how much F1 recall may cost there, were settled after errors on the test "
        "half had been seen: those figures are not of people nobody had looked at."
    )


def _rhythms(metrics: dict) -> str:
    picked = metrics["selected"]
    wanted = {"published": (picked["model"], *OURS, picked["short_model"])}
    wanted["5fold"] = (picked.get("folded"), *OURS)  # nothing if the selected one has no folds
    views = (
        "`rhythm_net` sees whole recordings; `three views` are a smaller one, a network that sees "
        "five seconds and trees on measurements, with a third of the say each. "
    )
    tested = metrics["protocols"]["published"]["split"]["test"]["patients"]
    return (
        _rows(metrics, RHYTHMS, wanted, ("macro_f1", "f1_N", "f1_O", "f1_A"))
        + f"\n\nPer cent, with 95 % intervals by recording ({tested:,} in the published test set). "
        "The selected network is set in bold, chosen on validation recordings; x3: three seeds "
        f"decide together, the others are means over seeds. `{picked['short_model']}` is the one "
        "chosen among those that see five seconds, most of them networks published before. "
        + (views if OURS[0] in metrics["protocols"]["published"]["models"] else "")
        + "Networks of earlier editions were scored on the same test recordings."
    )


EXERCISES = {
    "exercise_03": ("Exercise 03, shock advice", _shock),
    "exercise_04": ("Exercise 04, heartbeats", _beats),
    "exercise_05": ("Exercise 05, rhythms from a hand-held device", _rhythms),
}


def _rows(
    metrics: dict, protocols: dict[str, str], wanted: dict[str, tuple], scores: tuple[str, ...]
) -> str:
    """A table with a row for each network wanted of each protocol, the first of them in bold."""
    heads = (
        "protocol",
        "network",
        *(n.replace("_f1", " F1").replace("f1_", "F1 ").replace("_", " ") for n in scores),
    )
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for protocol, words in protocols.items():
        models = metrics["protocols"].get(protocol, {}).get("models", {})
        for place, name in enumerate(dict.fromkeys(wanted.get(protocol, ()))):
            test = models.get(name, {}).get("test", {})
            numbers = [chapter.interval(test[n]) if n in test else "" for n in scores]
            if any(numbers):
                shown = name if place else f"**{name}**"
                rows.append(f"| {' | '.join((words, shown, *numbers))} |")
    return "\n".join(rows)


def text() -> str:
    """README.md as it should be.

    Raises
    ------
    ValueError
        If the markers around the results are missing.
    """
    old = (paths.root() / "README.md").read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md: needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{results()}\n\n{END}{after}"


def in_step() -> bool:
    """Whether README.md tells what metrics.json says."""
    return (paths.root() / "README.md").read_text(encoding="utf-8") == text()


def write() -> None:
    """Bring README.md in step."""
    chapter.write_bytes(paths.root() / "README.md", text().encode())
