"""The ledger: a run is its configuration; asking for one that exists loads it, else trains it.

A run's folder holds config.json, history.parquet, predictions.parquet and model.safetensors. It is
written aside and renamed, so a folder that exists is whole; a training that was killed goes on
from its last epoch. Chapter: exercise 03, "Training".
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import softmax
from tqdm.auto import tqdm

from ecglib import datasets, splits
from ecglib.train import TrainConfig

if TYPE_CHECKING:
    from torch import nn

FILES = ("config.json", "history.parquet", "predictions.parquet", "model.safetensors")


@dataclass(frozen=True)
class RunConfig:
    """All that a trained model depends on."""

    model: str  # a name in `ecglib.models.MODELS`
    data: str  # hash of the prepared windows
    arguments: dict = field(default_factory=dict)  # of the model
    train: TrainConfig = field(default_factory=TrainConfig)
    task: str = "shock"
    labels: str = "annotated"
    protocol: str = "patient"  # a name that `splits.protocol` knows
    split_seed: int = 0

    @property
    def id(self) -> str:
        """First 12 hex digits of the SHA-256 of the configuration."""
        return hashlib.sha256(self.json().encode()).hexdigest()[:12]

    def json(self) -> str:
        """Canonical JSON: sorted keys; the device does not count, it should not matter."""
        content = asdict(self)
        content["train"].pop("device")
        return json.dumps(content, sort_keys=True)


def read_config(text: str) -> RunConfig:
    """The configuration that `RunConfig.json` wrote."""
    content = json.loads(text)
    train = content.pop("train")
    unknown = set(train) - {f.name for f in fields(TrainConfig)}
    unknown |= set(content) - {f.name for f in fields(RunConfig)}
    if unknown:
        raise ValueError(f"need a run of this version, got unknown entries {sorted(unknown)}")
    train["augment"] = tuple(train["augment"])
    return RunConfig(**content, train=TrainConfig(**train))


@dataclass(frozen=True)
class Run:
    """A finished training: what was asked, how it went, what it predicts."""

    config: RunConfig
    folder: Path
    history: pd.DataFrame  # a row per epoch
    predictions: pd.DataFrame  # row, split, label, patient, score, logit_0, logit_1, …
    n_parameters: int

    @property
    def id(self) -> str:
        return self.config.id

    def of(self, split: str) -> pd.DataFrame:
        """Predictions of one set, a row per window."""
        return self.predictions[self.predictions["split"] == split].reset_index(drop=True)

    def model(self, windows: datasets.Windows) -> nn.Module:
        """The trained network, on the CPU, ready to predict."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        network, path = _build(self.config, windows), self.folder / "model.safetensors"
        try:
            network.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(f"{path}: need the weights of this run ({error})") from None
        return network.eval()


def load(folder: Path) -> Run:
    """Read one run; ValueError naming the file that is missing or damaged."""
    for name in FILES:
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: need {', '.join(FILES)}, {name} is missing")
    path = folder / "config.json"
    try:
        about = json.loads(path.read_text())
        config = read_config(json.dumps(about["config"]))
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: need the configuration of a run ({error})") from None
    return Run(
        config=config,
        folder=folder,
        history=pd.read_parquet(folder / "history.parquet"),
        predictions=pd.read_parquet(folder / "predictions.parquet"),
        n_parameters=about["n_parameters"],
    )


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
    from safetensors.torch import save_file

    from ecglib import models, train

    if (config.data, config.labels) != (windows.hash, windows.parameters["labels"]):
        raise ValueError(
            f"need windows {config.data} ({config.labels}), "
            f"got {windows.hash} ({windows.parameters['labels']})"
        )
    split = _clean_split(windows, config.protocol, config.split_seed)
    rows = splits.usable(split, windows.label, windows.table["lead"])
    labelled = {name: r[windows.label[r] >= 0] for name, r in rows.items()}
    splits.require_classes(windows.label, labelled, classes=windows.classes)

    network = _build(config, windows)
    aside = folder / f".{config.id}"
    aside.mkdir(parents=True, exist_ok=True)
    history = train.fit(
        network,
        (windows.signal[labelled["train"]], windows.label[labelled["train"]]),
        (windows.signal[labelled["validation"]], windows.label[labelled["validation"]]),
        config=config.train,
        groups=windows.table["patient"].iloc[labelled["train"]],
        checkpoint=aside / "checkpoint.safetensors",
        progress=progress,
    )
    network.to("cpu")
    parts = []
    first = windows.table["lead"].to_numpy() == 0
    for name, r in rows.items():
        r = r[first[r]]  # of a training window, too, one view is enough to score it
        logits = train.predict(network, windows.signal[r])
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
    windows : by label version (`annotated`, `reviewed`)
    jobs : int
        Trainings side by side, each with its share of the cores: small networks gain more from
        a core of their own than from sharing two.
    """
    todo = [c for c in configs if not (folder / c.id).is_dir()]
    bar = tqdm(total=len(configs), initial=len(configs) - len(todo), desc="runs", mininterval=2,
               disable=not progress or not todo)  # fmt: skip
    with bar:
        if jobs == 1 or len(todo) < 2:
            for config in todo:
                run(config, windows[config.labels], folder=folder, progress=False)
                bar.update()
        else:
            files = {name: w.path for name, w in windows.items()}  # mapped, not copied
            with ProcessPoolExecutor(
                jobs, mp_context=get_context("spawn"), initializer=_share_cores, initargs=(jobs,)
            ) as pool:
                futures = [pool.submit(_run_file, c, files, folder) for c in todo]
                for future in as_completed(futures):
                    future.result()
                    bar.update()
    return {c.id: load(folder / c.id) for c in configs}


def table(folder: Path) -> pd.DataFrame:
    """Every run of a ledger, a row each: id, the entries of its configuration, parameters."""
    rows = []
    for path in sorted(folder.glob("[0-9a-f]*")):
        found = load(path)
        content = json.loads(found.config.json())
        flat = {k: v for k, v in content.items() if not isinstance(v, dict)}
        flat |= content["train"] | {f"model.{k}": v for k, v in content["arguments"].items()}
        best = found.history.loc[found.history["validation_loss"].idxmin()]
        rows.append(
            {"id": found.id, **flat, "n_parameters": found.n_parameters}
            | {"best_epoch": int(best["epoch"]), "validation_loss": best["validation_loss"]}
            | {"seconds": found.history["seconds"].sum()}
        )
    return pd.DataFrame(rows)


def _build(config: RunConfig, windows: datasets.Windows) -> nn.Module:
    from ecglib import models

    return models.build(
        config.model,
        n_leads=windows.signal.shape[1],
        n_classes=len(windows.classes),
        n_samples=windows.signal.shape[2],
        seed=config.train.seed,
        **config.arguments,
    )


@lru_cache(maxsize=16)  # several networks are trained on one split
def _clean_split(windows: datasets.Windows, protocol: str, seed: int) -> splits.Split:
    split = splits.protocol(windows.table, protocol, seed=seed)
    window_s = windows.signal.shape[-1] / windows.fs
    splits.require_clean(windows.signal, windows.table, split, window_s=window_s)
    return split


def _share_cores(jobs: int) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _run_file(config: RunConfig, files: dict[str, Path], folder: Path) -> None:
    run(config, _read(files[config.labels], config.labels), folder=folder, progress=False)


@lru_cache(maxsize=2)
def _read(path: Path, labels: str) -> datasets.Windows:
    return datasets.with_labels(datasets.read_windows(path), labels)
