"""What is in a folder of recordings, before anything is trained on it.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ecglib import splits

from . import personal, quality
from .errors import FileError
from .files import Entry, entries, read, tables_of_labels
from .labels import beyond, has_patients, read_labels
from .raw import Raw, guess_unit, leads_of, rate_of, size_of, to_record
from .report import Report
from .settings import ALL_LEADS, FOLDERS, Settings

NO_SPLIT = {"possible": False, "why": "there are no labels"}
PLAIN_LEAD = re.compile(  # names that tell nothing of a person
    r"((ecg|ekg|lead|channel|chan|ch|signal|sig|val|value)[ _.:-]*)?"
    r"(i{1,3}|av[rlf]|-avr|v\d{0,2}r?|ml(i{1,3}|\d)|mv\d|cm\d|cc\d|d\d|es|as|ai|vx|vy|vz|x|y|z|\d{1,2})?"
    r"([ _.-]*(raw|mv|uv|filtered))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Seen:
    """What one recording came to."""

    entry: Entry
    rate: float | None
    leads: tuple[str, ...]
    n_samples: int
    unit: str | None  # as the file or the settings say
    guess: tuple[str | None, str]
    quality: dict[str, float]  # seconds flat, clipped, missing
    digest: str
    problem: str = ""


def check(
    folder: str | Path, settings: Settings | None = None, *, progress: bool = False
) -> Report:
    """Read every recording of a folder and tell what is there and what stands in the way.

    A file that cannot be used is told of in the report and stops nothing. What looks like personal
    data is told of by file and field; neither the report nor its messages repeat it, and a file
    whose very name looks so is called by its number.

    Parameters
    ----------
    folder : with sub-folders, if need be
    settings : what is known about the recordings; default nothing

    Raises
    ------
    ValueError
        If there is no such folder, or no recording in it.
    """
    folder, known = Path(folder), settings or Settings()
    found = entries(folder, labels=known.labels)
    shown = _shown(found, known)
    bar = tqdm(found, desc="checking", unit="file", disable=not progress, mininterval=2)
    problems, seen = [], []
    for entry in bar:
        try:
            one = _look(entry, known)
        except FileError as error:
            problems.append((shown[entry.name], error.plain))
            continue
        seen.append(one)
        if one.problem:
            problems.append((shown[entry.name], one.problem))
    table, told = _labels(folder, known, found)
    problems += told
    classes, split, unlabelled, n_patients = {}, NO_SPLIT, len(found), 0
    if table is not None:
        unlabelled -= table["record"].nunique()
        problems += _beyond(table, seen, shown)
        table = table[table["label"].isin(known.classes)] if known.classes else table
        classes, n_patients = _classes(table), int(table["patient"].nunique())
        split = _split(table, list(classes))
    rates = Counter(f"{one.rate:g} Hz" if one.rate else "not stated" for one in seen)
    if len(rates) > 1 and known.window_rate is None:
        problems.append(("rates", "they differ: give `window_rate`, to which all are brought"))
    return Report(
        folder=_plain(folder.resolve().name, "the folder"),
        recordings=len(found),
        formats=dict(Counter(entry.form for entry in found)),
        rates=dict(rates),
        leads=_leads(seen),
        durations=_durations(seen),
        units=_units(seen),
        quality=_quality(seen, shown),
        classes=classes,
        unlabelled=unlabelled,
        patients=n_patients,
        patients_known=_patients_known(folder, known),
        split=split,
        personal=tuple(_personal(folder, known, found, shown)),
        duplicates=tuple(_duplicates(seen, shown)),
        problems=tuple(problems),
    )


def _look(entry: Entry, settings: Settings) -> _Seen:
    raw, problem = read(entry.path), ""
    try:
        to_record(raw, settings, name="", patient="", database="")
    except FileError as error:
        problem = error.plain
    rows = _rows(raw, settings)
    numbers, rate = raw.numbers[rows], raw.fs or settings.rate
    try:
        rate = rate_of(raw, settings.rate)
    except ValueError:
        pass  # it is told as the problem
    stated = settings.unit or raw.units[rows[0]]
    fs = rate or 250.0  # where it is not stated; only the guess depends on it
    seconds = {}
    if rate:
        for name in ("flat", "clipped", "missing"):
            of = getattr(quality, f"{name}_s")
            seconds[name] = max(of(row, fs=rate) for row in numbers)
    return _Seen(
        entry, rate, raw.leads, numbers.shape[-1], None if stated is None else str(stated),
        guess_unit(size_of(numbers, fs)), seconds,
        hashlib.sha256(np.ascontiguousarray(numbers)).hexdigest(), problem,
    )  # fmt: skip


def _rows(raw: Raw, settings: Settings) -> list[int]:
    try:
        return leads_of(raw, settings.lead)
    except ValueError:
        return leads_of(raw, ALL_LEADS)


def _labels(
    folder: Path, settings: Settings, found: Sequence[Entry]
) -> tuple[pd.DataFrame | None, list[tuple[str, str]]]:
    """The labelled stretches of the classes that are asked for, and what is wrong with them."""
    if settings.labels is None:
        looks = tables_of_labels(folder)
        return None, [("labels", "a table is there: name it as `labels`")] if looks else []
    try:
        table = read_labels(folder, settings, found)
    except ValueError as error:
        return None, [("labels", getattr(error, "plain", str(error)))]
    missing = sorted(set(settings.classes) - set(table["label"]))
    told = [("labels", f"need recordings of every class, got none of {m!r}") for m in missing]
    return table, told


def _beyond(
    table: pd.DataFrame, seen: Sequence[_Seen], shown: dict[str, str]
) -> list[tuple[str, str]]:
    """Recordings whose labels go beyond their end."""
    of = dict(list(table.groupby("record")))
    lengths = {s.entry.name: s.n_samples / s.rate for s in seen if s.rate and s.entry.name in of}
    told = {name: beyond(of[name], length) for name, length in lengths.items()}
    return [(f"labels, {shown[name]}", text) for name, text in told.items() if text]


def _classes(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Recordings and patients by label."""
    counts = table.groupby("label")[["record", "patient"]].nunique()
    return {
        _plain(name, f"class {n}"): {"recordings": int(records), "patients": int(patients)}
        for n, (name, records, patients) in enumerate(counts.itertuples(), 1)
    }


