"""A published model: kept whole, read back the same, refused when it was changed."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny

from ecglib import cards, datasets, paths, published, runs, train
from ecglib.runs import RunConfig
from ecglib.train import TrainConfig

RESULTS = {
    "test": {"sensitivity": {"value": 0.912, "low": 0.871, "high": 0.95}, "f1": np.float64(0.5)}
}


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> datasets.Windows:
    return tiny.windows(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module")
def run(windows, tmp_path_factory) -> runs.Run:
    config = RunConfig(
        model="tiny_cnn",
        data=windows.hash,
        arguments={"channels": 8, "blocks": 1},
        train=TrainConfig(epochs=1, batch_size=64, device="cpu"),
    )
    return runs.run(config, windows, folder=tmp_path_factory.mktemp("runs"), progress=False)


@pytest.fixture
def folder(run, windows, tmp_path):
    """One published model, for a test to spoil."""
    return published.keep(
        run, windows, tmp_path, name="shock-tiny", weights=(0.3, 0.7), results=RESULTS,
        about="Says whether a shock is advised.",
    )  # fmt: skip


def test_what_is_read_back_is_what_was_kept(folder, run, windows):
    model = published.load(folder)
    assert {p.name for p in folder.iterdir()} == set(published.FILES)
    assert (model.name, model.folder, model.config) == ("shock-tiny", folder, run.config)
    assert (model.fs, model.n_leads, model.n_samples) == (250.0, 1, 250)
    assert model.classes == windows.classes and model.weights == (0.3, 0.7)
    assert model.results["test"]["f1"] == 0.5
    assert model.preparation == {
        "task": "shock", "unit": "mV", "source": "synthetic", "seed": 0, "n_patients": 12,
        "labels": "annotated",
    }  # fmt: skip
    x = windows.signal[:9]
    network = model.network()
    assert not network.training
    assert np.array_equal(train.predict(network, x), train.predict(run.model(windows), x))


def test_numbers_beside_the_signal_are_counted_as_leads(tmp_path, windows):
    from ecglib.datasets.inputs import RR_COLUMNS

    rng = np.random.default_rng(0)
    more = windows.table.assign(**{c: rng.uniform(0.5, 1, len(windows)) for c in RR_COLUMNS})
    beats = replace(windows, table=more)
    how = TrainConfig(epochs=1, batch_size=64, device="cpu")
    config = RunConfig(
        model="linear", data=beats.hash, arguments={"n_features": 5}, train=how, inputs="rr"
    )
    made = runs.run(config, beats, folder=tmp_path / "runs", progress=False)
    kept = published.keep(made, beats, tmp_path / "models", name="beats", weights=(1, 1))
    model = published.load(kept)
    assert (model.n_leads, model.config.inputs) == (6, "rr")
    shown = datasets.with_inputs(beats, "rr").signal[:4]
    assert train.predict(model.network(), shown).shape == (4, 2)


def test_a_threshold_decides_between_two_classes(folder):
    model = published.load(folder)
    score = np.array([0.2, 0.29, 0.31, 0.9])
    assert model.decide(np.stack([1 - score, score], axis=1)).tolist() == [0, 0, 1, 1]


def test_changed_weights_are_refused(folder):
    model = published.load(folder)
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    for read in (lambda: published.load(folder), model.network):
        with pytest.raises(ValueError, match=r"safetensors: was changed after it was published"):
            read()
    path.unlink()
    with pytest.raises(ValueError, match="need the weights, the file is missing"):
        model.network()


@pytest.mark.parametrize("entry", ["weights", "fs", "classes", "preparation"])
def test_a_changed_configuration_is_refused(folder, entry):
    path = folder / "config.json"
    about = json.loads(path.read_text())
    about[entry] = {"weights": [0.5, 0.5], "fs": 500.0, "classes": ["b", "a"]}.get(entry, {})
    path.write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"config.json: was changed after it was published"):
        published.load(folder)


def test_a_newer_format_is_named_with_the_version_that_made_it(folder):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2, "ecglib": "9.0"}))
    with pytest.raises(ValueError, match=r"need format 1, got 2: made by another .*\(9.0, this"):
        published.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "{"])
def test_a_damaged_configuration_is_named(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config.json: need the configuration of a published"):
        published.load(folder)


@pytest.mark.parametrize("name", published.FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        published.load(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere: need model.safetensors"):
        published.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "two words"])
def test_a_name_that_is_no_plain_one_is_refused(run, windows, tmp_path, name):
    with pytest.raises(ValueError, match="need a name of letters"):
        published.keep(run, windows, tmp_path, name=name, weights=(1, 1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("weights", [(1,), (0, 0), (-1, 1), (float("nan"), 1), (1, 1, 1)])
def test_weights_must_fit_the_classes(run, windows, tmp_path, weights):
    with pytest.raises(ValueError, match="need a weight of 0 or more for each of non-shockable"):
        published.keep(run, windows, tmp_path, name="a", weights=weights)
    assert not list(tmp_path.iterdir())


def test_windows_of_another_run_are_refused(run, windows, tmp_path):
    other = replace(windows, parameters=windows.parameters | {"seed": 1})
    with pytest.raises(ValueError, match=f"need windows {windows.hash} of run {run.id}, got"):
        published.keep(run, other, tmp_path, name="a", weights=(1, 1))


def test_a_model_of_the_same_name_is_replaced_as_a_whole(folder, run, windows):
    (folder / "left over").touch()
    again = published.keep(run, windows, folder.parent, name=folder.name, weights=(0.5, 0.5))
    assert again == folder and published.load(folder).weights == (0.5, 0.5)
    assert {p.name for p in folder.iterdir()} == set(published.FILES)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_the_old_one_stays_if_the_new_one_cannot_be_written(folder, run, windows, monkeypatch):
    def full(_self, _content):
        raise OSError("no space left")

    monkeypatch.setattr(type(folder), "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        published.keep(run, windows, folder.parent, name=folder.name, weights=(0.5, 0.5))
    assert published.load(folder).weights == (0.3, 0.7)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_published_models_are_found_by_name(folder, monkeypatch):
    root = folder.parent
    (root / ".other.1.part").mkdir()
    (root / "empty").mkdir()
    assert published.available(root) == {"shock-tiny": folder}
    monkeypatch.setenv("ECGLIB_OUTS", str(root / "outs"))
    assert published.available() == {}


def test_a_trial_never_passes_for_a_published_model(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGLIB_OUTS", str(tmp_path / "outs"))
    book, own = paths.published("exercise_06") / "models", paths.demo("models")
    pages = paths.demo("exercise_06") / "models"
    for place in (book / "shock-tiny", own / "shock-tiny", own / "mine", pages / "shock-demo"):
        shutil.copytree(folder, place)
    found = published.available()
    assert found == {"mine": own / "mine", "shock-tiny": book / "shock-tiny"}


# the card


def test_results_within_results_are_named_by_both():
    rows = cards._flat({"S": {"recall": {"value": 0.5}, "n": 3}, "f1": 0.25})
    assert rows == {"S, recall": {"value": 0.5}, "S, n": 3, "f1": 0.25}


def test_the_card_says_what_whom_how_well_and_what_not(folder, windows):
    text = (folder / "card.md").read_text()
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "What it is", "Data", "Operating point", "Numbers", "Limits", "How to use it"
    ]  # fmt: skip
    assert text.startswith("# shock-tiny\n\nSays whether a shock is advised.\n")
    assert "`tiny_cnn`" in text and "1 lead of 250 samples, 1 s at 250 Hz" in text
    assert "synthetic recordings" in text and "12 people" in text
    assert "shockable is answered above a probability of 0.3." in text
    assert "| sensitivity | 0.912 (0.871 to 0.950) |" in text and "| f1 | 0.500 |" in text
    assert "numbers say nothing about people" in text and "no medical device" in text
    assert 'published.load("shock-tiny")' in text


def test_the_card_counts_people_and_windows_of_each_set(folder, run, windows):
    text = (folder / "card.md").read_text()
    for split, name in cards.SETS.items():
        part = run.of(split)
        counts = [(part["label"] == i).sum() for i in (0, 1)]
        assert f"| {name} | {part['patient'].nunique()} | {counts[0]} | {counts[1]} |" in text


def test_the_card_tells_the_recall_at_the_operating_point(run, windows, tmp_path):
    kept = published.keep(run, windows, tmp_path, name="always", weights=(0, 1))
    assert "non-shockable 0.000 of" in (kept / "card.md").read_text()
    assert "and shockable 1.000 of" in (kept / "card.md").read_text()


def test_the_card_names_the_people_of_two_databases_apart(run, windows, tmp_path):
    table = windows.table.assign(patient="1", lead=windows.table["lead"])
    assert windows.table["database"].nunique() == 2
    config = json.loads(
        (
            published.keep(run, windows, tmp_path, name="a", weights=(1, 1)) / "config.json"
        ).read_text()
    )
    assert "a and b, 2 people" in cards.card(config, run.predictions, table)
