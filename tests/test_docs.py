"""What is written beside the book is true."""

import inspect
import json
import re
import shlex
import tomllib

import pytest
import yaml
from typer.main import get_command

from ecglib import cli, paths, readme, train
from ecglib.rhythms import trials

ROOT = paths.root()


@pytest.fixture
def text() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A README and room for the metrics of a published edition."""
    (tmp_path / "README.md").write_text(f"# Title\n{readme.BEGIN}\nold\n{readme.END}\nrest\n")
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    (paths.published("exercise_03")).mkdir(parents=True)
    return tmp_path


def metrics(**changes) -> dict:
    score = {"value": 0.98, "low": 0.97, "high": 0.99}
    test = dict.fromkeys(("sensitivity", "specificity", "balanced_accuracy"), score)
    models = {name: {"test": test} for name in ("cnn", "cnn_gru", "tiny_cnn", "mlp")}
    return {
        "profile": "full",
        "source": "physionet",
        "data": {"vfdb": {"patients": 22, "windows": 1000}},
        "protocols": {"patient": {"models": models}},
        "selected": {"model": "cnn_gru"},
        **changes,
    }


def test_the_readme_tells_what_the_published_metrics_say(monkeypatch):
    monkeypatch.setenv("ECGLIB_OUTS", str(ROOT / "outs"))
    assert readme.in_step(), "run `python -m ecglib readme`"


def test_without_published_metrics_the_readme_says_so(small):
    readme.write()
    assert "Not yet run" in (small / "README.md").read_text()
    assert (small / "README.md").read_text().endswith(f"{readme.END}\nrest\n")


def test_headline_results_have_their_intervals_and_come_from_the_file(small):
    file = paths.published("exercise_03") / "metrics.json"
    file.write_text(json.dumps(metrics()))
    assert not readme.in_step()
    readme.write()
    assert readme.in_step()
    said = (small / "README.md").read_text()
    assert "| **cnn_gru** | 98.0 (97.0 to 99.0) |" in said
    assert "| cnn |" in said
    assert "mlp" not in said
    assert "1,000 windows of 22 patients in vfdb" in said


def test_of_beats_the_selected_network_is_shown_at_both_points_beside_the_start_model(small):
    score = {"value": 0.95, "low": 0.94, "high": 0.96}
    test = dict.fromkeys(("macro_recall", "macro_f1", "recall_S", "recall_V"), score)
    names = ("se_resnet x2", "se_resnet x2, recall", "course_2d", "transformer")
    models = {name: {"test": test} for name in names}
    ways = {
        how: {"test": {"macro_recall": score}, "validation": {"macro_recall": value}}
        for how, value in {"frozen": 0.9, "fine-tuned": 0.99}.items()
    }
    found = {
        "profile": "full",
        "source": "physionet",
        "protocols": {"intra": {"models": models}, "inter": {"models": models}}
        | {"ptb": {"models": ways}},
        "selected": {"model": "se_resnet x2", "inter_model": "se_resnet x2"},
    }
    file = paths.published("exercise_04") / "metrics.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(found))
    readme.write()
    said = (small / "README.md").read_text()
    assert "| **se_resnet x2** | 95.0 (94.0 to 96.0) |" in said
    assert said.count("| se_resnet x2, recall |") == 2 and said.count("| course_2d |") == 1
    assert "transformer" not in said
    assert "| **fine-tuned** | 95.0 (94.0 to 96.0) |  |" in said and "frozen" not in said


def test_the_readme_calls_our_networks_what_the_pages_call_them():
    views, second, alone = trials.VIEWS, f"{trials.MODEL}{trials.SECOND}", trials.MODEL
    assert readme.OURS == (views, second, alone)


@pytest.mark.parametrize("folded", ["three views", None])
def test_of_rhythms_only_the_selected_network_is_set_in_bold(small, folded):
    score = {"value": 0.95, "low": 0.94, "high": 0.96}
    test = {"test": dict.fromkeys(("macro_f1", "f1_N", "f1_O", "f1_A"), score)}
    published = dict.fromkeys(("three views x3", "three views", "rhythm_net", "plain"), test)
    folds = dict.fromkeys(("rhythm_net", *([folded] if folded else [])), test)
    split = {"test": {"patients": 818}}
    found = {
        "profile": "full",
        "source": "physionet",
        "protocols": {
            "published": {"models": published, "split": split},
            "5fold": {"models": folds},
        },
        "selected": {"model": "three views x3", "short_model": "plain", "folded": folded},
    }
    file = paths.published("exercise_05") / "metrics.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(found))
    readme.write()
    said = (small / "README.md").read_text()
    assert said.count("**three views x3**") == 1
    assert said.count("**three views**") == (1 if folded else 0)
    assert "**rhythm_net**" not in said and said.count("| rhythm_net |") == 2


def test_a_demo_does_not_reach_the_readme(small):
    file = paths.published("exercise_03") / "metrics.json"
    file.write_text(json.dumps(metrics(profile="demo")))
    with pytest.raises(ValueError, match="full on physionet"):
        readme.write()


def test_a_readme_without_its_markers_is_refused(small):
    (small / "README.md").write_text("# Title\n")
    with pytest.raises(ValueError, match="needs the lines"):
        readme.write()


def test_links_of_the_readme_lead_somewhere(text):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / link).exists(), f"README.md links to {link}"


def test_command_lines_of_the_readme_exist(text):
    known = get_command(cli.app).commands
    lines = re.findall(r"python -m ecglib ([^`\n]+)", text)
    assert lines
    for line in lines:
        name, *words = shlex.split(line)
        options = {option for p in known[name].params for option in p.opts}
        assert {word for word in words if word.startswith("-")} <= options, line


def test_the_python_example_of_the_readme_runs(text, capsys, monkeypatch):
    real = train.fit
    monkeypatch.setattr(train, "fit", lambda *a, **k: inspect.signature(real).bind(*a, **k))
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert "n_patients=20" in example
    exec(compile(example.replace("n_patients=20", "n_patients=12"), "README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out) <= 1


def test_every_target_of_the_makefile_is_in_the_readme(text):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.search(r"\.PHONY: (.*)", makefile).group(1).split():
        assert f"make {target}" in text


def test_everything_the_library_needs_is_pinned():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {re.split(r"[\[=]", line)[0] for line in lines if "==" in line}
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split(r"[\[<>=]", name)[0] for name in needed} <= pinned
    loose = [s for s in lines if s and s[0] not in "#-" and "==" not in s]
    assert loose == []


def test_version_and_licences_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    from ecglib import __version__

    assert citation["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "CC-BY-4.0" in (ROOT / "LICENSE-TEXT").read_text()
