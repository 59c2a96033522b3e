"""Recordings of a folder in millivolt, one after the other.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ecglib.records import Record

from .errors import FileError
from .files import Entry, entries, read
from .labels import has_patients, patients_of, read_labels
from .raw import to_record
from .settings import FOLDERS, Settings

PLAIN = Settings()


def recording(path: str | Path, settings: Settings = PLAIN, *, patient: str = "") -> Record:
    """Read one file (of WFDB the header) as `settings` say.

    Raises
    ------
    ValueError
        Naming the file: unreadable, cut short or empty, no rate or unit, an amplitude that no ECG
        has, a lead that is not there or not chosen, shorter than a window.
    """
    path = Path(path)
    name = path.stem
    return to_record(
        read(path), settings, name=name, patient=patient or name, database=database_of(path.parent)
    )


def recordings(
    folder: str | Path, settings: Settings = PLAIN, *, only: Collection[str] | None = None
) -> Iterator[Record]:
    """Read the recordings of a folder, in the order of their names.

    Parameters
    ----------
    folder : with sub-folders, if need be
    settings : what the files do not say
    only : names of recordings to read, as `Record.record` has them; default all

    Yields
    ------
    Record
        signal (n_leads, n_samples) in millivolt, NaN where a sample is missing; one lead, unless
        the settings ask for all. `record` is the path in the folder without extension, `database`
        the folder's name.

    Raises
    ------
    ValueError
        Naming the file and what it needs, as `recording` does; if rates differ and the settings
        have no `window_rate`; if there is no recording.
    """
    folder = Path(folder)
    found = entries(folder, labels=settings.labels)
    patients = _patients(folder, settings, found)
    first = None
    for entry in found:
        if only is not None and entry.name not in only:
            continue
        patient = patients.get(entry.name, entry.name)
        record = to_record(
            read(entry.path), settings, name=entry.name, patient=patient,
            database=database_of(folder),
        )  # fmt: skip
        first = first or (entry.path, record.fs)
        if record.fs != first[1] and settings.window_rate is None:
            raise FileError(
                entry.path,
                f"need one rate, got {record.fs:g} Hz here and {first[1]:g} Hz in "
                f"{first[0].name}: give `window_rate` in hertz, to which all are brought",
            )
        yield record


def database_of(folder: Path) -> str:
    """What the recordings of a folder are called together: the folder's name."""
    return folder.resolve().name or "own"


def _patients(folder: Path, settings: Settings, found: Sequence[Entry]) -> dict[str, str]:
    """Patients by recording, from the table of labels if it has them, else from file names."""
    if settings.labels in (None, FOLDERS) or not has_patients(folder, settings):
        return patients_of(settings, found)
    table = read_labels(folder, settings, found)
    return dict(zip(table["record"], table["patient"], strict=True))
