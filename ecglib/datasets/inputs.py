"""What a network sees of a beat: the signal alone, or R-R intervals and a typical beat beside it.

Chapter: exercise 04, "Model".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .store import Windows

INPUTS = ("signal", "rr", "rr+template")
N_RR = 6  # leads that `rr` appends, each constant over time
CLIP = 2.0  # bounds of those leads


def with_inputs(windows: Windows, inputs: str) -> Windows:
    """The same windows with further leads; hash, parameters and path stay.

    Parameters
    ----------
    windows : of beats, with rr_prev_s, rr_next_s, rr_local_s and rr_record_s in the table
    inputs : signal, rr or rr+template
        signal: as they are. rr: six leads behind the signal, each constant over time: the
        logarithms of previous to record, next to record, previous to local, next to local and
        next to previous interval, and the record's mean interval in seconds less 1; 0 where
        unknown, cut at ±2. rr+template: also, as lead 1, the typical beat of the record, the
        median of its windows. It takes no label, so a test record may have its own.
    """
    if inputs not in INPUTS:
        raise ValueError(f"need inputs {', '.join(INPUTS)}, got {inputs!r}")
    if inputs == "signal":
        return windows
    missing = {"rr_prev_s", "rr_next_s", "rr_local_s", "rr_record_s"} - set(windows.table)
    if missing:
        raise ValueError(f"need R-R intervals in the table, {', '.join(sorted(missing))} missing")
    n, n_leads, n_samples = windows.signal.shape
    extra = (inputs == "rr+template") + N_RR
    signal = np.empty((n, n_leads + extra, n_samples), np.float32)
    signal[:, :n_leads] = windows.signal
    if inputs == "rr+template":
        signal[:, 1] = _typical(windows)
        signal[:, 2 : n_leads + 1] = windows.signal[:, 1:]
    signal[:, -N_RR:] = rr_features(windows.table)[:, :, None]
    return replace(windows, signal=signal)


def rr_features(table: pd.DataFrame) -> NDArray[np.float32]:
    """The six features of the R-R intervals: (n_beats, 6), 0 where unknown, within ±2."""
    names = ("rr_prev_s", "rr_next_s", "rr_local_s", "rr_record_s")
    log = {name: np.log(table[name].to_numpy(float)) for name in names}
    before, after, local, record = (log[name] for name in names)
    features = np.stack(
        [
            before - record,
            after - record,
            before - local,
            after - local,
            after - before,
            table["rr_record_s"].to_numpy(float) - 1.0,
        ],
        axis=1,
    )
    return np.clip(np.nan_to_num(features), -CLIP, CLIP).astype(np.float32)


def _typical(windows: Windows) -> NDArray[np.float32]:
    """The median beat of each window's own record: (n, n_samples)."""
    number, _ = pd.factorize(windows.table["database"] + "/" + windows.table["record"])
    out = np.empty(windows.signal[:, 0].shape, np.float32)
    for this in range(number.max(initial=-1) + 1):
        rows = np.flatnonzero(number == this)
        out[rows] = np.median(windows.signal[rows, 0], axis=0)
    return out