def _split(table: pd.DataFrame, titles: Sequence[str]) -> dict[str, object]:
    """Whether whole patients can be divided so that every set has every class."""
    if len(titles) < 2:
        return {"possible": False, "why": f"need at least two classes, got {len(titles)}"}
    about = table.rename(columns={"label": "rhythm"}).reset_index(drop=True)
    label = pd.Categorical(about["rhythm"]).codes
    try:
        split = splits.by_patient(about, kind="rhythm")
        splits.require_classes(label, split, classes=tuple(titles))
    except ValueError as error:
        return {"possible": False, "why": str(error)}
    n = {name: int(about["patient"].iloc[rows].nunique()) for name, rows in split.items()}
    return {"possible": True, "why": "patients: " + ", ".join(f"{k} {v}" for k, v in n.items())}


def _patients_known(folder: Path, settings: Settings) -> bool:
    if settings.patient is not None:
        return True
    if settings.labels in (None, FOLDERS) or not (folder / settings.labels).is_file():
        return False
    try:
        return has_patients(folder, settings)
    except ValueError:
        return False


def _personal(
    folder: Path, settings: Settings, found: Sequence[Entry], shown: dict[str, str]
) -> list[str]:
    out = []
    for entry in found:
        if kind := personal.in_name(entry.file, but_first=settings.labels == FOLDERS):
            out.append(f"{shown[entry.name]}: file name ({kind})")
        out += [f"{shown[entry.name]}: {field}" for field in personal.in_header(entry)]
    named = {settings.labels} if settings.labels not in (None, FOLDERS) else set()
    for number, name in enumerate(sorted({*tables_of_labels(folder), *named}), 1):
        title = _plain(Path(name).name, f"table of labels {number}")
        if (folder / name).is_file():
            try:
                out += [f"{title}: {field}" for field in personal.in_table(folder / name)]
            except ValueError:
                pass  # it is told as a problem
    return out


def _shown(found: Sequence[Entry], settings: Settings) -> dict[str, str]:
    """How the report calls each recording: by its path, or by number if that looks personal."""
    but_first = settings.labels == FOLDERS
    out = {}
    for number, entry in enumerate(found, 1):
        hidden = personal.in_name(entry.file, but_first=but_first)
        form = entry.path.suffix
        out[entry.name] = f"recording {number} ({form})" if hidden else entry.file
    return out


def _plain(name: str, otherwise: str) -> str:
    return otherwise if personal.looks(name) else name


def _leads(seen: Sequence[_Seen]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for one in seen:
        for number, name in enumerate(one.leads, 1):
            plain = PLAIN_LEAD.fullmatch(name) and name
            count[name if plain else f"lead {number} (another name)"] += 1
    return dict(count)


def _durations(seen: Sequence[_Seen]) -> dict[str, float]:
    seconds = [one.n_samples / one.rate for one in seen if one.rate]
    if not seconds:
        return {}
    low, middle, high = np.quantile(seconds, [0, 0.5, 1]).tolist()
    return {
        "shortest_s": low,
        "median_s": middle,
        "longest_s": high,
        "total_h": sum(seconds) / 3600,
    }


def _units(seen: Sequence[_Seen]) -> list[dict[str, object]]:
    """Stated and guessed units, how many recordings have them, and why the guess."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in seen:
        key = (one.unit or "not stated", one.guess[0] or "none")
        groups.setdefault(key, []).append(one.guess[1])
    return [
        {"stated": stated, "guessed": guess, "recordings": len(why), "why": why[0]}
        for (stated, guess), why in sorted(groups.items())
    ]


def _quality(seen: Sequence[_Seen], shown: dict[str, str]) -> dict[str, dict[str, object]]:
    out = {}
    for name in ("flat", "clipped", "missing"):
        bad = [(one.quality[name], shown[one.entry.name]) for one in seen if one.quality.get(name)]
        worst = max(bad)[1] if bad else ""
        seconds = float(sum(s for s, _ in bad))
        out[name] = {"seconds": seconds, "recordings": len(bad), "most_in": worst}
    return out


def _duplicates(seen: Sequence[_Seen], shown: dict[str, str]) -> list[tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for one in seen:
        groups.setdefault(one.digest, []).append(shown[one.entry.name])
    return [tuple(names) for names in groups.values() if len(names) > 1]
