"""What a file holds before anything is assumed: its numbers, and what it says about them.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglib.records import MILLIVOLT, Record
from ecglib.signals import amplitude_mv

from .errors import FileError
from .settings import ALL_LEADS, Settings, per_millivolt

LARGEST_MV = 20.0  # no ECG is larger from peak to peak, second for second
SMALLEST_MV = 0.01  # and none that can be read is smaller
NAMED_UNIT = re.compile(r"^(.*?)[\s_]*[(\[]\s*([munµ]?v)\s*[)\]]$", re.IGNORECASE)


@dataclass(frozen=True)
class Raw:
    """The numbers of a file, in whatever unit."""

    path: Path
    form: str  # wfdb, edf, csv, parquet or numpy
    numbers: NDArray[np.float32]  # (n_leads, n_samples); NaN where there is none
    leads: tuple[str, ...]
    fs: float | None = None  # hertz, if the file says so
    units: tuple[str | None, ...] = ()  # of each lead, if the file says so

    def __post_init__(self) -> None:
        if not self.numbers.size:
            raise FileError(self.path, "need samples, the file has none")
        if not np.isfinite(self.numbers).any():
            raise FileError(self.path, "need samples, the file has only NaN or infinite ones")
        object.__setattr__(self, "units", self.units or (None,) * len(self.leads))


def split_unit(name: str) -> tuple[str, str | None]:
    """``II (uV)`` as name and unit; without a voltage in brackets the unit is None."""
    found = NAMED_UNIT.match(name.strip())
    if found and found[2].lower() in MILLIVOLT:
        return found[1] or name, found[2]
    return name.strip(), None


def leads_of(raw: Raw, lead: str | int | None) -> list[int]:
    """Rows of the lead that is asked for; ValueError naming the file and what it has."""
    names = [name.lower() for name in raw.leads]
    if lead == ALL_LEADS:
        return list(range(len(names)))
    if lead is None:
        if len(names) == 1:
            return [0]
        way = f"a number from 1 to {len(names)}, or all"
        told = f"need one lead, the file has {len(names)}: give `lead` as"
        raise FileError(
            raw.path, f"{told} {_some(raw.leads)}, {way}", plain=f"{told} its name, {way}"
        )
    if isinstance(lead, str) and lead.lower() in names:
        return [names.index(lead.lower())]
    number = int(lead) if str(lead).isdecimal() else 0
    if not 1 <= number <= len(names):
        needed = f"need lead {lead!r}, the file has"
        raise FileError(
            raw.path,
            f"{needed} {_some(raw.leads)}",
            plain=f"{needed} {'another' if len(names) == 1 else f'{len(names)} others'}",
        )
    return [number - 1]


def rate_of(raw: Raw, rate: float | None) -> float:
    """The rate in hertz that file and settings agree on; ValueError naming the file."""
    if raw.fs is None and rate is None:
        raise FileError(raw.path, "need a rate, the file states none: give `rate` in hertz")
    if raw.fs is None or rate is None:
        return float(raw.fs or rate)
    if abs(raw.fs - rate) > 0.01 * rate:
        raise FileError(
            raw.path, f"need {rate:g} Hz as the settings say, the file says {raw.fs:g} Hz"
        )
    return rate


def unit_of(raw: Raw, row: int, unit: str | float | None) -> str | float | None:
    """The unit of a lead that file and settings agree on; ValueError naming the file.

    A number, of a millivolt, is taken whatever the file says.
    """
    stated = raw.units[row]
    if isinstance(unit, str) and stated and per_millivolt(unit) != per_millivolt(stated):
        raise FileError(
            raw.path,
            f"need {unit} as the settings say, the file says {stated}: if the file is wrong, give "
            f"`unit` as how many of its numbers are a millivolt",
        )
    return unit or stated


def size_of(numbers: NDArray, fs: float) -> float:
    """Median peak-to-peak amplitude of the seconds of the leads, in the unit of the numbers."""
    return float(np.nanmedian([amplitude_mv(row, fs=fs) for row in _filled(numbers, fs)]))


def guess_unit(size: float) -> tuple[str | None, str]:
    """A unit for numbers of this median peak-to-peak size, and why.

    An ECG measures between 0.1 and 5 mV from peak to peak. Returns None and why not, if no unit
    leads there or several do.
    """
    seen = f"a second spans {size:.4g} of the file's numbers"
    if size <= 0:
        return None, "the signal is flat"
    for unit, low, high in (("mV", 0.05, LARGEST_MV), ("uV", 50.0, 2e4), ("V", 5e-5, 2e-2)):
        if low <= size <= high:
            also = ", or counts of a converter" if unit == "uV" else ""
            return unit, f"{seen}: {size / per_millivolt(unit):.2g} mV if they are {unit}{also}"
    return None, f"{seen}, which is an ECG in neither mV, uV nor V: give the numbers to a millivolt"


def to_record(raw: Raw, settings: Settings, *, name: str, patient: str, database: str) -> Record:
    """The recording in millivolt, with the lead that the settings ask for.

    Raises
    ------
    ValueError
        Naming the file: no rate or unit, or another one than the settings', a size that no ECG
        has (microvolts taken for millivolts or the reverse), a lead that is not there or not
        chosen, fewer samples than a window.
    """
    rows, fs = leads_of(raw, settings.lead), rate_of(raw, settings.rate)
    numbers = raw.numbers[rows]
    duration_s = numbers.shape[-1] / fs
    if numbers.shape[-1] < round(settings.window_s * fs):
        raise FileError(
            raw.path, f"need at least a window of {settings.window_s:g} s, got {duration_s:.3g} s"
        )
    units = [unit_of(raw, row, settings.unit) for row in rows]
    size = size_of(numbers, fs)
    if None in units:
        guess, why = guess_unit(size)
        raise FileError(raw.path, f"need a unit, the file states none: give `unit` ({why})")
    factors = np.array([1 / per_millivolt(unit) for unit in units], np.float32)
    signal = np.ascontiguousarray(numbers * factors[:, None], dtype=np.float32)
    signal[~np.isfinite(signal)] = np.nan
    guess, why = guess_unit(size)
    if size * factors.max() > LARGEST_MV or (guess and size * factors.max() < SMALLEST_MV):
        hint = f"; give `unit`, {why}" if guess else ""
        raise FileError(
            raw.path,
            f"need millivolts, got {size * factors.max():.3g} mV from peak to peak "
            f"with the unit {units[0]}{hint}",
        )
    leads = tuple(raw.leads[row] for row in rows)
    return Record(signal, fs, leads, patient=patient, record=name, database=database)


def _filled(numbers: NDArray, fs: float) -> NDArray:
    """At least a second of finite numbers: gaps hold the last one before them."""
    short = max(int(round(fs)) - numbers.shape[-1], 0)
    x = np.where(np.isfinite(numbers), numbers, np.nan)
    x = np.pad(x, ((0, 0), (0, short)), mode="edge")
    at = np.where(np.isfinite(x), np.arange(x.shape[-1]), -1)
    at = np.maximum.accumulate(at, axis=-1)
    first = np.argmax(np.isfinite(x), axis=-1)[:, None]
    return np.nan_to_num(np.take_along_axis(x, np.where(at < 0, first, at), axis=-1))


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")
