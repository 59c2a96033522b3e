"""One pass over a set: to learn from it, to measure it, or to predict it."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from .inputs import checked_signals
from .optimise import Learner, Loss, hold_statistics


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
    if learner is not None and learner.config.freeze:
        hold_statistics(model)
    rows = torch.arange(len(y), device=y.device)
    n_batches = math.ceil(len(y) / batch_size)
    if learner is not None:
        rows = learner.draw(len(y))
        n_batches = learner.n_batches
    sums = torch.zeros(2, dtype=torch.float64, device=y.device)  # weighted loss, weight
    hits = torch.zeros(n_classes, dtype=torch.long, device=y.device)
    # Batches of equal size: a short last one would make a noisy step.
    for i, batch in enumerate(rows.tensor_split(n_batches)):
        signals, labels, judge = x[batch], y[batch], loss_fn
        with torch.set_grad_enabled(learner is not None):
            if learner is not None:
                learner.rate(epoch * n_batches + i)
                signals = learner.vary(signals)
                if learner.config.mixup:
                    signals, judge = learner.mix(signals, loss_fn=loss_fn)
            # Half the bits are enough to learn; what is measured keeps them all.
            half = learner is not None and (learner.config.half or y.device.type == "cuda")
            with torch.autocast(y.device.type, dtype=torch.bfloat16, enabled=half):
                logits = model(signals)
            loss, weight = judge(logits.float(), labels)  # (batch,) each
            if learner is not None:
                if learner.weights is not None:  # drawn in balance already
                    weight = torch.ones_like(weight)
                # Weights average 1 over the set, so the mean needs no division by their sum.
                learner.step((weight * loss).mean())
        sums += torch.stack([(weight * loss.detach()).sum(), weight.sum()]).double()
        hits += torch.bincount(labels[logits.argmax(1) == labels], minlength=n_classes)
    seen = torch.bincount(y[rows], minlength=n_classes)  # few draws may lack a class
    return (sums[0] / sums[1]).item(), (hits / seen)[seen > 0].mean().item()
