import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from ecglib import cli, fetch, hypertune, paths, publish, site


@pytest.fixture
def command():
    return lambda *words: CliRunner().invoke(cli.app, words)


@pytest.fixture
def built(monkeypatch, tmp_path):
    calls = []

    def build(profile, **arguments):
        calls.append({"profile": profile, **arguments})
        return tmp_path

    monkeypatch.setattr(publish, "build", build)
    return calls


def test_book_hands_over_profile_chapters_and_parameters(command, built):
    words = "book --profile full -c exercise_03 -p epochs=2 -p model=gru -p bidirectional=true"
    done = command(*words.split())
    assert done.exit_code == 0
    assert "index.html" in done.output
    assert built[0]["profile"] == "full"
    assert built[0]["chapters"] == ["exercise_03"]
    assert built[0]["parameters"] == {"epochs": 2, "model": "gru", "bidirectional": True}


def test_a_parameter_without_a_value_is_refused(command, built):
    done = command("book", "-p", "epochs")
    assert isinstance(done.exception, ValueError)
    assert "name=value, got 'epochs'" in str(done.exception)
    assert built == []


@pytest.mark.parametrize("name", ["fetch", "data"])
def test_fetch_gets_what_is_named_from_the_mirror_by_its_former_name_too(
    name, command, monkeypatch
):
    calls = []
    monkeypatch.setattr(fetch, "fetch", lambda name, **about: calls.append((name, about)))
    command(name, "vfdb", "cudb", "--mirror", "/media/copy", "-q")
    given = {"mirror": "/media/copy", "progress": False}
    assert calls == [("vfdb", given), ("cudb", given)]
    command(name)
    assert [database for database, _ in calls[2:]] == list(fetch.DATABASES)


def test_site_renders_what_was_published(command, monkeypatch, tmp_path):
    monkeypatch.setattr(site, "render_published", lambda **_: tmp_path)
    assert tmp_path.as_uri() in command("site").output


def test_what_goes_wrong_is_told_in_a_line_with_exit_status_1(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-m", "ecglib", "book", "--profile", "quick"],
        capture_output=True,
        text=True,
        cwd=paths.root(),
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "got 'quick'" in done.stderr


def test_an_unknown_command_shows_how_to_get_help(command):
    assert command("bok").exit_code == 2
    assert "book" in command("--help").output


def test_hypertune_hands_over_the_settings_it_was_given(command, monkeypatch, tmp_path):
    calls = []

    def search(settings, windows, **arguments):
        calls.append((settings, windows, arguments))
        about = {"status": ["completed"], "validation_macro_recall": [0.9]}
        return pd.DataFrame({"trial": [0], "run": ["abc"], "model": ["mlp"], **about})

    monkeypatch.setattr(hypertune, "search", search)
    words = "hypertune --source synthetic --trials 3 --epochs 4 --cpus 0.5 --address head:6379 -q"
    done = command(*words.split(), "--storage", "/shared", "--fresh")
    assert done.exit_code == 0, done.output
    assert "best of 1 trials: mlp, run abc, validation_macro_recall 0.9000" in done.output
    settings, windows, given = calls[0]
    assert (settings.trials, settings.epochs, settings.cpus) == (3, 4, 0.5)
    assert windows.source == "synthetic" and len(windows.classes) == 5
    assert (given["address"], given["storage"], given["resume"]) == ("head:6379", "/shared", False)
    assert given["folder"] == paths.ledger("demo", "synthetic") / "search"
    assert (paths.demo("exercise_04") / "trials.parquet").exists()


def test_the_former_name_of_fetch_is_not_advertised(command):
    listed = [line.split()[0] for line in command("--help").output.splitlines() if line.strip()]
    assert "fetch" in listed and "data" not in listed
