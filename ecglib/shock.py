"""What counts as shockable: from rhythm marks to labelled four-second windows.

The definition follows the American Heart Association's for automated defibrillators (Kerber 1997,
Circulation 95:1677): ventricular fibrillation and flutter, and ventricular tachycardia at 150 per
minute or more, are shockable; fine fibrillation (below 0.2 mV) and slower tachycardia lie between
and are reported apart. Chapter: exercise 03, "Data".
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecglib import paths, records, review, signals, synthetic

FS = 250.0  # hertz
WINDOW_S = 4.0
RAPID_PER_MIN = 150.0  # VT from here on is shockable
FINE_MV = 0.2  # VF below this peak-to-peak amplitude is fine
FLAT_S = 1.0  # a window with a longer stretch without any change is not a recording
BEFORE_ONSET_S = 60.0  # cudb: the minute before fibrillation is often unmarked tachycardia
RULES = {  # what shapes the windows; a change of the code that cuts them raises the version
    "version": 2, "fs": FS, "window_s": WINDOW_S, "rapid_per_min": RAPID_PER_MIN,
    "fine_mv": FINE_MV, "flat_s": FLAT_S, "before_onset_s": BEFORE_ONSET_S,
}  # fmt: skip

# marks of vfdb and mitdb → the book's names; NOISE is not cut
RHYTHMS = {
    "(N": "NSR", "(NSR": "NSR", "(SBR": "SBR", "(AFIB": "AFIB", "(AFL": "AFL", "(SVTA": "SVT",
    "(NOD": "NOD", "(B": "BIGEMINY", "(T": "TRIGEMINY", "(AB": "ABIGEMINY", "(BI": "AVB1",
    "(BII": "AVB2", "(IVR": "IVR", "(VER": "IVR", "(P": "PACED", "(PM": "PACED", "(PREX": "PREX",
    "(HGEA": "HGEA", "(ASYS": "ASYSTOLE", "(VT": "VT", "(VFL": "VFL", "(VF": "VF", "(VFIB": "VF",
    "(NOISE": "NOISE",
}  # fmt: skip

# rhythm → row of the AHA's table; VT and VF are divided by rate and amplitude in `categories`
AHA = {
    "NSR": "NSR", "ST": "NSR", "SBR": "bradycardia", "AFIB": "AF", "AFL": "AF", "SVT": "SVT",
    "NOD": "other non-shockable", "BIGEMINY": "PVC", "TRIGEMINY": "PVC", "HGEA": "PVC",
    "ABIGEMINY": "SVT", "AVB1": "block", "AVB2": "block", "IVR": "idioventricular",
    "PACED": "other non-shockable", "PREX": "other non-shockable", "ASYSTOLE": "asystole",
    "VFL": "coarse VF", "UNMARKED": "unmarked",
}  # fmt: skip
SHOCKABLE = ("coarse VF", "rapid VT")
INTERMEDIATE = ("fine VF", "other VT")


@dataclass(frozen=True)
class Marked:
    """A record and the rhythm marks over it."""

    record: records.Record
    rhythms: pd.DataFrame  # start_s, end_s, rhythm
    ventricular_s: NDArray[np.float64] | None = None  # times of ventricular beats, if marked


def categories(rhythm: pd.Series, rate: pd.Series, amplitude: pd.Series) -> pd.Series:
    """Row of the AHA's table for each window: rhythm mark, rate (per minute), amplitude (mV)."""
    out = rhythm.map(AHA)
    is_vt, is_vf = rhythm == "VT", rhythm.isin(["VF", "VFL"])
    out[is_vt] = np.where(rate[is_vt] >= RAPID_PER_MIN, "rapid VT", "other VT")
    out[is_vf] = np.where(amplitude[is_vf] < FINE_MV, "fine VF", "coarse VF")
    return out.fillna("left out")


def label_of(category: pd.Series) -> NDArray[np.int64]:
    """1 shockable, 0 non-shockable, -1 for what lies between or was left out."""
    between = category.isin([*INTERMEDIATE, "left out"])
    return np.where(between, -1, category.isin(SHOCKABLE).astype(int)).astype(np.int64)


