"""Make the runs that are asked for: alone, step by step, or many side by side."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import softmax
from tqdm.auto import tqdm

from ecglib import datasets, splits

from .config import RunConfig
from .ledger import Run, load
from .parts import build, clean_split, learning, rows, shown, start_from

if TYPE_CHECKING:
    from torch import nn

    from ecglib.train import Training


def run(
    config: RunConfig, windows: datasets.Windows, *, folder: Path, progress: bool = True
) -> Run:
    """Load the run of this configuration from the ledger `folder`, or train it.

    Training rows are those with a label, from every lead; validation and test rows are of the
    first lead. Test rows without a label (slow VT, fine VF) are predicted, never scored as one
    class.

    Raises
    ------
    ValueError
        If the windows are not those of the configuration, or a set lacks a class.
    splits.LeakError
        If the audit of the split is not clean.
    """
    final = folder / config.id
    if final.is_dir():
        return load(final)
    network, training = prepare(config, windows, folder)
    history = training.run(progress=progress)
    return keep(config, windows, network, history, folder)


def prepare(
    config: RunConfig, windows: datasets.Windows, folder: Path, *, checkpoint: bool = True
) -> tuple[nn.Module, Training]:
    """The network of a configuration and its training, neither begun nor, after a kill, lost.

    Parameters
    ----------
    folder : the ledger
        Holds the run that `config.start` names, and the checkpoint until the run is whole.
    checkpoint : bool
        Whether to write one after each epoch, and to go on from one that is there.

    Raises
    ------
    ValueError, splits.LeakError
        As `run` does; also if the run to start from is missing or of another network.
    """
    from ecglib import train

    labels = windows.parameters["labels"]
    if (config.data, config.labels) != (windows.hash, labels):
        raise ValueError(
            f"need windows {config.data} ({config.labels}), got {windows.hash} ({labels})"
        )
    how = learning(config)
    split = clean_split(windows, config.protocol, config.split_seed)
    labelled = rows(windows, split, labelled=True)
    splits.require_classes(windows.label, labelled, classes=windows.classes)
    network = build(config, windows)
    if config.start:
        start_from(network, folder / config.start)
    seen, aside = shown(windows, config.inputs), folder / f".{config.id}"
    if checkpoint:
        aside.mkdir(parents=True, exist_ok=True)
    training = train.Training(
        network,
        (seen.signal[labelled["train"]], windows.label[labelled["train"]]),
        (seen.signal[labelled["validation"]], windows.label[labelled["validation"]]),
        config=how,
        groups=windows.table["patient"].iloc[labelled["train"]],
        checkpoint=aside / "checkpoint.safetensors" if checkpoint else None,
    )
    return network, training


def keep(
    config: RunConfig,
    windows: datasets.Windows,
    network: nn.Module,
    history: pd.DataFrame,
    folder: Path,
    *,
    sets: Sequence[str] = splits.SPLITS,
) -> Run:
    """Write a trained network to the ledger as the run of its configuration, whole or not at all.

    Of each window one view, the first lead, is predicted and scored; `sets` says of which parts.
    """
    from safetensors.torch import save_file

    from ecglib import models, train

    final, aside = folder / config.id, folder / f".{config.id}"
    aside.mkdir(parents=True, exist_ok=True)
    network.to("cpu")
    parts = []
    seen, first = shown(windows, config.inputs), windows.table["lead"].to_numpy() == 0
    split = clean_split(windows, config.protocol, config.split_seed)
    for name, r in rows(windows, split).items():
        if name not in sets:
            continue
        r = r[first[r]]  # of a training window, too, one view is enough to score it
        logits = train.predict(network, seen.signal[r])
        part = pd.DataFrame({"row": r, "split": name, "label": windows.label[r]})
        part["patient"] = windows.table["patient"].to_numpy()[r]
        part["score"] = softmax(logits.astype(np.float64), axis=1)[:, -1].astype(np.float32)
        parts.append(part.join(pd.DataFrame(logits).add_prefix("logit_")))
    history.to_parquet(aside / "history.parquet")
    pd.concat(parts, ignore_index=True).to_parquet(aside / "predictions.parquet")
    save_file(
        {k: v.contiguous() for k, v in network.state_dict().items()}, aside / "model.safetensors"
    )
    about = {"config": json.loads(config.json()), "n_parameters": models.n_parameters(network)}
    (aside / "config.json").write_text(json.dumps(about, indent=1, sort_keys=True))
    (aside / "checkpoint.safetensors").unlink(missing_ok=True)
    try:
        os.rename(aside, final)
    except OSError:  # another process finished the same run first
        if not final.is_dir():
            raise
        shutil.rmtree(aside)
    return load(final)


def run_all(
    configs: Sequence[RunConfig],
    *,
    folder: Path,
    windows: dict[str, datasets.Windows],
    jobs: int = 1,
    progress: bool = True,
) -> dict[str, Run]:
    """Load or train several runs; returns them by id.

    Parameters
    ----------
    windows : by label version (`annotated`, `reviewed`); of one version, by `annotated`
    jobs : int
        Trainings side by side, each with its share of the cores: small networks gain more from
        a core of their own than from sharing two.
    """
    configs = list({c.id: c for c in configs}.values())  # asked for twice is trained once
    todo = [c for c in configs if not (folder / c.id).is_dir()]
    bar = tqdm(total=len(configs), initial=len(configs) - len(todo), desc="runs", mininterval=2,
               disable=not progress or not todo)  # fmt: skip
    with bar:
        if jobs == 1 or len(todo) < 2:
            for config in chain.from_iterable(_turns(todo)):
                run(config, windows[config.labels], folder=folder, progress=False)
                bar.update()
        else:
            files = {name: w.path for name, w in windows.items()}  # mapped, not copied
            with ProcessPoolExecutor(
                jobs, mp_context=get_context("spawn"), initializer=_share_cores, initargs=(jobs,)
            ) as pool:
                for turn in _turns(todo):
                    futures = [pool.submit(_run_file, c, files, folder) for c in turn]
                    for future in as_completed(futures):
                        future.result()
                        bar.update()
    return {c.id: load(folder / c.id) for c in configs}


def _turns(configs: Sequence[RunConfig]) -> Iterator[list[RunConfig]]:
    """The configurations in groups, such that what one starts from is in an earlier group."""
    left = list(configs)
    while left:
        ids = {c.id for c in left}
        turn = [c for c in left if c.start not in ids]
        yield turn
        left = [c for c in left if c.start in ids]


def _share_cores(jobs: int) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _run_file(config: RunConfig, files: dict[str, Path], folder: Path) -> None:
    run(config, _read(files[config.labels], config.labels), folder=folder, progress=False)


@lru_cache(maxsize=2)
def _read(path: Path, labels: str) -> datasets.Windows:
    windows = datasets.read_windows(path)
    # Windows of a task with one version of the labels have no column of that name.
    return datasets.with_labels(windows, labels) if labels in windows.table else windows
