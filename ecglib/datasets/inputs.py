"""What a network sees of a beat: the signal alone, or intervals and a typical beat beside it.

Chapter: exercise 04, "Model".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecglib.beats import LONGEST_RR_S, N_CONTEXT, PEAK

from .store import Windows

INPUTS = ("signal", "rr", "rr+template", "rr+late")
N_FEATURES = {"signal": 0, "rr": 5, "rr+template": 8, "rr+late": 8}  # leads that are numbers
LATE = 0.75  # beats whose interval before is among the longest quarter of the record's
CLIP = 3.0  # bounds of the intervals
NARROWEST = 0.05  # least spread of a record's intervals, in logarithms: five in a hundred
RR_COLUMNS = ("rr_prev_s", "rr_next_s", "rr_prev2_s", "rr_next2_s",
              "rr_low_s", "rr_mid_s", "rr_high_s")  # fmt: skip
PARTS_S = {"before": (-0.25, -0.07), "complex": (-0.08, 0.1), "after": (0.12, 0.4)}


def with_inputs(windows: Windows, inputs: str) -> Windows:
    """The same windows with further leads; hash, parameters and path stay.

    Parameters
    ----------
    windows : of beats; of the form `context` where a typical beat is asked for
    inputs : signal, rr, rr+template or rr+late
        signal: as they are. rr: the numbers of `rr_features` behind the signal, each a lead that
        is constant over time. rr+template: also, as lead 1, the typical beat of the record, the
        median of its windows, and behind the intervals how like it the beat is (`likeness`).
        rr+late: the same, but what is the person's own is taken from beats that come late: the
        longest intervals instead of the median, and the median of beats after long intervals. A
        beat from the wrong place comes early, and in some people most beats do. All of it is
        known without a label, so a test record may have its own.

    Raises
    ------
    ValueError
        If there is no such input, or the windows have not what it takes.
    """
    if inputs not in INPUTS:
        raise ValueError(f"need inputs {', '.join(INPUTS)}, got {inputs!r}")
    if inputs == "signal":
        return windows
    if missing := set(RR_COLUMNS) - set(windows.table):
        raise ValueError(f"need R-R intervals in the table, {', '.join(sorted(missing))} missing")
    late = inputs == "rr+late"
    numbers = [rr_features(windows.table, own="rr_high_s" if late else "rr_mid_s")]
    leads = windows.signal
    if inputs != "rr":
        if leads.shape[-1] != N_CONTEXT:
            raise ValueError(
                f"need beats of {N_CONTEXT} samples for a typical beat, got {leads.shape[-1]}"
            )
        typical = _typical(windows, late=late)
        numbers.append(likeness(leads[:, 0], typical, fs=windows.fs))
        leads = np.concatenate([leads[:, :1], typical[:, None], leads[:, 1:]], axis=1)
    numbers = np.concatenate(numbers, axis=1)[:, :, None]
    signal = np.empty((len(windows), leads.shape[1] + N_FEATURES[inputs], leads.shape[2]), "f4")
    signal[:, : leads.shape[1]], signal[:, leads.shape[1] :] = leads, numbers
    return replace(windows, signal=signal)


def rr_features(table: pd.DataFrame, *, own: str = "rr_mid_s") -> NDArray[np.float32]:
    """The intervals in the record's own measure: (n_beats, 5), 0 where unknown, within ±3.

    Previous and next interval, next less previous, and the ones beyond them: logarithms less
    that of what is the person's `own` (a column, by default the record's median), in units of
    what lies between the record's tenth and nine tenths quantile. A beat that comes early for
    this person then looks alike in everybody, whatever the heart rate and however restless the
    rhythm.
    """
    log = {name: np.log(table[name].to_numpy(float)) for name in RR_COLUMNS}
    spread = np.maximum(log["rr_high_s"] - log["rr_low_s"], NARROWEST)
    before, after, before2, after2 = (log[n] - log[own] for n in RR_COLUMNS[:4])
    features = np.stack([before, after, after - before, before2, after2], axis=1)
    scaled = features / spread[:, None]
    return np.clip(np.nan_to_num(scaled), -CLIP, CLIP).astype(np.float32)


def likeness(
    beats: NDArray[np.float32], typical: NDArray[np.float32], *, fs: float
) -> NDArray[np.float32]:
    """Correlation of beats with typical ones before, within and after the QRS complex.

    Before it lies the P wave, behind it the T wave (`PARTS_S`, in seconds from the R peak, which
    is sample 187). Shapes (n, 375) twice to (n, 3), each within ±1.
    """
    found = []
    for start_s, end_s in PARTS_S.values():
        part = slice(PEAK + int(start_s * fs), PEAK + int(end_s * fs))
        a, b = (x[:, part] - x[:, part].mean(axis=1, keepdims=True) for x in (beats, typical))
        norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        found.append((a * b).sum(axis=1) / np.maximum(norm, 1e-9))
    return np.stack(found, axis=1).astype(np.float32)


def _typical(windows: Windows, *, late: bool) -> NDArray[np.float32]:
    """The median beat of each window's own record, of all or of the late ones: (n, n_samples)."""
    number, _ = pd.factorize(windows.table["database"] + "/" + windows.table["record"])
    before_s = windows.table["rr_prev_s"].to_numpy(float)
    out = np.empty(windows.signal[:, 0].shape, np.float32)
    for this in range(number.max(initial=-1) + 1):
        rows = np.flatnonzero(number == this)
        usual = rows[before_s[rows] <= LONGEST_RR_S]
        if late and len(usual):
            typical = usual[before_s[usual] >= np.quantile(before_s[usual], LATE)]
        else:
            typical = rows
        out[rows] = np.median(windows.signal[typical, 0], axis=0)
    return out
