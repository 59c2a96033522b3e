"""A recording with harm done to it on purpose, and what a model says of that.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from ecglib import score, signals
from ecglib.records import Record

if TYPE_CHECKING:
    from torch import nn

    from ecglib.published import Published

FIRST_S = 8.0  # in which nothing is done
SETTLE_S = 2.0  # at the ends of a stretch, whose windows lie in both worlds

Harm = Callable[[NDArray, float, Generator], NDArray]


def _off(x: NDArray, fs: float, rng: Generator) -> NDArray:
    return np.zeros_like(x)


def _lost(x: NDArray, fs: float, rng: Generator) -> NDArray:
    out = x.copy()
    out[rng.random(len(x)) < 0.02] = np.nan
    return out


def _clipped(x: NDArray, fs: float, rng: Generator) -> NDArray:
    return np.clip(200 * (x - np.median(x)), -10, 10)


def _muscle(x: NDArray, fs: float, rng: Generator) -> NDArray:
    fast = signals.bandpass(rng.normal(size=len(x)), fs=fs, low=20.0, high=min(100.0, 0.45 * fs))
    return x + max(1.0, 3 * x.std()) * fast / fast.std()


def _motion(x: NDArray, fs: float, rng: Generator) -> NDArray:
    slow = signals.bandpass(rng.normal(size=len(x)), fs=fs, low=2.0, high=6.0)
    return x + slow / slow.std()


HARMS: dict[str, Harm] = {
    "electrode off": _off,
    "samples lost": _lost,
    "clipped": _clipped,
    "muscle": _muscle,
    "motion": _motion,
}


def harmed(
    record: Record, *, stretch_s: float = 20.0, seed: int = 0
) -> tuple[Record, pd.DataFrame]:
    """The first lead of a recording with a stretch of each of `HARMS`, evenly spread.

    Returns
    -------
    record : one lead
    DataFrame with harm, start_s, end_s

    Raises
    ------
    ValueError
        If the recording is too short for as many stretches with room between them.
    """
    x = record.signal[:1].astype(np.float32).copy()
    duration_s = x.shape[1] / record.fs
    step_s = (duration_s - FIRST_S) / len(HARMS)
    if step_s < 1.5 * stretch_s:
        needed_s = FIRST_S + 1.5 * stretch_s * len(HARMS)
        raise ValueError(f"record {record.record}: need {needed_s:g} s, got {duration_s:.4g} s")
    rng, rows = np.random.default_rng(seed), []
    for number, (name, harm) in enumerate(HARMS.items()):
        start_s = FIRST_S + number * step_s + (step_s - stretch_s) / 2
        part = slice(round(start_s * record.fs), round((start_s + stretch_s) * record.fs))
        x[0, part] = harm(x[0, part], record.fs, rng)
        rows.append({"harm": name, "start_s": start_s, "end_s": start_s + stretch_s})
    return replace(record, signal=x, leads=record.leads[:1]), pd.DataFrame(rows)


def answers(
    record: Record,
    stretches: pd.DataFrame,
    model: Published,
    *,
    network: nn.Module | None = None,
) -> pd.DataFrame:
    """What is said inside each stretch, with the gate and without.

    Returns
    -------
    DataFrame
        A row a harm: windows (wholly inside), refused (share of which the gate says nothing can
        be told), reason (the most frequent one, in words), and without the gate the share of
        windows called the last class, NaN where even then nothing can be said.
    """
    network = network or model.network()
    with_gate, without = (
        score.score(record, model, network=network, gate=gate, smooth=None)
        for gate in (True, False)
    )
    last, rows = model.classes[-1], []
    for stretch in stretches.itertuples():
        inside = (with_gate["start_s"] >= stretch.start_s - 1e-6) & (
            with_gate["end_s"] <= stretch.end_s + 1e-6
        )
        gated, bare = with_gate[inside], without[inside]
        refused = gated["decision"] == score.CANNOT_TELL
        reason = gated.loc[refused, "reason"].mode()
        told = bare[bare["decision"] != score.CANNOT_TELL]
        rows.append({
            "harm": stretch.harm,
            "windows": int(inside.sum()),
            "refused": float(refused.mean()),
            "reason": score.REASONS[reason.iloc[0]] if len(reason) else "",
            f"called {last} without": float((told["decision"] == last).mean()),
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("harm")
