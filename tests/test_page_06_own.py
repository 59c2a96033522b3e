"""The page on recordings of one's own, and the command lines that are printed beside the book."""

import io
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ecglib import paths
from ecglib.own import mistakes
from ecglib.terminal import Terminal

FIGURES = ["own_windows", "own_loss", "own_scores", "own_confusion", "own_timeline"]
QUICK = {"--patients 40": "--patients 12", "epochs=20": "epochs=1", "epochs=2": "epochs=1"}


@pytest.fixture(scope="module")
def out(book):
    return book.outs / "demo" / "exercise_06"


@pytest.fixture(scope="module")
def page(book):
    file = book.outs / "demo" / "book" / "exercise_06" / "01_own_recordings.ipynb"
    return nbformat.read(file, as_version=4)


@pytest.fixture(scope="module")
def shown(page):
    """All that the page shows as text."""
    outputs = [output for cell in page.cells for output in cell.get("outputs", [])]
    told = [output.get("text", "") for output in outputs]
    return "\n".join(told + [o.get("data", {}).get("text/markdown", "") for o in outputs])


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_exist_are_not_blank_and_have_sane_sizes(out, name):
    picture = Image.open(io.BytesIO((out / f"{name}.png").read_bytes())).convert("L")
    assert 500 <= picture.width <= 2400 and 150 <= picture.height <= 2400
    assert np.asarray(picture).std() > 5


def test_scores_are_kept_with_their_intervals(out):
    table = pd.read_csv(out / "own_scores.csv")
    assert set(table["recordings"]) == {"generated"} and len(table) == 3
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()


def test_every_planted_mistake_is_told_and_no_name_is_repeated(shown, page):
    assert "Of 6 mistakes the report tells of **6**" in shown
    assert "and 0 times in the report" in shown
    for word in mistakes.PERSON.split():
        assert word not in nbformat.writes(page)
    assert "ecglib: spoilt/p002_a.edf: need millivolts" in shown


def test_the_formats_come_to_the_same_and_nobody_is_in_two_sets(shown):
    assert "and 0 decisions of" in shown
    assert "Nobody is in two sets. The audit is clean" in shown


def test_the_command_line_finds_the_run_that_the_page_trained(shown):
    lines = re.findall(r"^\$ ecglib (\S+(?: check)?)", shown, re.MULTILINE)
    assert lines == ["prepare", "new-data check", "train", "evaluate", "explain", "score"]
    assert ", was there already" in shown
    assert shown.count("(exit status") == 1  # the spoilt folder


def test_no_path_of_the_machine_is_shown(shown):
    assert not re.search(r"(?<![\w.])/(tmp|home|root|work|var)\b", shown)


def blocks(file: str) -> list[str]:
    """The blocks of command lines in a document that begin with ``ecglib``."""
    text = (paths.root() / file).read_text(encoding="utf-8")
    return [b for b in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) if "\necglib" in f"\n{b}"]


def lines_of(blocks: list[str]) -> list[str]:
    text = "".join(blocks)
    for word, quick in QUICK.items():
        text = text.replace(word, quick)
    return [line for line in text.splitlines() if line.startswith("ecglib ")]


def test_the_lines_of_the_readme_work_one_after_the_other(tmp_path):
    terminal, lines = Terminal(tmp_path), lines_of(blocks("README.md"))
    assert len(lines) == 7
    for line in lines:
        said = terminal.run(line)
        assert said.status == 0, f"{line}: {said.err}"
    made = {path.name for path in tmp_path.iterdir()}
    assert {
        "looked.png",
        "looked.parquet",
        "decisions.parquet",
        "timeline.png",
        "model.onnx",
    } <= made


def test_the_lines_on_how_to_run_work_one_after_the_other(tmp_path):
    terminal, lines = Terminal(tmp_path), lines_of(blocks("book/how_to_run.md"))
    assert len(lines) == 8
    terminal.run("ecglib new-data generate made -f csv --patients 12 --duration-s 30")
    (tmp_path / "made" / "csv").rename(tmp_path / "my_folder")
    text = (paths.root() / "book" / "how_to_run.md").read_text(encoding="utf-8")
    settings = re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1)
    (tmp_path / "settings.yml").write_text(settings)
    terminal.run("ecglib new-data generate other -f edf --patients 1 --duration-s 30")
    (tmp_path / "other" / "edf" / "p000_a.edf").rename(tmp_path / "another.edf")
    for line in lines:
        if "--task shock" not in line:
            line = line.replace("--model cnn", "--model tiny_cnn --set epochs=1")
        said = terminal.run(line)
        assert said.status == 0, f"{line}: {said.err}"
