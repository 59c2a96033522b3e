"""Exercise 05's networks side by side: which can be told apart, what fusion and labels change.

Chapter: exercise 05, "Training" and "Evaluation".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecglib.datasets import Windows
from ecglib.metrics.intervals import interval

from . import fusion
from .scores import METRIC, aligned, decided, mcnemar, plain_scores, rated

if TYPE_CHECKING:
    from ecglib.beat_trials import Trial
    from ecglib.runs import Run


def differences(
    by_name: Mapping[str, pd.DataFrame], *, metric: str = METRIC, split: str = "test", n: int = 1000
) -> pd.DataFrame:
    """Every pair of decisions on the same records: score of `a` minus score of `b`.

    Parameters
    ----------
    by_name : what `scores.decided` returns by name; several seeds are averaged
    n : int, resamples of the records, the same for all

    Returns
    -------
    DataFrame, a row a pair: a, b, value, low, high (95 %), apart (whether the interval leaves zero
        out), p (McNemar's exact p of the share decided well; missing unless both have one seed)

    Raises
    ------
    ValueError
        If there are fewer than two, or `scores.difference` would refuse a pair.
    """
    if len(by_name) < 2:
        raise ValueError(f"need at least two to compare, got {len(by_name)}")
    stacks = list(by_name.values())
    value, draws = rated(stacks, split=split, n=n)
    if metric not in value[0]:
        raise ValueError(f"need a metric of {', '.join(value[0])}, got {metric!r}")
    single = [len(part) == 1 for part in aligned(stacks, split=split)[2]]
    rows = []
    for (i, a), (j, b) in combinations(enumerate(by_name), 2):
        drawn = draws[i][metric] - draws[j][metric] if draws[i] else np.array([])
        d = interval(value[i][metric][0] - value[j][metric][0], drawn)
        both = single[i] and single[j]
        p = mcnemar(stacks[i], stacks[j], split=split)["p"] if both else np.nan
        rows.append({"a": a, "b": b, **d, "apart": d["low"] > 0 or d["high"] < 0, "p": p})
    return pd.DataFrame(rows)


def fusion_table(
    by_name: Mapping[str, Sequence[Run]],
    sets: Mapping[str, Windows],
    *,
    hows: Sequence[str] = fusion.FUSIONS,
) -> pd.DataFrame:
    """F1 of each network with each fusion, the mean over its seeds.

    Returns
    -------
    DataFrame, a row for network and fusion: model, fusion, validation, test
    """
    rows = []
    for name, found in by_name.items():
        for how in hows:
            one = decided(found, sets, how=how)
            reached = {s: plain_scores(one, split=s)[METRIC] for s in ("validation", "test")}
            rows.append({"model": name, "fusion": how, **reached})
    return pd.DataFrame(rows)


def alphas(
    by_name: Mapping[str, Sequence[Run]], sets: Mapping[str, Windows]
) -> dict[str, list[float]]:
    """The power to which the prior is taken out of each run of each network."""
    by_hash = {windows.hash: windows for windows in sets.values()}
    return {
        name: [fusion.tilted([fusion.record_features(r, by_hash[r.config.data])])[1] for r in found]
        for name, found in by_name.items()
    }


def alike(pairs: pd.DataFrame) -> list[str]:
    """The most names of which no two can be told apart; of several groups the first.

    Parameters
    ----------
    pairs : what `differences` returns
    """
    names = list(dict.fromkeys([*pairs["a"], *pairs["b"]]))
    apart = {frozenset(pair) for pair in pairs.loc[pairs["apart"], ["a", "b"]].to_numpy().tolist()}
    for size in range(len(names), 1, -1):
        for group in combinations(names, size):
            if not any(frozenset(pair) in apart for pair in combinations(group, 2)):
                return list(group)
    return []


def verdict(trial: Trial, d: Mapping[str, float]) -> str:
    """What a difference with its interval says of a hypothesis: borne out, refuted or open."""
    low, high = sorted((trial.sign * d["low"], trial.sign * d["high"]))
    return "borne out" if low > 0 else "refuted" if high < 0 else "open"


def strip(windows: Windows, record: str, *, seconds: float = 20.0) -> NDArray[np.float64]:
    """The start of a recording put together from its windows, shape (1, n_samples), middle at 0.

    What the windows leave out, such as all behind a shorter recording, is nan.

    Parameters
    ----------
    windows : of the form "windows", millivolt
    """
    rows = np.flatnonzero((windows.table["record"] == record).to_numpy())
    if not len(rows):
        raise ValueError(f"need windows of record {record}, got none")
    out = np.full(round(seconds * windows.fs), np.nan)
    starts = np.round(windows.table["start_s"].to_numpy()[rows] * windows.fs).astype(int)
    for row, start in zip(rows, starts, strict=True):
        piece = windows.signal[row, 0][: max(len(out) - start, 0)]
        out[start : start + len(piece)] = piece
    return (out - np.nanmedian(out))[None]
