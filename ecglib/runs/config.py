"""What a run is asked for: everything that a trained model depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields

from ecglib.train import TrainConfig
from ecglib.train.config import entries, later


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
    inputs: str = later("signal")  # what the network is shown, see `datasets.with_inputs`
    start: str = later("")  # id of the run in the same ledger whose weights, head aside, begin

    @property
    def id(self) -> str:
        """First 12 hex digits of the SHA-256 of the configuration."""
        return hashlib.sha256(self.json().encode()).hexdigest()[:12]

    def json(self) -> str:
        """Canonical JSON: sorted keys; the device does not count, it should not matter."""
        content = entries(self) | {"train": entries(self.train)}
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
