"""Synthetic recordings of half a minute with one lead, as held between two hands or at a wrist.

Each is a heart of `waves.heart` in one rhythm, with a size and noise of its own. Chapter:
exercise 05, "Data".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ecglib.records import Record

from .rhythms import RATES, Segment, segment
from .waves import Heart, heart, noise, render

WRIST_VERSION = 1  # goes up when the same seed gives other recordings
SHARES = {"A": 0.09, "O": 0.28, "~": 0.03}  # of the recordings; the others are N
OTHER = ("EXTRA", "EXTRA", "BIGEMINY", "TRIGEMINY", "SBR", "ST", "AVB1", "AVB2", "AFL", "PREX")
FEWEST = 20
DURATION_S = (9.0, 60.0)  # shortest and longest; most last 30
EXTRA = (0.07, 0.12)  # chance of a beat to be supraventricular, ventricular in rhythm EXTRA


def wrist_records(*, n_records: int, seed: int, fs: float = 300.0) -> list[tuple[Record, str]]:
    """Draw recordings of normal rhythm (N), atrial fibrillation (A), others (O) and noise (~).

    Parameters
    ----------
    n_records : int, at least 20
        About 60, 9, 28 and 3 in a hundred are N, A, O and ~; at least three of each, and at least
        twelve of N, A and O among 120 or more.
    fs : float, hertz

    Returns
    -------
    list of (Record, label)
        One lead of 9 to 60 s, most 30 s, in millivolt. A is irregular and without P waves. O has
        extra beats, is too slow, too fast or conducted with delay, flutters or is pre-excited.
        Of ~ little but noise is seen.
    """
    if n_records < FEWEST:
        raise ValueError(f"need at least {FEWEST} recordings, got {n_records}")
    rng = np.random.default_rng([seed, 6])
    least = 12 if n_records >= 120 else 3
    n = {label: max(round(share * n_records), least) for label, share in SHARES.items()}
    n["~"] = max(round(SHARES["~"] * n_records), 3)
    labels = np.repeat(["N", *n], [n_records - sum(n.values()), *n.values()])
    others = iter(np.resize(rng.permutation(OTHER), n["O"]).tolist())
    out = []
    for i, label in enumerate(rng.permutation(labels).tolist()):
        own = np.random.default_rng([seed, i, 6])
        rhythm = {"A": "AFIB", "O": next(others) if label == "O" else ""}.get(label, "NSR")
        name = f"synthetic-{seed}-{i:04d}"
        signal = _recording(rhythm, noisy=label == "~", fs=fs, rng=own)
        out.append((Record(signal, fs, ("II",), name, name, "synthetic"), label))
    return out


def _recording(rhythm: str, *, noisy: bool, fs: float, rng: Generator) -> NDArray[np.float32]:
    duration_s = 30.0 if rng.random() < 0.7 else float(rng.uniform(*DURATION_S))
    n_samples = int(duration_s * fs)
    owner = replace(heart(rng), premature=(0.0, 0.0))
    episode = _episode(rhythm, owner, duration_s=n_samples / fs, fs=fs, rng=rng)
    clean = render(episode.waves, owner.views, n_samples=n_samples, fs=fs)
    if episode.background is not None:
        clean += episode.background
    level = float(np.exp(rng.normal(0, 0.5)))
    loud = rng.uniform(6, 15) if noisy else 1.0
    parts = noise(
        n_samples / fs,
        fs=fs,
        seed=rng,
        wander_mv=0.06 * level * loud,
        mains_mv=0.004 * level,
        mains_hz=rng.choice([50.0, 60.0]),
        muscle_mv=0.025 * level * loud,
        motion_mv=2.0 if noisy else 0.4,
        motions_per_min=40.0 if noisy else 1.5,
    )
    seen = rng.uniform(0.05, 0.3) if noisy else 1.0
    gain = float(np.clip(np.exp(rng.normal(-0.3, 0.5)), 0.2, 3.0))
    return (gain * (seen * clean + parts.sum(axis=0))).astype(np.float32)


def _episode(rhythm: str, owner: Heart, *, duration_s: float, fs: float, rng: Generator) -> Segment:
    """One rhythm from the first to the last sample; EXTRA has at least one extra beat."""
    if rhythm == "EXTRA":
        owner, rhythm, wanted = replace(owner, premature=EXTRA), "NSR", 1
    else:
        wanted = 0
    while True:
        rate = rng.uniform(*RATES[rhythm])
        episode = segment(rhythm, rate, owner, start_s=0.0, end_s=duration_s, fs=fs, rng=rng)
        if (episode.labels != "N").sum() >= wanted:
            return episode
