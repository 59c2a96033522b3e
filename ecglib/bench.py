"""How fast things are on this machine: the table of `make bench`.

Chapter: "How to run".
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

import numpy as np

from ecglib import models, synthetic, train

N_WINDOWS = 512
FS = 250.0
N_SAMPLES = 1000


def table() -> str:
    """Markdown of what was measured, some seconds a row."""
    import torch

    rng = np.random.default_rng(0)
    x = rng.normal(size=(N_WINDOWS, 1, N_SAMPLES)).astype(np.float32)
    y = np.arange(N_WINDOWS) % 2
    device = "cuda" if torch.cuda.is_available() else "cpu"
    minutes = 20
    spent = _seconds(lambda: synthetic.recordings(n_patients=minutes, duration_s=60, seed=0))
    rows = [
        f"{platform.machine()}, {os.cpu_count()} cores, {device}, torch {torch.__version__}",
        "",
        f"synthetic recordings: {1000 * spent / minutes:.1f} ms a minute",
        "",
        "| network | parameters | windows/s, training | windows/s, applied |",
        "|---|--:|--:|--:|",
    ]
    config = train.TrainConfig(fs=FS, epochs=1, augment=())
    for name in models.MODELS:
        model = models.build(name, n_leads=1, n_classes=2, n_samples=N_SAMPLES)
        size = models.n_parameters(model)
        few = (x[:64], y[:64])
        learning = _seconds(
            lambda m=model, few=few: train.fit(m, (x, y), few, config=config, progress=False)
        )
        applying = _seconds(lambda m=model: train.predict(m, x))
        speeds = f"{N_WINDOWS / learning:,.0f} | {N_WINDOWS / applying:,.0f}"
        rows.append(f"| {name} | {size:,} | {speeds} |")
    return "\n".join(rows)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
