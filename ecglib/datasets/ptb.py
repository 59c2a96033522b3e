"""Beats of healthy people and of people after an infarct, from tables that a reader has.

Chapter: exercise 04, "Data".
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglib import beats, paths, synthetic, tables
from ecglib.tables import PTB_CLASSES

from .sources import resolve_source
from .store import Windows, prepared, with_labels


def ptb_available() -> bool:
    """Is there a table of PTB beats in the data folder?"""
    return bool(tables.ptb_files())


def ptb_windows(*, source: str = "auto", n_beats: int = 2000, seed: int = 0) -> Windows:
    """Beats of the PTB Diagnostic ECG Database at 125 Hz, scaled and padded: (n, 1, 187).

    Parameters
    ----------
    source : auto, real, course, kaggle or synthetic
        `auto` takes what tables there are: ``data/heart_train.parq`` and ``heart_test.parq`` (one
        or both), else ``data/ptbdb_normal.csv`` with ``ptbdb_abnormal.csv``, else synthesis.
    n_beats, seed : for synthetic beats only

    Returns
    -------
    Windows
        Classes normal and abnormal. The tables do not say whose beat a row is, so `patient` is the
        row itself and a split by patient is a split by beat; `record` is the file's name.
    """
    if source in ("auto", "real", "physionet"):
        files = tables.ptb_files()
        if not files and source != "auto":
            raise FileNotFoundError(f"{tables.PTB_MISSING} {paths.data()}")
        source = files[0][0] if files else "synthetic"
    source = resolve_source(source, databases=(), tables=("course", "kaggle"))
    parameters = {"task": "ptb", "source": source}
    if source == "synthetic":
        parameters |= {"n_beats": n_beats, "seed": seed, "generator": synthetic.BEATS_VERSION}
        parameters["rules"] = beats.RULES["kachuee"]
    else:
        parameters["data"] = {source: tables.ptb_digest(source)}
    return with_labels(prepared("ptb", parameters, lambda: _make(parameters)), "annotated")


def _make(parameters: dict) -> Windows:
    if parameters["source"] == "synthetic":
        signal, table = _synthetic(parameters)
    else:
        signal, table = tables.ptb(parameters["source"])
    label = table["rhythm"].map({c: i for i, c in enumerate(PTB_CLASSES)}).to_numpy(np.int64)
    return Windows(
        signal=signal,
        label=label,
        table=table.assign(annotated=label),
        fs=beats.FS,
        classes=PTB_CLASSES,
        task="ptb",
        parameters=parameters,
    )


def _synthetic(parameters: dict) -> tuple[np.ndarray, pd.DataFrame]:
    pieces, parts = [], []
    made = synthetic.ptb_records(n_beats=parameters["n_beats"], seed=parameters["seed"])
    for record, marks, sick in made:
        cut, table, _ = beats.windows_of(beats.Beats(record, marks), form="kachuee")
        pieces.append(cut)
        parts.append(table.assign(rhythm=PTB_CLASSES[sick]))
    table = pd.concat(parts, ignore_index=True)
    unknown = [f"beat-{i}" for i in range(len(table))]  # as in the tables
    return np.concatenate(pieces), table.assign(patient=unknown, record="synthetic", start_s=np.nan)
