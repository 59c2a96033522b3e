"""Windows in memory and as Parquet files that are named by what shaped them.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ecglib import paths

LABELS = ("annotated", "reviewed")


@dataclass(frozen=True, eq=False)  # told apart by identity: arrays have no one answer to ==
class Windows:
    """Labelled windows of one task, in memory."""

    signal: NDArray[np.float32]  # (n_windows, n_leads, n_samples), millivolt
    label: NDArray[np.int64]  # (n_windows,) index into `classes`; -1: never trained on
    table: pd.DataFrame  # a row per window: database, record, patient, start_s, rhythm, …
    fs: float  # hertz
    classes: tuple[str, ...]
    task: str
    parameters: dict = field(default_factory=dict)  # everything that shaped the windows
    path: Path | None = None  # the Parquet file they were read from

    def __post_init__(self) -> None:
        if not len(self.signal) == len(self.label) == len(self.table):
            raise ValueError(
                f"need as many signals as labels and table rows, got {len(self.signal)}, "
                f"{len(self.label)}, {len(self.table)}"
            )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def source(self) -> str:
        """Where the recordings come from: physionet, course or synthetic."""
        return self.parameters["source"]

    @property
    def hash(self) -> str:
        """Twelve hex digits over everything that shaped the windows."""
        return _hash(self.parameters)

    def take(self, rows: NDArray) -> Windows:
        """The windows of these rows (indices or a mask), in their order."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        return replace(
            self,
            signal=self.signal[rows],
            label=self.label[rows],
            table=self.table.iloc[rows].reset_index(drop=True),
        )


def _hash(parameters: dict) -> str:
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]


def write_windows(windows: Windows, path: Path) -> None:
    """Write one Parquet file: signal as fixed-size list, label, table; the rest as metadata."""
    n_leads, n_samples = windows.signal.shape[1:]
    flat = pa.array(np.ascontiguousarray(windows.signal).reshape(-1))
    columns = pa.Table.from_pandas(windows.table, preserve_index=False)
    columns = columns.append_column(
        "signal", pa.FixedSizeListArray.from_arrays(flat, n_leads * n_samples)
    ).append_column("label", pa.array(windows.label))
    about = {
        "task": windows.task,
        "fs": windows.fs,
        "classes": list(windows.classes),
        "unit": "mV",
        "n_leads": n_leads,
        "parameters": windows.parameters,
    }
    metadata = {**(columns.schema.metadata or {}), b"ecglib": json.dumps(about).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # one row group and no compression of the signal: it is read back without a copy
        pq.write_table(
            columns.replace_schema_metadata(metadata),
            aside,
            compression={c: "NONE" if c == "signal" else "ZSTD" for c in columns.column_names},
            use_dictionary=[c for c in columns.column_names if c != "signal"],
            row_group_size=max(len(windows), 1),
        )
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def read_windows(path: Path) -> Windows:
    """Read what `write_windows` wrote; ValueError naming the file if it is something else."""
    try:
        columns = pq.read_table(path, memory_map=True)
        about = json.loads((columns.schema.metadata or {})[b"ecglib"])
    except (pa.ArrowInvalid, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: need a table of windows written by ecglib ({error})") from None
    chunks = columns["signal"].chunks
    signal = chunks[0] if len(chunks) == 1 else columns["signal"].combine_chunks()  # which copies
    flat = signal.flatten().to_numpy(zero_copy_only=True)
    return Windows(
        signal=flat.reshape(len(columns), about["n_leads"], -1),
        label=columns["label"].to_numpy(),
        table=columns.drop_columns(["signal", "label"]).to_pandas(),
        fs=about["fs"],
        classes=tuple(about["classes"]),
        task=about["task"],
        parameters=about["parameters"],
        path=path,
    )


def with_labels(windows: Windows, labels: str) -> Windows:
    """The same windows with the labels `annotated` or `reviewed`."""
    if labels not in LABELS:
        raise ValueError(f"need labels {' or '.join(LABELS)}, got {labels!r}")
    about = {**windows.parameters, "labels": labels}
    if labels == "annotated":
        about.pop("review", None)  # a new review leaves the hash of these labels alone
    return replace(windows, label=windows.table[labels].to_numpy(np.int64), parameters=about)


def prepared(task: str, parameters: dict, make: Callable[[], Windows]) -> Windows:
    path = paths.data() / "prepared" / f"{task}-{_hash(parameters)}.parquet"
    if not path.exists():
        write_windows(make(), path)
    return read_windows(path)
