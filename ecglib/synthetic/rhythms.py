"""What happens in a segment of one rhythm: when the heart beats, how, and what is no beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .waves import Heart, place, twist, ventricular, ventricular_fibrillation

# Slowest and fastest rate per minute; for VFL and VF that of the waves, not of the beats.
RATES = {
    "NSR": (60, 100),
    "SBR": (32, 58),
    "ST": (102, 165),
    "AFIB": (60, 190),
    "AFL": (70, 160),
    "SVT": (150, 240),
    "NOD": (40, 100),
    "BIGEMINY": (60, 110),
    "TRIGEMINY": (60, 110),
    "AVB1": (50, 95),
    "AVB2": (60, 95),
    "IVR": (30, 100),
    "PACED": (60, 130),
    "PREX": (60, 110),
    "ASYSTOLE": (0, 0),
    "VT": (100, 260),
    "VFL": (200, 320),
    "VF": (180, 540),
}


@dataclass(frozen=True)
class Segment:
    """One episode: its beats, its waves as `waves.render` takes them, and what is no beat."""

    times: NDArray
    labels: NDArray
    waves: NDArray
    background: NDArray | None = None  # (n_leads, n_samples)


def segment(
    name: str,
    rate: float,
    owner: Heart,
    *,
    start_s: float,
    end_s: float,
    fs: float,
    rng: Generator,
) -> Segment:
    """Beats and waves of one rhythm between two times."""
    length = end_s - start_s
    n_samples = int(round(end_s * fs)) - int(round(start_s * fs))
    none = np.empty(0), np.empty(0, dtype="<U1")
    if name in ("VF", "VFL"):
        fine = name == "VF" and rng.random() < 0.15
        size = rng.uniform(0.08, 0.14) if fine else np.exp(rng.uniform(np.log(0.35), np.log(2)))
        signal = ventricular_fibrillation(
            n_samples / fs,
            fs=fs,
            seed=rng,
            frequency_hz=rate / 60,
            amplitude_mv=size,
            disorder=rng.uniform(0.8, 1.2) if name == "VF" else rng.uniform(0.1, 0.25),
            n_leads=len(owner.views),
        )
        ramp = np.minimum(1, np.minimum(np.arange(n_samples), np.arange(n_samples)[::-1]) / fs * 8)
        return Segment(*none, np.empty((0, 6)), signal * ramp)
    if name == "ASYSTOLE":
        atrial = start_s + np.arange(0.5, length, 60 / rng.uniform(30, 80))
        small = 0.04 / np.linalg.norm(owner.waves["P"][:, 3:])
        waves = place(owner.waves["P"], atrial, np.ones(len(atrial)), size=small)
        return Segment(*none, waves[: len(waves) * rng.integers(0, 2)])
    if name == "VT":
        times, rr_s = ventricular(length, rate, rng)
        polymorphic = rate > 170 and rng.random() < 0.35
        times = times + start_s
        waves = twist(owner.waves["VT"], times, rr_s, polymorphic=polymorphic, rng=rng)
        return Segment(times, np.full(len(times), "V"), waves)
    times, rr_s, labels, atrial = _rhythm(name, rate, owner, length_s=length, rng=rng)
    size = 1 + 0.04 * rng.standard_normal(len(times))
    own = name if name in owner.waves else "N"
    kinds = np.where(np.isin(labels, ["N", "S"]) | (name == "IVR"), own, labels)
    waves = [
        place(owner.waves[k], start_s + times[kinds == k], rr_s[kinds == k], size=size[kinds == k])
        for k in np.unique(kinds)
    ]
    kind = "F" if name == "AFL" else "P"
    waves.append(place(owner.waves[kind], start_s + atrial, np.ones(len(atrial))))
    background = None
    if name == "AFIB":
        background = ventricular_fibrillation(
            n_samples / fs,
            fs=fs,
            seed=rng,
            frequency_hz=rng.uniform(5, 8),
            amplitude_mv=rng.uniform(0.05, 0.25) * owner.size,
            n_leads=len(owner.views),
        )
    return Segment(start_s + times, labels, np.vstack(waves), background)


def _rhythm(
    name: str, rate: float, owner: Heart, *, length_s: float, rng: Generator
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Times, preceding intervals and labels of the beats, and times of the atrial waves."""
    beat = np.arange(int(length_s * rate / 60 * 1.6) + 8)
    rr_s = np.full(len(beat), 60 / rate)
    if name == "AFIB":
        rr_s *= np.exp(0.22 * rng.standard_normal(len(beat)))
    elif name in ("SVT", "AFL", "PACED"):
        rr_s *= 1 + 0.004 * rng.standard_normal(len(beat))
    else:
        breath = np.sin(2 * np.pi * owner.breaths_per_min / rate * beat)
        rr_s *= 1 + owner.sinus_arrhythmia * breath + 0.01 * rng.standard_normal(len(beat))
    labels = np.full(len(beat), {"IVR": "V", "PACED": "Q"}.get(name, "N"))
    if name in ("BIGEMINY", "TRIGEMINY"):
        every = 2 if name == "BIGEMINY" else 3
        labels[every - 1 :: every] = "V"
    elif name in ("NSR", "SBR", "ST", "AFIB", "AVB1"):
        chance = rng.random(len(beat))
        labels[chance < owner.premature[1]] = "V"
        labels[chance > 1 - owner.premature[0]] = "S"
    if name != "IVR":
        rr_s *= np.select([labels == "V", labels == "S"], [0.65, 0.72], 1.0)
        rr_s[1:][labels[:-1] == "V"] *= 1.35  # the pause after a ventricular beat
    rr_s = np.maximum(rr_s, 0.25)
    times = np.cumsum(rr_s) - rng.uniform(0.2, 0.8) * rr_s[0]
    atrial = np.empty(0)
    if name == "AVB2":  # Wenckebach: the PR interval grows until a beat is dropped
        cycle = rng.integers(3, 5)
        atrial = times[times < length_s]
        times = times + owner.pr_s + 0.07 * (beat % cycle)
        keep = (beat % cycle != cycle - 1) & (times < length_s)
        return times[keep], rr_s[keep], labels[keep], atrial
    keep = times < length_s
    times, rr_s, labels = times[keep], rr_s[keep], labels[keep]
    if name == "AFL":
        step = 60 / rate / round(280 / rate)
        atrial = np.arange(times[0] % step, length_s, step) if len(times) else atrial
    elif name not in ("AFIB", "SVT", "NOD", "IVR") and not (name == "PACED" and rng.random() < 0.6):
        pr_s = {"AVB1": rng.uniform(0.23, 0.34), "PREX": 0.1}.get(name, owner.pr_s)
        atrial = times[labels != "V"] - min(pr_s, 0.45 * 60 / rate)
    return times, rr_s, labels, atrial
