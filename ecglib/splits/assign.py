"""Assign whole patients, or single windows, to the parts of a split.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

SPLITS = ("train", "validation", "test")
Split = dict[str, NDArray[np.intp]]
N_PARTS = 5  # of the patients that `inter` trains on; one validates
N_TRIES = 2000  # random assignments from which the best balanced one is taken


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
    return _rotate(by_group(table["patient"], table[kind], fractions=(1 / n,) * n, seed=seed), n)


def _rotate(part: NDArray, n: int) -> list[Split]:
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


def by_row(kinds: ArrayLike, *, fractions: tuple[float, ...], seed: int) -> NDArray[np.intp]:
    """Assign single rows to parts at random so that each part gets its share of every kind.

    Rows of one patient land in several parts: only for protocols that say so (`excused`).
    `kinds` has shape (n_windows,); returns the part of each window.
    """
    if abs(sum(fractions) - 1) > 1e-6 or min(fractions) <= 0:
        raise ValueError(f"need positive fractions that sum to 1, got {fractions}")
    kinds = np.asarray(kinds, dtype=str)
    part = np.empty(len(kinds), dtype=np.intp)
    rng = np.random.default_rng(seed)
    for kind in np.unique(kinds):
        rows = rng.permutation(np.flatnonzero(kinds == kind))
        edges = np.round(np.cumsum(fractions)[:-1] * len(rows)).astype(int)
        for number, members in enumerate(np.split(rows, edges)):
            part[members] = number
    return part


def intra(table: pd.DataFrame, *, kind: str = "rhythm", seed: int = 0) -> Split:
    """Random by beat: 72 % train, 8 % validation, 20 % test, each with its share of every kind.

    Where the column `set` names test rows (a published split), those are tested and a tenth of
    the others validates.
    """
    published = _column(table, "set")
    test = published == "test"
    if not test.any():
        test = by_row(table[kind], fractions=(0.8, 0.2), seed=seed) == 1
    rest = np.flatnonzero(~test)
    part = by_row(table[kind].iloc[rest], fractions=(0.9, 0.1), seed=seed)
    return {"train": rest[part == 0], "validation": rest[part == 1], "test": np.flatnonzero(test)}


def inter(table: pd.DataFrame, *, kind: str = "rhythm", seed: int = 0) -> Split:
    """Between patients: four in five of DS1 train, the others validate, DS2 is tested.

    The patients of DS1 are divided into five parts (fewer if there are fewer) once and for all;
    the seed says which part validates, so that of five seeds each has its turn. Rows without `ds`
    are in no set. Source: de Chazal et al., IEEE Trans. Biomed. Eng. 51:1196, 2004, who divided
    the records; validation is carved out of DS1.
    """
    ds = _column(table, "ds")
    known, test = np.flatnonzero(ds == "DS1"), np.flatnonzero(ds == "DS2")
    if not (len(known) and len(test)):
        raise ValueError(f"need rows of DS1 and DS2, got {len(known)} and {len(test)}")
    patients = table["patient"].iloc[known]
    n = min(N_PARTS, patients.nunique())
    part = by_group(patients, table[kind].iloc[known], fractions=(1 / n,) * n, seed=0)
    validation = part == seed % n
    return {"train": known[~validation], "validation": known[validation], "test": test}


def beat_folds(
    table: pd.DataFrame, *, kind: str = "rhythm", n: int = 5, seed: int = 0
) -> list[Split]:
    """Cross-validation by beat: every row is tested once, the next fold validates."""
    return _rotate(by_row(table[kind], fractions=(1 / n,) * n, seed=seed), n)


def _column(table: pd.DataFrame, name: str) -> NDArray:
    return table[name].to_numpy() if name in table else np.full(len(table), "")
