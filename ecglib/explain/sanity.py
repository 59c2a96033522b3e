"""Does a map depend on what the network has learnt?

A map that stays when the weights are shuffled tells of the signal, not of the network (Adebayo
2018, arXiv:1810.03292). Chapter: exercise 06, "Look inside".
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from torch import nn
from tqdm.auto import tqdm

from .intervals import mean_of
from .maps import Maps, explain

MEASURES = ("signed", "absolute")
ANOTHER = "another window"  # the yardstick: how alike maps are that share nothing but the network

Method = str | Callable[..., Maps]


def randomised(
    model: nn.Module,
    x: ArrayLike,
    *,
    method: Method,
    target: int | ArrayLike,
    fs: float,
    groups: ArrayLike | None = None,
    seed: int = 0,
    most: int = 0,
    **options: object,
) -> pd.DataFrame:
    """Shuffle the weights from the answer down to the input; compare the maps layer by layer.

    Weights are shuffled within each tensor, so that their size stays that of the trained network;
    norms are shuffled with the convolution before them. The model itself is left as it is.

    Parameters
    ----------
    x : array, shape (n, n_leads, n_samples), millivolt
    method : a key of `METHODS`, or a function of ``(model, x, *, target, fs)`` that returns maps
    target, fs : as for `explain`
    groups : array, shape (n,), the patient of each window, for the interval
    seed : int
    most : int
        Compare at so many layers only, evenly spaced, the lowest among them; 0 takes all.
    **options
        Keywords of the method.

    Returns
    -------
    DataFrame, two rows a layer: layer (the lowest one shuffled so far), depth, measure ("signed"
    or "absolute"), value (mean rank correlation with the map of the model as it is), low, high, n
    (windows whose map is not level). Depth 0 is "another window": the correlation of each map with
    that of the next window, which is what mere likeness of windows gives.
    """
    make = _maker(method, target=target, fs=fs, **options)
    before = make(model, x)
    rows = _rows(before, np.roll(before, 1, axis=0), groups, layer=ANOTHER, depth=0)
    shuffled, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    parts = list(reversed(_parts(shuffled).items()))
    compared = {*range(1, len(parts) + 1)}
    if most:
        compared = {round(depth) for depth in np.linspace(len(parts), 1, min(most, len(parts)))}
    bar = tqdm(parts, desc="layers", unit="layer", mininterval=2, delay=2, leave=False)
    for depth, (name, tensors) in enumerate(bar, start=1):
        for tensor in tensors:
            _shuffle(tensor, generator)
        if depth in compared:
            rows += _rows(before, make(shuffled, x), groups, layer=name, depth=depth)
    return pd.DataFrame(rows)


def label_randomisation(
    model: nn.Module,
    other: nn.Module,
    *,
    x: ArrayLike,
    method: Method,
    target: int | ArrayLike,
    fs: float,
    groups: ArrayLike | None = None,
    **options: object,
) -> pd.DataFrame:
    """Compare the maps of a model with those of `other`, trained on shuffled labels.

    Arguments as for `randomised`. An `other` that was trained alike, from another seed, shows how
    alike the maps of equals are.

    Returns
    -------
    DataFrame, two rows each for "other model" and for the yardstick "another window": layer,
    depth, measure, value, low, high, n
    """
    make = _maker(method, target=target, fs=fs, **options)
    before = make(model, x)
    rows = _rows(before, np.roll(before, 1, axis=0), groups, layer=ANOTHER, depth=0)
    rows += _rows(before, make(other, x), groups, layer="other model", depth=1)
    return pd.DataFrame(rows)


def agreement(
    maps_by_method: Mapping[str, ArrayLike], *, groups: ArrayLike | None = None
) -> pd.DataFrame:
    """Rank correlation between the maps of every two methods, window by window.

    Parameters
    ----------
    maps_by_method : two or more arrays of one shape (n, n_samples), by name
    groups : array, shape (n,), the patient of each window, for the interval

    Returns
    -------
    DataFrame, a row a pair: a, b, value (mean over windows), low, high, n

    Raises
    ------
    ValueError
        If there are fewer than two methods, or their maps differ in shape.
    """
    if len(maps_by_method) < 2:
        raise ValueError(f"need the maps of two methods or more, got {list(maps_by_method)}")
    pairs = combinations(maps_by_method.items(), 2)
    return pd.DataFrame(
        {"a": a, "b": b} | mean_of(rank_correlation(one, two), groups)
        for (a, one), (b, two) in pairs
    )


def rank_correlation(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Spearman's correlation of each map in `a` with the same in `b`; nan where one is level.

    Shapes (n, n_samples) twice to (n,).
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"need maps of one shape (n, n_samples), got {a.shape} and {b.shape}")
    ranks = [rankdata(maps, axis=1) for maps in (a, b)]
    x, y = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore"):
        return (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))


def _maker(method: Method, **options: object) -> Callable[[nn.Module, ArrayLike], Maps]:
    if callable(method):
        return lambda model, x: method(model, x, **options)
    return lambda model, x: explain(model, x, method=method, **options)


def _rows(
    before: Maps, after: Maps, groups: ArrayLike | None, *, layer: str, depth: int
) -> list[dict]:
    pairs = {"signed": (before, after), "absolute": (np.abs(before), np.abs(after))}
    return [
        {"layer": layer, "depth": depth, "measure": measure}
        | mean_of(rank_correlation(*pairs[measure]), groups)
        for measure in MEASURES
    ]


def _parts(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Weights by layer, from the input up; what has no matrix belongs to the layer before it."""
    parts: dict[str, list[nn.Parameter]] = {}
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if not own:
            continue
        if not parts or any(p.ndim > 1 for p in own):
            parts[name or type(model).__name__] = own
        else:
            parts[next(reversed(parts))] += own
    return parts


@torch.no_grad()
def _shuffle(tensor: nn.Parameter, generator: torch.Generator) -> None:
    order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
    tensor.copy_(tensor.flatten()[order].view_as(tensor))
