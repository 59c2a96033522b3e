"""Normal rhythm, other rhythm or atrial fibrillation, in five seconds or whole recordings.

Chapter: exercise 05, "Data".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ecglib import cinc, fetch, synthetic

from .sources import resolve_source
from .store import Windows, prepared, with_labels

RHYTHM_CLASSES = ("N", "O", "A")
RHYTHM_FORMS = ("windows", "records")
RHYTHM_REFERENCES = ("v2", "v3", "v3 to learn")


def rhythm_windows(
    *,
    source: str = "auto",
    form: str = "windows",
    reference: str = "v2",
    noise: bool = False,
    n_records: int = 240,
    seed: int = 0,
    progress: bool = True,
) -> Windows:
    """Windows of single-lead recordings with the label of their recording: N, O or A.

    Parameters
    ----------
    source : auto, real or synthetic
        `auto` takes the recordings of the PhysioNet/CinC Challenge 2017 if they were fetched.
    form : windows or records
        windows: (n, 1, 1500) at 300 Hz, millivolt, unfiltered: five seconds, as the published
        networks see them. records: (n, 1, 4500) at 150 Hz, 0.5 to 40 Hz, in units of the
        recording's own size: thirty seconds, zeros behind a shorter recording (`cinc.whole`).
    reference : v2, v3 or v3 to learn
        Which version of the labels; `v3 to learn` takes v3 for the published training set and v2
        for validation and test, so that scores stay comparable.
    noise : bool
        Keep recordings labelled as noise, as fourth class ~.
    n_records, seed : for synthetic recordings only

    Returns
    -------
    Windows
        The table has for each window `rhythm` (the label in use), `v2`, `v3`, `set` (in the
        published split), `duration_s` and `windows_in_record` (of its recording). `patient` is
        the recording, but two recordings with the same samples share one.
        ``parameters["dropped"]`` counts recordings left out, ``parameters["padded"]`` those with
        zeros behind them.

    Raises
    ------
    FileNotFoundError, ValueError
        If data are missing or damaged, an argument is not one of those above, or no recording is
        as long as a window.
    """
    source = resolve_source(source, databases=(cinc.DATABASE,), tables=())
    if form not in RHYTHM_FORMS:
        raise ValueError(f"need form {' or '.join(RHYTHM_FORMS)}, got {form!r}")
    if reference not in RHYTHM_REFERENCES:
        raise ValueError(f"need reference {', '.join(RHYTHM_REFERENCES)}, got {reference!r}")
    parameters = {
        "task": "rhythms",
        "source": source,
        "form": form,
        "reference": reference,
        "noise": bool(noise),
        "rules": cinc.RULES[form],
    }
    if source == "physionet":
        parameters["data"] = {cinc.DATABASE: fetch.digest(cinc.DATABASE)}
    else:
        parameters |= {"n_records": n_records, "seed": seed}
        parameters["generator"] = synthetic.WRIST_VERSION
    windows = prepared("rhythms", parameters, lambda: _cut(parameters, progress))
    return with_labels(windows, "annotated")


def _cut(parameters: dict, progress: bool) -> Windows:
    form, reference = parameters["form"], parameters["reference"]
    classes = cinc.LABELS if parameters["noise"] else RHYTHM_CLASSES
    dropped, short, pieces, starts, rows = Counter(), [], [], [], []
    for item in tqdm(_records(parameters), desc="cutting recordings", disable=not progress,
                     unit="record", mininterval=2, total=_n_records(parameters)):  # fmt: skip
        label = item.label(reference)
        if label not in classes:
            dropped["noise"] += 1
            continue
        if item.duration_s < cinc.SHORTEST_S:
            dropped["shorter than a window"] += 1
            short.append(f"{item.record.record} ({item.duration_s:.1f} s)")
            continue
        signal, start_s = cinc.windows_of(item, form=form, label=label)
        pieces.append(signal)
        starts.append(start_s)
        rows.append(_row(item, label, n_windows=len(signal)))
    if not pieces:
        got = ", ".join(short[:3]) or "none"
        raise ValueError(f"need recordings of at least {cinc.SHORTEST_S:g} s, got {got}")
    signal, start_s = np.concatenate(pieces), np.concatenate(starts)
    by_record = pd.DataFrame(rows)
    n_windows = by_record["windows_in_record"].to_numpy()
    table = by_record.iloc[np.repeat(np.arange(len(rows)), n_windows)].reset_index(drop=True)
    label = table["rhythm"].map({c: i for i, c in enumerate(classes)}).to_numpy(np.int64)
    full_s = signal.shape[-1] / cinc.RULES[form]["fs"]
    padded = int((by_record["duration_s"] < full_s).sum())
    return Windows(
        signal=signal,
        label=label,
        table=table.assign(start_s=start_s, annotated=label),
        fs=cinc.RULES[form]["fs"],
        classes=tuple(classes),
        task="rhythms",
        parameters={**parameters, "dropped": dict(sorted(dropped.items())), "padded": padded},
    )


def _row(item: cinc.CincRecord, label: str, *, n_windows: int) -> dict:
    return {
        "database": item.record.database,
        "record": item.record.record,
        "patient": item.record.patient,
        "start_s": 0.0,
        "rhythm": label,
        "lead": 0,
        "v2": item.v2,
        "v3": item.v3,
        "set": item.set,
        "duration_s": item.duration_s,
        "windows_in_record": n_windows,
    }


def _records(parameters: dict) -> Iterable[cinc.CincRecord]:
    if parameters["source"] == "physionet":
        return cinc.physionet_records()
    return cinc.synthetic_records(n_records=parameters["n_records"], seed=parameters["seed"])


def _n_records(parameters: dict) -> int:
    if parameters["source"] == "physionet":
        return len(fetch.DATABASES[cinc.DATABASE].records)
    return parameters["n_records"]
