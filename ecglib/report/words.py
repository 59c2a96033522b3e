"""The sentences of the summary, every number in them from the results."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ecglib.chapter import SOURCES, Chapter, higher, listed, percent, plural

from .findings import added, conclusion, limits, searched
from .phrases import (
    BEATS,
    DATABASES,
    MEASURED,
    MOST_TILES,
    PROTOCOLS,
    RECALL_FIRST,
    apart,
    called,
    classes_of,
    common_fall,
    known,
    model_of,
    range_of,
    scores_of,
    shown,
)


def texts(
    chapter: Chapter,
    metrics: Mapping,
    *,
    rows: pd.DataFrame,
    chosen: Mapping[str, str] | None = None,
    previous: str = "",
    search: pd.DataFrame | None = None,
    price: Mapping[str, float] | None = None,
    why: Mapping[str, str] | None = None,
) -> dict:
    """Everything that is read in the summary but the table and the captions; see `summary`."""
    names = {p: model_of(metrics, p, (chosen or {}).get(p, "")) for p in PROTOCOLS}
    found = {p: scores_of(metrics, p, name) for p, name in names.items()}
    found = {p: scores for p, scores in found.items() if scores}
    if "intra" not in found:
        raise ValueError("need scores of the protocol intra in metrics.json: run 05_evaluation")
    before = scores_of(metrics, "intra", previous)
    recall_first = scores_of(metrics, "intra", names["intra"] + RECALL_FIRST)
    found_first = scores_of(metrics, "inter", names["inter"] + RECALL_FIRST)
    return {
        "title": "Finding sick heartbeats",
        "subtitle": "What was built, what it finds and what it costs, in two pages",
        "notice": _notice(chapter),
        "tiles": _tiles(found, found_first, before, price)[:MOST_TILES],
        "task": _task(metrics, names["intra"]),
        "answer": _answer(metrics, found, before, names["intra"], found_first),
        "added": added(rows, why or {}),
        "result": "macro recall against the base",
        "conclusion": conclusion(found, recall_first, price)
        + ([searched(search)] if search is not None and len(search) else []),
        "limits": limits(metrics, found, chapter),
    }


def _notice(chapter: Chapter) -> str:
    if chapter.published:
        return ""
    if chapter.source == "synthetic":
        return f"Run on {SOURCES['synthetic']}."
    return f"Run with the profile {chapter.profile}: a trial, not the published result."


def _tiles(
    found: Mapping, found_first: Mapping, before: Mapping, price: Mapping | None
) -> list[dict]:
    """The numbers to see first, the most important ones in front."""
    out = []

    def add(score: Mapping | None, label: str, note: str = "") -> None:
        if known(score):
            value = {"value": percent(score["value"]), "range": range_of(score)}
            out.append(value | {"label": label, "note": note})

    intra, inter = found["intra"], found.get("inter", {})
    was = before.get("macro_recall")
    note = f"start model: {percent(was['value'])}" if known(was) else ""
    add(intra.get("macro_recall"), "macro recall, beats dealt at random", note)
    if price:
        note = f"{price['false_alarms']:.0f} false alarms in 1,000"
        ends = {end: price.get(f"recall_{end}") for end in ("low", "high")}
        add({"value": price["recall"]} | ends, "of sick beats found, recall first", note)
    for letter in "VS":
        score = found_first.get(f"recall_{letter}")
        words = ", recall first" if known(score) else ""
        score = score if known(score) else inter.get(f"recall_{letter}")
        add(score, f"of {letter} beats found in new people{words}")
    add(found.get("ptb", {}).get("macro_recall"), "macro recall on the PTB table")
    add(intra.get("macro_f1"), "macro F1, beats dealt at random")
    for letter in "VSF":
        add(intra.get(f"recall_{letter}"), f"of {letter} beats found, dealt at random")
    return out


def _task(metrics: Mapping, name: str) -> list[str]:
    entry = metrics["protocols"]["intra"]
    kinds = [
        f"**{c}** ({BEATS[c]})" for c in classes_of(entry["models"][name]["test"]) if c in BEATS
    ]
    said = [
        "A recorder worn for a day stores more heartbeats than anyone can look through. A program "
        f"should point out the sick ones. It tells apart {listed(kinds) or 'kinds of beat'}. "
        "A sick person who is missed is worse than a false alarm, so **recall comes first**: the "
        "share of each kind of beat that is found. Macro recall is its mean over the "
        "kinds, so that a rare kind counts as much as a common one."
    ]
    if data := metrics.get("data", {}):
        who = [
            f"{d['windows']:,} beats"
            + (f" of {plural(d['patients'], 'person', 'people')}" if told else "")
            + f" from {DATABASES.get(name, name)}"
            for name, d in data.items()
            for told in [d.get("patients") and d["patients"] < d["windows"]]
        ]
        said.append(f"**The data** are {listed(who)}. {_dealt(entry.get('split', {}))}" + MEASURED)
    return said


def _dealt(split: Mapping) -> str:
    does = {"train": "beats to learn from", "validation": "to choose by", "test": "to judge on"}
    sizes = [f"{split[name]['windows']:,} {words}" for name, words in does.items() if name in split]
    return f"Dealt at random there are {listed(sizes)}. " if sizes else ""


def _answer(
    metrics: Mapping, found: Mapping, before: Mapping, name: str, found_first: Mapping
) -> list[str]:
    test = found["intra"]
    size = metrics["protocols"]["intra"]["models"][name].get("parameters")
    size = f" with {size / 1000:,.0f} thousand parameters" if size else ""
    said = (
        f"The network chosen, {called(name)}{size}, reaches a macro recall of "
        f"{shown(test['macro_recall'], bold=True)} and a macro F1 of {shown(test['macro_f1'])} on "
        "beats dealt at random."
    )
    if known(before.get("macro_recall")):
        old, new = before["macro_recall"], test["macro_recall"]
        word = higher(old["value"], new["value"])
        word = "no different" if word == "equal" else word
        sure = {True: "clearly ", False: "", None: ""}[apart(old, new)]
        said += f" The start model of the course has a {sure}{word} macro recall: {shown(old)}."
        said = said.replace("has a no different", "has no different")
    out = [said]
    if inter := found.get("inter"):
        fall, n = common_fall(test, inter)
        kinds = [
            f"{shown(inter[f'recall_{c}'])} of {c}" for c in "VS" if known(inter.get(f"recall_{c}"))
        ]
        out.append(
            f"In people it has never seen it finds {listed(kinds)} beats; macro recall is "
            f"{shown(inter['macro_recall'], bold=True)}. Over the {n} kinds of both tests that is "
            f"{abs(fall):.1f} points {'less' if fall > 0 else 'more'} than on beats dealt at "
            "random. A random deal has the same people on both sides: the first figure tells how "
            "well known people are read, the second what to expect of a new patient."
        )
        kinds = [
            f"{shown(found_first[f'recall_{c}'])} of {c}"
            for c in "VS"
            if known(found_first.get(f"recall_{c}"))
        ]
        if kinds:
            out[-1] += (
                f" Put recall first, and it finds {listed(kinds)} beats in them, at a macro F1 of "
                f"{shown(found_first['macro_f1'])}."
            )
    if "ptb" in found:
        out.append(
            "On a second table, PTB, beats of sick hearts against beats of well ones, macro recall "
            f"is {shown(found['ptb']['macro_recall'], bold=True)}."
        )
    return out
