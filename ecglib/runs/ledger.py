"""The runs there are: one read back, all in a table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ecglib import datasets

from .config import RunConfig, read_config
from .parts import build

if TYPE_CHECKING:
    from torch import nn

FILES = ("config.json", "history.parquet", "predictions.parquet", "model.safetensors")


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

    @property
    def kept(self) -> pd.Series:
        """The row of the history whose weights were kept."""
        from ecglib.train import kept_epoch

        return kept_epoch(self.history, self.config.train.keep)

    def of(self, split: str) -> pd.DataFrame:
        """Predictions of one set, a row per window."""
        return self.predictions[self.predictions["split"] == split].reset_index(drop=True)

    def model(self, windows: datasets.Windows) -> nn.Module:
        """The trained network, on the CPU, ready to predict.

        `windows` are those of the run as prepared; what the network is shown of them is
        `datasets.with_inputs(windows, run.config.inputs)`.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        network, path = build(self.config, windows), self.folder / "model.safetensors"
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
        config, n_parameters = read_config(json.dumps(about["config"])), int(about["n_parameters"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: need the configuration of a run ({error})") from None
    return Run(
        config=config,
        folder=folder,
        history=pd.read_parquet(folder / "history.parquet"),
        predictions=pd.read_parquet(folder / "predictions.parquet"),
        n_parameters=n_parameters,
    )


def table(folder: Path) -> pd.DataFrame:
    """Every run of a ledger, a row each: id, the entries of its configuration, parameters."""
    rows = []
    for path in sorted(folder.glob("[0-9a-f]*")):
        found = load(path)
        content = asdict(found.config)
        content["train"].pop("device")
        flat = {k: v for k, v in content.items() if not isinstance(v, dict)}
        flat |= content["train"] | {f"model.{k}": v for k, v in content["arguments"].items()}
        rows.append(
            {"id": found.id, **flat, "n_parameters": found.n_parameters}
            | {"best_epoch": int(found.kept["epoch"])}
            | {"validation_loss": found.kept["validation_loss"]}
            | {"seconds": found.history["seconds"].sum()}
        )
    return pd.DataFrame(rows)
