"""The windows of a task, made or found again.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglib import datasets, paths

if TYPE_CHECKING:
    from ecglib.runs import RunConfig

TASKS = ("shock", "heartbeats", "rhythms", "own")
MAKERS = {
    "shock": datasets.shock_windows,
    "heartbeats": datasets.heartbeat_windows,
    "rhythms": datasets.rhythm_windows,
}
USUAL = {  # other than the makers' defaults: what is learnt best, tested on people never seen
    "heartbeats": {"form": "context", "paced": False},
    "rhythms": {"form": "records", "reference": "v3 to learn"},
}
TABLES = ("course", "kaggle")  # sources of heartbeats whose rows are cut already
NOT_SETTINGS = ("source", "seed", "progress")


def choices(task: str) -> dict[str, object]:
    """What shapes the windows of a task, by name, with the values that hold if nothing is said."""
    if task == "own":
        from ecglib import own

        return {field.name: field.default for field in fields(own.Settings)}
    known = inspect.signature(_maker(task)).parameters
    return {n: p.default for n, p in known.items() if n not in NOT_SETTINGS} | USUAL.get(task, {})


def windows(
    task: str,
    *,
    source: str = "auto",
    folder: Path | None = None,
    settings: Path | None = None,
    given: Mapping[str, object] | None = None,
    progress: bool = True,
) -> datasets.Windows:
    """Cut the windows of a task, or read them back.

    Parameters
    ----------
    task : one of `TASKS`
    source : auto, real or synthetic, and what else the task takes; not for `own`
    folder, settings : for `own`: the recordings, and a YAML file on them
    given : some of `choices`, in place of the usual ones

    Raises
    ------
    ValueError, FileNotFoundError
        As the function of the task does; if `own` has no folder, or another task has one.
    """
    given = dict(given or {})
    if task == "own":
        from ecglib import own

        if folder is None:
            raise ValueError("need a folder of recordings for the task own: give it as --data")
        return own.windows(folder, own.read_settings(settings, **given), progress=progress)
    if folder is not None or settings is not None:
        raise ValueError(f"need the task own for recordings of one's own, got {task!r}")
    usual = dict(USUAL.get(task, {}))
    if task == "heartbeats" and source in TABLES:
        usual = {}
    return _maker(task)(source=source, progress=progress, **(usual | given))


def windows_of(config: RunConfig) -> datasets.Windows:
    """The windows that a run was made of, from those that were prepared.

    Raises
    ------
    ValueError
        If they are not there any more.
    """
    folder = paths.data() / "prepared"
    for path in sorted(folder.glob(f"{config.task}-*.parquet")):
        if _hash(path, config.labels) == config.data:
            found = datasets.read_windows(path)
            versioned = config.labels in found.table
            return datasets.with_labels(found, config.labels) if versioned else found
    raise ValueError(
        f"need the windows {config.data} of run {config.id} in {folder}, they are not there: "
        f"prepare those of {config.task} as they were for training"
    )


def describe(windows: datasets.Windows) -> dict[str, object]:
    """What the windows are, as plain values: source, how many by class, of how many people."""
    named = windows.label[windows.label >= 0]
    counts = np.bincount(named, minlength=len(windows.classes))
    return {
        "task": windows.task,
        "source": windows.source,
        "hash": windows.hash,
        "file": str(windows.path),
        "windows": len(windows),
        "patients": int(windows.table["patient"].nunique()),
        "recordings": len(windows.table[["database", "record"]].drop_duplicates()),
        "fs": float(windows.fs),
        "seconds": windows.signal.shape[-1] / windows.fs,
        "classes": {n: int(c) for n, c in zip(windows.classes, counts, strict=True)},
        "not_learnt": int((windows.label < 0).sum()),
        "dropped": dict(windows.parameters.get("dropped", {})),
    }


def _maker(task: str):
    if task not in MAKERS:
        raise ValueError(f"need a task of {', '.join(TASKS)}, got {task!r}")
    return MAKERS[task]


def _hash(path: Path, labels: str) -> str:
    """The hash of prepared windows with these labels, from the file's last bytes alone."""
    try:
        about = json.loads((pq.read_schema(path).metadata or {})[b"ecglib"])
    except (pa.ArrowInvalid, KeyError, json.JSONDecodeError):
        return ""
    empty = datasets.Windows(
        np.empty((0, 1, 1), np.float32), np.empty(0, np.int64), pd.DataFrame({labels: []}),
        fs=about["fs"], classes=tuple(about["classes"]), task=about["task"],
        parameters=about["parameters"],
    )  # fmt: skip
    return datasets.with_labels(empty, labels).hash
