"""A folder with mistakes in it, to see what a check finds.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import edfio
import numpy as np
import pandas as pd

from .report import Report

PERSON = "Erika Mustermann"  # as German specimen passports are made out to
BORN = datetime.date(1987, 3, 21)
FLAT_S = (20.0, 35.0)  # when the electrode falls off
FEWEST = 6


@dataclass(frozen=True)
class Mistake:
    """What was done to a file, and where a report should tell of it."""

    kind: str
    file: str


def plant(clean: str | Path, folder: str | Path) -> tuple[Mistake, ...]:
    """Copy a folder of EDF recordings as `generate` makes it, and spoil the copy.

    A name and a day of birth in a header, a date in a file name, microvolts that the header calls
    millivolts, a recording under two names, an electrode that fell off for a quarter of a minute,
    a file that was cut short.

    Parameters
    ----------
    clean : of at least six recordings of 40 seconds or more, with labels.csv
    folder : is made; must not be there yet

    Raises
    ------
    ValueError
        If there are fewer recordings, or `folder` is there.
    """
    clean, folder = Path(clean), Path(folder)
    names = sorted(path.name for path in clean.glob("*.edf"))
    if len(names) < FEWEST:
        raise ValueError(f"{clean}: need at least {FEWEST} EDF recordings, got {len(names)}")
    if folder.exists():
        raise ValueError(f"{folder}: need a new folder, there is one")
    shutil.copytree(clean, folder)
    table = pd.read_csv(folder / "labels.csv")
    named, dated, unit, twin, flat, short = names[:FEWEST]
    person = edfio.Patient(name=PERSON.replace(" ", "_"), birthdate=BORN, sex="F")
    _rewrite(folder / named, person=person)
    _rewrite(folder / unit, dimension="mV")
    _rewrite(folder / flat, still=FLAT_S)
    content = (folder / short).read_bytes()
    (folder / short).write_bytes(content[: int(0.7 * len(content))])
    aside = f"p{len(names):03d}_a.edf"
    shutil.copyfile(folder / twin, folder / aside)
    table = pd.concat([table, table[table["file"] == twin].assign(file=aside)])
    telling = dated.replace("_a", f"_{BORN:%Y-%m-%d}")
    (folder / dated).rename(folder / telling)
    table.replace({"file": {dated: telling}}).to_csv(folder / "labels.csv", index=False)
    return (
        Mistake("a person in the header", named),
        Mistake("a date in the file name", telling),
        Mistake("microvolts called millivolts", unit),
        Mistake("one recording under two names", twin),
        Mistake("an electrode that fell off", flat),
        Mistake("a file cut short", short),
    )


def found(mistakes: tuple[Mistake, ...], report: Report) -> pd.DataFrame:
    """What a report tells of each mistake; nothing where it does not.

    Returns
    -------
    DataFrame by mistake: file (as the mistake knows it), told
    """
    rows = {}
    for one in mistakes:
        told = TOLD[one.kind](one.file, report)
        rows[one.kind] = {"file": one.file, "told": "; ".join(told)}
    return pd.DataFrame(rows).T.rename_axis("mistake")


def _about(file: str, report: Report) -> list[str]:
    return [entry for entry in report.personal if entry.startswith(f"{file}: ")]


def _names(file: str, report: Report) -> list[str]:
    return [entry for entry in report.personal if ": file name" in entry]


def _problems(file: str, report: Report) -> list[str]:
    return [f"{title}: {told}" for title, told in report.problems if title == file]


def _twins(file: str, report: Report) -> list[str]:
    return [f"same samples: {' = '.join(same)}" for same in report.duplicates if file in same]


def _flat(file: str, report: Report) -> list[str]:
    flat = report.quality["flat"]
    return [f"{flat['most_in']}: {flat['seconds']:.4g} s flat"] * (flat["most_in"] == file)


TOLD: dict[str, Callable[[str, Report], list[str]]] = {
    "a person in the header": _about,
    "a date in the file name": _names,
    "microvolts called millivolts": _problems,
    "one recording under two names": _twins,
    "an electrode that fell off": _flat,
    "a file cut short": _problems,
}


def _rewrite(
    path: Path,
    *,
    person: edfio.Patient | None = None,
    dimension: str | None = None,
    still: tuple[float, float] | None = None,
) -> None:
    """Write an EDF file again with another patient, unit, or a stretch without change."""
    signal = edfio.read_edf(path, lazy_load_data=False).signals[0]
    x, fs = np.array(signal.data), signal.sampling_frequency
    if still is not None:
        a, b = (int(s * fs) for s in still)
        x[a:b] = x[a]
    written = edfio.EdfSignal(
        x, fs, label=signal.label, physical_dimension=dimension or signal.physical_dimension,
        physical_range=(signal.physical_min, signal.physical_max),
    )  # fmt: skip
    edfio.Edf([written], patient=person).write(path)
