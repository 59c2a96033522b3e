"""Splits of short recordings with one label each: the published one and folds.

Chapter: exercise 05, "Data".
"""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .assign import SPLITS, Split, _rotate, by_row

N_CINC = 8528  # recordings of the public part of the challenge
N_TRAIN, N_LEARNT = 6822, 7675  # first of them, and first behind validation, in shuffled order
SHUFFLED_BY = 74  # seed of the published order


def published_sets() -> NDArray[np.str_]:
    """The set of each recording A00001 to A08528 of the challenge of 2017: shape (8528,).

    The published networks shuffle the numbers of all recordings with Python's own generator, seed
    74, and take the first 6,822 to train, the next 853 to validate and the others to test; noise
    is left out afterwards. Labels play no part in it.
    """
    order = list(range(N_CINC))
    random.Random(SHUFFLED_BY).shuffle(order)
    sets = np.empty(N_CINC, dtype="<U10")
    sets[order[:N_TRAIN]] = "train"
    sets[order[N_TRAIN:N_LEARNT]] = "validation"
    sets[order[N_LEARNT:]] = "test"
    return sets


def stratified_sets(kinds: ArrayLike, *, seed: int) -> NDArray[np.str_]:
    """Eight tenths of every kind train, a tenth validates, a tenth is tested, at least one each.

    `kinds` has shape (n_recordings,); returns the set of each. ValueError if a kind has fewer
    than three recordings.
    """
    kinds = np.asarray(kinds, dtype=str)
    sets = np.full(len(kinds), "train", dtype="<U10")
    rng = np.random.default_rng(seed)
    for kind in np.unique(kinds):
        rows = rng.permutation(np.flatnonzero(kinds == kind))
        if len(rows) < 3:
            raise ValueError(f"need at least 3 recordings of every kind, got {len(rows)} of {kind}")
        n = max(1, round(len(rows) / 10))
        sets[rows[:n]], sets[rows[n : 2 * n]] = "validation", "test"
    return sets


def published(table: pd.DataFrame) -> Split:
    """The split that the column `set` names; ValueError if one of its sets is empty."""
    sets = table["set"].to_numpy() if "set" in table else np.full(len(table), "")
    split = {name: np.flatnonzero(sets == name) for name in SPLITS}
    if empty := [name for name, rows in split.items() if not len(rows)]:
        raise ValueError(f"need rows of {', '.join(SPLITS)} in the column set, got no {empty[0]}")
    return split


def record_folds(table: pd.DataFrame, *, n: int = 5, seed: int = 0) -> list[Split]:
    """Cross-validation by patient with an equal share of every label in every fold.

    For tables whose patients have one label each: shares are exact to one patient. They are
    those of the labels v2, and do not depend on the windows, so that networks on five seconds and
    on whole recordings are tested on the same recordings. A table with other recordings, such as
    one that leaves out what is noise by other labels, is divided otherwise throughout.

    Parameters
    ----------
    table : a row per window with patient, v2 (label) and rhythm (label in use)
    n : int, at least 3
        Number of folds; each is tested once while the next one validates.

    Raises
    ------
    ValueError
        If a fold has no patient of a rhythm.
    """
    if n < 3:
        raise ValueError(f"need at least 3 folds (train, validation, test), got {n}")
    _, first, group = np.unique(
        table["patient"].to_numpy(str), return_index=True, return_inverse=True
    )
    part = by_row(table["v2"].to_numpy(str)[first], fractions=(1 / n,) * n, seed=seed)
    rhythm = table["rhythm"].to_numpy(str)[first]
    for name in np.unique(rhythm):
        owned = part[rhythm == name]
        if missing := sorted(set(range(n)) - set(owned.tolist())):
            raise ValueError(
                f"need a patient of every rhythm in each of {n} folds, fold {missing[0]} has no "
                f"{name} (got {len(owned)} in all)"
            )
    return _rotate(part[group], n)
