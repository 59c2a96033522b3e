"""What the networks of exercise 05 cost: parameters, multiply-adds, time.

Chapter: exercise 05, "Training" and "Evaluation".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ecglib.datasets import Windows

from .results import budget
from .trials import PUBLISHED_EPOCHS

if TYPE_CHECKING:
    from ecglib.runs import Run

PUBLISHED_WINDOWS = 68_062  # five-second windows that the published networks learnt from


def costs(by_name: Mapping[str, Sequence[Run]], sets: Mapping[str, Windows]) -> pd.DataFrame:
    """What one network costs to train and to use, the mean over its runs.

    Returns
    -------
    DataFrame by network
        parameters; ``window (s)``; ``multiply-adds a window`` and ``a recording``, which takes as
        many windows as a test recording has on average; epochs; ``windows an epoch``;
        ``windows seen``; ``seconds an epoch`` and `seconds`, with judging validation windows.

    Raises
    ------
    ValueError
        If the windows of a run are not among `sets`.
    """
    from ecglib import models
    from ecglib.runs.parts import build

    by_hash = {windows.hash: windows for windows in sets.values()}
    rows = {}
    for name, found in by_name.items():
        config = found[0].config
        if config.data not in by_hash:
            raise ValueError(f"need windows {config.data} for {name}, got {[*by_hash]}")
        windows = by_hash[config.data]
        _, n_leads, n_samples = windows.signal.shape
        n = models.multiply_adds(build(config, windows), n_leads, n_samples)
        tested = windows.table["record"].to_numpy()[found[0].of("test")["row"]]
        spent = budget(found)
        rows[name] = {
            "parameters": spent["parameters"],
            "window (s)": n_samples / windows.fs,
            "multiply-adds a window": n,
            "multiply-adds a recording": n * len(tested) / len(np.unique(tested)),
            "epochs": spent["epochs"],
            "windows an epoch": spent["windows seen"] / spent["epochs"],
            "windows seen": spent["windows seen"],
            "seconds an epoch": spent["seconds"] / spent["epochs"],
            "seconds": spent["seconds"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def published_hours(cost: pd.DataFrame) -> pd.DataFrame:
    """Hours that training as long as published would take at the speed measured here.

    Parameters
    ----------
    cost : what `costs` returns

    Returns
    -------
    DataFrame by network: fewest, most (for the shortest and longest published training)
    """
    an_epoch = cost["seconds"] / cost["windows seen"] * PUBLISHED_WINDOWS / 3600
    low, high = PUBLISHED_EPOCHS
    return pd.DataFrame({"fewest": low * an_epoch, "most": high * an_epoch})
