"""Recordings in columns: CSV and Parquet, a column for each lead and perhaps one for the time.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import csv
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ecglib.records import MILLIVOLT

from .errors import FileError
from .raw import Raw, split_unit

SECONDS = {"time": 1.0, "time_s": 1.0, "t": 1.0, "t_s": 1.0, "seconds": 1.0, "sec": 1.0,
           "time (s)": 1.0, "time [s]": 1.0, "elapsed time": 1.0, "time_ms": 1e-3,
           "time (ms)": 1e-3, "time [ms]": 1e-3, "ms": 1e-3}  # fmt: skip
COUNTERS = ("sample", "samples", "sample #", "index", "n", "")
FINEST_S, COARSEST_S = 1e-4, 0.1  # a step between samples that can be one of time
ROUNDED_S = 1e-3  # times are often written in whole milliseconds
UNEVEN = 0.01  # largest difference between the steps of a counter, as a part of the step
MISSING = ("", "nan", "na", "-", "null", "none")


def first_line(path: Path) -> tuple[list[str], str]:
    """The cells of a CSV's first line that is no comment, and what separates them.

    Raises
    ------
    ValueError
        Naming the file, if it is empty or no text in UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = next((t for t in file if t.strip() and not t.startswith("#")), "")
    except (OSError, UnicodeDecodeError):
        raise FileError(path, "need text in UTF-8, it cannot be read as such") from None
    if not line.strip() or "\0" in line:
        raise FileError(path, "need lines of text, the file is empty or binary")
    separator = max(";\t,", key=line.count)
    try:
        cells = next(csv.reader([line.rstrip("\r\n")], delimiter=separator))
    except csv.Error:
        raise FileError(path, "need a first line of separated cells") from None
    return [cell.strip().strip("'") for cell in cells], separator


def read_csv(path: Path) -> Raw:
    """Read columns of numbers, with or without a line of names and a column of the time.

    Cells are separated by commas, semicolons (then a comma may mark the decimals) or tabs; lines
    that start with # are left out. A cell that is empty or ``nan`` is a missing sample.
    """
    cells, separator = first_line(path)
    named = not all(_is_number(cell, separator) for cell in cells)
    decimal = "," if separator == ";" else "."
    try:
        table = pd.read_csv(
            path, sep=separator, decimal=decimal, comment="#", encoding="utf-8-sig", header=None,
            index_col=False, skiprows=_before(path) if named else 0, na_values=list(MISSING),
            low_memory=False,
        )  # fmt: skip
    except pd.errors.EmptyDataError:
        raise FileError(path, "need samples, the file has none") from None
    except (ValueError, UnicodeDecodeError):  # pandas' own errors are of this kind, too
        raise FileError(path, f"need lines of as many cells each ({len(cells)})") from None
    if table.shape[1] != len(cells):
        raise FileError(path, f"need {len(cells)} cells in a line, got {table.shape[1]}")
    names = cells if named else [str(i + 1) for i in range(len(cells))]
    columns, units = [table[i] for i in range(len(names))], [None] * len(names)
    if named and len(table) and all(_is_unit(column.iloc[0]) for column in columns):
        units = [str(column.iloc[0]).strip("'") for column in columns]  # as rdsamp writes them
        columns = [column.iloc[1:] for column in columns]
    numbers = []
    for place, column in enumerate(columns):
        given = column.notna().to_numpy()
        column = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
        if (wrong := np.flatnonzero(given & np.isnan(column))).size:
            line = wrong[0] + 1 + named
            raise FileError(path, f"need numbers in column {place + 1}, row {line} has none")
        numbers.append(column)
    return from_columns(path, "csv", names, numbers, units=units)


def read_parquet(path: Path) -> Raw:
    """Read the columns of numbers; the rate may stand as `fs` in the file's metadata."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError):
        raise FileError(path, "need a Parquet file, it is damaged or something else") from None
    numbers = []
    for place, column in enumerate(table.columns):
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise FileError(path, f"need numbers in column {place + 1}, got {column.type}")
        numbers.append(column.to_numpy().astype(np.float64))
    about = table.schema.metadata or {}
    fs = _stated_rate(path, about[b"fs"].decode(errors="replace")) if b"fs" in about else None
    return from_columns(path, "parquet", list(table.column_names), numbers, fs=fs)


def from_columns(
    path: Path,
    form: str,
    names: list[str],
    columns: list[NDArray[np.float64]],
    *,
    fs: float | None = None,
    units: list[str | None] | None = None,
) -> Raw:
    """Tell leads from time and counters; a column of the time gives the rate."""
    if not columns or not len(columns[0]):
        raise FileError(path, "need samples, the file has none")
    units, keep = units or [None] * len(names), []
    unnamed = names == [str(i + 1) for i in range(len(names))]
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        title = name.strip().lower()
        if title in SECONDS and len(names) > 1:
            fs = fs or _rate(path, column * SECONDS[title])
        elif unnamed and place == 0 and len(names) > 1 and _counts(column):
            step = column[1] - column[0]
            fs = fs or (_rate(path, column) if FINEST_S <= step <= COARSEST_S else None)
        elif not (title in COUNTERS and len(names) > 1 and _counts(column)):
            keep.append(place)
    leads = [split_unit(names[place]) for place in keep]
    numbers = np.array([columns[place] for place in keep], np.float32)
    stated = [unit or _voltage(units[place]) for place, (_, unit) in zip(keep, leads, strict=True)]
    return Raw(path, form, numbers, tuple(name for name, _ in leads), fs, tuple(stated))


def _rate(path: Path, seconds: NDArray) -> float:
    n, uneven = len(seconds), "need a column of the time with even steps, in seconds"
    span = (seconds[-1] - seconds[0]) / max(n - 1, 1)
    even = seconds[0] + span * np.arange(n)
    if not span > 0 or not np.abs(seconds - even).max() <= max(0.5 * span, ROUNDED_S):
        raise FileError(path, uneven)
    rate = 1 / span
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else float(rate)


def _counts(column: NDArray) -> bool:
    """Whether the numbers rise by the same step throughout, as no signal does."""
    steps = np.diff(column)
    return len(steps) > 2 and steps[0] > 0 and np.allclose(steps, steps[0], rtol=UNEVEN)


def _stated_rate(path: Path, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not (np.isfinite(rate) and rate > 0):
        raise FileError(path, "need a rate above 0 Hz in the metadata, `fs` has none")
    return rate


def _is_number(cell: str, separator: str) -> bool:
    cell = cell.replace(",", ".") if separator == ";" else cell
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lower() != "nan"


def _is_unit(cell: object) -> bool:
    text = str(cell).strip("'").lower()
    return text in MILLIVOLT or text in ("seconds", "sec", "s", "samples")


def _voltage(unit: str | None) -> str | None:
    return unit if unit and unit.lower() in MILLIVOLT else None


def _before(path: Path) -> int:
    """Lines up to and with the line of names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = enumerate(chain(file), 1)
        return next(n for n, t in lines if t.strip() and not t.startswith("#"))
