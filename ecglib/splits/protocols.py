"""The splits by their names, and the rows of a split that a training uses.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .assign import (
    Split,
    beat_folds,
    by_patient,
    folds,
    inter,
    intra,
    leave_one_database_out,
)
from .recordings import published, record_folds


def protocol(table: pd.DataFrame, name: str, *, seed: int = 0) -> Split:
    """The split called by its name.

    `patient`, `fold0` to `fold4` and `without_<database>` keep patients apart, `inter` does so as
    de Chazal divided mitdb and `published` as the column `set` says; `intra` and `beat_fold0` to
    `beat_fold4` are random by beat (see `excused`). The parts are balanced by the rhythms as
    annotated, whatever labels are learnt from, so that both versions of the labels are tested on
    the same patients.
    """
    kind = "aha_annotated" if "aha_annotated" in table else "rhythm"
    if name == "patient":
        return by_patient(table, kind=kind, seed=seed)
    if name == "published":
        return published(table)
    if name == "intra":
        return intra(table, kind=kind, seed=seed)
    if name == "inter":
        return inter(table, kind=kind, seed=seed)
    if name in [f"fold{i}" for i in range(5)]:
        if "v2" in table:  # recordings with one label each
            return record_folds(table, seed=seed)[int(name[-1])]
        return folds(table, kind=kind, seed=seed)[int(name[-1])]
    if name in [f"beat_fold{i}" for i in range(5)]:
        return beat_folds(table, kind=kind, seed=seed)[int(name[-1])]
    databases = sorted(set(table["database"]))
    if name.removeprefix("without_") in databases and name.startswith("without_"):
        return leave_one_database_out(table, kind=kind, seed=seed)[name.removeprefix("without_")]
    known = ["patient", "fold0 to fold4", *(f"without_{d}" for d in databases)]
    known += ["intra", "inter", "beat_fold0 to beat_fold4", "published"]
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
