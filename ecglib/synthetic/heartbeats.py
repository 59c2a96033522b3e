"""Synthetic patients for heartbeats of five classes, and beats with and without an infarct.

Each patient is a heart of `waves.heart`: sinus rhythm, premature beats from above (early, a short
R-R interval before them) and from a ventricle (wide, a pause behind them), fusions of the two
kinds, a paced patient now and then. Chapter: exercise 04, "Data".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from ecglib.records import Record

from .waves import Heart, heart, noise, place, render

BEATS_VERSION = 1  # goes up when the same seed gives other beats
DURATION_S = 150.0  # of a patient's recording
PACED_EVERY = 8  # the last of so many patients is paced
SYMBOLS = ("N", "S", "V", "F", "Q")
SHARES = {"S": (0.02, 0.08), "V": (0.03, 0.14), "F": (0.015, 0.04), "Q": (0.008, 0.015)}
EARLY = {"S": (0.66, 0.84), "V": (0.58, 0.8), "F": (0.86, 0.98), "Q": (0.9, 1.05)}  # of the R-R
PAUSE = {"S": 1.08, "V": 1.3, "F": 1.05, "Q": 1.0}
ST_S = (0.09, 0.24)  # where the ST segment lies after the R peak


def beat_records(
    *, n_patients: int, fs: float = 360.0, seed: int
) -> list[tuple[Record, pd.DataFrame]]:
    """Draw one recording a patient with its beats; the first stay the same when more are asked for.

    Parameters
    ----------
    n_patients : int, at least 1
        Every eighth carries a pacemaker, whose beats are class Q.
    fs : float, hertz

    Returns
    -------
    list of (Record, DataFrame with time_s of the R peak and symbol: N, S, V, F, Q or / (paced))
    """
    if n_patients < 1:
        raise ValueError(f"need at least one patient, got {n_patients}")
    out = []
    for i in range(n_patients):
        rng = np.random.default_rng([seed, i, 4])
        name = f"synthetic-{seed}-{i:03d}"
        paced = i % PACED_EVERY == PACED_EVERY - 1
        signal, beats = _recording(heart(rng), paced=paced, fs=fs, rng=rng)
        out.append((Record(signal, fs, ("II",), name, name, "synthetic"), beats))
    return out


def _recording(
    owner: Heart, *, paced: bool, fs: float, rng: Generator
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    n_samples = int(DURATION_S * fs)
    times, rr_s, kind = _rhythm(owner, paced=paced, rng=rng)
    waves = [_place(owner, k, times[kind == k], rr_s[kind == k], rng=rng) for k in np.unique(kind)]
    with_p = np.isin(kind, ["N", "S"])
    early = np.where(kind == "S", 0.8, 1.0)
    p_waves = times - owner.pr_s * early
    waves.append(place(owner.waves["P"], p_waves[with_p], rr_s[with_p]))
    clean = render(np.vstack(waves), owner.views, n_samples=n_samples, fs=fs)
    level = float(np.exp(rng.normal(0, 0.4)))
    parts = noise(DURATION_S, fs=fs, seed=rng, wander_mv=0.06 * level, mains_mv=0.006 * level,
                  muscle_mv=0.02 * level, motion_mv=0.3, motions_per_min=0.5)  # fmt: skip
    symbol = np.where(kind == "Q", "/", kind) if paced else kind
    beats = pd.DataFrame({"time_s": times, "symbol": symbol})
    return (clean + parts.sum(axis=0)).astype(np.float32), beats


def _rhythm(owner: Heart, *, paced: bool, rng: Generator) -> tuple[NDArray, NDArray, NDArray]:
    """Times of the R peaks, intervals before them and kinds of all beats."""
    rate = rng.uniform(58, 92)
    n = int(DURATION_S * rate / 60 * 1.2) + 4
    kind = np.full(n, "Q" if paced else "N")
    chance = rng.random(n)
    edge = 0.0
    for name, (low, high) in SHARES.items():
        share = rng.uniform(low, high)
        if not paced:
            kind[(chance >= edge) & (chance < edge + share)] = name
        edge += share
    if not paced:
        for k, name in enumerate("SVFSVFQ"):  # every patient has some of each
            kind[8 + 11 * k] = name
    breath = np.sin(2 * np.pi * owner.breaths_per_min / rate * np.arange(n))
    steady = 0.004 if paced else 0.02
    swing = 0.0 if paced else owner.sinus_arrhythmia
    rr_s = 60 / rate * (1 + swing * breath + steady * rng.standard_normal(n))
    for name in SHARES:
        at = np.flatnonzero(kind == name) if not paced else np.empty(0, int)
        rr_s[at] *= rng.uniform(*EARLY[name], len(at))
        rr_s[np.minimum(at + 1, n - 1)] *= PAUSE[name]
    rr_s = np.maximum(rr_s, 0.3)
    times = np.cumsum(rr_s)
    keep = times < DURATION_S - 1.0
    return times[keep], rr_s[keep], kind[keep]


def _place(owner: Heart, kind: str, times: NDArray, rr_s: NDArray, *, rng: Generator) -> NDArray:
    """Waves of the beats of one kind, each a little different in size."""
    size = 1 + 0.05 * rng.standard_normal(len(times))
    if kind == "F":  # both fronts at once: part of a normal beat, part of a wide one
        share = rng.uniform(0.35, 0.65, len(times))
        return np.vstack(
            [
                place(owner.waves["N"], times, rr_s, size=size * (1 - share)),
                place(owner.waves["V"], times, rr_s, size=size * share),
            ]
        )
    turn = rng.normal(0, 0.06, len(times)) if kind != "N" else 0.0
    table = owner.waves["N" if kind == "S" else kind]
    return place(table, times, rr_s, size=size, turn=turn)


def ptb_records(
    *, n_beats: int, fs: float = 360.0, seed: int
) -> list[tuple[Record, pd.DataFrame, int]]:
    """Short recordings of healthy hearts (0) and of hearts after an infarct (1).

    An infarct lifts the ST segment or digs a deep Q wave before a smaller R, each in its own
    measure; some are mild. Beats are of normal rhythm. About `n_beats` over all recordings, some
    seven in ten of them after an infarct.
    """
    if n_beats < 20:
        raise ValueError(f"need at least 20 beats, got {n_beats}")
    per_patient = 25
    out = []
    for i in range(-(-n_beats // per_patient)):
        rng = np.random.default_rng([seed, i, 5])
        sick = int(i % 10 not in (0, 4, 7))
        owner = heart(rng)
        if sick:
            owner = replace(owner, waves=owner.waves | {"N": _infarct(owner, rng)})
        rr_s = 60 / rng.uniform(60, 100) * (1 + 0.03 * rng.standard_normal(per_patient + 1))
        times = 0.4 + np.cumsum(rr_s) - rr_s[0]
        waves = [
            place(owner.waves["N"], times, rr_s, size=1 + 0.05 * rng.standard_normal(len(times))),
            place(owner.waves["P"], times - owner.pr_s, rr_s),
        ]
        n_samples = int((times[-1] + 1.0) * fs)
        clean = render(np.vstack(waves), owner.views, n_samples=n_samples, fs=fs)
        parts = noise(n_samples / fs, fs=fs, seed=rng, wander_mv=0.03, motions_per_min=0.0)
        signal = (clean + parts.sum(axis=0)[: clean.shape[-1]]).astype(np.float32)
        name = f"synthetic-ptb-{seed}-{i:03d}"
        beats = pd.DataFrame({"time_s": times, "symbol": "N"})
        out.append((Record(signal, fs, ("II",), name, name, "synthetic"), beats, sick))
    return out


def _infarct(owner: Heart, rng: Generator) -> NDArray:
    """The waves of a normal beat with a lifted ST segment and a deep Q wave."""
    table = owner.waves["N"].copy()
    r = table[1, 3:]
    q_size, st_size = rng.uniform(0.1, 0.6), rng.uniform(0.05, 0.35)
    table[0, 3:] -= q_size * r  # the first row is the Q wave
    table[1, 3:] *= 1 - 0.4 * q_size
    middle = np.mean(ST_S)
    st = [middle, 0.055, 0.06, *(st_size * r)]
    return np.vstack([table, st])
