"""Ways to be right for the wrong reason, planted on purpose: does a map show them?

A mark or a hum that only one class has is a shortcut (Geirhos 2020,
doi:10.1038/s42256-020-00257-z). A network that takes it is right wherever it is there, and its map
can be held against the place where it was put. Chapter: exercise 06, "What did the network look
at?".
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from ecglib import models
from ecglib.train import TrainConfig, fit, predict

from .intervals import mean_of

MARK_S = 0.012  # a pacing pulse as a surface ECG shows it: narrow, and gone at once


def mark(
    x: ArrayLike, *, fs: float, size_mv: float = 1.0, margin_s: float = 0.2, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Put a narrow pulse, such as a pacemaker leaves, at a random place in each window.

    Parameters
    ----------
    x : array, shape (n, n_leads, n_samples), millivolt; is left as it is
    fs : float, hertz
    size_mv : float, height of the pulse on all leads
    margin_s : float, the least distance from either end

    Returns
    -------
    x with the pulses, and the sample of each, shape (n,)

    Raises
    ------
    ValueError
        If no place is left between the margins.
    """
    marked = np.array(x, dtype=np.float32)
    margin, width = round(margin_s * fs), max(1, round(MARK_S * fs))
    last = marked.shape[-1] - margin - width
    if last <= margin:
        raise ValueError(
            f"need windows longer than twice the margin, got {marked.shape[-1] / fs:g} s and "
            f"{margin_s=}"
        )
    at = np.random.default_rng(seed).integers(margin, last, len(marked))
    for window, start in zip(marked, at, strict=True):
        window[:, start : start + width] += size_mv
    return marked, at + width // 2


def burst(
    x: ArrayLike,
    *,
    fs: float,
    size_mv: float = 0.3,
    hz: float = 50.0,
    length_s: float = 0.8,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Put a short burst of mains hum, as of a motor that starts, at a random place.

    Arguments as for `hum`; `length_s` in seconds.

    Returns
    -------
    x with the bursts, and the middle sample of each, shape (n,)

    Raises
    ------
    ValueError
        If the burst is longer than the window.
    """
    x, length = np.asarray(x, dtype=np.float32), round(length_s * fs)
    if not 0 < length < x.shape[-1]:
        raise ValueError(f"need a burst within {x.shape[-1] / fs:g} s, got {length_s=}")
    first = np.random.default_rng(seed).integers(0, x.shape[-1] - length, len(x))
    since = np.arange(x.shape[-1]) - first[:, None]  # (n, n_samples)
    inside = ((since >= 0) & (since < length))[:, None]
    noisy = hum(x, fs=fs, size_mv=size_mv, hz=hz, seed=seed)
    return np.where(inside, noisy, x), first + length // 2


def hum(
    x: ArrayLike, *, fs: float, size_mv: float = 0.1, hz: float = 50.0, seed: int = 0
) -> NDArray[np.float32]:
    """Add mains hum of a random phase all along each window.

    Parameters
    ----------
    x : array, shape (n, n_leads, n_samples), millivolt; is left as it is
    fs : float, hertz, above twice `hz`
    size_mv : float, amplitude
    """
    x = np.asarray(x, dtype=np.float32)
    if not 0 < 2 * hz < fs:
        raise ValueError(f"need hum below fs / 2, got {hz=} {fs=}")
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, (len(x), 1, 1))
    seconds = np.arange(x.shape[-1]) / fs
    return x + (size_mv * np.sin(2 * np.pi * hz * seconds + phase)).astype(np.float32)


def learn(
    name: str,
    x: ArrayLike,
    label: ArrayLike,
    *,
    fs: float,
    epochs: int = 8,
    batch_size: int = 32,
    seed: int = 0,
) -> nn.Module:
    """A network taught with a few windows, as plainly as can be; the same call, the same network.

    No augmentation, no smoothing of the truth: what is to be seen is what the windows teach. The
    epoch with the lowest loss on these same windows is kept.

    Parameters
    ----------
    name : a key of `models.MODELS`
    x : array, shape (n, n_leads, n_samples), millivolt
    label : array, shape (n,), 0 to n_classes - 1
    """
    x, label = np.ascontiguousarray(x, dtype=np.float32), np.asarray(label, dtype=np.int64)
    network = models.build(
        name,
        n_leads=x.shape[1],
        n_classes=int(label.max()) + 1,
        n_samples=x.shape[2],
        seed=seed,
    )
    config = TrainConfig(fs=fs, epochs=epochs, batch_size=batch_size, seed=seed, device="cpu")
    fit(network, (x, label), (x, label), config=config, progress=False)
    return network


def answers(model: nn.Module, x: ArrayLike) -> NDArray[np.float64]:
    """Probability of the last class, shape (n,)."""
    logits = predict(model, np.ascontiguousarray(x, dtype=np.float32))
    return torch.softmax(torch.from_numpy(logits).double(), dim=1)[:, -1].numpy()


def pointed(
    maps: ArrayLike,
    at: ArrayLike,
    *,
    fs: float,
    within_s: float = 0.1,
    groups: ArrayLike | None = None,
) -> dict[str, float]:
    """In how many windows the strongest place of the map lies within `within_s` of a known one.

    Parameters
    ----------
    maps : array, shape (n, n_samples)
    at : array, shape (n,), sample; or (n, k), of which the nearest counts (-1: no place)
    fs : float, hertz
    groups : array, shape (n,), the patient of each window, for the interval

    Returns
    -------
    dict: value, low, high, n, and `chance`, what a strongest place anywhere would reach
    """
    maps, places = np.asarray(maps), np.asarray(at)
    places = places[:, None] if places.ndim == 1 else places
    if maps.ndim != 2 or len(places) != len(maps):
        raise ValueError(f"need a place for each map, got {maps.shape} and {places.shape}")
    samples = np.arange(maps.shape[1])
    near = np.zeros(maps.shape, bool)
    for column in places.T:
        known = column >= 0
        near[known] |= np.abs(samples - column[known, None]) <= within_s * fs
    hit = near[np.arange(len(maps)), np.abs(maps).argmax(axis=1)]
    return mean_of(hit.astype(float), groups) | {"chance": float(near.mean())}
