"""Runs by what a person calls them, in the ledgers that there are.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ecglib import paths, runs

LAST = "last"
COLUMNS = ("id", "task", "model", "protocol", "inputs", "seed", "epochs", "validation_loss",
           "parameters", "made", "ledger")  # fmt: skip


def ledgers() -> list[Path]:
    """The folders of runs that exist: the published ones, all others, and those of a search."""
    two = (paths.ledger("full", "physionet"), paths.ledger("demo", "synthetic"))
    return [one for folder in two for one in (folder, folder / "search") if one.is_dir()]


def find(word: str, *, ledger: Path | None = None) -> runs.Run:
    """The run that is meant: a folder, an id or its beginning, or ``last``, the latest one.

    Raises
    ------
    ValueError
        If there is no such run, several begin so, or its files are missing or damaged.
    """
    if (Path(word) / "config.json").is_file():
        return runs.load(Path(word))
    found = list(_folders(ledger))
    if word == LAST:
        if not found:
            raise ValueError("need a run, there is none yet: `ecglib train` makes one")
        return runs.load(max(found, key=lambda folder: folder.stat().st_mtime))
    meant = {f.name: f for f in reversed(found) if word and f.name.startswith(word)}
    if len(meant) > 1 and word not in meant:
        raise ValueError(f"need one run, {word!r} begins {', '.join(sorted(meant)[:4])}")
    if not meant:
        raise ValueError(
            f"need a run's id, its beginning, its folder, or last, got {word!r}: `ecglib runs "
            f"list` shows the {len(found)} there are"
        )
    return runs.load(meant.get(word) or next(iter(meant.values())))


def listing(*, ledger: Path | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Every run, a row each, the latest last; and a line on each that cannot be read.

    Returns
    -------
    DataFrame with `COLUMNS`, and list of str
    """
    rows, problems = [], []
    for folder in _folders(ledger):
        try:
            about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            config = runs.read_config(json.dumps(about["config"]))
            losses = pd.read_parquet(folder / "history.parquet", columns=["validation_loss"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            problems.append(f"{folder}: not a whole run ({' '.join(str(error).split())})")
            continue
        made = pd.Timestamp(folder.stat().st_mtime, unit="s").floor("s")
        rows.append({
            "id": config.id, "task": config.task, "model": config.model,
            "protocol": config.protocol, "inputs": config.inputs, "seed": config.train.seed,
            "epochs": len(losses), "validation_loss": float(losses["validation_loss"].min()),
            "parameters": about.get("n_parameters"), "made": made, "ledger": str(folder.parent),
        })  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("made", ignore_index=True, kind="stable"), problems


def _folders(ledger: Path | None) -> Iterator[Path]:
    if ledger is not None and not ledger.is_dir():
        raise ValueError(f"{ledger}: need a folder of runs, there is none")
    for folder in [ledger] if ledger else ledgers():
        for path in sorted(folder.glob("[0-9a-f]*")):
            if (path / "config.json").is_file():
                yield path
