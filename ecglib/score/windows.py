"""Overlapping windows over a whole recording, cut as those that a model learnt from.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecglib import beats, cinc, datasets, shock, signals
from ecglib.own.settings import ALL_LEADS
from ecglib.own.windows import BAND_HZ
from ecglib.own.windows import RULES as OWN_RULES
from ecglib.records import Record

if TYPE_CHECKING:
    from ecglib.published import Published

BEATS = ("heartbeats", "ptb")
TASKS = ("shock", "rhythms", "own", *BEATS)
FEWEST_BEATS = 3  # with fewer there is no interval on both sides of any


@dataclass(frozen=True, eq=False)
class Cut:
    """Windows of one recording, cut when they are asked for."""

    start_s: NDArray[np.float64]  # (n_windows,)
    end_s: NDArray[np.float64]
    length_s: float  # of a window; one at an edge of the recording may end before
    take: Callable[[slice], NDArray[np.float32]]  # (n, n_leads, n_samples), as the network wants
    raw: NDArray[np.float32]  # (n_leads, n_samples) of the recording, of the leads in use
    band: NDArray | None  # `raw` from 0.5 to 40 Hz, where it was needed
    lead: str  # name of the lead, or all of them
    time_s: NDArray[np.float64] | None = None  # of the R peaks, where a window is a beat


def windows_of(
    record: Record,
    model: Published,
    *,
    stride_s: float | None = None,
    lead: str | int | None = None,
) -> Cut:
    """All windows of a recording that a model can be asked about.

    Parameters
    ----------
    stride_s : float, seconds between the starts of windows
        By default half a window, and 10 s for windows of thirty seconds; beats have none.
    lead : name or number from 1
        Needed where the recording has more leads than the network looks at.

    Raises
    ------
    ValueError
        Naming the recording: no such lead or several to choose from, a rate too low, shorter than
        a window, no beats found. Naming the model: its task is none that can be scored, or its
        windows were cut by other rules than today's.
    """
    task, form = _task_of(model), model.preparation.get("form")
    if stride_s is not None and (task in BEATS or not stride_s > 0):
        raise ValueError(
            f"need stride_s above 0, and none for a model of beats, got {stride_s!r} for "
            f"{model.name}"
        )
    rows, name = _leads(record, model, lead)
    raw = np.ascontiguousarray(record.signal[rows], dtype=np.float32)
    filled = np.nan_to_num(raw, nan=0.0, posinf=0.0, neginf=0.0)  # as in training
    if task != "own" and record.fs <= 2 * BAND_HZ[1]:
        raise ValueError(
            f"record {record.record}: need more than {2 * BAND_HZ[1]:g} Hz, got {record.fs:g} Hz"
        )
    if task in BEATS:
        return _beats(record, model, raw, filled, form=form or "kachuee", name=name)
    duration_s = raw.shape[-1] / record.fs
    window_s = model.n_samples / model.fs
    padded = task == "rhythms" and form == "records"  # a shorter recording has zeros behind it
    shortest_s = cinc.SHORTEST_S if padded else window_s
    if duration_s < shortest_s - 0.5 / record.fs:
        raise ValueError(
            f"record {record.record}: need at least {shortest_s:g} s, a window of {model.name}, "
            f"got {duration_s:.3g} s"
        )
    band = None
    if task == "rhythms" and form == "records":
        x = cinc.in_its_own_size(filled, fs=record.fs)
        x = np.pad(x, ((0, 0), (0, max(model.n_samples - x.shape[-1], 0))))
    elif task == "rhythms":
        x = signals.resample(filled, fs=record.fs, new_fs=model.fs)
    else:
        top = BAND_HZ[1] if task == "shock" else min(BAND_HZ[1], 0.45 * min(record.fs, model.fs))
        band = signals.bandpass(filled, fs=record.fs, low=BAND_HZ[0], high=top)
        x = signals.resample(band, fs=record.fs, new_fs=model.fs)
    x = np.asarray(x, dtype=np.float32)
    stride_s = stride_s or (cinc.RECORD_STRIDE / cinc.RECORD_FS if padded else window_s / 2)
    n, length = x.shape[-1], model.n_samples
    starts = signals.window_starts(0, n, length=length, stride=max(round(stride_s * model.fs), 1))
    if padded and starts[-1] < n - length:  # the last one ends with the recording
        starts = np.append(starts, n - length)
    start_s = starts / model.fs

    def take(part: slice) -> NDArray[np.float32]:
        return signals.cut(x, starts[part], length=length)

    end_s = np.minimum(start_s + window_s, duration_s)
    return Cut(start_s, end_s, window_s, take, raw, band, name)


def _beats(
    record: Record,
    model: Published,
    raw: NDArray,
    filled: NDArray,
    *,
    form: str,
    name: str,
) -> Cut:
    """A window for each R peak that is found, with what else the model is shown."""
    from .peaks import r_peaks

    time_s = r_peaks(filled[0], fs=record.fs) / record.fs
    if len(time_s) < FEWEST_BEATS:
        raise ValueError(
            f"record {record.record}: need at least {FEWEST_BEATS} beats, found {len(time_s)}"
        )
    one = Record(filled, record.fs, (name,), record.patient, record.record, record.database)
    found = beats.Beats(one, pd.DataFrame({"time_s": time_s, "symbol": "N"}))
    signal, table, _ = beats.windows_of(found, form=form)
    cut = datasets.Windows(
        signal=signal,
        label=np.zeros(len(signal), np.int64),
        table=table.reset_index(drop=True),
        fs=beats.FS,
        classes=model.classes,
        task=model.config.task,
    )
    seen = datasets.with_inputs(cut, model.config.inputs).signal
    start_s, length_s = table["start_s"].to_numpy(float), signal.shape[-1] / beats.FS
    inside = np.clip([start_s, start_s + length_s], 0, raw.shape[-1] / record.fs)
    peaks_s = table["time_s"].to_numpy(float)
    return Cut(*inside, length_s, lambda part: seen[part], raw, None, name, peaks_s)


def _task_of(model: Published) -> str:
    """The task of a model, if windows for it can still be cut as they were."""
    task = model.preparation.get("task", model.config.task)
    if task not in TASKS:
        raise ValueError(f"need a model of {', '.join(TASKS)}, {model.name} is of {task!r}")
    if model.config.inputs != "signal" and task != "heartbeats":
        raise ValueError(f"need a model of the signal alone, {model.name} sees {task} otherwise")
    form = model.preparation.get("form")
    now = {"shock": shock.RULES, "own": OWN_RULES}.get(task)
    now = now or {"rhythms": cinc.RULES, "heartbeats": beats.RULES}.get(task, {}).get(form)
    then = model.preparation.get("rules")
    if now is not None and then is not None and dict(now) != dict(then):
        raise ValueError(
            f"need windows cut by rules of version {then.get('version')}, as {model.name} learnt "
            f"from, this library has version {now['version']}"
        )
    return task


def _leads(record: Record, model: Published, lead: str | int | None) -> tuple[list[int], str]:
    """Rows of the recording that the network looks at, and their name."""
    names = [name.lower() for name in record.leads]
    settings = model.preparation.get("settings") or {}
    if settings.get("lead") == ALL_LEADS and lead is None:
        if len(names) != model.n_leads:
            raise ValueError(
                f"record {record.record}: need the {model.n_leads} leads of {model.name}, got "
                f"{len(names)}: {', '.join(record.leads)}"
            )
        if names != (wanted := model.preparation.get("leads", names)):
            raise ValueError(
                f"record {record.record}: need the leads {', '.join(wanted)} in this order, as "
                f"{model.name} learnt from them, got {', '.join(names)}"
            )
        return list(range(len(names))), ", ".join(record.leads)
    if lead is None and len(names) == 1:
        return [0], record.leads[0]
    if lead is None:
        some = ", ".join(record.leads[:12])
        raise ValueError(
            f"record {record.record}: need one lead, it has {len(names)}: give `lead` as {some}, "
            f"or a number from 1"
        )
    if isinstance(lead, str) and lead.lower() in names:
        row = names.index(lead.lower())
    else:
        row = int(lead) - 1 if str(lead).isdecimal() else -1
    if not 0 <= row < len(names):
        raise ValueError(
            f"record {record.record}: need lead {lead!r}, it has {', '.join(record.leads[:12])}"
        )
    return [row], record.leads[row]