def windows_of(marked: Marked, *, stride_s: float) -> tuple[NDArray, pd.DataFrame, Counter]:
    """Cut one record: signal (n, 1, 1000) with a row for each lead, table, what was dropped.

    A window lies wholly within one rhythm. Dropped and counted: noise, stretches without a mark,
    flat or invalid samples. Two leads give two more that a third and a fourth pair of electrodes
    could have seen, their sum and their difference (over the root of 2): further views of the same
    heart to learn from.
    """
    record, dropped = marked.record, Counter()
    length = int(WINDOW_S * FS)
    raw, leads = record.signal, record.leads
    if len(leads) == 2:
        a, b = raw
        raw = np.stack([a, b, (a + b) / np.sqrt(2), (a - b) / np.sqrt(2)])
        leads = (*leads, "sum", "difference")
    invalid = ~np.isfinite(raw)
    raw = np.where(invalid, 0.0, raw)
    wide = signals.bandpass(raw, fs=record.fs)
    x = signals.resample(wide, fs=record.fs, new_fs=FS).astype(np.float32)
    parts = []
    for start_s, end_s, rhythm in marked.rhythms[["start_s", "end_s", "rhythm"]].itertuples(
        index=False
    ):
        end = min(int(end_s * FS), x.shape[-1])
        starts = signals.window_starts(
            int(np.ceil(start_s * FS)), end, length=length, stride=int(round(stride_s * FS))
        )
        if rhythm in ("NOISE", "UNKNOWN"):
            dropped[rhythm.lower()] += len(starts)
            continue
        parts.append(pd.DataFrame({"start": starts, "rhythm": rhythm}))
    cut = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["start"])
    rows = []
    pieces = []
    for lead, name in enumerate(leads if len(cut) else ()):
        at = (cut["start"].to_numpy() * record.fs / FS).astype(int)
        at = np.minimum(at, raw.shape[-1] - int(WINDOW_S * record.fs))
        own = signals.cut(raw[lead : lead + 1], at, length=int(WINDOW_S * record.fs))[:, 0]
        bad = signals.cut(invalid[lead : lead + 1], at, length=int(WINDOW_S * record.fs))[:, 0]
        flat = signals.longest_flat_s(own, fs=record.fs) > FLAT_S
        bad = bad.any(axis=-1)
        if lead < len(record.leads):
            dropped["flat"] += int((flat & ~bad).sum())
            dropped["invalid"] += int(bad.sum())
        keep = ~(flat | bad)
        if not keep.any():
            continue
        w = signals.cut(x[lead : lead + 1], cut["start"][keep], length=length)
        pieces.append(w)
        rows.append(_describe(w[:, 0], cut[keep], marked, lead=lead, name=name))
    if not rows:
        return np.empty((0, 1, length), np.float32), pd.DataFrame(), dropped
    return np.concatenate(pieces), pd.concat(rows, ignore_index=True), dropped


def _describe(
    w: NDArray, cut: pd.DataFrame, marked: Marked, *, lead: int, name: str
) -> pd.DataFrame:
    record = marked.record
    table = pd.DataFrame(
        {
            "database": record.database,
            "record": record.record,
            "patient": record.patient,
            "lead": lead,
            "lead_name": name,
            "start_s": cut["start"].to_numpy() / FS,
            "rhythm": cut["rhythm"].to_numpy(),
            "rate_per_min": signals.rate_per_min(w, fs=FS),
            "amplitude_mv": signals.amplitude_mv(w, fs=FS),
            "organisation": signals.organisation(w, fs=FS),
            "narrowness": signals.narrowness(w, fs=FS),
        }
    )
    table["ectopic"] = _count_in(marked.ventricular_s, table["start_s"])
    rhythm_reviewed = review.apply(table, review.read(), window_s=WINDOW_S)
    for labels, rhythm in (("annotated", table["rhythm"]), ("reviewed", rhythm_reviewed)):
        aha = categories(rhythm, table["rate_per_min"], table["amplitude_mv"])
        aha = aha.mask((aha == "NSR") & (table["ectopic"] > 0), "PVC")
        table[f"aha_{labels}"], table[labels] = aha, label_of(aha)
    table["rhythm_reviewed"] = rhythm_reviewed
    return table


def _count_in(times_s: NDArray | None, start_s: pd.Series) -> NDArray[np.int64]:
    times = np.sort(times_s) if times_s is not None else np.empty(0)
    return np.searchsorted(times, start_s + WINDOW_S) - np.searchsorted(times, start_s)


def physionet_records(*, patients: Collection[str] | None = None) -> Iterator[Marked]:
    """Every record of vfdb, mitdb and cudb with its rhythm marks, in order; of `patients` only."""
    for database in ("vfdb", "mitdb", "cudb"):
        folder = paths.data() / database
        for header in sorted(folder.glob("*.hea")):
            path = header.with_suffix("")
            patient = "201" if path.name == "202" else path.name  # one person, two records
            patient = f"{database}-{patient}"
            if patients is not None and patient not in patients:
                continue
            record = records.read_wfdb(path, database=database, patient=patient)
            marks = records.annotations(path)
            duration_s = record.signal.shape[-1] / record.fs
            if database == "cudb":
                rhythms = cudb_rhythms(marks, fs=record.fs, duration_s=duration_s)
                yield Marked(record, rhythms)
            else:
                rhythms = rhythm_stretches(marks, fs=record.fs, duration_s=duration_s)
                beats = marks.loc[marks["symbol"].isin(["V", "E", "F"]), "sample"] / record.fs
                yield Marked(record, rhythms, beats.to_numpy())


