"""A loop one can read, from the configuration to the weights of the best epoch."""

import json
import math
import time
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from .checkpoint import State, load_checkpoint, save_checkpoint
from .config import TrainConfig
from .inputs import check_labels, checked_signals, choose_device, count_classes
from .optimise import Learner, Loss, make_loss


def fit(
    model: nn.Module,
    train: tuple[ArrayLike, ArrayLike],
    validation: tuple[ArrayLike, ArrayLike],
    *,
    config: TrainConfig,
    groups: ArrayLike | None = None,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train `model` and leave it with the weights of its best validation epoch.

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
    device = choose_device(config.device)
    model.to(device)
    data = {
        name: (checked_signals(x, name=name), torch.from_numpy(np.array(y)))
        for name, (x, y) in (("train", train), ("validation", validation))
    }
    for name, (x, y) in data.items():
        n_classes = count_classes(model, x)  # which also refuses windows of a wrong shape
        check_labels(y, n_windows=len(x), n_classes=n_classes, name=name)
    owner = fingerprint(model, config, data)
    # Both sets move to the device once: the recordings of this book take some 100 MB.
    train, validation = ((x.to(device), y.long().to(device)) for x, y in data.values())
    loss_fn = make_loss(config, train[1], n_classes)

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)  # dropout draws from the global generator
        owners = None
        if groups is not None:
            owners = torch.from_numpy(np.unique(np.asarray(groups), return_inverse=True)[1])
            owners = owners.to(device)
        learner = Learner(model, config, y=train[1], groups=owners)
        state = State()
        if checkpoint is not None and Path(checkpoint).exists():
            state = load_checkpoint(Path(checkpoint), learner, owner=owner)
        with tqdm(
            total=config.epochs,
            initial=len(state.history),
            desc="epochs",
            mininterval=2.0,  # a notebook would keep every refresh
            disable=not progress,
        ) as bar:
            while len(state.history) < config.epochs and not _tired(state, config):
                row = _one_epoch(
                    model,
                    train,
                    validation,
                    epoch=len(state.history),
                    loss_fn=loss_fn,
                    learner=learner,
                    n_classes=n_classes,
                )
                state.add(row, learner.kept)
                if checkpoint is not None:
                    save_checkpoint(Path(checkpoint), learner, state=state, owner=owner)
                bar.set_postfix_str(f"validation loss {row['validation_loss']:.4f}", refresh=False)
                bar.update()
    model.load_state_dict(state.best)
    model.eval()
    return pd.DataFrame(state.history)


def predict(model: nn.Module, x: ArrayLike, *, batch_size: int = 512) -> NDArray[np.float32]:
    """Logits of the model for each window, computed where the model lies, in full precision.

    Parameters
    ----------
    x : array, shape (n, n_leads, n_samples), millivolt

    Returns
    -------
    array, float32, shape (n, n_classes)
    """
    device = next(model.parameters()).device
    signals = checked_signals(x, name="x")
    model.eval()
    with torch.inference_mode():
        logits = [model(batch.to(device)).float().cpu() for batch in signals.split(batch_size)]
    return torch.cat(logits).numpy()


def run_epoch(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    loss_fn: Loss,
    n_classes: int,
    epoch: int = 0,
    learner: Learner | None = None,
    batch_size: int = 512,
) -> tuple[float, float]:
    """Loss and balanced accuracy over all of `x`; learn only if given a learner.

    Batches are rows of one tensor in an order drawn from a generator. A DataLoader would fetch
    window by window, and its workers would take the two cores from the network, copy the set, and
    keep random states that a checkpoint cannot hold.
    """
    model.train(learner is not None)
    rows = torch.arange(len(y), device=y.device)
    n_batches = math.ceil(len(y) / batch_size)
    if learner is not None:
        rows = learner.draw(len(y))
        n_batches = learner.n_batches
    sums = torch.zeros(2, dtype=torch.float64, device=y.device)  # weighted loss, weight
    hits = torch.zeros(n_classes, dtype=torch.long, device=y.device)
    # Batches of equal size: a short last one would make a noisy step.
    for i, batch in enumerate(rows.tensor_split(n_batches)):
        signals, labels = x[batch], y[batch]
        with torch.set_grad_enabled(learner is not None):
            if learner is not None:
                learner.rate(epoch * n_batches + i)
                signals = learner.vary(signals)
            # Half the bits are enough to learn on a GPU; what is measured keeps them all.
            half = learner is not None and y.device.type == "cuda"
            with torch.autocast(y.device.type, dtype=torch.bfloat16, enabled=half):
                logits = model(signals)
            loss, weight = loss_fn(logits.float(), labels)  # (batch,) each
            if learner is not None:
                if learner.weights is not None:  # drawn in balance already
                    weight = torch.ones_like(weight)
                # Weights average 1 over the set, so the mean needs no division by their sum.
                learner.step((weight * loss).mean())
        sums += torch.stack([(weight * loss.detach()).sum(), weight.sum()]).double()
        hits += torch.bincount(labels[logits.argmax(1) == labels], minlength=n_classes)
    recall = hits / torch.bincount(y[rows], minlength=n_classes)
    return (sums[0] / sums[1]).item(), recall.mean().item()


def fingerprint(
    model: nn.Module, config: TrainConfig, data: dict[str, tuple[Tensor, Tensor]]
) -> dict[str, object]:
    """What a checkpoint belongs to: configuration, network and data."""
    sums = {
        name: [*x.shape, zlib.crc32(x.numpy()), zlib.crc32(y.long().numpy())]
        for name, (x, y) in data.items()
    }
    owner = {"config": asdict(config), "model": str(model), "data": sums}
    return json.loads(json.dumps(owner))  # as it will read from the file


def _tired(state: State, config: TrainConfig) -> bool:
    return 0 < config.patience <= state.stale


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
            f"the loss is {train_loss} in epoch {epoch + 1}: try a rate below "
            f"lr={learner.config.lr} or a clip_norm"
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
