"""Find leaks in a split and refuse them, but for what a protocol says openly.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .assign import Split

BY_BEAT = ("intra", "beat_fold")  # protocols that share patients on purpose
SHARED_BY_DIVISION = ("mitdb-201",)  # records 201 and 202 are one person
EXCUSES = {  # start of a protocol's name: what its sets are known to share
    "intra": "Split at random by beat: the same people are in all sets, beats of one record "
    "overlap, neighbours look alike. Scores say how well a known person's beats are told apart.",
    "beat_fold": "Folds at random by beat: whose beat a row is, is unknown or ignored, so people "
    "may be in all sets. Scores say how well a known person's beats are told apart.",
    "inter": "The published division has one person on both sides: record 201 in DS1, record 202 "
    "in DS2. All others are in one set.",
}


class LeakError(ValueError):
    """A split that would let the training set know the test set."""


@dataclass(frozen=True)
class Audit:
    """What was found when two parts of a split were held side by side."""

    shared_patients: tuple[str, ...]
    overlapping_windows: int
    near_duplicates: tuple[tuple[int, int], ...]  # pairs of rows, one from each part

    @property
    def clean(self) -> bool:
        return not (self.shared_patients or self.overlapping_windows or self.near_duplicates)


def audit(signal: NDArray, table: pd.DataFrame, split: Split, *, window_s: float) -> Audit:
    """Look for patients, samples or copies of signals that two parts of a split share.

    Parameters
    ----------
    signal : array, shape (n_windows, n_leads, n_samples)
    table : a row per window with patient, record, start_s (and lead)
    split : row indices by name
    window_s : float, seconds

    Returns
    -------
    Audit
        Near duplicates are windows of the same sign pattern (a 64-bit print of where the signal
        rises) and a correlation above 0.999, flat windows aside. Honest data pass: among the
        100,000 beats of mitdb no two of different people on the two sides of DS1/DS2 are alike.
    """
    owner = np.full(len(table), "", dtype=object)
    shared_rows = 0
    for name, rows in split.items():
        shared_rows += int((owner[rows] != "").sum())
        owner[rows] = name
    used = np.flatnonzero(owner != "")
    frame = table.iloc[used].assign(owner=owner[used])
    by = frame.groupby("patient")["owner"].nunique()
    shared = tuple(sorted(by.index[by > 1].astype(str)))
    frame = frame.sort_values(["database", "record", "start_s"])
    next_ = frame.shift(-1)
    overlap = (
        (frame["record"] == next_["record"])
        & (frame["database"] == next_["database"])
        & (frame["owner"] != next_["owner"])
        & (next_["start_s"] - frame["start_s"] < window_s)
    )
    pairs = _near_duplicates(signal, used, owner)
    return Audit(shared, int(overlap.sum()) + shared_rows, pairs)


def _near_duplicates(signal: NDArray, used: NDArray, owner: NDArray) -> tuple[tuple[int, int], ...]:
    x = signal[used, 0]
    points = np.linspace(0, x.shape[-1] - 1, 65).astype(int)
    bits = np.ascontiguousarray(np.diff(x[:, points], axis=-1) > 0)
    prints = np.ascontiguousarray(np.packbits(bits, axis=-1)).view(np.uint64)[:, 0]
    order = np.argsort(prints, kind="stable")
    pairs = []
    same = np.flatnonzero(prints[order][1:] == prints[order][:-1])
    for i in same:
        a, b = order[i], order[i + 1]
        if owner[used[a]] == owner[used[b]] or x[a].std() < 1e-3:
            continue
        if np.corrcoef(x[a], x[b])[0, 1] > 0.999:
            pairs.append((int(used[a]), int(used[b])))
    return tuple(pairs)


def _rows_twice(table: pd.DataFrame, split: Split) -> int:
    times = np.zeros(len(table), int)
    for rows in split.values():
        np.add.at(times, rows, 1)
    return int((times > 1).sum())


def excused(protocol: str) -> str:
    """What a protocol is known to share between its sets, in a sentence; "" if nothing."""
    return next((text for name, text in EXCUSES.items() if protocol.startswith(name)), "")


def require_clean(
    signal: NDArray, table: pd.DataFrame, split: Split, *, window_s: float, protocol: str = ""
) -> None:
    """Raise LeakError, saying what was found, if the audit is not clean.

    What `excused` says about `protocol` is let through: everything that follows from a split by
    beat, and the one person in both halves of the published division between patients.
    """
    if protocol.startswith(BY_BEAT):
        twice = _rows_twice(table, split)
        if twice:
            raise LeakError(f"need every row in one set, got {twice} in several")
        return
    found = audit(signal, table, split, window_s=window_s)
    known = SHARED_BY_DIVISION if protocol == "inter" else ()
    shared = [patient for patient in found.shared_patients if patient not in known]
    if shared:
        raise LeakError(f"need every patient in one set, got {', '.join(shared[:5])}")
    if found.overlapping_windows:
        raise LeakError(f"need windows in one set only, got {found.overlapping_windows} overlaps")
    if found.near_duplicates:
        raise LeakError(f"need no copies across sets, got rows {found.near_duplicates[:3]}")


def require_classes(label: NDArray, split: Split, *, classes: tuple[str, ...]) -> None:
    """Raise ValueError, naming set and class, if a set of the split lacks a class."""
    for name, rows in split.items():
        for number, title in enumerate(classes):
            if not (label[rows] == number).any():
                raise ValueError(f"need windows of every class in every set, {name} has no {title}")