def rhythm_stretches(marks: pd.DataFrame, *, fs: float, duration_s: float) -> pd.DataFrame:
    """Stretches of one rhythm from `+` marks; what comes before the first mark is in none."""
    changes = marks[marks["symbol"] == "+"]
    unknown = set(changes["text"]) - set(RHYTHMS)
    if unknown:
        raise ValueError(f"need rhythm marks out of {sorted(RHYTHMS)}, got {sorted(unknown)}")
    start_s = changes["sample"].to_numpy() / fs
    end_s = np.append(start_s, duration_s)[1:]
    rhythm = changes["text"].map(RHYTHMS).to_numpy()
    return pd.DataFrame({"start_s": start_s, "end_s": end_s, "rhythm": rhythm})


def cudb_rhythms(marks: pd.DataFrame, *, fs: float, duration_s: float) -> pd.DataFrame:
    """Stretches of cudb: VF between `[` and `]`; the rest UNMARKED, UNKNOWN or NOISE.

    Not used as non-shockable (UNKNOWN): the minute before an onset, and everything after a rhythm
    mark whose text was lost. `~` marks come in pairs around noise; the two seconds around a single
    one are noise too.
    """
    symbol, time_s = marks["symbol"], marks["sample"] / fs
    state = np.full(int(np.ceil(duration_s * 10)), "UNMARKED", dtype=object)  # steps of 0.1 s

    def paint(a: float, b: float, name: str) -> None:
        state[max(int(np.floor(a * 10)), 0) : int(np.ceil(b * 10))] = name

    for lost in time_s[(symbol == "+") & (marks["text"] == "")][:1]:
        paint(lost, duration_s, "UNKNOWN")
    onsets, ends = time_s[symbol == "["].to_numpy(), time_s[symbol == "]"].to_numpy()
    for onset in onsets:
        paint(onset - BEFORE_ONSET_S, onset, "UNKNOWN")
    for onset in onsets:
        later = ends[ends > onset]
        paint(onset, later[0] if len(later) else duration_s, "VF")
    noise = time_s[symbol == "~"].to_numpy()
    for a in noise:
        paint(a - 1, a + 1, "NOISE")
    for a, b in zip(noise, noise[1:], strict=False):
        if b - a < 5:
            paint(a, b, "NOISE")
    change = np.flatnonzero(np.append(True, state[1:] != state[:-1]))
    start_s = change / 10
    return pd.DataFrame(
        {
            "start_s": start_s,
            "end_s": np.append(start_s[1:], duration_s),
            "rhythm": state[change],
        }
    )


def synthetic_records(*, n_patients: int, seed: int) -> Iterator[Marked]:
    """Synthetic patients with known rhythms; the review leaves them as they are."""
    for made in synthetic.recordings(n_patients=n_patients, duration_s=240.0, fs=FS, seed=seed):
        beats = made.beats
        yield Marked(
            made.record, made.rhythms, beats.loc[beats["label"] == "V", "time_s"].to_numpy()
        )


def course_file() -> Path:
    """The course's ``cut_pub_4sec`` file; FileNotFoundError says where it belongs."""
    for name in ("cut_pub_4sec.mat", "cut_pub_4sec.zip"):
        path = paths.data() / "ecg" / name
        if path.exists():
            return path
    raise FileNotFoundError(f"need cut_pub_4sec.mat or .zip in {paths.data() / 'ecg'}")


def course_digest() -> str:
    return hashlib.sha256(course_file().read_bytes()).hexdigest()


def course_windows() -> tuple[NDArray, pd.DataFrame]:
    """The course's windows, filtered as ours: signal (n, 1, 1000), table with its own labels."""
    signal, table = records.read_course_mat(course_file())
    signal = signals.bandpass(signal, fs=FS).astype(np.float32)
    table = table.rename(columns={"source": "database", "name": "record"})
    table = table.assign(
        lead=0,
        start_s=0.0,
        rate_per_min=signals.rate_per_min(signal[:, 0], fs=FS),
        amplitude_mv=signals.amplitude_mv(signal[:, 0], fs=FS),
        annotated=table["label"],
        reviewed=table["label"],
        rhythm_reviewed=table["rhythm"],
    ).drop(columns="label")
    for labels in ("annotated", "reviewed"):
        table[f"aha_{labels}"] = table["rhythm"]
    return signal, table
