"""Assign whole patients to train, validation, test or folds; find leaks and refuse them.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

SPLITS = ("train", "validation", "test")
Split = dict[str, NDArray[np.intp]]
N_TRIES = 2000  # random assignments from which the best balanced one is taken


class LeakError(ValueError):
    """A split that would let the training set know the test set."""


def by_group(
    groups: ArrayLike, kinds: ArrayLike, *, fractions: tuple[float, ...], seed: int
) -> NDArray[np.intp]:
    """Assign whole groups to parts so that each part gets its share of every kind.

    Out of many random assignments the one is taken whose shares of windows of every kind come
    closest to `fractions`; a kind that some part lacks altogether although it has as many groups
    as there are parts costs most.

    Parameters
    ----------
    groups, kinds : arrays, shape (n_windows,)
        Patient, and what to balance (rhythm).
    fractions : share of each part; they sum to 1

    Returns
    -------
    array, shape (n_windows,): the part of each window
    """
    if abs(sum(fractions) - 1) > 1e-6 or min(fractions) <= 0:
        raise ValueError(f"need positive fractions that sum to 1, got {fractions}")
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    kind_names, kind = np.unique(np.asarray(kinds, dtype=str), return_inverse=True)
    if len(names) < len(fractions):
        raise ValueError(f"need at least {len(fractions)} patients, got {len(names)}")
    counts = np.zeros((len(names), len(kind_names)))
    np.add.at(counts, (group, kind), 1)
    share = counts / counts.sum(axis=0)
    owners = (counts > 0).sum(axis=0)
    target = np.asarray(fractions)
    edges = np.round(np.cumsum(target)[:-1] * len(names)).astype(int)
    rng = np.random.default_rng(seed)
    weight = np.minimum(owners, 4) / 4  # a kind that one patient has cannot be balanced
    best, best_cost = None, np.inf
    for _ in range(N_TRIES):
        part = np.empty(len(names), dtype=np.intp)
        for number, members in enumerate(np.split(rng.permutation(len(names)), edges)):
            part[members] = number
        got = np.stack([share[part == p].sum(axis=0) for p in range(len(target))])
        missing = ((got == 0) & (owners >= len(target))).sum()
        cost = 10 * missing + (weight * np.abs(got - target[:, None])).mean()
        if cost < best_cost:
            best, best_cost = part, cost
    return best[group]


def by_patient(
    table: pd.DataFrame,
    *,
    kind: str = "kind",
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    seed: int = 0,
) -> Split:
    """Whole patients to train, validation and test, balanced by the column `kind`."""
    part = by_group(table["patient"], table[kind], fractions=fractions, seed=seed)
    return {name: np.flatnonzero(part == number) for number, name in enumerate(SPLITS)}


def folds(table: pd.DataFrame, *, kind: str = "kind", n: int = 5, seed: int = 0) -> list[Split]:
    """Cross-validation by patient: every patient is tested once, the next fold validates."""
    if n < 3:
        raise ValueError(f"need at least 3 folds (train, validation, test), got {n}")
    part = by_group(table["patient"], table[kind], fractions=(1 / n,) * n, seed=seed)
    out = []
    for test in range(n):
        validation = (test + 1) % n
        rest = (part != test) & (part != validation)
        out.append(
            {
                "train": np.flatnonzero(rest),
                "validation": np.flatnonzero(part == validation),
                "test": np.flatnonzero(part == test),
            }
        )
    return out


def leave_one_database_out(
    table: pd.DataFrame, *, kind: str = "kind", validation: float = 0.25, seed: int = 0
) -> dict[str, Split]:
    """Each database tested by models that saw the others only; validation patients from those."""
    out = {}
    database = table["database"].to_numpy()
    for name in sorted(set(database)):
        rest = np.flatnonzero(database != name)
        if not len(rest):
            raise ValueError(f"need at least two databases, got only {name}")
        part = by_group(
            table["patient"].iloc[rest],
            table[kind].iloc[rest],
            fractions=(1 - validation, validation),
            seed=seed,
        )
        out[name] = {
            "train": rest[part == 0],
            "validation": rest[part == 1],
            "test": np.flatnonzero(database == name),
        }
    return out


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
        rises) and a correlation above 0.999, flat windows aside.
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


def require_clean(signal: NDArray, table: pd.DataFrame, split: Split, *, window_s: float) -> None:
    """Raise LeakError, saying what was found, if the audit is not clean."""
    found = audit(signal, table, split, window_s=window_s)
    if found.shared_patients:
        raise LeakError(
            f"need every patient in one set, got {', '.join(found.shared_patients[:5])}"
        )
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


def protocol(table: pd.DataFrame, name: str, *, seed: int = 0) -> Split:
    """The split called `patient`, `fold0` to `fold4`, or `without_<database>`.

    The parts are balanced by the rhythms as annotated, whatever labels are learnt from, so that
    both versions of the labels are tested on the same patients.
    """
    if name == "patient":
        return by_patient(table, kind="aha_annotated", seed=seed)
    if name.removeprefix("fold") in "01234" and name != "fold":
        return folds(table, kind="aha_annotated", seed=seed)[int(name[-1])]
    database = name.removeprefix("without_")
    if database in set(table["database"]):
        return leave_one_database_out(table, kind="aha_annotated", seed=seed)[database]
    known = ["patient", "fold0 to fold4", *(f"without_{d}" for d in sorted(set(table["database"])))]
    raise ValueError(f"need a protocol out of {', '.join(known)}, got {name!r}")


def usable(split: Split, label: NDArray, lead: ArrayLike) -> Split:
    """Rows that a protocol works on: training from every lead, the rest from the first lead.

    Training and validation rows have a label; test rows keep those without one (-1), which are
    predicted and reported apart.
    """
    first = np.asarray(lead) == 0
    return {
        "train": split["train"][label[split["train"]] >= 0],
        "validation": split["validation"][
            (label[split["validation"]] >= 0) & first[split["validation"]]
        ],
        "test": split["test"][first[split["test"]]],
    }
