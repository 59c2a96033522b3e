"""Shock advice over whole recordings, held against the rhythm marks: single windows, or several.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ecglib import metrics, own, paths, score, shock, signals, synthetic
from ecglib.score import CANNOT_TELL
from ecglib.shock import Marked

if TYPE_CHECKING:
    from torch import nn

    from ecglib.datasets import Windows
    from ecglib.published import Published
    from ecglib.records import Record
    from ecglib.runs import Run

NON_SHOCKABLE, SHOCKABLE = 0, 1
TWO = "two rhythms"
NOT_JUDGED = "not judged"  # where a window lies in two rhythms, or in what is between them
ONSET_S = 12.0  # a shockable stretch as long as this should be noticed
METRICS = ("sensitivity", "specificity", "balanced_accuracy")


def tested(run: Run, windows: Windows) -> list[Marked]:
    """The recordings, with their marks, of the people that a run was tested on.

    Parameters
    ----------
    windows : those of the run

    Raises
    ------
    ValueError
        If they were not cut from whole recordings, as the course's file is not.
    """
    people = set(run.of("test")["patient"].astype(str))
    if windows.source == "physionet":
        return list(shock.physionet_records(patients=people))
    if windows.source != "synthetic":
        raise ValueError(f"need whole recordings, physionet or synthetic, got {windows.source!r}")
    made = {name: windows.parameters[name] for name in ("n_patients", "seed")}
    return [m for m in shock.synthetic_records(**made) if str(m.record.patient) in people]


def first_lead(marked: Marked) -> Marked:
    """The same with the first lead alone, as an automated defibrillator has it."""
    record = marked.record
    alone = replace(record, signal=record.signal[:1], leads=record.leads[:1])
    return replace(marked, record=alone)


def held(
    marked: Marked, model: Published, *, network: nn.Module | None = None, gate: bool = True
) -> pd.DataFrame:
    """Scores of a recording (`score.score`) with what its marks say of each window.

    Parameters
    ----------
    marked : of one lead

    Returns
    -------
    DataFrame
        With patient, rhythm, since_s (when that rhythm began), and truth: 1 shockable, 0 not, -1
        where the window lies in two rhythms or in what is not judged (slow tachycardia, fine
        fibrillation, noise).
    """
    table = score.score(marked.record, model, network=network, gate=gate)
    marks = marked.rhythms
    start_s, end_s = (table[name].to_numpy(float) for name in ("start_s", "end_s"))
    at = np.searchsorted(marks["start_s"].to_numpy(float), start_s + 1e-6, side="right") - 1
    inside = (at >= 0) & (end_s <= marks["end_s"].to_numpy(float)[at] + 1e-6)
    rhythm = pd.Series(np.where(inside, marks["rhythm"].to_numpy()[at], TWO))
    x = score.windows_of(marked.record, model).take(slice(None))[:, 0]
    rate = pd.Series(signals.rate_per_min(x, fs=model.fs))
    amplitude = pd.Series(signals.amplitude_mv(x, fs=model.fs))
    truth = shock.label_of(shock.categories(rhythm, rate, amplitude))
    since_s = np.where(inside, marks["start_s"].to_numpy(float)[at], np.nan)
    return table.assign(
        patient=marked.record.patient, rhythm=rhythm, since_s=since_s, truth=truth
    )  # fmt: skip


def compared(tables: Iterable[pd.DataFrame]) -> dict[str, dict]:
    """What single windows reach, and what several that agree do, on the same windows.

    Counted are windows with a truth of which both say something.

    Returns
    -------
    dict
        alone, agreed: {metric: {value, low, high}}; gained, of the second over the first; windows,
        how many; told, the share of windows with a truth that are counted; false_per_hour: of each
        way, episodes of advice that lie wholly where no shock is due, in an hour of that.
    """
    tables = list(tables)
    whole = pd.concat(tables, ignore_index=True)
    judged = whole[whole["truth"] >= 0]
    seen = judged[(judged["decision"] != CANNOT_TELL) & (judged["said"] != CANNOT_TELL)]
    names = {"alone": "said", "agreed": "decision"}
    yes = {way: (seen[column] == _shockable(tables)).to_numpy(float)
           for way, column in names.items()}  # fmt: skip
    truth, people = seen["truth"].to_numpy(), seen["patient"]
    out: dict = {}
    for way, answer in yes.items():
        found = metrics.bootstrap(truth, answer, people)
        out[way] = {name: found[name] for name in METRICS}
    out["gained"] = {
        name: metrics.paired_difference(truth, yes["agreed"], yes["alone"], people, metric=name)
        for name in METRICS
    }
    out["windows"], out["told"] = len(seen), len(seen) / max(len(judged), 1)
    out["false_per_hour"] = {way: false_per_hour(tables, by=name) for way, name in names.items()}
    return out


def false_per_hour(tables: Iterable[pd.DataFrame], *, by: str = "decision") -> float:
    """Episodes of shock advice where none is due, an hour of such time; `by` said or decision."""
    episodes, hours = 0, 0.0
    for table in tables:
        calm = (table["truth"] == NON_SHOCKABLE).to_numpy()
        advised = (table[by] == _shockable([table])).to_numpy()
        number = np.cumsum(np.diff(advised, prepend=False) != 0)
        for _, rows in pd.Series(np.arange(len(table)))[advised].groupby(number[advised]):
            episodes += bool(calm[rows].all())
        hours += float((table["to_s"] - table["from_s"])[calm].sum()) / 3600
    return episodes / hours if hours else float("nan")


def delays(tables: Iterable[pd.DataFrame], *, by: str = "decision") -> pd.DataFrame:
    """How long after its onset each shockable stretch is noticed.

    Parameters
    ----------
    by : said (each window alone) or decision

    Returns
    -------
    DataFrame
        record, onset_s (the mark, or where a rhythm becomes shockable), end_s (of stretches of at
        least `ONSET_S`), delay_s until the end of the first window that advises a shock; 0 where
        advice stood already, NaN where it never comes.
    """
    rows = []
    for table in tables:
        due = (table["truth"] == SHOCKABLE).to_numpy()
        advised = (table[by] == _shockable([table])).to_numpy()
        times = (table[name].to_numpy(float) for name in ("start_s", "end_s", "since_s"))
        start_s, end_s, since_s = times
        number = np.cumsum(np.diff(due, prepend=False) != 0)
        for _, at in pd.Series(np.arange(len(table)))[due].groupby(number[due]):
            first, last = at.iloc[0], at.iloc[-1]
            same = first > 0 and since_s[first - 1] == since_s[first]
            onset_s = start_s[first] if same else since_s[first]
            if end_s[last] - onset_s < ONSET_S:
                continue
            after = np.arange(np.searchsorted(end_s, onset_s, side="right"), last + 1)
            hits = after[advised[after]]
            delay_s = end_s[hits[0]] - onset_s if len(hits) else np.nan
            if len(after) and after[0] > 0 and advised[after[0]] and advised[after[0] - 1]:
                delay_s = 0.0
            rows.append({"record": table["record"].iloc[0], "onset_s": onset_s,
                         "end_s": end_s[last], "delay_s": float(delay_s)})  # fmt: skip
    return pd.DataFrame(rows, columns=["record", "onset_s", "end_s", "delay_s"])


def telling(tables: Mapping[str, pd.DataFrame]) -> str:
    """The recording with most changes between shockable and not, of those that have both.

    By its marks alone: what the model says of it plays no part. The longer one of equals.
    """

    def rank(name: str) -> tuple:
        truth = tables[name]["truth"]
        truth = truth[truth >= 0].to_numpy()
        both = (truth == SHOCKABLE).any() and (truth == NON_SHOCKABLE).any()
        return both, int((np.diff(truth) != 0).sum()), len(truth)

    return max(sorted(tables), key=rank)


def calm(tables: Mapping[str, pd.DataFrame], *, length_s: float) -> tuple[str, float]:
    """The first stretch of this length in which the marks call for no shock, or the calmest one.

    Returns
    -------
    name of the recording, and where the stretch begins, in seconds
    """
    best = (-1.0, "", 0.0)
    for name in sorted(tables):
        table = tables[name]
        start_s, end_s = (table[column].to_numpy(float) for column in ("start_s", "end_s"))
        quiet = ((table["truth"] == NON_SHOCKABLE) | (table["rhythm"] == TWO)).to_numpy()
        total = np.concatenate([[0], np.cumsum(quiet)])
        last = np.searchsorted(end_s, start_s + length_s + 1e-6, side="right")
        fits = start_s + length_s <= end_s[-1] + 1e-6
        share = (total[last] - total[:-1]) / np.maximum(last - np.arange(len(table)), 1)
        if fits.any():
            at = int(np.where(fits, share, -1.0).argmax())
            if share[at] > best[0]:
                best = (float(share[at]), name, float(start_s[at]))
    if not best[1]:
        raise ValueError(f"need a recording of at least {length_s:g} s, there is none")
    return best[1:]


def piece(record: Record, start_s: float, length_s: float) -> Record:
    """A stretch of a recording, as a recording."""
    first, n = round(start_s * record.fs), round(length_s * record.fs)
    return replace(record, signal=record.signal[:, first : first + n])


def bands(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What the marks, each window alone and windows that agree say, for `plots.tracks`.

    Parameters
    ----------
    table : what `held` gives

    Returns
    -------
    {track: DataFrame with start_s, end_s and said}; said is a class, cannot tell or not judged
    """
    names = np.array([*table.attrs["classes"], NOT_JUDGED], dtype=object)
    said = {
        "rhythm marks": names[table["truth"].to_numpy()],
        "each window alone": table["said"].to_numpy(),
        "windows that agree": table["decision"].to_numpy(),
    }
    out = {}
    for track, words in said.items():
        new = np.flatnonzero(np.append(True, words[1:] != words[:-1]))
        last = np.append(new[1:], len(words)) - 1
        out[track] = pd.DataFrame({
            "start_s": table["from_s"].to_numpy()[new],
            "end_s": table["to_s"].to_numpy()[last],
            "said": words[new],
        })  # fmt: skip
    return out


def holter(hours: float, *, fs: float = 250.0, seed: int = 0) -> Record:
    """A long recording of one lead: ten synthetic minutes over and over, for timing alone."""
    part = synthetic.recordings(n_patients=1, duration_s=600, fs=fs, seed=seed)[0].record
    n = round(hours * 3600 * fs)
    return replace(part, signal=np.resize(part.signal[0], (1, n)), record=f"holter-{hours:g}h")


def files(marked: Sequence[Marked], folder: Path) -> list[Path]:
    """The files of recordings from PhysioNet; of others, as many generated ones in `folder`."""
    there = [paths.data() / m.record.database / f"{m.record.record}.hea" for m in marked]
    if all(file.is_file() for file in there):
        return there
    own.generate(folder, n_patients=len(marked), formats=("wfdb",))
    return sorted((folder / "wfdb").rglob("*.hea"))


def _shockable(tables: Sequence[pd.DataFrame]) -> str:
    return tables[0].attrs["classes"][SHOCKABLE]
