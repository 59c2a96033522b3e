"""The appendix on data: a card for each database, from stated facts and from what the code knows.

What a card should say follows Gebru et al., Datasheets for datasets, Commun. ACM 64(12):86, 2021.
Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from ecglib import beats, chapter, fetch, paths, review

PAGE = "book/appendix/data_cards.md"
HEAD = """# Data cards

What each collection of recordings is, who made it, what may be done with it, what is known to be
wrong with it, and what the book makes of it. Written by `python -m ecglib readme` from
`ecglib/data_cards.py`, the library's own tables and the `metrics.json` of the exercises.

All recordings of people are public and fetched by whoever runs the book; none is part of it.
Whoever publishes with them cites the database and PhysioNet {cite:p}`goldberger2000`."""
ODC = "[Open Data Commons Attribution License 1.0](https://opendatacommons.org/licenses/by/1-0/)"
TITLES = {
    "exercise_03": "shock advice",
    "exercise_04": "heartbeats",
    "exercise_05": "rhythms from a hand-held device",
    "exercise_06": "own recordings",
}
LEFT_OUT = "exclude"  # the decision of the review that gives no other name


@dataclass(frozen=True)
class Card:
    """What is known of one collection and stands in no file that the code reads."""

    name: str  # as in `fetch.DATABASES` and metrics.json
    title: str
    what: str
    by: str
    licence: str
    people: str
    labels: str
    faults: tuple[str, ...]
    uses: dict[str, str]  # by exercise
    where: str = ""  # address; of databases it follows from their name
    form: str = ""  # leads, rate and length, if there is no database to tell


CARDS = (
    Card(
        name="vfdb",
        title="MIT-BIH Malignant Ventricular Ectopy Database",
        what="Excerpts from long recordings of people with sustained ventricular tachycardia, "
        "flutter or fibrillation.",
        by="Scott Greenwald, Massachusetts Institute of Technology {cite:p}`greenwald1986`",
        licence=ODC,
        people="One record is taken for one person; nothing is said of age, sex or of who they "
        "are.",
        labels="Marks where the rhythm changes. Beats are not marked.",
        faults=(
            "Leads have no names: all are called ECG.",
            "Two spellings of fibrillation, and marks that go on over a stretch whose signal "
            "shows another rhythm.",
            "All fibrillation lies in four records (422, 424, 426, 430), so few people decide "
            "how well it is recognised.",
            "About a quarter of what is marked as tachycardia runs below 150 per minute, where "
            "no shock is advised.",
        ),
        uses={
            "exercise_03": "windows of four seconds, both leads to learn from, the first to be "
            "tested"
        },
    ),
    Card(
        name="mitdb",
        title="MIT-BIH Arrhythmia Database",
        what="Half-hour excerpts of ambulatory recordings from the second half of the 1970s, some "
        "drawn at random, some chosen for rare beats.",
        by="Massachusetts Institute of Technology and Beth Israel Hospital, Boston "
        "{cite:p}`moody2001`",
        licence=ODC,
        people="47 people; records 201 and 202 are of one. Headers give age, sex and drugs.",
        labels="Every beat, marked by two cardiologists who settled where they differed, and "
        "where the rhythm changes.",
        faults=(
            "The published division into two halves has the person of records 201 and 202 on "
            "both sides.",
            f"Records {chapter.listed(beats.PACED)} are of people with pacemakers; the standard "
            "on testing leaves them out.",
            "The two leads are not the same ones in all records; two records have no lead MLII.",
            "Beats were not marked during flutter in record 207.",
            "The signal of record 116 is cut off at its peaks, some seconds in all.",
            "Names of drugs in the headers look like names of people to a search.",
        ),
        uses={
            "exercise_03": "windows of four seconds, above all of rhythms that need no shock",
            "exercise_04": "a window for each marked beat, split by beat as published tables are "
            "and by person",
        },
    ),
    Card(
        name="cudb",
        title="CU Ventricular Tachyarrhythmia Database",
        what="Eight and a half minutes around the onset of ventricular fibrillation or flutter, "
        "from monitors and long recordings.",
        by="Floyd Nolle and others, Creighton University, Omaha {cite:p}`nolle1986`",
        licence=ODC,
        people="One record is taken for one person.",
        labels="Beginning and end of fibrillation, noise, some changes of rhythm. Tachycardia is "
        "not marked.",
        faults=(
            "The minutes before fibrillation are often unmarked ventricular tachycardia, so "
            "unmarked is not the same as normal.",
            "Some beginnings of fibrillation have no end: it is taken to last to the end of the "
            "record.",
            "Missing samples in most records, flat stretches in about a third, peaks cut off in "
            "nearly all.",
            "Copies of it differ: some have no checksums of their files, and marks whose text is "
            "lost.",
        ),
        uses={
            "exercise_03": "windows of four seconds; the minute before fibrillation is left out, "
            "and fibrillation is also tested by networks that never saw this database"
        },
    ),
    Card(
        name="challenge-2017",
        title="PhysioNet/CinC Challenge 2017, training set",
        what="Short recordings that people made of themselves, a hand-held device between their "
        "hands.",
        by="AliveCor, labelled for the challenge {cite:p}`clifford2017`",
        licence=ODC,
        people="Not stated: somebody may have sent several recordings, and no split can part them.",
        labels="One of each recording: normal, atrial fibrillation, other rhythm, too noisy. "
        "Version 2 has 5,050, 738, 2,456 and 284 of them, version 3 has 5,076, 758, 2,415 and "
        "279: experts changed their minds.",
        faults=(
            "Two pairs of recordings are the same to the last sample: A00227 and A01176, A02656 "
            "and A03123.",
            "Some recordings are upside down, the device held the wrong way round.",
            "Every header has a date, which is coarse: the same day of the month and year in all.",
            "What counts as another rhythm is not said, and rhythms that come and go have one "
            "label.",
        ),
        uses={
            "exercise_05": "recordings without the noisy ones, as windows of five seconds and "
            "whole; labels of version 2 to be tested by, of version 3 to learn from",
            "exercise_06": "some hundred recordings as if they were somebody's own",
        },
    ),
    Card(
        name="ptbdb",
        title="Table of PTB beats",
        what="Beats cut from the PTB Diagnostic ECG Database, of healthy people and of people "
        "with heart disease, as a table of numbers.",
        by="Physikalisch-Technische Bundesanstalt {cite:p}`bousseljot1995`; the table by Kachuee "
        "and others {cite:p}`kachuee2018`",
        licence=f"the recordings: {ODC}; the table comes from whoever hands it out",
        people="Not stated: whose beat a row is, the table does not say, so every interval counts "
        "beats and is too narrow.",
        labels="Normal or abnormal, for each beat that of the person.",
        faults=(
            "Beats of one person are on both sides of any split of the table.",
            "Each beat is scaled from 0 to 1 and padded, so its size in millivolt and the "
            "distance to the next beat are lost.",
            "The published edition had the course's test table only, and splits that.",
        ),
        uses={"exercise_04": "five folds by beat, to see what a network from other beats is worth"},
        where="https://physionet.org/content/ptbdb/1.0.0/",
        form="a row of 187 numbers a beat, 1 lead at 125 Hz, padded with zeros",
    ),
    Card(
        name="synthetic",
        title="Synthetic recordings",
        what="Equations in place of people, with known truth, so that the book runs on a fresh "
        "machine and tests know what is right.",
        by="this book, `ecglib.synthetic`",
        licence="as the code, MIT",
        people="None. A number stands for a set of shapes, rates and disturbances.",
        labels="Known exactly, beat by beat.",
        faults=(
            "Cleaner, more regular and less varied than any heart: a score on them is no result.",
            "A network that learnt from them knows the equations and nothing of people.",
        ),
        uses={"exercise_06": "generated folders in the formats that people have"},
        form="as each page asks for",
    ),
)


def text() -> str:
    """The page as it should be.

    Raises
    ------
    ValueError
        If a metrics.json is no JSON.
    """
    return "\n\n".join([HEAD, *map(_card, CARDS)]) + "\n"


def in_step() -> bool:
    """Whether the page tells what the cards and the published metrics say."""
    file = paths.root() / PAGE
    return file.is_file() and file.read_text(encoding="utf-8") == text()


def write() -> None:
    """Bring the page in step."""
    chapter.write_bytes(paths.root() / PAGE, text().encode())


def _card(card: Card) -> str:
    rows = {
        "made by": card.by,
        "where": _where(card),
        "licence": card.licence,
        "form": _form(card),
        "people": card.people,
        "labels": card.labels,
        "checked by": _checked(card),
    }
    lines = [f"## {card.title}", "", card.what, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {told} |" for name, told in rows.items() if told]
    lines += ["", "**Known faults**", "", *(f"- {fault}" for fault in card.faults)]
    if found := _reviewed(card.name):
        lines.append(f"- {found}")
    lines += ["", "**What the book makes of it**", ""]
    for exercise, told in card.uses.items():
        number = exercise.removeprefix("exercise_")
        lines.append(f"- Exercise {number}, {TITLES[exercise]}: {told}{_counts(card, exercise)}.")
    return "\n".join(lines)


def _where(card: Card) -> str:
    if card.name in fetch.DATABASES:
        address = f"https://physionet.org/content/{card.name}/1.0.0/"
        return f"[PhysioNet]({address}); `ecglib fetch {card.name}`"
    return f"[PhysioNet]({card.where})" if card.where else ""


def _form(card: Card) -> str:
    if card.name not in fetch.DATABASES:
        return card.form
    base = fetch.DATABASES[card.name]
    shortest, longest = (n / base.fs for n in base.n_samples)
    length = _length(shortest) if shortest == longest else f"{shortest:.0f} to {longest:.0f} s"
    leads = chapter.plural(base.n_leads, "lead")
    records = chapter.plural(len(base.records), "record")
    return f"{records} of {length}, {leads} at {base.fs:g} Hz"


def _length(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds > 600 else f"{seconds / 60:.1f} min"


def _checked(card: Card) -> str:
    if card.name not in fetch.DATABASES:
        return ""
    if fetch.DATABASES[card.name].has_sums:
        return "SHA-256 of every file, as the database publishes them"
    return "number, headers and sizes of files; SHA-256 where a copy lists them"


def _reviewed(name: str) -> str:
    """What the review of rhythm marks decided in a database, or nothing."""
    table = pd.read_csv(review.REVIEW)
    decisions = table.loc[table["database"] == name, "decision"].value_counts()
    if decisions.empty:
        return ""
    kept, out = (int(decisions.get(word, 0)) for word in ("keep", LEFT_OUT))
    renamed = int(decisions.sum()) - kept - out
    return (
        f"By stated criteria {chapter.plural(int(decisions.sum()), 'stretch', 'stretches')} of "
        f"marks were in doubt and looked at: {kept} stand as they are, {out} are left out of the "
        f"reviewed labels, {renamed} have another name there."
    )


def _counts(card: Card, exercise: str) -> str:
    """What the published edition cut from it, if it says so."""
    file = paths.published(exercise) / "metrics.json"
    if not file.exists():
        return ""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: need JSON, {error}") from None
    if not chapter.is_published(found.get("profile"), found.get("source")):
        return ""
    about = found.get("data", {}).get(card.name)
    if not about:
        return ""
    windows = chapter.plural(about["windows"], "window")
    if card.name == "ptbdb":
        return f" ({chapter.plural(about['windows'], 'beat')})"
    task = "rhythms" if card.name == "challenge-2017" else ""
    return f" ({windows} of {chapter.owners(about['patients'], task)})"
