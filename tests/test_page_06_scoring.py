"""What the page on scoring and exporting leaves behind when it is run."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ecglib import export, published
from ecglib.tasks import catalogue, exports

FIGURES = ["timeline", "tracks", "three_of_four", "cannot_tell", "sizes_and_times", "int8_loss"]


@pytest.fixture(scope="module")
def out(book):
    return book.outs / "demo" / "exercise_06"


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_exist_and_are_not_blank(out, name):
    picture = Image.open(io.BytesIO((out / f"{name}.png").read_bytes())).convert("L")
    assert 600 <= picture.width <= 2400 and 150 <= picture.height <= 2400
    assert np.asarray(picture).std() > 5


def test_every_model_of_the_catalogue_is_published_with_its_numbers(out):
    found = published.available(out / "models")
    assert set(found) == {entry.name for entry in catalogue.CATALOGUE}
    for folder in found.values():
        model = published.load(folder)
        assert any(name.startswith("test set, exercise") for name in model.results), folder.name
        model.network()


def test_the_tables_are_measured_and_answers_agree(out):
    costs = pd.read_csv(out / "export.csv")
    assert set(costs["form"]) == set(exports.FORMS)
    whole = costs[costs["form"] == "onnx"]
    assert (whole["difference"] <= whole["tolerance"]).all()
    assert (whole["tolerance"] == 1e-4).all()
    assert (costs[["bytes", "latency_ms", "batch_ms"]] > 0).all().all()
    lost = pd.read_csv(out / "int8_loss.csv", index_col="model")
    assert lost["agreement"].between(0, 1).all()
    speed = pd.read_csv(out / "throughput.csv", index_col="model")
    assert (speed["seconds"] > 0).all() and (speed["windows"] > 100).all()


def test_answers_of_a_fleet_are_those_of_one_by_one():
    one = pd.DataFrame({"record": ["a"], "p": [0.25], "decision": ["no"]})
    assert exports.same(one, one.assign(p=0.25 + 1e-9))
    assert not exports.same(one, one.assign(p=0.26))
    assert not exports.same(one, one.assign(decision="yes"))
    assert not exports.same(one, one.iloc[:0])


def test_the_tolerance_is_that_of_the_export():
    assert exports.TOLERANCE == export.network.TOLERANCE == 1e-4
