"""What a run is made of: rows, what is shown of them, a network, how it learns."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ecglib import datasets, splits
from ecglib.train import TrainConfig

from .config import RunConfig

if TYPE_CHECKING:
    from torch import nn


def build(config: RunConfig, windows: datasets.Windows) -> nn.Module:
    from ecglib import models

    seen = shown(windows, config.inputs)
    return models.build(
        config.model,
        n_leads=seen.signal.shape[1],
        n_classes=len(windows.classes),
        n_samples=seen.signal.shape[2],
        seed=config.train.seed,
        **config.arguments,
    )


def learning(config: RunConfig) -> TrainConfig:
    """How to learn, with the network's word on which leads are numbers and not signal."""
    n = config.arguments.get("n_features", 0)
    needed = datasets.N_FEATURES[config.inputs]
    if needed and n != needed:
        raise ValueError(
            f"need the argument n_features={needed} for inputs {config.inputs!r}, got {n}"
        )
    return replace(config.train, n_features=n) if n else config.train


@lru_cache(maxsize=2)  # several networks are shown the same
def shown(windows: datasets.Windows, inputs: str) -> datasets.Windows:
    return windows if inputs == "signal" else datasets.with_inputs(windows, inputs)


def start_from(network: nn.Module, folder: Path) -> None:
    """Give the network the weights of another run, except those of its head."""
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise ValueError(f"need the run {folder.name} to start from, {folder.parent} has none")
    there, here = load_file(path), network.state_dict()
    body = [name for name in here.keys() | there.keys() if not name.startswith("head.")]
    wrong = sorted(
        name
        for name in body
        if name not in here or name not in there or here[name].shape != there[name].shape
    )
    if wrong:
        raise ValueError(
            f"need a run of the same network to start from, {folder.name} differs in "
            f"{', '.join(wrong[:3])}"
        )
    network.load_state_dict(here | {name: there[name] for name in body})


def rows(windows: datasets.Windows, split: splits.Split, *, labelled: bool = False) -> splits.Split:
    """Usable rows of each set; on request those with a label only."""
    rows = splits.usable(split, windows.label, windows.table["lead"])
    return {name: r[windows.label[r] >= 0] for name, r in rows.items()} if labelled else rows


@lru_cache(maxsize=16)  # several networks are trained on one split
def clean_split(windows: datasets.Windows, protocol: str, seed: int) -> splits.Split:
    split = splits.protocol(windows.table, protocol, seed=seed)
    window_s = windows.signal.shape[-1] / windows.fs
    splits.require_clean(windows.signal, windows.table, split, window_s=window_s, protocol=protocol)
    return split
