"""Heartbeats of five classes, as in the published tables or with what surrounds them.

Chapter: exercise 04, "Data".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ecglib import beats, fetch, synthetic, tables

from .sources import resolve_source
from .store import Windows, prepared, with_labels

BEAT_FORMS = ("kachuee", "context")
BEAT_DATABASES = ("mitdb",)


def heartbeat_windows(
    *,
    source: str = "auto",
    form: str = "kachuee",
    paced: bool = True,
    n_patients: int = 24,
    seed: int = 0,
    progress: bool = True,
) -> Windows:
    """One window a beat at 125 Hz, of classes N, S, V, F, Q (AAMI EC57).

    Parameters
    ----------
    source : auto, real, course, kaggle or synthetic
        `auto` takes mitdb if it was fetched. `course` reads ``data/heart_big_train.parq`` and
        ``heart_big_test.parq``, `kaggle` ``data/mitbih_train.csv`` and ``mitbih_test.csv``.
    form : kachuee or context
        kachuee: (n, 1, 187), scaled from 0 to 1 and padded with zeros, as in the published tables.
        context: (n, 1, 375), millivolt, 0.5 to 40 Hz, the R peak at sample 187.
    paced : bool
        False leaves out the four paced records and class Q, as EC57 asks.
    n_patients, seed : for synthetic recordings only

    Returns
    -------
    Windows
        The table has for each beat `rhythm` (its class), `symbol`, `time_s` (of the R peak),
        the intervals of `beats.describe` (`rr_prev_s` and so on, NaN where unknown), `set` (train
        or test where a table says so) and `ds` (DS1, DS2 or "").

    Raises
    ------
    FileNotFoundError, ValueError
        If data are missing or damaged, or an argument is not one of those above.
    """
    source = resolve_source(source, databases=BEAT_DATABASES, tables=("course", "kaggle"))
    if form not in BEAT_FORMS:
        raise ValueError(f"need form {' or '.join(BEAT_FORMS)}, got {form!r}")
    from_tables = source in ("course", "kaggle")
    if from_tables and form != "kachuee":
        raise ValueError(f"need form kachuee for source {source}, got {form!r}")
    parameters = {"task": "heartbeats", "source": source, "form": form, "paced": bool(paced)}
    if source == "physionet":
        parameters["data"] = {name: fetch.digest(name) for name in BEAT_DATABASES}
    elif from_tables:
        parameters["data"] = {source: tables.digest(source)}
    else:
        parameters |= {"n_patients": n_patients, "seed": seed}
        parameters["generator"] = synthetic.BEATS_VERSION
    if not from_tables:
        parameters["rules"] = beats.RULES[form]
    windows = prepared("heartbeats", parameters, lambda: _cut(parameters, progress))
    return with_labels(windows, "annotated")


def _cut(parameters: dict, progress: bool) -> Windows:
    source, form, paced = (parameters[name] for name in ("source", "form", "paced"))
    counted: Counter = Counter()
    if source in ("course", "kaggle"):
        signal, table = tables.heartbeats(source)
    else:
        pieces, parts = [], []
        for marked in tqdm(_records(parameters), desc="cutting beats", disable=not progress,
                           unit="record", mininterval=2):  # fmt: skip
            cut, table, seen = beats.windows_of(marked, form=form)
            pieces.append(cut)
            parts.append(table)
            counted.update(seen)
        signal, table = np.concatenate(pieces), pd.concat(parts, ignore_index=True)
    classes = beats.CLASSES
    if not paced:
        classes = beats.CLASSES[:-1]
        keep = table["rhythm"].isin(classes) & ~table["record"].isin(beats.PACED)
        counted["paced or unclassifiable"] = int((~keep).sum())
        signal, table = signal[keep.to_numpy()], table[keep].reset_index(drop=True)
    label = table["rhythm"].map({c: i for i, c in enumerate(classes)}).to_numpy(np.int64)
    return Windows(
        signal=signal,
        label=label,
        table=table.assign(annotated=label),
        fs=beats.FS,
        classes=classes,
        task="heartbeats",
        parameters={**parameters, "dropped": dict(sorted(counted.items()))},
    )


def _records(parameters: dict) -> Iterable[beats.Beats]:
    if parameters["source"] == "physionet":
        return beats.physionet_records()
    return beats.synthetic_records(n_patients=parameters["n_patients"], seed=parameters["seed"])
