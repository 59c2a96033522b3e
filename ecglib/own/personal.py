"""What in files and their names looks like a person's data: where it stands, never what it says.

No search finds everything; it is a help for people who anonymise, not a proof. The kinds follow
the list of identifiers in the HIPAA privacy rule (45 CFR 164.514) and the identification fields of
EDF+ (Kemp and Olivan, Clin. Neurophysiol. 114:1755, 2003). Chapter: exercise 06, "From raw files
to a trained model".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .files import Entry
from .tabular import first_line

WORDS = re.compile(
    r"(?<![a-z])(sur|last|first|fore|given|full|patient|pat|family)?[ _-]?name(?![a-z])|"
    r"birth|(?<![a-z])dob(?![a-z])|address|phone|e-?mail|insurance|passport|hospital|physician|"
    r"(?<![a-z])(mrn|ssn|nhs|doctor|dr|patient[ _-]?id|patientid|pid)(?![a-z])",
    re.IGNORECASE,
)
YEAR, MONTH, DAY = r"(19|20)\d\d", r"(0?[1-9]|1[0-2])", r"(0?[1-9]|[12]\d|3[01])"
DATE = re.compile(
    rf"(?<!\d)({YEAR}[-_./]{MONTH}[-_./]{DAY}|{DAY}[-_./]{MONTH}[-_./]{YEAR}|"
    rf"{YEAR}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])|(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2]){YEAR}|"
    rf"{DAY}-[A-Za-z]{{3}}-{YEAR})(?!\d)"
)
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
NUMBER = re.compile(r"(?<!\d)\d{7,}(?!\d)")
CAPITAL = r"[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]{2,}"
TWO_NAMES = re.compile(rf"(?<![^\W_]){CAPITAL}[ _,-]+{CAPITAL}(?![^\W_])")
EDF_PATIENT = ("patient code", "sex", "birth date", "patient name")
EDF_RECORDING = ("Startdate", "recording date", "administration code", "technician", "equipment")
NO_DATE = (b"01.01.85", b"        ")  # what anonymised EDF headers say


def looks(text: str, *, names: bool = False) -> str | None:
    """What kind of personal data a text looks like, or None.

    Two capitalised words count with `names` only.
    """
    kinds = {"a word for personal data": WORDS, "a date": DATE, "an e-mail address": MAIL,
             "a long number": NUMBER}  # fmt: skip
    kinds |= {"a person's name": TWO_NAMES} if names else {}
    return next((kind for kind, pattern in kinds.items() if pattern.search(text)), None)


def in_name(file: str, *, but_first: bool = False) -> str | None:
    """What a path in the folder looks like; `but_first`: its first folder is a label."""
    parts = Path(file).with_suffix("").parts
    found = [looks(part, names=not (but_first and i == 0)) for i, part in enumerate(parts)]
    return next((kind for kind in found if kind), None)


def in_header(entry: Entry) -> list[str]:
    """Fields of a file's header, or its columns, that look like personal data."""
    try:
        return IN[entry.form](entry.path)
    except (OSError, ValueError, IndexError, pa.ArrowException):
        return []  # the reader of the recording says what is wrong


def in_table(path: Path) -> list[str]:
    """Columns of a table of labels that look like personal data, by name or by content."""
    cells, separator = first_line(path)
    found = [f"column {n} ({kind})" for n, cell in enumerate(cells, 1) if (kind := _column(cell))]
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, comment="#")
    except (ValueError, UnicodeDecodeError):
        return found
    for n, cell in enumerate(table.columns, 1):
        own = cell.strip().lower() in ("file", "record", "start_s", "end_s", "label")
        kind = None if own else _first(table[cell])
        if kind and not any(f.startswith(f"column {n} ") for f in found):
            found.append(f"column {n} ({kind})")
    return found


def _column(cell: str) -> str | None:
    return (
        None if cell.strip().lower() in ("file", "record", "patient") else looks(cell, names=True)
    )


def _first(values: pd.Series) -> str | None:
    return next((kind for value in values.unique() if (kind := looks(value, names=True))), None)


def _edf(path: Path) -> list[str]:
    with path.open("rb") as file:
        header = file.read(256)
    person, recording = (header[a:b].decode("latin-1").split() for a, b in ((8, 88), (88, 168)))
    found = []
    if header[192:196] == b"EDF+" or recording[:1] == ["Startdate"]:
        for n, word in enumerate(person):
            field = EDF_PATIENT[n] if n < len(EDF_PATIENT) else "further patient fields"
            if word != "X" and field != "sex":
                found.append(field)
        for n, word in enumerate(recording):
            field = EDF_RECORDING[n] if n < len(EDF_RECORDING) else "further recording fields"
            if n and word != "X" and field != "equipment":
                found.append(field)
    else:
        found += ["patient identification"] * any(word != "X" for word in person)
        kept = [word for word in recording if word not in ("X", "Startdate")]
        found += ["recording identification"] * bool(kept)
    found += ["start date"] * (header[168:176] not in NO_DATE)
    return list(dict.fromkeys(found))


def _wfdb(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    found = [f"comment line {n}" for n, line in enumerate(comments, 1) if looks(line, names=True)]
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return found + ["recording date"] * bool(DATE.search(" ".join(first.split()[4:])))


def _csv(path: Path) -> list[str]:
    cells, _ = first_line(path)
    found = [f"column {n}" for n, cell in enumerate(cells, 1) if _column(cell)]
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        comments = [line for line in file if line.startswith("#")]
    return found + [f"comment line {n}" for n, c in enumerate(comments, 1) if looks(c, names=True)]


def _parquet(path: Path) -> list[str]:
    schema = pq.read_schema(path)
    found = [f"column {n}" for n, name in enumerate(schema.names, 1) if _column(name)]
    for n, (key, value) in enumerate((schema.metadata or {}).items(), 1):
        if key in (b"pandas", b"ARROW:schema"):
            continue
        if looks(f"{key.decode(errors='replace')}: {value.decode(errors='replace')}", names=True):
            found.append(f"metadata entry {n}")
    return found


def _numpy(path: Path) -> list[str]:
    if path.suffix.lower() != ".npz":
        return []
    found = []
    with np.load(path, allow_pickle=False) as arrays:
        for n, key in enumerate(arrays.files, 1):
            words = [key]
            if key != "signal":
                try:
                    values = arrays[key]
                except ValueError:  # objects, which are not read
                    values = np.empty(0)
                words += [str(v) for v in values.ravel()[:100]] if values.dtype.kind in "US" else []
            if any(looks(word, names=True) for word in words):
                found.append(f"array {n}")
    return found


IN = {"wfdb": _wfdb, "edf": _edf, "csv": _csv, "parquet": _parquet, "numpy": _numpy}
