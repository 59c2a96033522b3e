"""A loop one can read, from the configuration to the weights of the epoch that is kept."""

import json
import math
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from tqdm.auto import tqdm

from .checkpoint import State, load_checkpoint, save_checkpoint
from .config import TrainConfig, entries
from .epoch import run_epoch
from .inputs import check_labels, checked_signals, choose_device, count_classes
from .optimise import Learner, Loss, freeze_body, make_loss


def fit(
    model: nn.Module,
    train: tuple[ArrayLike, ArrayLike],
    validation: tuple[ArrayLike, ArrayLike],
    *,
    config: TrainConfig,
    groups: ArrayLike | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, float]], bool | None] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train `model` and leave it with the weights of the epoch that the configuration keeps.

    Parameters
    ----------
    model : nn.Module
        Maps (batch, n_leads, n_samples) to logits (batch, n_classes).
    train, validation : pair of arrays
        Signals, float32, shape (n, n_leads, n_samples), millivolt; labels 0..n_classes-1.
    groups : array, shape (n_train,), optional
        Patient of each training window, for drawing in balance (``config.epoch_windows``).
    checkpoint : path, optional
        Written after each epoch; a call that finds it goes on from there and, on the CPU, ends
        with the very weights of a training never interrupted.
    on_epoch : function of a row of the history, optional
        Called after each epoch; the training ends there when it returns True.

    Returns
    -------
    DataFrame, a row per epoch
        epoch, lr, train_loss, validation_loss, train_balanced_accuracy,
        validation_balanced_accuracy, seconds. Training columns are measured while learning, with
        dropout and augmentation at work.

    Raises
    ------
    ValueError
        Signals or labels that cannot be learnt from, or a checkpoint of something else.
    FloatingPointError
        When the loss is no longer a number.
    """
    training = Training(
        model, train, validation, config=config, groups=groups, checkpoint=checkpoint
    )
    return training.run(on_epoch=on_epoch, progress=progress)


class Training:
    """A training that goes epoch by epoch, can be put down after each and taken up again.

    Takes the arguments of `fit`, which is `run` on one of these. Whoever wants a say between two
    epochs, such as a search that stops the weak ones, calls `step` until `done`, then `finish`.
    Between its steps the global random state is that of the caller.
    """

    def __init__(
        self,
        model: nn.Module,
        train: tuple[ArrayLike, ArrayLike],
        validation: tuple[ArrayLike, ArrayLike],
        *,
        config: TrainConfig,
        groups: ArrayLike | None = None,
        checkpoint: Path | None = None,
    ) -> None:
        self.model, self.config = model, config
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        device = choose_device(config.device)
        model.to(device)
        data = {
            name: (checked_signals(x, name=name), torch.from_numpy(np.array(y)))
            for name, (x, y) in (("train", train), ("validation", validation))
        }
        for name, (x, y) in data.items():
            self.n_classes = count_classes(model, x)  # which also refuses a wrong shape
            check_labels(y, n_windows=len(x), n_classes=self.n_classes, name=name)
        self._owner = fingerprint(model, config, data)
        # Both sets move to the device once: the recordings of this book take some 100 MB.
        self.train, self.validation = (
            (x.to(device), y.long().to(device)) for x, y in data.values()
        )
        self._frozen = freeze_body(model) if config.freeze else []
        self.loss_fn = make_loss(config, self.train[1], self.n_classes)
        self._devices = [device] if device.type == "cuda" else []
        self._random: list[Tensor] = []
        with self._own_random():
            owners = None
            if groups is not None:
                owners = torch.from_numpy(np.unique(np.asarray(groups), return_inverse=True)[1])
                owners = owners.to(device)
            self.learner = Learner(model, config, y=self.train[1], groups=owners)
        self.state = State()
        if self.checkpoint is not None and self.checkpoint.exists():
            self.load(self.checkpoint)

    @property
    def n_epochs(self) -> int:
        """How many epochs are done."""
        return len(self.state.history)

    @property
    def done(self) -> bool:
        """Whether every epoch is done, or patience has run out."""
        tired = 0 < self.config.patience <= self.state.stale
        return self.n_epochs >= self.config.epochs or tired

    @property
    def history(self) -> pd.DataFrame:
        """The epochs so far, a row each."""
        return pd.DataFrame(self.state.history)

    def step(self) -> dict[str, float]:
        """Learn for one epoch, measure, write the checkpoint; return the row of the history."""
        if self.done:
            raise ValueError(
                f"need a training with epochs left, got one done after {self.n_epochs}"
            )
        with self._own_random():
            row = _one_epoch(
                self.model,
                self.train,
                self.validation,
                epoch=self.n_epochs,
                loss_fn=self.loss_fn,
                learner=self.learner,
                n_classes=self.n_classes,
            )
        self.state.add(row, self.learner.kept, keep=self.config.keep)
        if self.checkpoint is not None:
            self.save(self.checkpoint)
        return row

    def run(
        self,
        *,
        on_epoch: Callable[[dict[str, float]], bool | None] | None = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Go on to the end, or until `on_epoch` returns True; return what `finish` returns."""
        with tqdm(
            total=self.config.epochs,
            initial=self.n_epochs,
            desc="epochs",
            mininterval=2.0,  # a notebook would keep every refresh
            disable=not progress,
        ) as bar:
            while not self.done:
                row = self.step()
                bar.set_postfix_str(f"validation loss {row['validation_loss']:.4f}", refresh=False)
                bar.update()
                if on_epoch is not None and on_epoch(row):
                    break
        return self.finish()

    def finish(self) -> pd.DataFrame:
        """Give the model the weights of the epoch kept so far; return the history."""
        if not self.state.history:
            raise ValueError("need at least one epoch before a training can finish")
        self.model.load_state_dict(self.state.best)
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self.model.eval()
        return self.history

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        with self._own_random():
            save_checkpoint(Path(path), self.learner, state=self.state, owner=self._owner)

    def load(self, path: Path) -> None:
        """Go back, or on, to where a checkpoint of this same training stands."""
        with self._own_random():
            self.state = load_checkpoint(Path(path), self.learner, owner=self._owner)

    @contextmanager
    def _own_random(self) -> Iterator[None]:
        """Let dropout, which draws from the global generators, draw from the training's own."""
        with torch.random.fork_rng(devices=self._devices):
            if self._random:
                torch.set_rng_state(self._random[0])
                for device, state in zip(self._devices, self._random[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
            else:
                torch.manual_seed(self.config.seed)
            yield
            self._random = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self._devices)]


