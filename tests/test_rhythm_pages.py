"""What the pages of exercise 05 leave behind when they are run."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ecglib.rhythms import challenge, fusion, results, trials

FIGURES = [  # of pages 04, 05 and 06 where every section has something to show
    "exploration", "loss_plot", "loss_plots", "published_table", "fusion", "models", "told_apart",
    "confusion", "class_f1", "whole_recordings", "cost", "labels", "ablations", "gaps",
    "previous_model", "generalisation", "folds", "alarm", "surest_errors",
]  # fmt: skip


@pytest.fixture(scope="module")
def out(book):
    return book.outs / "demo" / "exercise_05"


@pytest.fixture(scope="module")
def found(out):
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_exist_are_not_blank_and_have_sane_sizes(out, name):
    picture = Image.open(io.BytesIO((out / f"{name}.png").read_bytes())).convert("L")
    assert 600 <= picture.width <= 2400 and 150 <= picture.height <= 2400
    assert np.asarray(picture).std() > 5


def test_metrics_keep_the_contract(found):
    assert (found["profile"], found["source"]) == ("test", "synthetic")
    for entry in found["protocols"].values():
        assert set(entry["split"]) == {"train", "validation", "test"}
        for scores in entry["models"].values():
            assert {"macro_f1", *(f"f1_{name}" for name in challenge.CLASSES)} <= set(
                scores["test"]
            )
            assert set(scores["test"]["macro_f1"]) == {"value", "low", "high"}
            assert "macro_f1" in scores["train"] and "macro_f1" in scores["validation"]
    models = found["protocols"]["published"]["models"]
    assert trials.MODEL in models
    assert found["selected"]["model"] in models and found["selected"]["short_model"] in models
    assert found["selected"]["fusion"] in fusion.FUSIONS
    assert found["selected"]["own_alone"] in models


def test_what_decides_together_stays_within_the_size_allowed_and_has_folds(found):
    published, folds = (found["protocols"][name]["models"] for name in ("published", "5fold"))
    for name in (f"{trials.MODEL}{trials.SECOND}", trials.VIEWS):
        assert published[name]["parameters"] == folds[name]["parameters"] <= trials.LARGEST
    views = published[trials.VIEWS]["parameters"]
    assert published[f"{trials.VIEWS} x3"]["parameters"] > 2.9 * views
    folded = found["selected"]["folded"]
    assert folded is None or found["selected"]["model"].startswith(folded) and folded in folds


def test_the_table_of_results_has_the_published_form_with_budget_and_intervals(out):
    table = pd.read_csv(out / "results_table.csv", index_col="model")
    columns = [f"Rand Init {i + 1}" for i in range(results.N_INITS)] + [results.NINE]
    assert list(table)[:4] == columns
    assert {"low", "high", "published mean", "epochs", "windows seen", "seconds"} <= set(table)
    assert table[columns].stack().between(0, 1).all()
    assert set(table.index) <= {*trials.FAMILY, "c1dct repaired", "transformer"}
