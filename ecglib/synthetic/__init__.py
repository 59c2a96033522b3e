"""Recordings of every rhythm the book needs, with known truth.

Each patient is a heart with its own wave shapes, axis, size, polarity and noise, and goes through
several segments of one rhythm each; every second patient has ventricular tachycardia, flutter or
fibrillation. Reproducible by seed. Chapter: exercise 03, "Data".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from ecglib import signals
from ecglib.records import Record

from .heartbeats import BEATS_VERSION, beat_records, ptb_records
from .rhythms import RATES, segment
from .waves import LEADS, Heart, beats, heart, noise, render, tachycardia, ventricular_fibrillation
from .wrist import WRIST_VERSION, wrist_records

__all__ = [
    "BEATS_VERSION",
    "LEADS",
    "RATES",
    "WRIST_VERSION",
    "SyntheticRecording",
    "beat_records",
    "beats",
    "heart",
    "noise",
    "ptb_records",
    "recordings",
    "tachycardia",
    "ventricular_fibrillation",
    "wrist_records",
]

VERSION = 1  # goes up when the same seed gives other recordings
EPISODES = ("VT", "VT", "VT", "VF", "VF", "VFL")  # as often as they stand here
FAST = ("NSR", "ST", "AFIB", "AFL", "SVT", "PACED")
OTHERS = (*FAST, *(r for r in RATES if r not in EPISODES))
SEGMENT_S = 30.0  # mean length of a segment
QUIET_MV = 0.05  # most noise, peak to peak, over asystole and fine fibrillation


@dataclass(frozen=True)
class SyntheticRecording:
    """A recording with its truth.

    `rhythms` has the columns start_s, end_s, rhythm, rate_per_min and amplitude_mv (peak to peak
    of the first lead, without noise) and covers the recording without gaps. `beats` has time_s (of
    the R peak) and label: N, S, V or Q (paced).
    """

    record: Record
    rhythms: pd.DataFrame
    beats: pd.DataFrame


def recordings(
    *,
    n_patients: int,
    duration_s: float,
    fs: float = 250.0,
    seed: int,
    rhythms: Sequence[str] | None = None,
    leads: Sequence[str] = ("II",),
) -> list[SyntheticRecording]:
    """Draw one recording a patient; the first patients stay the same when more are asked for.

    Parameters
    ----------
    n_patients : int
        Every second one has ventricular tachycardia, flutter or fibrillation.
    duration_s : float, seconds, at least 8
        Split into segments of about half a minute, each with one rhythm.
    fs : float, hertz, at least 100
    rhythms : names from `RATES`, optional
        Draw these only.
    leads : names from `LEADS`

    Raises
    ------
    ValueError
        If a name, the duration or the rate does not fit.
    """
    allowed = tuple(RATES if rhythms is None else rhythms)
    if not allowed or set(allowed) - set(RATES):
        raise ValueError(f"need rhythms from {list(RATES)}, got {list(allowed)}")
    if duration_s < 8 or fs < 100 or n_patients < 1:
        raise ValueError(
            "need n_patients >= 1, duration_s >= 8 and fs >= 100, "
            f"got {n_patients=} {duration_s=} {fs=}"
        )
    others = tuple(r for r in OTHERS if r in allowed)
    episodes = tuple(r for r in EPISODES if r in allowed)
    plan_rng = np.random.default_rng(seed)
    quiet, loud = _deal(others or episodes, plan_rng), _deal(episodes or others, plan_rng)
    n_segments = max(1, round(duration_s / SEGMENT_S))
    result = []
    for i in range(n_patients):
        plan = [next(quiet) for _ in range(n_segments)]
        first = n_segments > 1  # a patient starts in a rhythm that needs no shock
        if i % 2 == 0:
            plan[first::2] = [next(loud) for _ in plan[first::2]]
        rng = np.random.default_rng([seed, i])
        patient = f"synthetic-{seed}-{i:03d}"
        result.append(_recording(plan, patient, duration_s=duration_s, fs=fs, leads=leads, rng=rng))
    return result


def _deal(names: Sequence[str], rng: Generator) -> Iterator[str]:
    """Names in random order, each as often as it stands in `names` before any comes again."""
    while True:
        yield from rng.permutation(names).tolist()


def _recording(
    plan: list[str],
    patient: str,
    *,
    duration_s: float,
    fs: float,
    leads: Sequence[str],
    rng: Generator,
) -> SyntheticRecording:
    owner = heart(rng, leads=leads)
    n_samples = int(round(duration_s * fs))
    edges = np.cumsum(rng.uniform(0.7, 1.3, len(plan)))
    edges = np.concatenate([[0], np.round(edges / edges[-1] * n_samples)]).astype(int)
    spans = list(zip(edges[:-1], edges[1:], strict=True))
    rates = [rng.uniform(*RATES[name]) for name in plan]
    segments = [
        segment(name, rate, owner, start_s=a / fs, end_s=b / fs, fs=fs, rng=rng)
        for name, rate, (a, b) in zip(plan, rates, spans, strict=True)
    ]
    waves = np.vstack([part.waves for part in segments])
    clean = render(waves, owner.views, n_samples=n_samples, fs=fs)
    for part, (a, b) in zip(segments, spans, strict=True):
        if part.background is not None:
            clean[:, a:b] += part.background
    sizes = [float(signals.amplitude_mv(clean[0, a:b], fs=fs)) for a, b in spans]
    signal = clean + _noises(owner, plan, spans=spans, sizes=sizes, fs=fs, rng=rng)
    times = np.concatenate([part.times for part in segments])
    labels = np.concatenate([part.labels for part in segments])
    return SyntheticRecording(
        record=Record(
            signal=signal.astype(np.float32),
            fs=fs,
            leads=tuple(leads),
            patient=patient,
            record=patient,
            database="synthetic",
        ),
        rhythms=pd.DataFrame(
            {
                "start_s": edges[:-1] / fs,
                "end_s": edges[1:] / fs,
                "rhythm": plan,
                "rate_per_min": rates,
                "amplitude_mv": sizes,
            }
        ),
        beats=pd.DataFrame({"time_s": times, "label": labels}),
    )


def _noises(
    owner: Heart,
    plan: list[str],
    *,
    spans: list[tuple[int, int]],
    sizes: list[float],
    fs: float,
    rng: Generator,
) -> NDArray:
    """Noise of all leads, (n_leads, n_samples); low where the rhythm itself is almost flat."""
    level = float(np.exp(rng.normal(0, 0.6)))
    mains_hz = rng.choice([50.0, 60.0])
    total = []
    for _ in owner.views:
        parts = noise(
            spans[-1][1] / fs,
            fs=fs,
            seed=rng,
            wander_mv=0.08 * level,
            mains_mv=0.008 * level,
            mains_hz=mains_hz,
            muscle_mv=0.03 * level,
            motion_mv=1.1 * owner.size,
            motions_per_min=rng.choice([2.0, 7.0, 14.0]),
        )
        for name, (a, b), size in zip(plan, spans, sizes, strict=True):
            if name == "ASYSTOLE" or size < 0.2:
                steady = min(1.0, QUIET_MV / np.ptp(parts[1, a:b]))
                parts[:, a:b] *= [[0.3], [steady], [0.0]]
        total.append(parts.sum(axis=0))
    return np.array(total)
