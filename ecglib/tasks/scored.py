"""Recordings that a person names, scored by a model, few or many.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from ecglib import own, score
from ecglib.own.files import FORMS, entries
from ecglib.published import Published
from ecglib.records import Record

MANY = 64  # recordings from which on Ray, which takes a while to start, is worth it


def files_of(paths: Iterable[str | Path]) -> list[Path]:
    """The recordings that files and folders come to, each once.

    Raises
    ------
    ValueError
        If a path is not there, is of no format that is read, or a folder has no recording.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            found |= dict.fromkeys(entry.path for entry in entries(path))
        elif not path.exists():
            raise ValueError(f"{path}: need a recording or a folder of them, there is none")
        elif path.suffix.lower() not in FORMS:
            hint = "of WFDB the header, .hea" if path.with_suffix(".hea").exists() else "a file"
            raise ValueError(f"{path}: need {hint} ({', '.join(FORMS)})")
        else:
            found[path] = None
    return list(found)


def settings_for(
    model: Published, file: Path | None = None, given: Mapping[str, object] | None = None
) -> own.Settings:
    """How to read recordings: as is said; the lead, if nothing is, as the model learnt from it.

    Rate and unit are those of each file. Where it states none they are asked for: that other files
    were in microvolt says nothing of this one.
    """
    learnt = model.preparation.get("settings") or {}
    usual = {"lead": learnt.get("lead")} if file is None else {}
    # Whether a recording is long enough, the scoring tells: networks differ.
    return replace(own.read_settings(file, **(usual | dict(given or {}))), window_s=1.0)


def one_by_one(
    files: Sequence[Path],
    model: Published,
    *,
    settings: own.Settings,
    progress: bool = True,
    **how: object,
) -> Iterator[tuple[Path, Record | None, pd.DataFrame | None, str]]:
    """Each recording's file, the recording, its table as of `score.score`, and what went wrong.

    Recordings whose files have the same name are called by their path.
    """
    network, several = model.network(), len(files) > 1
    count = Counter(file.stem for file in files)
    bar = tqdm(files, desc="recordings", unit="recording", mininterval=2, delay=2,
               disable=not (progress and several))  # fmt: skip
    for file in bar:
        try:
            record = own.recording(file, settings)
            if count[file.stem] > 1:
                record = replace(record, record=file.resolve().as_posix())
            table = score.score(
                record, model, network=network, progress=progress and not several, **how
            )
        except (ValueError, OSError) as error:
            if not several:
                raise
            yield file, None, None, " ".join(str(error).split())
        else:
            yield file, record, table, ""


def seconds(table: pd.DataFrame) -> dict[str, float]:
    """How long each decision stands in a recording, the longest first."""
    found = score.timeline(table).groupby("decision")["duration_s"].sum()
    return {str(k): float(v) for k, v in found.sort_values(ascending=False).items()}


def episodes(table: pd.DataFrame) -> list[dict[str, object]]:
    """The episodes of a recording: start_s, end_s, decision, reason."""
    found = score.timeline(table)
    return found[["start_s", "end_s", "decision", "reason"]].to_dict("records")
