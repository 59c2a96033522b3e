"""The appendix tells what the cards of the published models tell."""

import pytest

from ecglib import model_cards, paths

ROOT = paths.root()
CARD = "# {0}\n\nWhat {0} is.\n\n## Limits\n\n- few\n\n```python\n# no heading\n```\n"


def publish(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "card.md").write_text(CARD.format(name))


def test_the_appendix_is_in_step_with_the_published_edition(monkeypatch):
    monkeypatch.setenv("ECGLIB_OUTS", str(ROOT / "outs"))
    assert model_cards.in_step(), "run `python -m ecglib readme`"


def test_without_a_published_model_the_appendix_says_so():
    assert model_cards.NONE in model_cards.text()


def test_each_card_becomes_a_section_in_the_order_of_the_exercises(tmp_path):
    publish(tmp_path, "rhythms-a", "beats-a", "shock-b", "shock-a", "zother")
    text = model_cards.text(tmp_path)
    headings = [line[3:] for line in text.split("\n") if line.startswith("## ")]
    assert headings == ["shock-a", "shock-b", "beats-a", "rhythms-a", "zother"]
    assert text.count("\n# ") == 5  # comments within code, and no second title
    assert text.count("**Limits**") == 5 and text.startswith("# Model cards")


def test_a_changed_card_is_noticed_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    publish(paths.published("exercise_06") / "models", "shock-a")
    assert not model_cards.in_step()
    model_cards.write()
    assert model_cards.in_step()
    publish(paths.published("exercise_06") / "models", "shock-b")
    assert not model_cards.in_step()


@pytest.mark.parametrize("name", ["toc", "page"])
def test_the_appendix_is_part_of_the_book(name):
    file = {"toc": ROOT / "_toc.yml", "page": ROOT / model_cards.PAGE}[name]
    assert file.is_file()
    if name == "toc":
        assert model_cards.PAGE.removesuffix(".md") in file.read_text()
