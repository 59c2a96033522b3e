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

    teachers: tuple[str, ...] = later(())  # ids of runs in the same ledger, see `train.distil`

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the runs that must be there before this one can begin."""
        return tuple(name for name in (self.start, *self.teachers) if name)

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
    content["teachers"] = tuple(content.get("teachers", ()))
    return RunConfig(**content, train=TrainConfig(**train))
