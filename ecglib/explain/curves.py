"""What a map points at, taken away or given back: does the answer follow?

Deletion and insertion curves (Petsiuk 2018, arXiv:1806.07421) against stretches in random order.
Chapter: exercise 06, "Look inside".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from torch import nn
from tqdm.auto import tqdm

from ecglib.models.rhythm import true_lengths
from ecglib.train import predict
from ecglib.train.inputs import checked_signals

from .given import at_rest, flat, n_numbers, targets
from .intervals import mean_interval, mean_of

FILLS = ("zero", "mean", "line")
KINDS = ("deletion", "insertion")


@dataclass(frozen=True)
class Curves:
    """How the probability of the target follows what is taken away or given back."""

    table: pd.DataFrame  # kind, order ("map" or "random"), share, value, low, high
    areas: pd.DataFrame  # kind, order ("map", "random", "difference": map less random), value, …
    n: int  # windows


def curves(
    model: nn.Module,
    x: ArrayLike,
    maps: ArrayLike,
    *,
    target: int | ArrayLike,
    steps: int = 20,
    fill: str = "line",
    n_random: int = 5,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> Curves:
    """Deletion and insertion curves of maps, and of the same stretches in random order.

    Each window, up to its end, is parted into `steps` stretches of equal length. Deletion makes
    them flat one by one, those with the highest average of the map first; insertion starts from
    a flat window and gives them back in that order. A map that means something lets the
    probability fall sooner and rise sooner than chance: its deletion area lies below, its
    insertion area above that of random order. Whole stretches, as single samples taken out at
    random would make noise that no ECG has. Numbers beside the signal stay.

    Parameters
    ----------
    x : array, shape (n, n_leads, n_samples), millivolt
    maps : array, shape (n, n_samples)
    target : int, or one for each window
    steps : int, number of stretches
    fill : {"zero", "mean", "line"}
        What is put in place: 0, the mean of the lead, or a line from one side to the other, which
        makes no edge.
    n_random : int, random orders for each window, averaged
    groups : array, shape (n,), the patient of each window, for the intervals

    Raises
    ------
    ValueError
        If the maps do not fit the windows, or an argument is out of range.
    """
    signals, maps = checked_signals(x, name="x"), np.asarray(maps)
    if maps.shape != signals.shape[::2]:
        raise ValueError(
            f"need maps of shape {tuple(signals.shape[::2])} as the windows, got {maps.shape}"
        )
    if fill not in FILLS:
        raise ValueError(f"unknown fill {fill!r}, expected one of {', '.join(FILLS)}")
    if not 2 <= steps <= maps.shape[1] or n_random < 1:
        raise ValueError(
            f"need 2 to {maps.shape[1]} steps and n_random > 0, got {steps=} {n_random=}"
        )
    chosen = targets(model, signals, target).numpy()
    n_signals = signals.shape[1] - n_numbers(model)
    stretch = _stretches(signals[:, :n_signals], steps)  # (n, n_samples), number of the stretch
    inside = stretch < steps
    rng = np.random.default_rng(seed)
    ranks = {"map": [_ranks(_averages(maps, stretch, steps))]}
    ranks["random"] = [_ranks(rng.random((len(maps), steps))) for _ in range(n_random)]
    passes = tqdm(
        total=(1 + n_random) * 2 * (steps + 1), desc="curves", mininterval=2, delay=2, leave=False
    )

    def follow(rank: NDArray[np.intp], kind: str) -> NDArray[np.float64]:
        """P(target) after each step: (n, steps + 1)."""
        along = np.take_along_axis(rank, np.minimum(stretch, steps - 1), axis=1)
        p = []
        for step in range(steps + 1):
            gone = along < step if kind == "deletion" else along >= step
            part = signals[:, :n_signals].numpy()  # numbers beside the signal stay
            shown = signals.numpy().copy()
            shown[:, :n_signals] = _without(part, gone & inside, inside=inside, fill=fill)
            with at_rest(model):
                p.append(softmax(predict(model, shown), axis=1)[np.arange(len(maps)), chosen])
            passes.update()
        return np.stack(p, axis=1)

    table, areas = [], []
    share = np.arange(steps + 1) / steps
    for kind in KINDS:
        found = {o: np.mean([follow(r, kind) for r in ranks[o]], axis=0) for o in ranks}
        for order, p in found.items():
            band = mean_interval(p, groups)
            table.append(pd.DataFrame({"kind": kind, "order": order, "share": share, **band}))
        area = {order: np.trapezoid(p, share, axis=1) for order, p in found.items()}
        area["difference"] = area["map"] - area["random"]
        areas += [{"kind": kind, "order": o} | mean_of(a, groups) for o, a in area.items()]
    passes.close()
    return Curves(pd.concat(table, ignore_index=True), pd.DataFrame(areas), len(maps))


def _stretches(signals: torch.Tensor, steps: int) -> NDArray[np.intp]:
    """The number of the stretch each sample is in, `steps` behind the end: (n, n_samples)."""
    lengths = true_lengths(signals).numpy()[:, None]
    samples = np.arange(signals.shape[-1])
    return np.minimum(samples * steps // lengths, steps)


def _averages(
    maps: NDArray[np.floating], stretch: NDArray[np.intp], steps: int
) -> NDArray[np.float64]:
    """Average of the map in each stretch: (n, steps)."""
    row = np.arange(len(maps))[:, None]
    sums, counts = np.zeros((2, len(maps), steps + 1))
    np.add.at(sums, (row, stretch), maps)
    np.add.at(counts, (row, stretch), 1)
    return (sums / np.maximum(counts, 1))[:, :steps]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """The place of each value among those of its row, the largest first."""
    return np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)


def _without(
    signals: NDArray[np.float32], gone: NDArray[np.bool_], *, inside: NDArray[np.bool_], fill: str
) -> NDArray[np.float32]:
    """The windows with flat stretches where `gone`, shape (n, n_samples), is set."""
    if fill != "line":
        return np.where(gone[:, None], flat(torch.from_numpy(signals), fill).numpy(), signals)
    shown = signals.copy()
    for window, lost, seen in zip(shown, gone, inside, strict=True):
        at, kept = np.flatnonzero(lost), np.flatnonzero(seen & ~lost)
        for lead in window:
            # Of a window of which nothing is left, its level.
            lead[at] = np.interp(at, kept, lead[kept]) if len(kept) else lead[at].mean()
    return shown
