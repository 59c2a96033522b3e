"""Figures and tables that commands write, each whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")  # a command has no window to draw in

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ecglib import plots
from ecglib.chapter import write_bytes

if TYPE_CHECKING:
    import pandas as pd

MM, MOST_INCHES = 1 / 25.4, 24.0


def confusion(counts: ArrayLike, classes: Sequence[str], *, unit: str) -> Figure:
    """What was taken for what; `counts` has shape (n_classes, n_classes), rows are true."""
    plots.style()
    counts = np.asarray(counts)
    true, predicted = np.indices(counts.shape).reshape(2, -1)
    n = counts.ravel()
    size = 2 + 1.1 * len(counts)
    figure, ax = plt.subplots(figsize=(size, size), layout="constrained")
    plots.confusion(np.repeat(true, n), np.repeat(predicted, n), classes, unit=unit, ax=ax)
    return figure


def attributions(
    signal: np.ndarray, maps: np.ndarray, titles: Sequence[str], *, fs: float
) -> Figure:
    """Windows (n, n_leads, n_samples) on ECG paper with their maps, one below the other."""
    plots.style()
    limit = float(np.clip(np.ceil(2 * np.abs(signal).max()) / 2, 1, 3))
    wide = min(signal.shape[-1] / fs * 25 * MM, MOST_INCHES)
    scale = wide / (signal.shape[-1] / fs * 25 * MM)
    high = signal.shape[1] * 2 * limit * 10 * MM * scale
    figure, axes = plt.subplots(
        len(signal), 1, figsize=(max(wide, 4) + 1.6, len(signal) * (high + 1.1)), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, x, one, title in zip(axes[:, 0], signal, maps, titles, strict=True):
        plots.attribution(x, one, fs=fs, limit_mv=limit, ax=ax)
        ax.set_title(title, fontsize=9)
    return figure


def write(figure: Figure, path: Path) -> None:
    """Write a figure as PNG and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)
    write_bytes(path, buffer.getvalue())


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_bytes(path, buffer.getvalue())
