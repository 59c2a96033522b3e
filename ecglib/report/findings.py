"""What the summary says was added, concluded and left open."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ecglib.chapter import Chapter, listed, percent, plural

from .phrases import BEATS, MOST_GROUPS, THEMES, apart, classes_of, ends_of, known, reason, shown
from .table import base_row, changes, checked, hyper_parameters, letters, plain


def by_theme(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    """Rows of one long group dealt out by what they change, so that each theme has its letter.

    A row that changes things of several themes, or of none, stays where it is.
    """
    base, names = base_row(rows), hyper_parameters(rows)
    theme_of = {name: theme for theme, members in THEMES.items() for name in members}

    def theme(row: pd.Series) -> str:
        found = {theme_of.get(name.rsplit(".", 1)[-1]) for name in changes(row, base, names)}
        mine = row["group"] == group and not row["base"] and len(found) == 1
        return found.pop() or row["group"] if mine else row["group"]

    return rows.assign(group=[theme(row) for _, row in rows.iterrows()])


def added(rows: pd.DataFrame, why: Mapping[str, str]) -> list[dict]:
    """For every group of rows: its letter, what was changed and why, and what that brought."""
    rows = checked(rows)
    base, names = base_row(rows), hyper_parameters(rows)
    out = []
    for group, letter in letters(rows).items():
        part = rows[(rows["group"] == group) & ~rows["base"].astype(bool)]
        changed = {name for _, row in part.iterrows() for name in changes(row, base, names)}
        changed = [name for name in names if name in changed]
        what = listed([plain(n) for n in changed]) or "as it is"
        out.append(
            {
                "letter": letter,
                "what": plain(group) if len(group) > 2 else what,
                "why": why.get(group) or reason(group, changed),
                "result": _gained(list(part["macro_recall"]), base["macro_recall"]),
            }
        )
    return out[:MOST_GROUPS]


def _gained(scores: list[Mapping], base: Mapping) -> str:
    """``+0.9 to +6.9 points, 3 of 4 clearly``: what the rows of a group do to a score."""
    gains = [100 * (score["value"] - base["value"]) for score in scores if known(score)]
    if not gains:
        return "–"
    ends = dict.fromkeys(f"{gain:+.1f}" for gain in (min(gains), max(gains)))
    said = f"{' to '.join(ends)} points".replace("-", "−")
    clear = [apart(score, base) for score in scores if known(score)]
    if None in clear:
        return said
    if len(clear) == 1:
        return said + (", clearly" if clear[0] else ", unclear")
    return said + f", {sum(clear) or 'none'} of {len(clear)} clearly"


def conclusion(found: Mapping, recall_first: Mapping, price: Mapping | None) -> list[str]:
    test = found["intra"]
    out = []
    pairs = [known(s.get(n)) for s in (test, recall_first) for n in ("macro_recall", "macro_f1")]
    if all(pairs):
        (r, s), (f, g) = ([test[n], recall_first[n]] for n in ("macro_recall", "macro_f1"))
        more, less = (100 * (b["value"] - a["value"]) for a, b in ((r, s), (f, g)))
        verb = "Recall can be bought" if more > 0 else "Recall can hardly be bought"
        out.append(
            f"**{verb}.** Putting recall first instead of balancing it with precision takes macro "
            f"recall from {shown(r)} to {shown(s)}, {more:+.1f} points, and macro F1 from "
            f"{shown(f)} to {shown(g)}, {less:+.1f} points.".replace(" -", " −")
        )
    if price:
        hour = price.get("false_alarms_per_hour")
        hour = f", {hour:,.0f} in an hour of Holter" if hour is not None else ""
        out.append(
            f"**Sick against well.** With the threshold that puts recall first "
            f"{percent(price['recall'])} of the sick beats are found, and "
            f"{percent(price['precision'])} of the alarms are right: "
            f"{price['false_alarms']:.1f} false alarms in 1,000 beats{hour}."
        )
    kinds = {c: test[f"recall_{c}"] for c in classes_of(test) if known(test[f"recall_{c}"])}
    if kinds:
        worst, best = (f(kinds, key=lambda c: kinds[c]["value"]) for f in (min, max))
        out.append(
            f"**Kind by kind.** {best} beats are found best, {shown(kinds[best])}; {worst} beats "
            f"worst, {shown(kinds[worst])}. More examples of {BEATS.get(worst, worst)} would help "
            "most."
        )
    inter = found.get("inter", {})
    falls = {
        c: kinds[c]["value"] - inter[f"recall_{c}"]["value"]
        for c in kinds
        if known(inter.get(f"recall_{c}"))
    }
    if falls:
        most = max(falls, key=falls.get)
        out.append(
            "**New people.** "
            + (
                f"From known to new people the recall of {most} falls most: from "
                f"{shown(kinds[most])} to {shown(inter[f'recall_{most}'])}. More people, rather "
                "than more beats of the same, are what it needs before it is used."
                if falls[most] > 0
                else "No kind of beat is found less often in new people."
            )
        )
    return out


def searched(search: pd.DataFrame) -> str:
    search = search.dropna(subset="validation_macro_recall")
    if search.empty:
        return "**Search.** No trial of the search came to an end."
    stopped = int((search["status"] == "stopped").sum())
    best = search.loc[search["validation_macro_recall"].idxmax()]
    small = search[search["validation_macro_recall"] >= best["validation_macro_recall"] - 0.005]
    small = small.loc[small["n_parameters"].idxmin()]
    hours = search["seconds"].sum() / 3600
    took = f"{hours:.1f} hours" if hours >= 1 else f"{max(hours * 60, 1):.0f} minutes"
    return (
        f"**Search.** {plural(len(search), 'trial')} ({stopped} stopped early) took {took} of "
        f"computing. The best reached {percent(best['validation_macro_recall'])} on validation "
        f"beats with {best['n_parameters'] / 1000:,.0f} thousand parameters; "
        + (
            f"{small['n_parameters'] / 1000:,.0f} thousand come within half a point of it."
            if small["n_parameters"] < best["n_parameters"]
            else "no smaller network comes within half a point of it."
        )
    )


def limits(metrics: Mapping, found: Mapping, chapter: Chapter) -> list[str]:
    out = []
    if chapter.source == "synthetic":
        out.append("These recordings are synthetic: no number here says anything about patients.")
    out.append(
        "The random deal puts beats of the same people on both sides. It is shown because "
        "published work uses it, and it overstates what a new patient can expect."
    )
    people = metrics["protocols"].get("inter", {}).get("split", {}).get("test", {}).get("patients")
    if people and "inter" in found:
        test = found["inter"]
        wide = {c: ends_of(test[f"recall_{c}"]) for c in classes_of(test)}
        wide = {c: 100 * (ends[1] - ends[0]) for c, ends in wide.items() if ends}
        most = max(wide, key=wide.get) if wide else ""
        out.append(
            f"What is said of new people rests on {plural(people, 'person', 'people')}"
            + (
                f"; the interval of the recall of {most} is {wide[most]:.0f} points wide"
                if most
                else ""
            )
            + "."
            + (
                " What counts as a person's own beat, and how much F1 recall may cost, was settled "
                "after errors on them were seen."
                if chapter.published and "late beats" in metrics["selected"].get("inter_model", "")
                else ""
            )
        )
    if "ptb" in found:
        out.append(
            "Whose the beats of the PTB table are is not known, so the same people may be on both "
            "sides there, and its intervals, drawn by beat, are too narrow."
        )
    out.append(
        "The rows of the table were all scored on the same test set: the best of many is somewhat "
        "too good. What was chosen was chosen on validation beats."
    )
    out.append(
        "One lead, one kind of equipment and the marks of few experts: another hospital should "
        "test the network on recordings of its own first. This is no medical device."
    )
    return out
