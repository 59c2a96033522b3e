"""What the recordings of a folder are called, and whose they are.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .errors import FileError
from .files import Entry, tables_of_labels
from .settings import FOLDERS, Settings
from .tabular import first_line

NAMES = ("file", "record")  # of the column that names the recording
SLACK_S = 1.0  # a label may be rounded beyond the end of its recording


def read_labels(folder: str | Path, settings: Settings, found: Sequence[Entry]) -> pd.DataFrame:
    """A row for each labelled stretch: record, label, start_s, end_s and patient.

    Parameters
    ----------
    folder : of the recordings
    settings : its `labels` and `patient` say where labels and patients stand
    found : the recordings of the folder

    Returns
    -------
    DataFrame
        start_s is 0 and end_s infinite for a label of a whole recording. A patient that nothing
        tells of is the recording itself.

    Raises
    ------
    ValueError
        Naming the table and its line, but not what stands there: no such table, nothing in it,
        a column missing, a recording that is not in the folder, a label, time or patient that is
        none, two labels at one time, two patients in one recording.
    """
    folder = Path(folder)
    if settings.labels is None:
        looks = tables_of_labels(folder)
        hint = f" ({looks[0]} looks like one)" if looks else ""
        raise ValueError(f"{folder}: need `labels`: a table in the folder{hint}, or folders")
    if settings.labels == FOLDERS:
        return _from_folders(folder, settings, found)
    return _from_table(folder / settings.labels, settings, found)


def patients_of(settings: Settings, found: Sequence[Entry]) -> dict[str, str]:
    """The patient in each file name, by recording; the recording itself without an expression.

    Raises
    ------
    ValueError
        If `patient` is no regular expression with one group, or does not fit a file name.
    """
    if settings.patient is None:
        return {entry.name: entry.name for entry in found}
    try:
        pattern = re.compile(settings.patient)
    except re.error as error:
        raise ValueError(f"need patient as a regular expression: {error}") from None
    if pattern.groups != 1:
        raise ValueError(
            "need patient as a column of the labels, or a regular expression on file names with "
            f"one group in brackets, got {settings.patient!r}"
        )
    out = {}
    for number, entry in enumerate(found, 1):
        match = pattern.search(entry.file)
        if not (match and match[1]):
            raise ValueError(
                f"need a patient in every file name by {settings.patient!r}, recording {number} "
                f"of {len(found)} (in the order of their names) has none"
            )
        out[entry.name] = match[1]
    return out


def has_patients(folder: str | Path, settings: Settings) -> bool:
    """Whether the table of labels has a column of patients; True where there is no table to ask."""
    path = Path(folder) / str(settings.labels)
    return not path.is_file() or _patient_column(settings) in _lower(first_line(path)[0])


def _from_folders(folder: Path, settings: Settings, found: Sequence[Entry]) -> pd.DataFrame:
    patients, rows = patients_of(settings, found), []
    for entry in found:
        label, _, rest = entry.file.partition("/")
        if not rest:
            raise FileError(entry.path, "need it in a sub-folder that is named by its label")
        rows.append((entry.name, label, 0.0, np.inf, patients[entry.name]))
    return pd.DataFrame(rows, columns=["record", "label", "start_s", "end_s", "patient"])


def beyond(stretches: pd.DataFrame, duration_s: float) -> str:
    """What is wrong with labels that go beyond the end of a recording; empty if none does."""
    times = stretches[["start_s", "end_s"]].to_numpy(float)
    latest = times[np.isfinite(times)].max(initial=0.0)
    if latest <= duration_s + SLACK_S:
        return ""
    return f"need labels within its {duration_s:.5g} s, got one at {latest:.6g} s (in samples?)"


def _from_table(path: Path, settings: Settings, found: Sequence[Entry]) -> pd.DataFrame:
    if not path.is_file():
        raise FileError(path, "need a table of labels, there is no such file")
    cells, separator = first_line(path)
    cells = _lower(cells)
    named = next((name for name in NAMES if name in cells), None)
    if named is None or "label" not in cells:
        raise FileError(path, "need the columns file (or record) and label in the first line")
    try:
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig",
            comment="#", index_col=False,
        )  # fmt: skip
    except (ValueError, UnicodeDecodeError):
        raise FileError(path, f"need lines of {len(cells)} cells each") from None
    if table.empty:
        raise FileError(path, "need a line for each recording, the table names nothing")
    table.columns = cells
    table = table.apply(lambda column: column.str.strip())
    out = pd.DataFrame({"record": _recordings(path, table[named], found), "label": table["label"]})
    for name, default in (("start_s", 0.0), ("end_s", np.inf)):
        out[name] = _times(path, table, name, default)
    _refuse(path, out["label"] == "", "a label")
    _refuse(path, (out["start_s"] < 0) | (out["end_s"] <= out["start_s"]), "0 <= start_s < end_s")
    if _patient_column(settings) in cells:
        out["patient"] = table[_patient_column(settings)]
        _refuse(path, out["patient"] == "", "a patient")
        several = out.groupby("record")["patient"].transform("nunique") > 1
        _refuse(path, several, "one patient for each recording")
    else:
        out["patient"] = out["record"].map(patients_of(settings, found))
    _refuse(path, _contradicts(out), "one label at a time")
    return out


def _recordings(path: Path, given: pd.Series, found: Sequence[Entry]) -> pd.Series:
    """Names of recordings from what the table calls them: a path, with or without extension."""
    known: dict[str, set[str]] = {}
    for entry in found:
        inside = Path(entry.file)
        spelled = {entry.name, entry.file, inside.with_suffix("").as_posix()}
        for word in spelled | {inside.name, inside.stem}:
            known.setdefault(word, set()).add(entry.name)
    exact = {spelling: entry.name for entry in found for spelling in (entry.name, entry.file)}
    given = given.str.replace("\\", "/").str.removeprefix("./")
    names = given.map(lambda word: {exact[word]} if word in exact else known.get(word, set()))
    unknown = names.map(len) == 0
    if unknown.all():
        raise FileError(path, "need labels of recordings in the folder, it names none of them")
    _refuse(path, unknown, "a recording of the folder")
    _refuse(path, names.map(len) > 1, "one recording, with its path in the folder")
    return names.map(lambda one: next(iter(one)))


def _times(path: Path, table: pd.DataFrame, name: str, default: float) -> pd.Series:
    if name not in table:
        return pd.Series(default, index=table.index)
    seconds = pd.to_numeric(table[name], errors="coerce").astype(float)
    empty = table[name] == ""
    _refuse(path, ~np.isfinite(seconds) & ~empty, f"seconds in {name}")
    return seconds.mask(empty, default)


def _contradicts(rows: pd.DataFrame) -> pd.Series:
    """Rows that begin before the end of another label of the same recording."""
    ordered = rows.sort_values(["record", "start_s"], kind="stable")
    latest = ordered.groupby("record")["end_s"].cummax().groupby(ordered["record"]).shift()
    return (ordered["start_s"] < latest.fillna(0)).reindex(rows.index)


def _patient_column(settings: Settings) -> str:
    return (settings.patient or "patient").lower()


def _lower(cells: list[str]) -> list[str]:
    return [cell.lower() for cell in cells]


def _refuse(path: Path, wrong: pd.Series, needed: str) -> None:
    """Raise ValueError with the place of the first wrong row, if there is one."""
    at = np.flatnonzero(wrong)
    if len(at):
        more = f" and {len(at) - 1} more" if len(at) > 1 else ""
        raise FileError(path, f"need {needed}, row {at[0] + 1}{more} has none")
