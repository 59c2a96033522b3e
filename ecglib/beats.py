"""Heartbeats: from annotated R peaks to one window a beat, its class and its R-R intervals.

Classes follow the AAMI's recommendation (ANSI/AAMI EC57), records of the inter-patient protocol
de Chazal et al. (IEEE Trans. Biomed. Eng. 51:1196, 2004), the scaled and padded form Kachuee et
al. (arXiv 1805.00794). Chapter: exercise 04, "Data".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecglib import paths, records, signals, synthetic

FS = 125.0  # hertz
CLASSES = ("N", "S", "V", "F", "Q")
N_KACHUEE = 187  # samples of a scaled and padded beat
N_CONTEXT = 375  # samples around a beat: three seconds
PEAK = 187  # the sample of the R peak within them
TEN_S = 10.0  # Kachuee et al. work on pieces of ten seconds
LONGEST_RR_S = 3.0  # beyond it beats were not marked (flutter in record 207)

AAMI = {
    "N": "N", "L": "N", "R": "N", "e": "N", "j": "N",
    "A": "S", "a": "S", "J": "S", "S": "S",
    "V": "V", "E": "V",
    "F": "F",
    "/": "Q", "f": "Q", "Q": "Q",
}  # fmt: skip
PACED = ("102", "104", "107", "217")  # left out by EC57
DS1 = ("101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122", "124", "201",
       "203", "205", "207", "208", "209", "215", "220", "223", "230")  # fmt: skip
DS2 = ("100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210", "212", "213",
       "214", "219", "221", "222", "228", "231", "232", "233", "234")  # fmt: skip
RULES = {  # what shapes the windows; a change of the code that cuts them raises the version
    "kachuee": {
        "version": 3, "fs": FS, "n_samples": N_KACHUEE, "resampling": "linear", "length": 1.2,
        "median_over_s": TEN_S, "scaled_by": "beat", "longest_rr_s": LONGEST_RR_S,
    },
    "context": {
        "version": 3, "fs": FS, "n_samples": N_CONTEXT, "peak": PEAK, "band_hz": [0.5, 40.0],
        "longest_rr_s": LONGEST_RR_S,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Beats:
    """A record and its annotated beats."""

    record: records.Record
    beats: pd.DataFrame  # time_s of the R peak, symbol; in order of time
    ds: str = ""  # DS1, DS2 or "" (paced)


def physionet_records() -> Iterator[Beats]:
    """Every record of mitdb with its beats, in order."""
    for header in sorted((paths.data() / "mitdb").glob("*.hea")):
        path = header.with_suffix("")
        record = records.read_wfdb(path, database="mitdb")
        marks = records.annotations(path)
        marks = marks[marks["symbol"].isin(list(AAMI))]
        beats = pd.DataFrame({"time_s": marks["sample"] / record.fs, "symbol": marks["symbol"]})
        ds = "DS1" if path.name in DS1 else "DS2" if path.name in DS2 else ""
        yield Beats(record, beats.reset_index(drop=True), ds)


def synthetic_records(*, n_patients: int, seed: int) -> Iterator[Beats]:
    """Synthetic patients in turn to DS1 and DS2, paced ones to neither."""
    turn = 0
    for record, beats in synthetic.beat_records(n_patients=n_patients, seed=seed):
        paced = (beats["symbol"] == "/").any()
        yield Beats(record, beats, "" if paced else ("DS1", "DS2")[turn % 2])
        turn += not paced


def windows_of(marked: Beats, *, form: str) -> tuple[NDArray[np.float32], pd.DataFrame, Counter]:
    """Cut one record: signal (n_beats, 1, n_samples) of its first lead, table, what was counted.

    The last beat of a record, which no interval follows, is left out: without it the classes of
    mitdb add up to those of the published tables. `form` is kachuee or context.
    """
    table = describe(marked)
    record = marked.record
    raw = np.nan_to_num(record.signal[0], copy=True)
    cut = {"kachuee": kachuee, "context": context}[form]
    signal, counted = cut(raw, table["time_s"].to_numpy(), fs=record.fs)
    table["start_s"] = table["time_s"] - (PEAK / FS if form == "context" else 0.0)
    counted["last of a record"] = 1
    return signal[:-1, None], table[:-1], counted


def describe(marked: Beats) -> pd.DataFrame:
    """A row a beat: class, R peak and the R-R intervals around it, in seconds.

    `rr_prev_s` ends and `rr_next_s` begins at the beat, `rr_prev2_s` and `rr_next2_s` lie beyond
    them. `rr_low_s`, `rr_mid_s` and `rr_high_s` are the tenth, half and nine tenths quantile of
    the record's intervals, without those over three seconds, over which beats were not marked.
    """
    time_s = marked.beats["time_s"].to_numpy(float)
    rr_s = np.diff(time_s)
    before, after = np.append(np.nan, rr_s), np.append(rr_s, np.nan)
    usual = rr_s[rr_s <= LONGEST_RR_S]
    low, mid, high = np.quantile(usual, (0.1, 0.5, 0.9)) if len(usual) else (np.nan,) * 3
    return pd.DataFrame(
        {
            "database": marked.record.database,
            "record": marked.record.record,
            "patient": marked.record.patient,
            "start_s": time_s,
            "rhythm": marked.beats["symbol"].map(AAMI).to_numpy(),
            "lead": 0,
            "symbol": marked.beats["symbol"].to_numpy(),
            "time_s": time_s,
            "rr_prev_s": before,
            "rr_next_s": after,
            "rr_prev2_s": np.append(np.nan, before[:-1]),
            "rr_next2_s": np.append(after[1:], np.nan),
            "rr_low_s": low,
            "rr_mid_s": mid,
            "rr_high_s": high,
            "set": "",
            "ds": marked.ds,
        }
    )


def kachuee(raw: NDArray, time_s: NDArray, *, fs: float) -> tuple[NDArray[np.float32], Counter]:
    """Beats as in the published tables: (n_beats, 187), from 0 to 1, padded with zeros.

    A beat starts at its R peak and is ``floor(1.2 T)`` samples long, T being the median R-R
    interval, in samples, of the beats within the same ten seconds; it is scaled by its own
    lowest and highest sample. The rate is changed by linear interpolation. Steps from Kachuee et
    al. (arXiv 1805.00794), but for two that the published rows decide: every row spans 0 to 1, so
    a beat is scaled by itself, not by its ten seconds; and the class totals are those of the
    annotations, so R peaks are the annotated ones.

    Parameters
    ----------
    raw : array, shape (n_samples,), any unit
    time_s : array, shape (n_beats,), seconds; the R peaks in order
    """
    n = int((len(raw) - 1) * FS / fs) + 1
    x = np.interp(np.arange(n) / FS, np.arange(len(raw)) / fs, raw)
    start = np.clip(np.round(time_s * FS).astype(int), 0, n - 2)
    rr = pd.Series(np.diff(start, append=np.nan))
    median = rr.groupby((time_s // TEN_S).astype(int)).transform("median")
    length = np.nan_to_num(np.floor(1.2 * median.to_numpy()), nan=N_KACHUEE)
    length = np.minimum(np.clip(length, 2, N_KACHUEE), n - start)
    index = np.arange(N_KACHUEE)
    inside = index < length[:, None]
    piece = x[np.minimum(start[:, None] + index, n - 1)]
    low = np.where(inside, piece, np.inf).min(axis=1, keepdims=True)
    high = np.where(inside, piece, -np.inf).max(axis=1, keepdims=True)
    scaled = (piece - low) / np.maximum(high - low, 1e-6)
    return np.where(inside, scaled, 0.0).astype(np.float32), Counter()


def context(raw: NDArray, time_s: NDArray, *, fs: float) -> tuple[NDArray[np.float32], Counter]:
    """Three seconds around each R peak: (n, 375), 0.5 to 40 Hz, millivolt, peak at sample 187.

    Beats near the edges of a record see it mirrored; they are counted as `mirrored`.
    """
    wide = signals.bandpass(raw, fs=fs)
    x = signals.resample(wide, fs=fs, new_fs=FS).astype(np.float32)
    peak = np.clip(np.round(time_s * FS).astype(np.intp), 0, len(x) - 1)
    after = N_CONTEXT - PEAK - 1
    edge = (peak < PEAK) | (peak + after >= len(x))
    padded = np.pad(x, (PEAK, after), mode="reflect")
    signal = signals.cut(padded[None], peak, length=N_CONTEXT)[:, 0]
    return signal, Counter(mirrored=int(edge.sum()))
