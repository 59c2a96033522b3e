"""A training put down after an epoch and taken up again: one safetensors file, no pickle."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .optimise import Learner


@dataclass
class State:
    """Where a training stands after a whole number of epochs."""

    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)  # weights of the epoch that is kept
    best_loss: float = math.inf
    stale: int = 0  # epochs since the lowest loss

    def add(self, row: dict[str, float], model: nn.Module, *, keep: str) -> None:
        """Note an epoch; keep its weights, if "best" only those of the lowest validation loss."""
        self.history.append(row)
        self.stale += 1
        if better := row["validation_loss"] < self.best_loss:
            self.best_loss, self.stale = row["validation_loss"], 0
        if better or keep == "last":
            self.best = {k: v.detach().clone() for k, v in model.state_dict().items()}


def save_checkpoint(
    path: Path, learner: Learner, *, state: State, owner: dict[str, object]
) -> None:
    """Write all that the next epoch depends on, aside first, so a kill leaves a whole file.

    Weights, averaged and best weights, the optimizer's averages and the random states are tensors;
    history and owner are JSON in the file's metadata.
    """
    optimizer, generator = learner.optimizer, learner.generator
    tensors = {f"model/{k}": v for k, v in learner.model.state_dict().items()}
    tensors |= {f"kept/{k}": v for k, v in learner.kept.state_dict().items()}
    tensors |= {f"best/{k}": v for k, v in state.best.items()}
    for i, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{i}/{k}": v for k, v in slots.items()}
    tensors |= {"random/generator": generator.get_state(), "random/cpu": torch.get_rng_state()}
    if generator.device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(generator.device)
    # Copies, as safetensors refuses the shared storage of recurrent weights on a GPU.
    tensors = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
    progress = {"history": state.history, "best_loss": state.best_loss, "stale": state.stale}
    metadata = {"owner": json.dumps(owner), "progress": json.dumps(progress)}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, aside, metadata=metadata)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def load_checkpoint(path: Path, learner: Learner, *, owner: dict[str, object]) -> State:
    """Put networks, optimizer and random states back; return where the training stands.

    Raises
    ------
    ValueError
        When the file is no checkpoint, or that of another configuration, network or data.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found, progress = json.loads(metadata["owner"]), json.loads(metadata["progress"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a whole checkpoint ({error}); remove it") from error
    differences = _differences(found, owner)
    if differences:
        raise ValueError(f"{path} belongs to another training: {differences}; remove or rename it")

    optimizer, generator = learner.optimizer, learner.generator
    parts: dict[str, dict[str, Tensor]]
    parts = {part: {} for part in ("model", "kept", "best", "optimizer", "random")}
    for name, tensor in tensors.items():
        part, key = name.split("/", 1)
        parts[part][key] = tensor
    learner.model.load_state_dict(parts["model"])
    learner.kept.load_state_dict(parts["kept"])
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        i, key = name.split("/")
        slots.setdefault(int(i), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
    generator.set_state(parts["random"]["generator"])
    torch.set_rng_state(parts["random"]["cpu"])
    if generator.device.type == "cuda":
        torch.cuda.set_rng_state(parts["random"]["cuda"], generator.device)
    learner.n_steps = len(progress["history"]) * learner.n_batches
    return State(best=parts["best"], **progress)


def _differences(found: dict[str, object], wanted: dict[str, object]) -> str:
    """In words, what the checkpoint has that this training has not; empty if they agree."""
    words = []
    mine, yours = found.get("config", {}), wanted["config"]
    for key in sorted(set(mine) | set(yours)):
        if mine.get(key) != yours.get(key):
            words.append(f"{key} is {mine.get(key)!r} there, {yours.get(key)!r} here")
    words += [
        f"its {part} differs" for part in ("model", "data") if found.get(part) != wanted[part]
    ]
    return ", ".join(words)
