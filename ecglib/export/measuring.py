"""Size and time of networks, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from tqdm.auto import tqdm

from .runtime import about, predict, session


def measure(
    models: Mapping[str, nn.Module | str | Path],
    x: ArrayLike,
    *,
    batch_size: int = 64,
    repeats: int = 50,
    threads: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Size of each network and time it takes for a window, alone and in a batch.

    Rounds go over all networks in turn, so that what else the computer does meets all of them.

    Parameters
    ----------
    models : networks (PyTorch) and ONNX files by name
    x : array, shape (n, n_leads, n_samples)
        Windows that all of them take; repeated where a batch needs more.
    batch_size, repeats, threads : int
        Windows in a batch, rounds (after three that do not count), threads of a core each.

    Returns
    -------
    DataFrame
        A row each: name, form (torch, onnx or int8), bytes, latency_ms with low_ms and high_ms
        (median and the tenths at either end, of one window alone), batch_ms (median, of a window
        in a batch), windows_per_s (of that).
    """
    x = np.asarray(x, dtype=np.float32)
    one, many = x[:1], np.resize(x, (batch_size, *x.shape[1:]))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ready = {name: _callable(model, threads) for name, model in models.items()}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
        rounds = range(-3, repeats)
        for i in tqdm(rounds, desc="timing", disable=not progress, mininterval=2):
            for name, answer in ready.items():
                taken = tuple(_seconds(answer, windows) for windows in (one, many))
                if i >= 0:
                    times[name].append(taken)
    finally:
        torch.set_num_threads(before)
    rows = []
    for name, model in models.items():
        alone, batch = 1e3 * np.array(times[name]).T
        low, middle, high = np.quantile(alone, (0.1, 0.5, 0.9))
        each = float(np.median(batch)) / batch_size
        rows.append({
            "name": name, **_size(model), "latency_ms": middle, "low_ms": low, "high_ms": high,
            "batch_ms": each, "windows_per_s": 1e3 / each,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _callable(model: nn.Module | str | Path, threads: int) -> Callable[[NDArray], object]:
    if not isinstance(model, nn.Module):
        ready = session(model, threads=threads)
        return lambda windows: predict(ready, windows)
    network = model.cpu().eval()

    def answer(windows: NDArray[np.float32]) -> torch.Tensor:
        with torch.inference_mode():
            return network(torch.from_numpy(windows))

    return answer


def _seconds(answer: Callable[[NDArray], object], windows: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    answer(windows)
    return time.perf_counter() - started


def _size(model: nn.Module | str | Path) -> dict[str, object]:
    if not isinstance(model, nn.Module):
        return {"form": about(model)["form"], "bytes": Path(model).stat().st_size}
    held = [*model.parameters(), *model.buffers()]
    return {"form": "torch", "bytes": sum(t.numel() * t.element_size() for t in held)}
