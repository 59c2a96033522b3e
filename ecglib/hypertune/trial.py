"""One trial: a training in steps of an epoch, put down and taken up wherever Ray wants it."""

from __future__ import annotations

import tempfile
import time
from functools import lru_cache
from pathlib import Path

import ray
from ray import tune
from tqdm.auto import tqdm

from ecglib import datasets, models, runs
from ecglib.runs import RunConfig
from ecglib.train import Training, kept_epoch

from .settings import Settings

CHECKPOINT = "checkpoint.safetensors"
WORST = {"max": 0.0, "min": float("inf")}


class Trial(tune.Trainable):
    """An epoch a step; the same worker takes the next trial, with the windows it has."""

    def setup(self, config: dict, *, settings: Settings, windows: list[ray.ObjectRef]) -> None:
        limit_threads(settings.cpus)
        self.settings, self.windows = settings, fetched(*windows)
        self.reset_config(config)

    def reset_config(self, new_config: dict) -> bool:
        """Begin another trial in this worker."""
        self.born, self.failed, self.before = time.time(), "", 0.0
        try:
            made = configured(self.settings, self.windows, new_config)
            self.n_parameters, self.training = prepared(made, self.windows)
        except (ValueError, TypeError) as error:  # a combination that the network cannot be
            self.failed = _line(error)
        return True

    def step(self) -> dict:
        """Learn for one epoch; report what the weights kept so far are worth."""
        row = {}
        try:
            row = {} if self.failed else self.training.step()
        except FloatingPointError as error:
            self.failed = _line(error)
        if self.failed:
            worst = WORST[self.settings.mode]
            return {self.settings.metric: worst, "failed": self.failed, "done": True}
        history = self.training.history
        kept = kept_epoch(history, self.training.config.keep)
        seconds = history["seconds"].sum()
        return {
            # of the epoch whose weights are kept: what is searched for is what one gets
            "validation_macro_recall": float(kept["validation_balanced_accuracy"]),
            "validation_loss": float(kept["validation_loss"]),
            "best_epoch": int(kept["epoch"]),
            "epochs": int(row["epoch"]),
            "n_parameters": self.n_parameters,
            "seconds": float(seconds),
            "overhead_s": time.time() - self.born - (seconds - self.before),
            "node": ray.get_runtime_context().get_node_id(),
            "whole": self.training.done,
            "done": self.training.done,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        if not self.failed:
            self.training.save(Path(checkpoint_dir) / CHECKPOINT)

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        self.training.load(Path(checkpoint_dir) / CHECKPOINT)
        self.before = self.training.history["seconds"].sum()


class Bar(tune.Callback):
    """One bar for the whole search, in trials."""

    def __init__(self, settings: Settings, *, progress: bool) -> None:
        self.settings, self.progress, self.bar = settings, progress, None

    def __getstate__(self) -> dict:
        return self.__dict__ | {"bar": None}  # Ray keeps callbacks on disk, a bar belongs to a page

    def on_step_end(self, iteration: int, trials: list, **info) -> None:
        if self.bar is None:
            self.bar = tqdm(total=self.settings.trials, desc="search", unit="trial", mininterval=2,
                            disable=not self.progress)  # fmt: skip
        ended = [t for t in trials if t.is_finished()]
        if len(ended) > self.bar.n:
            metric = self.settings.metric
            values = [t.last_result[metric] for t in trials if metric in (t.last_result or {})]
            best = {"max": max, "min": min}[self.settings.mode](values, default=float("nan"))
            self.bar.set_postfix_str(f"best {metric} {best:.4f}", refresh=False)
            self.bar.update(len(ended) - self.bar.n)

    def on_experiment_end(self, trials: list, **info) -> None:
        if self.bar is not None:
            self.bar.close()


def kept(
    settings: Settings,
    windows: list[ray.ObjectRef],
    point: dict,
    checkpoint: tune.Checkpoint,
    *,
    sets: tuple[str, ...],
) -> dict[str, bytes]:
    """The files of a trial's run, made of its last checkpoint; `sets` are predicted.

    `windows` comes in a list, which Ray hands over as it is; a bare reference it would resolve to
    a new copy for every call.
    """
    limit_threads(settings.cpus)
    shown = fetched(*windows)
    made = configured(settings, shown, point)
    _, training = prepared(made, shown)
    with checkpoint.as_directory() as folder:
        training.load(Path(folder) / CHECKPOINT)
    with tempfile.TemporaryDirectory() as ledger:
        run = runs.keep(made, shown, training.model, training.finish(), Path(ledger), sets=sets)
        return {name: (run.folder / name).read_bytes() for name in runs.FILES}


def configured(settings: Settings, windows: datasets.Windows, point: dict) -> RunConfig:
    """The run of a point, on the kind of device that its share of the machine has."""
    from dataclasses import replace

    made = settings.config(windows, point)
    return replace(made, train=replace(made.train, device="auto" if settings.gpus else "cpu"))


def prepared(made: RunConfig, windows: datasets.Windows) -> tuple[int, Training]:
    """Number of parameters, and the training, which keeps its checkpoints with Ray."""
    network, training = runs.prepare(made, windows, Path(), checkpoint=False)
    return models.n_parameters(network), training


@lru_cache(maxsize=1)  # one copy a worker: the audit of a split is remembered by it
def fetched(windows: ray.ObjectRef) -> datasets.Windows:
    """The windows from Ray's store, where all workers of a machine share one copy."""
    return ray.get(windows)


def limit_threads(cpus: float) -> None:
    """Let torch use as many threads as the trial has processors."""
    import torch

    torch.set_num_threads(max(1, int(cpus)))


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
