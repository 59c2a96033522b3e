"""Thousands of recordings, on one machine or many, with the table that each gives alone.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import io
import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from ecglib import own
from ecglib.own.files import entries

from .scoring import score

if TYPE_CHECKING:
    from torch import nn

    from ecglib.published import Published

TURNS = 16  # blocks of recordings for each processor: what a lost machine did is soon done again
PLAIN = own.Settings()


@dataclass(frozen=True)
class Fleet:
    """What became of a fleet of recordings."""

    file: Path  # the scores of all, a row group a recording, in the order they were given in
    recordings: pd.DataFrame  # file, record, n_windows, node (of the machines), error (or empty)

    @property
    def failed(self) -> pd.DataFrame:
        """The recordings that could not be scored."""
        return self.recordings[self.recordings["error"] != ""].reset_index(drop=True)


def fleet(
    paths: str | Path | Iterable[str | Path],
    model: Published,
    *,
    out: str | Path,
    settings: own.Settings = PLAIN,
    address: str | None = None,
    cpus: int | None = None,
    progress: bool = True,
    **how: object,
) -> Fleet:
    """Score many recordings side by side, through Ray Data.

    A machine that is lost costs time only: others do its share again. A recording that cannot be
    read or scored is named in `Fleet.failed` and keeps no other from being scored.

    Parameters
    ----------
    paths : a folder, or files as `own.recording` reads them; of WFDB the headers
        On a cluster they must be there under the same path for every machine.
    model : its weights travel with the work, its folder need not be shared
    out : Parquet file, written on this machine, whole or not at all
    settings : of the recordings: rate, unit, lead
    address : of a Ray cluster, as `hypertune.search` takes it; by default Ray is started here
    cpus : processors of a Ray started here; all by default
    how : `stride_s`, `smooth`, `gate` of `score`

    Raises
    ------
    ValueError
        If there is no recording, or none that can be scored: then nothing is written.
    ConnectionError, RuntimeError
        If no Ray answers at the address, or none starts here.
    """
    from ecglib.cluster import cluster

    files = _files(paths)
    names = _names(files)
    if unknown := sorted(set(how) - {"stride_s", "smooth", "gate"}):
        raise ValueError(f"need stride_s, smooth or gate, got {unknown[0]}")
    network = model.network()  # here, where its digest can be checked
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    rows: list[dict] = []
    bar = tqdm(total=len(files), desc="recordings", unit="recording", mininterval=2,
               disable=not progress)  # fmt: skip
    try:
        with cluster(address, need={"CPU": 1}, num_cpus=cpus), bar:
            done = _scored(files, names, model=model, network=network, settings=settings, how=how)
            _collect(done, aside, rows, bar)
        table = pd.DataFrame(rows)
        if (table["error"] != "").all():
            raise ValueError(
                f"need a recording that can be scored, all {len(rows)} failed: {rows[0]['error']}"
            )
        os.replace(aside, out)
    finally:
        aside.unlink(missing_ok=True)
    return Fleet(out, table)


def _files(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    if isinstance(paths, str | Path) and Path(paths).is_dir():
        return [entry.path.resolve() for entry in entries(paths)]
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise ValueError("need recordings to score, got none")
    return [file.resolve() for file in files]


def _names(files: Sequence[Path]) -> list[str]:
    """What each recording is called: its file's name, or where names are alike its path."""
    count = Counter(file.stem for file in files)
    return [file.stem if count[file.stem] == 1 else file.as_posix() for file in files]


def _scored(
    files: Sequence[Path],
    names: Sequence[str],
    *,
    model: Published,
    network: nn.Module,
    settings: own.Settings,
    how: dict,
) -> Iterable[dict]:
    """What `_one` says of each recording, as they come."""
    import ray
    from ray.data import DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # that bars are off need not be said
    items = [
        {"number": i, "file": str(file), "name": name}
        for i, (file, name) in enumerate(zip(files, names, strict=True))
    ]
    n_blocks = min(len(items), TURNS * max(int(ray.cluster_resources().get("CPU", 1)), 1))
    shared = ray.put((model, network, settings, how))
    scored = ray.data.from_items(items, override_num_blocks=n_blocks).map(
        _one, fn_args=[[shared]], num_cpus=1
    )
    return scored.iter_rows()


def _one(item: dict, shared: list) -> dict:
    """Score a recording on whichever machine: its table as Parquet, or the error in a line."""
    import ray
    import torch

    torch.set_num_threads(1)
    model, network, settings, how = ray.get(shared[0])
    item = item | {"node": ray.get_runtime_context().get_node_id()}
    try:
        record = replace(own.recording(item["file"], settings), record=item["name"])
        table = score(record, model, network=network, **how)
    except (ValueError, OSError, MemoryError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return item | {"n_windows": 0, "error": said, "table": b""}
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    return item | {"n_windows": len(table), "error": "", "table": content.getvalue()}


def _collect(done: Iterable[dict], file: Path, rows: list[dict], bar: tqdm) -> None:
    """Write tables to one file in order of their recordings, whatever order they come in."""
    waiting: dict[int, dict] = {}
    nodes: dict[str, int] = {}
    writer = None
    try:
        for item in done:
            waiting[int(item["number"])] = item
            bar.update()
            while (turn := waiting.pop(len(rows), None)) is not None:
                node = nodes.setdefault(turn["node"], len(nodes) + 1)
                n_windows = int(turn["n_windows"])
                about = {"file": turn["file"], "record": turn["name"], "n_windows": n_windows}
                rows.append(about | {"node": node, "error": turn["error"]})
                if turn["error"]:
                    continue
                table = pq.read_table(pa.BufferReader(turn["table"]))
                writer = writer or pq.ParquetWriter(file, table.schema)
                writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
