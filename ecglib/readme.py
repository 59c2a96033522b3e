"""Keep the headline results of README.md in step with the published metrics.

Chapter: "How to run".
"""

from __future__ import annotations

import json

from ecglib import chapter, paths

BEGIN, END = "<!-- results: written by `python -m ecglib readme` -->", "<!-- end of results -->"
PROTOCOLS = {
    "patient": "patients apart, labels as annotated",
    "patient_reviewed": "patients apart, labels as reviewed",
    "5fold": "five folds of patients, labels as annotated",
    "5fold_reviewed": "five folds of patients, labels as reviewed",
    "5fold_decisions": "the same, way to decide chosen on validation, labels as annotated",
    "5fold_decisions_reviewed": "the same, labels as reviewed",
    "leave_one_database_out": "a database never seen in training",
}
METRICS = ("sensitivity", "specificity", "balanced_accuracy")
NOT_RUN = "Not yet run: the published edition has no results so far."


def results() -> str:
    """Markdown of the headline results in ``outs/exercise_03/metrics.json``.

    The selected model beside the previous exercise's network and the smallest one, each number in
    per cent of the test set with its 95 % interval.

    Raises
    ------
    ValueError
        If the file is no JSON or holds another edition than the published one.
    """
    file = paths.published("exercise_03") / "metrics.json"
    if not file.exists():
        return NOT_RUN
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: need JSON, {error}") from None
    if not chapter.is_published(metrics.get("profile"), metrics.get("source")):
        raise ValueError(f"{file}: need the profile full on physionet")
    selected = metrics["selected"].get("model")
    rows = [
        "| protocol | network | sensitivity | specificity | balanced accuracy |",
        "|---|---|---|---|---|",
    ]
    for protocol, words in PROTOCOLS.items():
        models = metrics["protocols"].get(protocol, {}).get("models", {})
        chosen = metrics["protocols"].get(protocol, {}).get("chosen")
        wanted = (chosen, "cnn") if chosen else (selected, "cnn", "tiny_cnn")
        for name in dict.fromkeys(wanted):
            test = models.get(name, {}).get("test", {})
            if all(metric in test for metric in METRICS):
                numbers = " | ".join(chapter.interval(test[metric]) for metric in METRICS)
                shown = f"**{name}**" if name == (chosen or selected) else name
                rows.append(f"| {words} | {shown} | {numbers} |")
    data = metrics["data"]
    patients = sum(database["patients"] for database in data.values())
    windows = sum(database["windows"] for database in data.values())
    rows.append("")
    rows.append(
        f"Per cent, with 95 % intervals by patient, on the test sets; {windows:,} windows of "
        f"{chapter.plural(patients, 'patient')} in {chapter.listed(sorted(data))}. The selected "
        "network is set in bold; `cnn` is the network of the exercise before."
    )
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
