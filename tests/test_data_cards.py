"""The appendix on data says what the code and the published metrics know."""

import json
import re

import pandas as pd
import pytest

from ecglib import data_cards, fetch, paths

ROOT = paths.root()


def test_the_page_is_in_step_with_the_published_metrics(monkeypatch):
    monkeypatch.setenv("ECGLIB_OUTS", str(ROOT / "outs"))
    assert data_cards.in_step(), "run `python -m ecglib readme`"


def test_every_database_and_what_the_exercises_count_has_a_card():
    names = {card.name for card in data_cards.CARDS}
    assert set(fetch.DATABASES) <= names and {"ptbdb", "synthetic"} <= names
    for file in (ROOT / "outs").glob("exercise_0*/metrics.json"):
        assert set(json.loads(file.read_text())["data"]) <= names


def test_every_card_says_what_by_whom_on_what_terms_and_what_is_wrong():
    for card, part in zip(data_cards.CARDS, data_cards.text().split("\n## ")[1:], strict=True):
        assert part.startswith(card.title)
        for row in ("made by", "licence", "form", "people", "labels"):
            assert re.search(rf"\| {row} \| \S", part), f"{card.name}: {row}"
        assert part.count("\n- ") >= 2 and "**Known faults**" in part


def test_form_and_counts_come_from_the_library_and_from_published_metrics():
    assert "48 records of 30 min, 2 leads at 360 Hz" in data_cards.text()
    assert "8,528 records of 9 to 61 s, 1 lead at 300 Hz" in data_cards.text()
    assert "9 windows" not in data_cards.text()
    file = paths.published("exercise_04") / "metrics.json"
    file.parent.mkdir(parents=True)
    found = {"profile": "full", "source": "physionet"}
    found["data"] = {"mitdb": {"patients": 7, "windows": 9}}
    file.write_text(json.dumps(found))
    assert "(9 windows of 7 people)" in data_cards.text()
    file.write_text(json.dumps(found | {"profile": "demo"}))
    assert "9 windows" not in data_cards.text()
    file.write_text("{")
    with pytest.raises(ValueError, match="need JSON"):
        data_cards.text()


def test_sources_are_in_the_bibliography():
    known = (ROOT / "book" / "references.bib").read_text()
    for key in re.findall(r"{cite:p}`(\w+)`", data_cards.text()):
        assert f"{{{key}," in known, key


REAL = ROOT / "data" / "challenge-2017"


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="needs the fetched database")
def test_what_is_said_of_the_challenge_is_so():
    (card,) = (card for card in data_cards.CARDS if card.name == REAL.name)
    for version in (2, 3):
        table = pd.read_csv(REAL / f"REFERENCE-v{version}.csv", names=["record", "label"])
        counts = table["label"].value_counts()
        for label in "NAO~":
            assert f"{counts[label]:,}" in card.labels
    for a, b in (("A00227", "A01176"), ("A02656", "A03123")):
        assert (REAL / f"{a}.mat").read_bytes() == (REAL / f"{b}.mat").read_bytes()
