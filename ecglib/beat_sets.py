"""The beats that exercise 04's pages work on, by their form; thinner ones for a quick look.

Chapter: exercise 04, "Data".
"""

from __future__ import annotations

from dataclasses import replace

from ecglib import datasets
from ecglib.datasets import Windows
from ecglib.datasets.store import prepared


def versions(source: str, *, n_patients: int = 24, every: int = 1) -> dict[str, Windows]:
    """The beats of this exercise by their form.

    `n_patients` is that of synthetic recordings; of real ones `every` so manieth beat is taken.

    Returns
    -------
    dict of Windows
        `kachuee`: rows as published, five classes. `unpaced`: the same rows without paced records
        and unknown beats, four classes. `around` and `context`: those beats (of five and of four
        classes) with their surroundings, in millivolt. `ptb`: the table of the PTB database, left
        out where recordings are real and there is no such table.
    """
    forms = {
        "kachuee": {"form": "kachuee"},
        "unpaced": {"form": "kachuee", "paced": False},
        "around": {"form": "context"},
        "context": {"form": "context", "paced": False},
    }
    about = {"source": source, "n_patients": n_patients, "progress": False}
    made = {
        name: thinned(datasets.heartbeat_windows(**about, **form), every=every)
        for name, form in forms.items()
    }
    if source == "synthetic":
        made["ptb"] = datasets.ptb_windows(source="synthetic", n_beats=50 * n_patients)
    elif datasets.ptb_available():
        made["ptb"] = datasets.ptb_windows()
    return made


def thinned(windows: Windows, *, every: int) -> Windows:
    """Every so manieth real beat of each class and record, so that none of these is lost.

    For a quick look at a page on real recordings; the thinner set has a hash and a file of its
    own. Synthetic beats, and those from tables without records, are returned as they are.
    """
    if every < 1:
        raise ValueError(f"need every of 1 or more, got {every}")
    if every == 1 or windows.source != "physionet":
        return windows
    parameters = windows.parameters | {"every": every}

    def make() -> Windows:
        number = windows.table.groupby(["record", "rhythm"]).cumcount().to_numpy()
        return replace(windows.take(number % every == 0), parameters=parameters, path=None)

    return prepared(windows.task, parameters, make)
