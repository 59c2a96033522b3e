"""Which runs become published models, and what their cards are told."""

import json
from dataclasses import replace

import pytest
import tiny

from ecglib import chapter, published, runs
from ecglib.tasks import catalogue, ways

ENTRY = next(one for one in catalogue.CATALOGUE if one.name == "shock-tiny_cnn")


@pytest.fixture
def windows(tmp_path):
    folder = tmp_path / "data" / "prepared"
    made = tiny.windows(folder)
    (folder / "tiny.parquet").rename(folder / "shock-a.parquet")
    return made


@pytest.fixture
def page():
    return chapter.open_chapter("exercise_06", profile="test", source="synthetic")


@pytest.fixture
def trained(windows, page):
    """Train a run in the usual way, but for what is given."""

    def train(*, seed: int = 0, epochs: int = 1, **given):
        given = {"train": {"epochs": epochs, "batch_size": 64, **given}}
        config = ways.config(windows, "tiny_cnn", seed=seed, given=given)
        return runs.run(config, windows, folder=page.ledger, progress=False)

    return train


def test_of_usual_runs_the_longest_one_of_the_first_seed_is_taken(trained, page, windows):
    trained(seed=0, epochs=1)
    wanted = trained(seed=0, epochs=2)
    trained(seed=1, epochs=2)
    run, found = catalogue.run_of(ENTRY, page.ledger)
    assert run.id == wanted.id and found.hash == windows.hash


def test_a_run_of_an_ablation_is_none_that_is_published(trained, page):
    other = trained(lr=0.05, epochs=3)
    with pytest.raises(ValueError, match="none in this ledger: run exercise_03 first"):
        catalogue.run_of(ENTRY, page.ledger)
    usual = trained()
    assert catalogue.run_of(ENTRY, page.ledger)[0].id == usual.id != other.id


def test_a_run_whose_windows_are_gone_is_passed_over(trained, page, tmp_path):
    trained()
    (tmp_path / "data/prepared/shock-a.parquet").unlink()
    with pytest.raises(ValueError, match="run exercise_03 first"):
        catalogue.run_of(ENTRY, page.ledger)


def test_what_there_is_gets_published_and_the_rest_is_named(trained, page):
    run = trained()
    table, missing = catalogue.publish(page)
    assert list(table.index) == ["shock-tiny_cnn"] and table.loc["shock-tiny_cnn", "run"] == run.id
    assert len(missing) == len(catalogue.CATALOGUE) - 1
    assert any("run exercise_05 first" in line for line in missing)
    model = published.load(page.out / "models" / "shock-tiny_cnn")
    told = model.results["test set, this run"]["balanced_accuracy"]
    assert told["value"] == pytest.approx(table.loc["shock-tiny_cnn", "value"])
    assert told["low"] <= told["value"] <= told["high"]


def test_without_any_run_the_page_says_what_to_run_first(page):
    with pytest.raises(ValueError, match="run exercise_03 first"):
        catalogue.publish(page)


def test_the_card_tells_the_exercises_numbers_of_the_same_profile_only(trained, page):
    run = trained()
    score = {"value": 0.9, "low": 0.8, "high": 0.95}
    entry = {"seeds": 3, "test": {"balanced_accuracy": score, "brier": score}}
    metrics = {"profile": "test", "protocols": {"patient": {"models": {"tiny_cnn": entry}}}}
    file = page.out.parent / "exercise_03" / "metrics.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(metrics))
    wanted = {"test set, exercise 03, 3 seeds": {"balanced_accuracy": score}}
    assert catalogue.of_the_exercise(ENTRY, run, page) == wanted
    assert catalogue.of_the_exercise(ENTRY, run, replace(page, profile="demo")) == {}
    file.write_text("{")
    assert catalogue.of_the_exercise(ENTRY, run, page) == {}


def test_names_are_plain_and_each_stands_once():
    names = [one.name for one in catalogue.CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(published.NAME.fullmatch(name) for name in names)