def kept_epoch(history: pd.DataFrame, keep: str = "best") -> pd.Series:
    """The row of the epoch whose weights are kept: that of the lowest loss, or the last."""
    return history.loc[history["validation_loss"].idxmin()] if keep == "best" else history.iloc[-1]


def fingerprint(
    model: nn.Module, config: TrainConfig, data: dict[str, tuple[Tensor, Tensor]]
) -> dict[str, object]:
    """What a checkpoint belongs to: configuration, network and data."""
    sums = {
        name: [*x.shape, zlib.crc32(x.numpy()), zlib.crc32(y.long().numpy())]
        for name, (x, y) in data.items()
    }
    owner = {"config": entries(config), "model": str(model), "data": sums}
    return json.loads(json.dumps(owner))  # as it will read from the file


def _one_epoch(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    *,
    epoch: int,
    loss_fn: Loss,
    learner: Learner,
    n_classes: int,
) -> dict[str, float]:
    """Learn, then measure; the row of the history."""
    started = time.perf_counter()
    common = {"loss_fn": loss_fn, "n_classes": n_classes}
    train_loss, train_accuracy = run_epoch(model, *train, epoch=epoch, learner=learner, **common)
    validation_loss, validation_accuracy = run_epoch(learner.kept, *validation, **common)
    if not math.isfinite(train_loss + validation_loss):
        raise FloatingPointError(
            f"the loss is {train_loss} in training and {validation_loss} in validation after "
            f"epoch {epoch + 1}: try a rate below lr={learner.config.lr} or a clip_norm"
        )
    return {
        "epoch": epoch + 1,
        "lr": learner.optimizer.param_groups[0]["lr"],
        "train_loss": train_loss,
        "validation_loss": validation_loss,
        "train_balanced_accuracy": train_accuracy,
        "validation_balanced_accuracy": validation_accuracy,
        "seconds": time.perf_counter() - started,
    }
