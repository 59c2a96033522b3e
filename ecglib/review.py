"""Second look at the rhythm marks: by stated criteria of the signal, never by a model's opinion.

`screen` finds the stretches whose signal contradicts their mark; each was then looked at on ECG
paper, and the decision written down in ``reviewed.csv``. What stays unclear is left out rather
than given another name. The value of `WIDE` was settled after errors of a network had been seen;
the chapter says what follows from that. Chapter: exercise 03, "Data".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REVIEW = Path(__file__).with_name("reviewed.csv")
CRITERIA = {
    "wide and fast": "non-shockable mark, yet every lead swings at 150 per minute or more without "
    "a baseline between complexes (narrowness below 0.75) at 0.15 mV or more",
    "unmarked tachycardia": "cudb, outside its fibrillation marks: a regular rhythm (organisation "
    "0.6 or more) of wide complexes (narrowness below 0.75) at 120 per minute or more",
    "baseline seen": "shockable mark, yet a lead spends 75 % of its time near its baseline",
    "slow waves": "fibrillation or flutter mark, yet every lead swings at less than 110 per minute",
    "active asystole": "asystole mark, yet every lead swings by 0.2 mV or more, twice what the "
    "AHA's goals call asystole, or at 150 per minute or more with 0.2 mV in one of them",
}
WIDE = 0.75  # share of time near the baseline; narrow complexes leave more
GAP_S = 30.0  # flagged windows no further apart than this belong to one stretch
DECISIONS = ("keep", "exclude", "VF", "VT", "VFL", "NSR", "SVT", "ASYSTOLE")
EDGE_S = 0.05  # times are written to a hundredth of a second: a smaller overlap is none


def screen(table: pd.DataFrame) -> pd.DataFrame:
    """Stretches whose signal contradicts their mark, by the criteria above.

    Parameters
    ----------
    table : a row per window and lead, as `datasets.shock_windows` makes it

    Returns
    -------
    DataFrame: database, record, start_s, end_s, rhythm, criterion, windows and the medians of
        rate_per_min, amplitude_mv, organisation, narrowness over them
    """
    keys = ["database", "record", "start_s", "rhythm", "annotated"]
    recorded = table[table["lead"] < 2]  # not the sum and the difference of two leads
    both = recorded.groupby(keys, as_index=False).agg(
        slowest=("rate_per_min", "min"),
        fastest=("rate_per_min", "max"),
        amplitude_mv=("amplitude_mv", "max"),
        smallest_mv=("amplitude_mv", "min"),
        organisation=("organisation", "max"),
        narrowest=("narrowness", "max"),
    )
    fast = both["slowest"] >= 150
    calm, shock = both["annotated"] == 0, both["annotated"] == 1
    asystole = both["rhythm"] == "ASYSTOLE"
    flags = {
        "wide and fast": calm
        & ~asystole
        & fast
        & (both["narrowest"] < WIDE)
        & (both["amplitude_mv"] >= 0.15),
        "unmarked tachycardia": (both["rhythm"] == "UNMARKED")
        & (both["slowest"] >= 120)
        & (both["narrowest"] < WIDE)
        & (both["organisation"] >= 0.6),
        "baseline seen": shock & (both["narrowest"] >= WIDE),
        "slow waves": shock & both["rhythm"].isin(["VF", "VFL"]) & (both["fastest"] < 110),
        "active asystole": asystole
        & ((both["smallest_mv"] >= 0.2) | (fast & (both["amplitude_mv"] >= 0.2))),
    }
    both["criterion"] = np.select(list(flags.values()), list(flags), default="")
    flagged = both[both["criterion"] != ""].sort_values(["database", "record", "start_s"])
    before = flagged.shift()
    new = (
        (flagged["record"] != before["record"])
        | (flagged["criterion"] != before["criterion"])
        | (flagged["start_s"] - before["start_s"] > GAP_S)
    )
    return flagged.groupby(new.cumsum().to_numpy(), as_index=False).agg(
        database=("database", "first"),
        record=("record", "first"),
        start_s=("start_s", "min"),
        end_s=("start_s", lambda s: s.max() + 4.0),
        rhythm=("rhythm", "first"),
        criterion=("criterion", "first"),
        windows=("start_s", "size"),
        rate_per_min=("slowest", "median"),
        amplitude_mv=("amplitude_mv", "median"),
        organisation=("organisation", "median"),
        narrowness=("narrowest", "median"),
    )


def read(path: Path = REVIEW) -> pd.DataFrame:
    """The decisions: database, record, start_s, end_s, decision, criterion, reason.

    `decision` is ``keep``, ``exclude`` or the name of the rhythm that the stretch really shows.
    """
    table = pd.read_csv(path, dtype={"record": str})
    known = table["criterion"].isin(CRITERIA) & table["decision"].isin(DECISIONS)
    wrong = table[(table["end_s"] <= table["start_s"]) | ~known]
    if len(wrong):
        row = wrong.iloc[0]
        raise ValueError(
            f"{path.name}: need end after start, a known criterion and a decision of "
            f"{', '.join(DECISIONS)}; got {row['record']} {row['start_s']} to {row['end_s']} s, "
            f"{row['criterion']!r}, {row['decision']!r}"
        )
    return table


def digest() -> str:
    """Twelve hex digits of the SHA-256 of the table."""
    return hashlib.sha256(REVIEW.read_bytes()).hexdigest()[:12]


def apply(table: pd.DataFrame, decisions: pd.DataFrame, *, window_s: float) -> pd.Series:
    """Rhythm of each window after the review; a window that a stretch only touches is left out."""
    rhythm = table["rhythm"].copy()
    end_s = table["start_s"] + window_s
    for row in decisions[decisions["decision"] != "keep"].itertuples():
        own = (table["database"] == row.database) & (table["record"] == row.record)
        start, end = row.start_s + EDGE_S, row.end_s - EDGE_S
        touched = own & (table["start_s"] < end) & (end_s > start)
        if not touched.any():
            continue
        inside = own & (table["start_s"] > start - 2 * EDGE_S) & (end_s < end + 2 * EDGE_S)
        rhythm[touched] = "exclude"
        if row.decision != "exclude":
            rhythm[inside] = row.decision
    return rhythm


def figures(decisions: pd.DataFrame, *, per_figure: int = 16) -> Iterator[tuple[Figure, str]]:
    """Every decision on ECG paper: four seconds from the middle of its stretch, every lead.

    Yields
    ------
    figure, alt text; leads are band-passed and drawn one below the other
    """
    from ecglib import paths, plots, records, signals

    decisions = decisions.sort_values(["database", "record", "start_s"])
    for database, rows in decisions.groupby("database"):
        for first in range(0, len(rows), per_figure):
            part = rows.iloc[first : first + per_figure]
            strips = []
            for row in part.itertuples():
                record = records.read_wfdb(paths.data() / database / row.record, database=database)
                wide = signals.bandpass(np.nan_to_num(record.signal), fs=record.fs)
                x = signals.resample(wide, fs=record.fs, new_fs=250.0)
                middle = int((row.start_s + row.end_s) / 2 * 250)
                start = int(np.clip(middle - 500, 0, x.shape[-1] - 1000))
                strips.append(x[:, start : start + 1000])
            titles = [
                f"{row.record}, {row.start_s:.0f} to {row.end_s:.0f} s: {row.decision}"
                f"\n{row.criterion}"
                for row in part.itertuples()
            ]
            figure = plots.gallery(
                np.stack(strips), titles, fs=250.0, n_columns=4, limit_mv=1.5, scale=0.4
            )
            yield (
                figure,
                f"Decisions of the review in {database}: "
                + "; ".join(title.replace("\n", ", ") for title in titles),
            )
