"""What a table of scores says: episodes, the surest moments of each, a page to look at, a file.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecglib import chapter, signals
from ecglib.records import Record

from .decide import CANNOT_TELL

STRIP_S = 5.0
SETTLED = 2  # windows on either side that say the same, where an episode has as many
APART = 400  # moments of one decision lie at least this part of the recording apart
MARGIN_S = 2.0  # of signal around a strip, so that the filter settles outside it


@dataclass(frozen=True)
class Moment:
    """A strip of a recording and what was decided there."""

    time_s: float  # middle of the window
    half_s: float  # of the window, to either side of its middle
    start_s: float  # left edge of the strip, a whole second unless the recording ends there
    decision: str
    reason: str  # why nothing can be told, else empty
    probability: float  # of the class that was decided; NaN if none was
    signal: NDArray[np.float32]  # (n_samples,), millivolt, 0.5 to 40 Hz; NaN where missing
    fs: float  # hertz
    lead: str


def timeline(table: pd.DataFrame) -> pd.DataFrame:
    """Runs of equal decisions, merged: a row an episode, in order of time.

    Parameters
    ----------
    table : what `score` gives, of one recording

    Returns
    -------
    DataFrame
        start_s, end_s, duration_s, decision, reason (of "cannot tell" the most frequent one),
        n_windows, sure (the highest of the windows that say the same, away from the edges of the
        episode if it is long enough) and sure_s, the middle of that window; NaN if there is none.
    """
    table = table.reset_index(drop=True)
    said, decision = table["said"].to_numpy(), table["decision"].to_numpy()
    from_s, to_s = table["from_s"].to_numpy(float), table["to_s"].to_numpy(float)
    new = np.ones(len(table), dtype=bool)
    new[1:] = (decision[1:] != decision[:-1]) | (from_s[1:] - to_s[:-1] > 1e-6)
    number = np.cumsum(new) - 1
    rows = pd.DataFrame({
        "number": number,
        "sure": np.where(said == decision, table["sure"].to_numpy(float), np.nan),
        "settled": _settled(said),
        "middle_s": _middle(table),
    })  # fmt: skip
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(table)) - 1
    best = rows.dropna(subset="sure").sort_values(
        ["settled", "sure"], kind="stable", ascending=False
    )
    best = best.drop_duplicates("number").set_index("number").reindex(range(len(first)))
    reasons = table.loc[table["reason"] != "", "reason"]
    often = reasons.groupby(number[reasons.index]).agg(lambda r: r.value_counts().index[0])
    return pd.DataFrame({
        "start_s": from_s[first],
        "end_s": to_s[last],
        "duration_s": to_s[last] - from_s[first],
        "decision": decision[first],
        "reason": often.reindex(range(len(first))).fillna("").to_numpy(),
        "n_windows": last - first + 1,
        "sure": best["sure"].to_numpy(),
        "sure_s": best["middle_s"].to_numpy(),
    })  # fmt: skip


def moments(table: pd.DataFrame, record: Record, *, n: int = 4) -> list[Moment]:
    """The surest moments of a recording, in order of time, at most one an episode.

    First the surest of each decision, the rarest decision first, then more of the rarer ones. Of
    "cannot tell" it is the middle of the longest episode.

    Parameters
    ----------
    table, record : what `score` gave, and the recording that it was given
    n : int, how many at most
    """
    found = timeline(table)
    found = found[found["reason"] != "start"]
    dark = found["decision"] == CANNOT_TELL
    found["rank"] = np.where(dark, found["duration_s"], found["sure"])
    found["at_s"] = np.where(dark, (found["start_s"] + found["end_s"]) / 2, found["sure_s"])
    found = found.dropna(subset=["rank", "at_s"]).sort_values("rank", ascending=False)
    total = found.groupby("decision")["duration_s"].sum().drop(CANNOT_TELL, errors="ignore")
    rare_first = [*total.sort_values(kind="stable").index, CANNOT_TELL]
    found["turn"] = found.groupby("decision").cumcount()
    found["place"] = found["decision"].map({name: i for i, name in enumerate(rare_first)})
    usual = found["place"] >= len(rare_first) - 2  # the most frequent decision, and "cannot tell"
    found["late"] = usual & (found["turn"] > 0)
    apart_s = (found["end_s"].max() - found["start_s"].min()) / APART
    chosen: list[dict] = []
    for row in found.sort_values(["late", "turn", "place"], kind="stable").to_dict("records"):
        near = (c["decision"] == row["decision"] and abs(c["at_s"] - row["at_s"]) < apart_s
                for c in chosen)  # fmt: skip
        if len(chosen) < n and not any(near):
            chosen.append(row)
    middle = _middle(table)
    out = []
    for episode in sorted(chosen, key=lambda row: row["at_s"]):
        row = table.iloc[int(np.abs(middle - episode["at_s"]).argmin())]
        out.append(_moment(episode, row, record))
    return out


def _moment(episode: dict, row: pd.Series, record: Record) -> Moment:
    names = [name for name in record.leads if name == row["lead"]] or list(record.leads[:1])
    x = record.signal[record.leads.index(names[0])]
    n = len(x)
    length = min(round(STRIP_S * record.fs), n)
    left_s = round(episode["at_s"] - STRIP_S / 2)
    start = int(np.clip(round(left_s * record.fs), 0, n - length))
    before = min(round(MARGIN_S * record.fs), start)
    piece = x[start - before : start + length + round(MARGIN_S * record.fs)].astype(float)
    missing = ~np.isfinite(piece)
    piece[missing] = 0.0
    piece = signals.bandpass(piece, fs=record.fs, high=min(40.0, 0.45 * record.fs))
    piece[missing] = np.nan
    decision = episode["decision"]
    return Moment(
        time_s=float(episode["at_s"]),
        half_s=float(episode["at_s"] - row["start_s"]),
        start_s=start / record.fs,
        decision=decision,
        reason=row["reason"] if decision == CANNOT_TELL else "",
        probability=float(row.get(f"p_{decision}", np.nan)),
        signal=piece[before : before + length].astype(np.float32),
        fs=record.fs,
        lead=names[0],
    )


def picture(table: pd.DataFrame, record: Record, file: str | Path, *, n: int = 4) -> Path:
    """Draw `plots.timeline` of a recording to a PNG, whole or not at all."""
    from ecglib import plots

    plots.style()
    smooth = table.attrs["smooth"]
    agree = f", {smooth[0]} of the last {smooth[1]} windows agree" if smooth else ""
    figure = plots.timeline(
        timeline(table), moments(table, record, n=n), classes=table.attrs["classes"],
        counted="beats" if "time_s" in table else "",
        title=f"{record.record}, lead {table['lead'].iloc[0]}, {table.attrs['model']}{agree}",
    )  # fmt: skip
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    figure.clear()
    chapter.write_bytes(Path(file), content.getvalue())
    return Path(file)


def write(table: pd.DataFrame, file: str | Path) -> Path:
    """Write a table of scores as Parquet, whole or not at all; its `attrs` are kept."""
    content = table.to_parquet(None, index=False)
    chapter.write_bytes(Path(file), content)
    return Path(file)


def _settled(said: NDArray) -> NDArray[np.bool_]:
    """Rows whose neighbours, so many on either side, say the same."""
    out = np.ones(len(said), dtype=bool)
    for step in range(1, SETTLED + 1):
        same = said[step:] == said[:-step]
        out[step:] &= same
        out[:-step] &= same
    return out


def _middle(table: pd.DataFrame) -> NDArray[np.float64]:
    if "time_s" in table:
        return table["time_s"].to_numpy(float)
    return ((table["start_s"] + table["end_s"]) / 2).to_numpy(float)
