"""Four-second windows, shockable or not, from records with rhythm marks.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ecglib import fetch, review, shock, synthetic

from .sources import SHOCK_DATABASES, resolve_source
from .store import Windows, prepared, with_labels

SHOCK_CLASSES = ("non-shockable", "shockable")


def shock_windows(
    *,
    source: str = "auto",
    labels: str = "annotated",
    stride_s: float = 4.0,
    n_patients: int = 40,
    seed: int = 0,
    progress: bool = True,
) -> Windows:
    """Four-second windows at 250 Hz, shockable or not.

    Parameters
    ----------
    source : auto, real, course or synthetic
        `auto` takes the real databases if all three were fetched. `course` reads
        ``data/ecg/cut_pub_4sec.mat`` (or the zip).
    labels : annotated or reviewed
        As the databases say, or after the stretches of ``ecglib/reviewed.csv``.
    stride_s : float, seconds between the starts of windows within one rhythm
    n_patients, seed : for synthetic recordings only

    Returns
    -------
    Windows
        signal (n, 1, 1000) in millivolt, 0.5 to 40 Hz; a row for each lead of a record
        (`lead` in the table). `label` is -1 for what is never trained on: slow VT, fine VF,
        stretches that the review leaves out. ``parameters["dropped"]`` counts what was not cut.

    Raises
    ------
    FileNotFoundError, ValueError
        If data are missing or damaged, or an argument is not one of those above.
    """
    source = resolve_source(source)
    parameters = {"task": "shock", "source": source, "stride_s": float(stride_s)}
    parameters["rules"] = shock.RULES
    if source == "physionet":
        parameters["data"] = {name: fetch.digest(name) for name in SHOCK_DATABASES}
        records = shock.physionet_records
    elif source == "course":
        parameters["data"] = {"course": shock.course_digest()}
        records = None
    else:
        parameters |= {"n_patients": n_patients, "seed": seed, "generator": synthetic.VERSION}

        def records() -> Iterable[shock.Marked]:
            return shock.synthetic_records(n_patients=n_patients, seed=seed)

    if source == "physionet":
        parameters["review"] = review.digest()
    windows = prepared("shock", parameters, lambda: _cut_shock(parameters, records, progress))
    return with_labels(windows, labels)


def _cut_shock(
    parameters: dict, records: Callable[[], Iterable[shock.Marked]] | None, progress: bool
) -> Windows:
    if records is None:
        signal, table = shock.course_windows()
        dropped: Counter = Counter()
    else:
        pieces, tables, dropped = [], [], Counter()
        bar = tqdm(
            records(), desc="cutting windows", disable=not progress, unit="record", mininterval=1
        )
        for marked in bar:
            signal, table, lost = shock.windows_of(marked, stride_s=parameters["stride_s"])
            pieces.append(signal)
            tables.append(table)
            dropped.update(lost)
        signal, table = np.concatenate(pieces), pd.concat(tables, ignore_index=True)
    return Windows(
        signal=signal,
        label=table["annotated"].to_numpy(np.int64),
        table=table,
        fs=shock.FS,
        classes=SHOCK_CLASSES,
        task="shock",
        parameters={**parameters, "dropped": dict(sorted(dropped.items()))},
    )
