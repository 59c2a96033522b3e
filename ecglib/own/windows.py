"""Windows of own recordings, which splits, runs and pages take like all others.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from ecglib import datasets, signals
from ecglib.datasets.store import prepared
from ecglib.records import Record

from .files import Entry, digest, entries
from .labels import beyond, read_labels
from .reading import database_of, recordings
from .settings import FOLDERS, Settings

TASK = SOURCE = "own"
BAND_HZ = (0.5, 40.0)
FLAT_S = 1.0  # a window with a longer stretch without any change is not a recording
RULES = {"version": 1, "band_hz": list(BAND_HZ), "flat_s": FLAT_S}  # what shapes the windows


def windows(folder: str | Path, settings: Settings, *, progress: bool = True) -> datasets.Windows:
    """Cut the labelled recordings of a folder into windows, once; later they are read back.

    Each window lies wholly within a stretch of one label. It is band-passed from 0.5 to 40 Hz (to
    0.45 of a lower rate) and, with `window_rate`, resampled.

    Parameters
    ----------
    folder : of recordings
    settings : rate, unit, lead, labels, patient, and the windows' length and stride

    Returns
    -------
    Windows
        signal (n, n_leads, n_samples) in millivolt; classes in the order of the settings or of
        the alphabet. The table has database, record, patient, lead, lead_name, start_s, rhythm
        (the label), amplitude_mv and annotated. ``parameters["dropped"]`` counts what was not cut:
        flat, invalid (missing samples), recordings without a label, stretches shorter than a
        window, stretches of a label that the settings leave out.

    Raises
    ------
    ValueError
        Naming the file or table, as `recordings` and `read_labels` do; if there are fewer than
        two classes, or a class has no window. Nothing is written then.
    """
    folder = Path(folder)
    found = entries(folder, labels=settings.labels)
    labels = read_labels(folder, settings, found)
    classes = _classes(labels, settings)
    files = tqdm(found, desc="reading files", disable=not progress, unit="file", mininterval=2)
    sums = {entry.file: digest(entry) for entry in files}
    parameters = {
        "task": TASK,
        "source": SOURCE,
        "database": database_of(folder),
        "settings": _in_short(settings),
        "rules": RULES,
        "data": {database_of(folder): _hash(sums)},
        "label_table": _hash(labels.astype(str).to_csv()),
    }
    made = prepared(
        TASK,
        parameters,
        lambda: _cut(folder, settings, labels, classes, found, parameters, progress),
    )
    return datasets.with_labels(made, "annotated")


def _cut(
    folder: Path,
    settings: Settings,
    labels: pd.DataFrame,
    classes: tuple[str, ...],
    found: Sequence[Entry],
    parameters: dict,
    progress: bool,
) -> datasets.Windows:
    kept = labels[labels["label"].isin(classes)]
    dropped = Counter({
        "label left out": len(labels) - len(kept),
        "without a label": len({e.name for e in found} - set(labels["record"])),
    })  # fmt: skip
    stretches = dict(list(kept.groupby("record")))
    bar = tqdm(
        recordings(folder, settings, only=stretches), total=len(stretches), unit="recording",
        desc="cutting recordings", disable=not progress, mininterval=2,
    )  # fmt: skip
    pieces, tables, leads = [], [], None
    for record in bar:
        names = [name.lower() for name in record.leads]
        if leads is not None and (len(leads) != len(names) or (len(names) > 1 and leads != names)):
            raise ValueError(
                f"{folder}: need the same leads in the same order in all recordings, "
                f"{record.record} has {', '.join(names)}, others {', '.join(leads)}"
            )
        leads = names
        if told := beyond(stretches[record.record], record.signal.shape[-1] / record.fs):
            raise ValueError(f"{folder / str(settings.labels)}: {record.record}: {told}")
        signal, table = _windows_of(record, stretches[record.record], settings, dropped)
        pieces.append(signal)
        tables.append(table)
    signal, table = np.concatenate(pieces), pd.concat(tables, ignore_index=True)
    if missing := sorted(set(classes) - set(table["rhythm"])):
        raise ValueError(
            f"{folder}: need windows of every class, got none of {missing[0]} ({_told(dropped)})"
        )
    label = table["rhythm"].map({c: i for i, c in enumerate(classes)}).to_numpy(np.int64)
    return datasets.Windows(
        signal=signal,
        label=label,
        table=table.assign(annotated=label),
        fs=settings.window_rate or record.fs,
        classes=classes,
        task=TASK,
        parameters={
            **parameters,
            **({"leads": leads} if len(leads) > 1 else {}),
            "dropped": {k: v for k, v in sorted(dropped.items()) if v},
        },
    )


def _windows_of(
    record: Record, stretches: pd.DataFrame, settings: Settings, dropped: Counter
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Windows of one recording, (n, n_leads, n_samples), and their rows; counts what is dropped."""
    fs = settings.window_rate or record.fs
    length = round(settings.window_s * fs)
    stride = max(round(settings.stride * fs), 1)
    invalid = ~np.isfinite(record.signal)
    raw = np.where(invalid, np.float32(0), record.signal)
    top = min(BAND_HZ[1], 0.45 * min(record.fs, fs))
    x = signals.bandpass(raw, fs=record.fs, low=BAND_HZ[0], high=top)
    x = signals.resample(x, fs=record.fs, new_fs=fs).astype(np.float32)
    starts, names = [], []
    for start_s, end_s, label in stretches[["start_s", "end_s", "label"]].itertuples(index=False):
        end = int(min(end_s * fs + 1e-6, x.shape[-1]))
        first = int(np.ceil(start_s * fs - 1e-6))
        at = signals.window_starts(first, end, length=length, stride=stride)
        dropped["shorter than a window"] += not len(at)
        starts.append(at)
        names += [label] * len(at)
    start = np.concatenate(starts)
    n_raw = min(round(settings.window_s * record.fs), raw.shape[-1])
    at = np.minimum((start * record.fs / fs).astype(int), raw.shape[-1] - n_raw)
    bad = signals.cut(invalid, at, length=n_raw).any(axis=(1, 2))
    still = signals.longest_flat_s(signals.cut(raw, at, length=n_raw), fs=record.fs).max(axis=-1)
    flat = ~bad & (still > FLAT_S)
    dropped["invalid"] += int(bad.sum())
    dropped["flat"] += int(flat.sum())
    keep = ~(bad | flat)
    signal = signals.cut(x, start[keep], length=length)
    table = pd.DataFrame({
        "database": record.database,
        "record": record.record,
        "patient": stretches["patient"].iloc[0],
        "lead": 0,
        "lead_name": record.leads[0],
        "start_s": start[keep] / fs,
        "rhythm": np.array(names, dtype=object)[keep],
        "amplitude_mv": np.ptp(signal[:, 0], axis=-1) if keep.any() else np.empty(0),
    })  # fmt: skip
    return signal, table


def _classes(labels: pd.DataFrame, settings: Settings) -> tuple[str, ...]:
    there = sorted(set(labels["label"]))
    if missing := [name for name in settings.classes if name not in there]:
        raise ValueError(f"need labels of every class, got none of {missing[0]!r}")
    classes = settings.classes or tuple(there)
    if len(classes) < 2:
        raise ValueError(f"need labels of at least two classes, got only {classes[0]!r}")
    return classes


def _in_short(settings: Settings) -> dict:
    """The settings without paths: of the labels it is the content that counts."""
    about = settings.as_dict()
    return about | {"labels": FOLDERS if settings.labels == FOLDERS else "table"}


def _hash(content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _told(dropped: Counter) -> str:
    told = ", ".join(f"{n} {name}" for name, n in sorted(dropped.items()) if n)
    return f"not cut: {told}" if told else "nothing was left out"
