"""The building blocks of a synthetic ECG: hearts, beats, fibrillation, noise.

Beats are sums of Gaussian waves of a turning dipole seen by each lead (McSharry et al., IEEE
Trans. Biomed. Eng. 50:289, 2003; Sameni et al., EURASIP J. Adv. Signal Process. 2007:043407);
fibrillation is a few oscillators whose frequency and size wander. Signals are in millivolt, rates
in beats per minute, `fs` in hertz; every function is reproducible by its seed.
Chapter: exercise 03, "Data".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from ecglib import signals

LEADS = {"II": (60, 0), "V1": (110, 65), "V5": (10, -15)}  # degrees: frontal plane, to the front


@dataclass(frozen=True)
class Heart:
    """What makes a patient: how the waves look and how steady the rate is.

    Each entry of `waves` has shape (n, 6), one row per Gaussian: offset from the R peak, rise and
    fall (standard deviations), all in seconds, and the dipole in millivolt.
    """

    size: float  # of the R wave, millivolt
    views: NDArray  # (n_leads, 3): the direction each lead looks from
    waves: dict[str, NDArray]
    pr_s: float
    breaths_per_min: float
    sinus_arrhythmia: float  # relative swing of the interval with each breath
    premature: tuple[float, float]  # chance of a beat to be supraventricular, ventricular


def _direction(frontal: ArrayLike, front: ArrayLike) -> NDArray:
    """Unit vectors (..., 3) from degrees in the frontal plane and towards the chest."""
    a, b = np.radians(frontal), np.radians(front)
    return np.stack([np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)], axis=-1)


def _table(rows: list[tuple], size: float) -> NDArray:
    """Rows of (offset, rise, fall, size, frontal axis, front) as waves of a heart."""
    rows = np.array(rows)
    dipole = rows[:, 3:4] * _direction(rows[:, 4], rows[:, 5]) * size
    return np.hstack([rows[:, :3], dipole])


def _wide(rng: Generator, size: float, *, width: tuple[float, float]) -> NDArray:
    """A beat that starts in a ventricle: wide, often notched, its T wave the other way."""
    w, front = rng.uniform(*width), rng.uniform(-40, 40)
    axis = rng.choice([60, 240]) + rng.uniform(-60, 60)  # well seen in lead II, up or down
    return _table(
        [
            (0, w, 0.9 * w, 1.0, axis, front),
            (1.7 * w, w, w, rng.uniform(-0.5, 0.5), axis + rng.normal(0, 30), front),
            (0.33, 0.085, 0.055, -rng.uniform(0.25, 0.6), axis, front),
        ],
        size,
    )


def _narrow(rng: Generator, axis: float, front: float, *, block: bool) -> list[tuple]:
    """A beat from above the ventricles: Q, R, S, T; wide if a bundle branch is blocked."""
    w = rng.uniform(0.015, 0.019) if block else rng.uniform(0.009, 0.0125)
    tall = rng.random() < 0.25
    t_size = rng.uniform(0.4, 0.75) if tall else rng.uniform(0.12, 0.38)
    rows = [
        (-2.6 * w, 0.8 * w, 0.8 * w, rng.uniform(0.02, 0.18), axis + 180, front + 20),
        (0, w, w, 1.0, axis, front),
        (2.5 * w, w, w, rng.uniform(0.1, 0.45), axis + 180 + rng.normal(0, 25), front),
        (0.29, 0.058, 0.036, t_size, axis + rng.normal(180 * block, 18), 0),
    ]
    if block:
        late = rng.uniform(0.4, 0.8), axis + rng.choice([-60, 60]), front + 40
        rows.append((4.2 * w, 1.2 * w, 1.4 * w, *late))
    return rows


def heart(seed: int | Generator, *, leads: Sequence[str] = ("II",)) -> Heart:
    """Draw a patient: axis, wave shapes, sizes, polarity, regularity, ectopy.

    `leads` are names from `LEADS`.
    """
    if unknown := set(leads) - set(LEADS):
        raise ValueError(f"need leads from {list(LEADS)}, got {sorted(unknown)}")
    rng = np.random.default_rng(seed)
    size = float(np.clip(np.exp(rng.normal(0.0, 0.35)), 0.45, 2.2))
    axis, front = np.clip(rng.normal(50, 25), -10, 120), rng.normal(-15, 12)
    narrow = _narrow(rng, axis, front, block=False)
    usual = _narrow(rng, axis, front, block=True) if rng.random() < 0.2 else narrow
    w = narrow[1][1]
    delta = (-3.2 * w, 1.8 * w, 1.5 * w, rng.uniform(0.3, 0.5), axis, front)
    wide = {k: _wide(rng, 1.25 * size, width=(0.023, 0.042)) for k in ("V", "IVR")}
    spike = (-0.1, 0.002, 0.002, rng.uniform(0.5, 1.5) / size, axis, front)
    flutter = (0, 0.055, 0.022, -rng.uniform(0.15, 0.45), 80, 20)
    views = _direction(*np.array([LEADS[n] for n in leads]).T)
    return Heart(
        size=size,
        views=views * (-1 if rng.random() < 0.15 else 1),
        waves={
            "P": _table([(0, 0.026, 0.024, rng.uniform(0.07, 0.2), 55, 10)], max(size, 0.7)),
            "F": _table([flutter], size),
            "N": _table(usual, size),
            "SVT": _table(narrow, size),
            "PREX": _table([*narrow, delta], size),
            "Q": np.vstack([_wide(rng, 1.1 * size, width=(0.028, 0.036)), _table([spike], size)]),
            "VT": _wide(rng, rng.uniform(0.5, 1.3) * size, width=(0.023, 0.042)),
            **wide,
        },
        pr_s=rng.uniform(0.13, 0.19),
        breaths_per_min=rng.uniform(10, 22),
        sinus_arrhythmia=rng.uniform(0.01, 0.08),
        premature=(rng.choice([0, 0, 0.04]), rng.choice([0, 0.03, 0.1])),
    )


def place(
    table: NDArray, times: NDArray, rr_s: NDArray, *, size: ArrayLike = 1.0, turn: ArrayLike = 0.0
) -> NDArray:
    """Waves (n_beats * n, 6) of beats at `times`; T waves come earlier when intervals are short."""
    stretch = np.where(table[:, 0] > 0.2, np.sqrt(np.clip(rr_s, 0.2, 1.4))[:, None], 1.0)
    size, turn = (np.broadcast_to(v, times.shape)[:, None] for v in (size, turn))
    x, y, z = (size * table[:, k] for k in (3, 4, 5))
    columns = (
        times[:, None] + table[:, 0] * stretch,
        table[:, 1] * stretch,
        table[:, 2] * stretch,
        x * np.cos(turn) - y * np.sin(turn),
        x * np.sin(turn) + y * np.cos(turn),
        z,
    )
    return np.stack(columns, axis=-1).reshape(-1, 6)


def render(waves: NDArray, views: NDArray, *, n_samples: int, fs: float) -> NDArray:
    """Sum the waves as each lead sees them: (n_leads, n_samples)."""
    half = np.ceil(3.2 * fs * waves[:, 1:3].max(axis=1)).astype(int)
    middle = np.round(waves[:, 0] * fs).astype(int)
    pad = int(half.max(initial=0)) * 2
    level = np.ceil(np.log2(np.maximum(half, 1)) * 2)  # waves of like width are summed together
    signal = np.zeros((len(views), n_samples + 2 * pad))
    seen = (middle > -pad // 2) & (middle < n_samples + pad // 2)
    for this in np.unique(level[seen]):
        rows = np.flatnonzero(seen & (level == this))
        h = half[rows].max()
        index = middle[rows, None] + np.arange(-h, h + 1)
        rise, fall = (waves[rows, k, None].astype(np.float32) for k in (1, 2))
        away = (index / fs - waves[rows, :1]).astype(np.float32)
        shape = np.exp(-0.5 * (away / np.where(away < 0, rise, fall)) ** 2)
        for lead, view in enumerate(views):
            weights = shape * (waves[rows, 3:] @ view)[:, None].astype(np.float32)
            signal[lead] += np.bincount(
                (index + pad).ravel(), weights.ravel(), minlength=signal.shape[1]
            )
    return signal[:, pad : pad + n_samples]


def beats(rr_s: ArrayLike, *, fs: float, seed: int | Generator, kind: str = "N") -> NDArray:
    """Beats of one patient in lead II, one after each interval: shape (n_samples,), millivolt.

    `kind` is that of every beat: N (narrow, with P wave), PREX, V, IVR, VT or Q (paced).
    """
    rr_s = np.asarray(rr_s, dtype=float)
    if rr_s.size == 0 or not np.all(rr_s > 0):
        raise ValueError(f"need positive intervals in seconds, got {rr_s}")
    owner = heart(seed)
    if kind not in owner.waves:
        raise ValueError(f"need a kind from {list(owner.waves)}, got {kind!r}")
    times = np.cumsum(rr_s)
    waves = [place(owner.waves[kind], times, rr_s)]
    if kind in ("N", "PREX"):
        waves.append(place(owner.waves["P"], times - owner.pr_s, rr_s))
    n_samples = int(round((times[-1] + 0.6) * fs))
    return render(np.vstack(waves), owner.views, n_samples=n_samples, fs=fs)[0]


def tachycardia(
    duration_s: float,
    *,
    rate_per_min: float,
    fs: float,
    seed: int | Generator,
    polymorphic: bool = False,
) -> NDArray:
    """Ventricular tachycardia in lead II: shape (n_samples,), millivolt."""
    rng = np.random.default_rng(seed)
    owner = heart(rng)
    times, rr_s = ventricular(duration_s, rate_per_min, rng)
    waves = twist(owner.waves["VT"], times, rr_s, polymorphic=polymorphic, rng=rng)
    return render(waves, owner.views, n_samples=int(round(duration_s * fs)), fs=fs)[0]


def ventricular(duration_s: float, rate: float, rng: Generator) -> tuple[NDArray, NDArray]:
    """Times and intervals of a regular ventricular rhythm."""
    n = int(duration_s * rate / 60 * 1.1) + 3
    rr_s = 60 / rate * (1 + 0.012 * rng.standard_normal(n))
    times = np.cumsum(rr_s) - 0.5 * rr_s[0]
    return times[times < duration_s], rr_s[times < duration_s]


def twist(
    table: NDArray, times: NDArray, rr_s: NDArray, *, polymorphic: bool, rng: Generator
) -> NDArray:
    """Waves of a tachycardia; a polymorphic one turns its axis and swells and shrinks."""
    size, turn = 1 + 0.03 * rng.standard_normal(len(times)), 0.0
    if polymorphic:
        turn = np.cumsum(rng.normal(0.3, 0.25, len(times)))
        size = size * (0.35 + 0.75 * np.abs(np.sin(times * rng.uniform(0.5, 1.0) + 1.0)))
    return place(table, times, rr_s, size=size, turn=turn)


def _smooth(n_samples: int, step: int, rng: Generator) -> NDArray:
    """Normal noise that changes every `step` samples, smoothly: (n_samples,) float32."""
    knots = rng.standard_normal(n_samples // step + 2, dtype=np.float32)
    t = np.arange(step, dtype=np.float32) / step
    ramp = t * t * (3 - 2 * t)
    return (knots[:-1, None] + np.diff(knots)[:, None] * ramp).ravel()[:n_samples]


def _cosine(cycles: NDArray) -> NDArray:
    return np.cos(np.float32(2 * np.pi) * (cycles - np.floor(cycles)).astype(np.float32))


def ventricular_fibrillation(
    duration_s: float,
    *,
    fs: float,
    seed: int | Generator,
    frequency_hz: float = 5.0,
    amplitude_mv: float = 0.8,
    disorder: float = 1.0,
    n_leads: int = 1,
) -> NDArray:
    """Oscillators whose frequency and size wander: shape (n_leads, n_samples), millivolt.

    Parameters
    ----------
    duration_s : float, seconds, at least 1
    frequency_hz : float, hertz
        Around which the main oscillator wanders.
    amplitude_mv : float, millivolt
        Peak to peak, as `signals.amplitude_mv` measures it; below 0.2 is fine fibrillation.
    disorder : float
        1 is fibrillation; 0.15 is as regular as ventricular flutter.
    """
    if duration_s < 1:
        raise ValueError(f"need at least one second, got {duration_s} s")
    rng = np.random.default_rng(seed)
    n_samples = int(round(duration_s * fs))
    drift = 1 + 0.2 * disorder * _smooth(n_samples, int(0.4 * fs), rng)
    main = np.cumsum(frequency_hz / fs * drift, dtype=np.float64)
    other = np.cumsum(frequency_hz * rng.uniform(0.55, 1.6) / fs * drift[::-1], dtype=np.float64)
    overtone = rng.uniform(0.1, 0.55)
    signal = np.empty((n_leads, n_samples))
    for lead in range(n_leads):
        shift = rng.uniform(0, 1, 3)
        swell = 1 + 0.4 * disorder * _smooth(n_samples, int(0.8 * fs), rng)
        second = 0.55 * disorder * _smooth(n_samples, int(0.5 * fs), rng)
        x = swell * (_cosine(main + shift[0]) + overtone * _cosine(2 * main + shift[1]))
        x += second * _cosine(other + shift[2])
        signal[lead] = x * amplitude_mv / signals.amplitude_mv(x, fs=fs)
    return signal


def noise(
    duration_s: float,
    *,
    fs: float,
    seed: int | Generator,
    wander_mv: float = 0.1,
    mains_mv: float = 0.01,
    mains_hz: float = 50.0,
    muscle_mv: float = 0.02,
    motion_mv: float = 0.5,
    motions_per_min: float = 1.0,
) -> NDArray:
    """Three kinds of noise: shape (3, n_samples), millivolt; their sum is the noise of a lead.

    Baseline wander; mains and muscle; bursts of electrode motion, as fast as fibrillation. The
    first are given as standard deviations, motion as the peak-to-peak amplitude of a burst.
    """
    rng = np.random.default_rng(seed)
    n_samples = int(round(duration_s * fs))
    wander = wander_mv * _smooth(n_samples, int(1.3 * fs), rng)
    wander += 1.5 * wander_mv * _smooth(n_samples, int(6 * fs), rng)
    steady = 1.414 * mains_mv * _cosine(mains_hz / fs * np.arange(n_samples))
    tension = muscle_mv * np.exp(0.5 * _smooth(n_samples, int(2.5 * fs), rng))
    steady += tension * np.diff(rng.standard_normal(n_samples + 1, dtype=np.float32)) / 1.414
    motion = np.zeros(n_samples)
    for _ in range(rng.poisson(motions_per_min * duration_s / 60)):
        length = min(rng.uniform(3, 9), duration_s)
        start = int(rng.uniform(0, duration_s - length) * fs)
        burst = ventricular_fibrillation(
            length,
            fs=fs,
            seed=rng,
            frequency_hz=rng.uniform(2, 6),
            amplitude_mv=motion_mv * rng.uniform(0.5, 1.5),
        )[0]
        motion[start : start + len(burst)] += burst * np.hanning(len(burst)) ** 0.5
    return np.stack([wander, steady, motion])
