"""Models by what a person calls them: published ones and runs.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecglib import paths, published
from ecglib.datasets import Windows
from ecglib.published import Published
from ecglib.runs import Run, RunConfig

from . import results, sets, shelf

if TYPE_CHECKING:
    from ecglib.export import Exported

N_CALIBRATION = 256  # windows of the training set that int8 takes its ranges from


def publish(run: Run, name: str, *, about: str = "", folder: Path | None = None) -> Path:
    """Publish a run with what it reaches on its test set, at the point chosen on validation data.

    `folder` is that of all such models, by default ``outs/demo/models``: what the book
    publishes comes from its own pages. Returns the folder of this one. ValueError if the run's
    windows are gone, or the name is no plain one or that of a model that the book publishes.
    """
    if name in published.available(paths.published("exercise_06") / "models"):
        raise ValueError(f"need another name than {name}: the book publishes a model of that name")
    windows = sets.windows_of(run.config)
    reached = results.evaluate(run, windows)
    return published.keep(
        run,
        windows,
        folder or paths.demo("models"),
        name=name,
        weights=reached.weights,
        results={"test": reached.scores},
        about=about,
    )


@contextmanager
def opened(word: str, *, ledger: Path | None = None) -> Iterator[Published]:
    """The model that is meant: the name or the folder of a published one, or a run as `shelf` has.

    Raises
    ------
    ValueError
        If it is none of these, or its files are missing, damaged or were changed.
    """
    known, folder = published.available(), Path(word)
    if word in known:
        yield published.load(known[word])
        return
    if folder.is_dir() and not (folder / "history.parquet").is_file():
        yield published.load(folder)
        return
    try:
        run = shelf.find(word, ledger=ledger)
    except ValueError as error:
        names = f" (published: {', '.join(known)})" if known else ""
        raise ValueError(f"no published model {word!r}{names}; {error}") from None
    with tempfile.TemporaryDirectory() as aside:
        windows = sets.windows_of(run.config)
        weights = results.decision_weights(run, windows)
        yield published.load(
            published.keep(run, windows, Path(aside), name=run.id, weights=weights)
        )


def export(model: Published, path: Path, *, small: bool = False) -> Exported:
    """Write a model as ONNX; `small` with weights of eight bits.

    Eight bits take their ranges from windows the model learnt from, and are tried on its test
    windows, where those are still there.
    """
    from ecglib import export

    if not small:
        return export.onnx(model, path)
    calibration, test = shown_of(model.config)
    with tempfile.TemporaryDirectory() as aside:
        whole = Path(aside) / path.name
        export.onnx(model, whole)
        return export.int8(whole, path, x=calibration, test=test)


def shown_of(config: RunConfig) -> tuple[np.ndarray | None, Windows | None]:
    """Some training windows and the labelled test windows, as the network is shown them."""
    from ecglib.runs.parts import clean_split, rows, shown

    try:
        windows = sets.windows_of(config)
    except ValueError:
        return None, None
    split = clean_split(windows, config.protocol, config.split_seed)
    labelled, seen = rows(windows, split, labelled=True), shown(windows, config.inputs)
    train = labelled["train"]
    some = np.sort(np.random.default_rng(0).permutation(train)[:N_CALIBRATION])
    return np.ascontiguousarray(seen.signal[some]), seen.take(labelled["test"])
