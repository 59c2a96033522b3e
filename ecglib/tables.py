"""Tables of beats that a reader has: the course's Parquet files and the CSV files from Kaggle.

Both hold 187 samples a row and a class, without a word about whose beat it is. Chapter: exercise
04, "Data".
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ecglib import paths
from ecglib.beats import CLASSES

N_SAMPLES = 187
PTB_CLASSES = ("normal", "abnormal")
FILES = {  # source: training and test table of MIT-BIH beats
    "course": ("heart_big_train.parq", "heart_big_test.parq"),
    "kaggle": ("mitbih_train.csv", "mitbih_test.csv"),
}
PTB_FILES = {
    "course": ("heart_train.parq", "heart_test.parq"),
    "kaggle": ("ptbdb_normal.csv", "ptbdb_abnormal.csv"),
}
KAGGLE_TARGET = {"ptbdb_normal.csv": 0, "ptbdb_abnormal.csv": 1}  # all rows of a file
PTB_MISSING = (
    "need heart_train.parq or heart_test.parq, or ptbdb_normal.csv with ptbdb_abnormal.csv, in"
)


def read_table(path: Path, *, n_classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read one table: signal (n, 1, 187) from 0 to 1, class numbers (n,).

    Parameters
    ----------
    path : of a ``.parq`` file with columns "0" to "186" and "target", or of a ``.csv`` file with
        188 columns and no header

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file and what is wrong: other columns, NaN, values outside 0..1, a target that
        is no class.
    """
    if not path.is_file():
        raise FileNotFoundError(f"need {path.name} in {path.parent}")
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, header=None)
        else:
            frame = pd.read_parquet(path)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise ValueError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None
    if path.suffix == ".csv":
        if frame.shape[1] != N_SAMPLES + 1:
            raise ValueError(f"{path}: need 188 columns, got {frame.shape[1]}")
        frame.columns = [*map(str, range(N_SAMPLES)), "target"]
    columns = [*map(str, range(N_SAMPLES)), "target"]
    if [str(c) for c in frame.columns] != columns:
        got = f"{len(frame.columns)} columns, {frame.columns[0]} to {frame.columns[-1]}"
        raise ValueError(f'{path}: need columns "0" to "186" and "target", got {got}')
    values = frame.to_numpy()
    if not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"{path}: need numbers, got text")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise ValueError(f"{path}: need numbers without gaps, got NaN in row {row}")
    signal, target = values[:, :-1].astype(np.float32), values[:, -1]
    if len(signal) == 0:
        raise ValueError(f"{path}: need beats, got none")
    if signal.min() < 0 or signal.max() > 1:
        raise ValueError(
            f"{path}: need samples from 0 to 1, got {signal.min():g} to {signal.max():g}"
        )
    unknown = sorted(set(target.tolist()) - set(range(n_classes)))
    if unknown:
        raise ValueError(f"{path}: need targets 0 to {n_classes - 1}, got {unknown[:3]}")
    return signal[:, None], target.astype(np.int64)


def heartbeats(source: str) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Both tables of MIT-BIH beats: signal (n, 1, 187), table with `set` train or test."""
    signal, parts = [], []
    for name, file in zip(("train", "test"), FILES[source], strict=True):
        x, target = read_table(paths.data() / file, n_classes=len(CLASSES))
        if len(np.unique(target)) < len(CLASSES):
            raise ValueError(
                f"{paths.data() / file}: need all of {', '.join(CLASSES)} (MIT-BIH), got targets "
                f"{np.unique(target).tolist()}: a table of PTB?"
            )
        signal.append(x)
        parts.append(
            pd.DataFrame(
                {
                    "database": source,
                    "record": Path(file).stem,
                    "rhythm": np.array(CLASSES)[target],
                    "symbol": "",
                    "set": name,
                }
            )
        )
    _require_larger(FILES[source], [len(part) for part in parts])
    return np.concatenate(signal), _complete(pd.concat(parts, ignore_index=True))


def ptb(source: str) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """All tables of PTB beats of a source: signal (n, 1, 187), table."""
    files = [path for kind, path in ptb_files() if kind == source]
    if not files:
        raise FileNotFoundError(f"{PTB_MISSING} {paths.data()}")
    signal, parts = [], []
    for path in files:
        x, target = read_table(path, n_classes=len(PTB_CLASSES))
        only = KAGGLE_TARGET.get(path.name)
        if only is not None and (target != only).any():
            got = np.unique(target[target != only]).tolist()
            raise ValueError(f"{path}: need targets {only} only, got {got}")
        signal.append(x)
        name = {"heart_train": "train", "heart_test": "test"}.get(path.stem, "")
        parts.append(
            pd.DataFrame(
                {
                    "database": "ptbdb",
                    "record": path.stem,
                    "rhythm": np.array(PTB_CLASSES)[target],
                    "symbol": "",
                    "set": name if len(files) == 2 else "",
                }
            )
        )
    if source == "course" and len(parts) == 2:
        _require_larger(PTB_FILES[source], [len(part) for part in parts])
    return np.concatenate(signal), _complete(pd.concat(parts, ignore_index=True))


def ptb_files() -> list[tuple[str, Path]]:
    """The tables of PTB beats that are there, of one source: (source, path)."""
    for source, names in PTB_FILES.items():
        there = [paths.data() / name for name in names if (paths.data() / name).is_file()]
        if len(there) == len(names) or (there and source == "course"):
            return [(source, path) for path in there]
    return []


def digest(source: str) -> dict[str, str]:
    """SHA-256 of each table of MIT-BIH beats, by file."""
    return _digests([paths.data() / name for name in FILES[source]])


def ptb_digest(source: str) -> dict[str, str]:
    """SHA-256 of each table of PTB beats, by file."""
    return _digests([path for kind, path in ptb_files() if kind == source])


def _require_larger(names: tuple[str, str], sizes: list[int]) -> None:
    """ValueError if a training table is not larger than its test table."""
    if sizes[0] <= sizes[1]:
        raise ValueError(
            f"{paths.data()}: need more beats in {names[0]} than in {names[1]}, "
            f"got {sizes[0]} and {sizes[1]}: swapped?"
        )


def _digests(files: list[Path]) -> dict[str, str]:
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"need {path.name} in {path.parent}")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    """Add what the tables do not say: nobody's patient, unknown times and intervals."""
    unknown = ("start_s", "time_s", "rr_prev_s", "rr_next_s", "rr_prev2_s", "rr_next2_s")
    unknown += ("rr_low_s", "rr_mid_s", "rr_high_s")
    return table.assign(
        patient=[f"beat-{row}" for row in range(len(table))],
        lead=0,
        ds="",
        **dict.fromkeys(unknown, np.nan),
    )
