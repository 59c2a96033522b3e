"""Every page of the book, run with tiny settings on synthetic recordings."""

import io
import json
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ecglib import feedback, metrics, paths, site, study

FIGURES = [
    "loss_plot",
    "train_regression_plot",
    "validation_regression_plot",
    "test_regression_plot",
    "metrics",
    "train_data_points_plot",
    "validation_data_points_plot",
    "test_data_points_plot",
]
TEMPLATE = [  # headings of the course's template that the chapter answers under
    "Task Formalization",
    "Task Formalization (Inference)",
    "Task Formalization (Training)",
    "Evaluation metrics",
    "Data Considerations",
    "Dataset description",
    "Data preparation and preprocessing",
    "Data augmentation",
    "Model Considerations",
    "Suitable Loss Functions",
    "Selected Loss Function",
    "Possible architectures",
    "Last layer activation",
    "Other Considerations",
    "Training",
    "Training hyperparameters",
    "Loss function graph",
    "Discussion of the training process",
    "Evaluation",
    "Evaluation results",
    "Discussion of the results",
    "Design Feedback loops",
    "Questions",
    "Which are the differences you found between previous model and this one?",
    "Does the model generalizes well to new data?",
]


@pytest.fixture(scope="module")
def out(book):
    return book.outs / "demo" / "exercise_03"


@pytest.fixture(scope="module")
def found(out):
    return json.loads((out / "metrics.json").read_text())


@pytest.fixture(params=site.notebooks())
def page(request, book):
    return nbformat.read(book.outs / "demo" / "book" / f"{request.param}.ipynb", as_version=4)


def code(page):
    return [cell for cell in page.cells if cell.cell_type == "code"]


def test_every_page_ran_to_its_end_and_stays_small(page):
    assert code(page)[-1].execution_count
    assert not any(o.output_type == "error" for cell in code(page) for o in cell.outputs)
    assert len(nbformat.writes(page)) < 1e6


def test_prose_from_numbers_shows_no_nan_and_no_bare_template(page):
    outputs = [output.get("data", {}) for cell in code(page) for output in cell.outputs]
    said = [data["text/markdown"] for data in outputs if "text/markdown" in data]
    prose = [text for text in said if "```" not in text]
    assert prose
    assert not [text for text in prose if re.search(r"\bnan\b|\bNone\b(?! of)|\{", text)]


def test_every_heading_of_the_template_has_its_answer():
    files = sorted((paths.root() / "book" / "exercise_03").glob("*.ipynb"))
    cells = [cell for file in files for cell in nbformat.read(file, as_version=4).cells]
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = {line.lstrip("# ") for line in text.splitlines() if line.startswith("#")}
    assert set(TEMPLATE) <= headings


@pytest.mark.parametrize("name", FIGURES)
def test_the_eight_figures_exist_are_not_blank_and_have_sane_sizes(out, name):
    picture = Image.open(io.BytesIO((out / f"{name}.png").read_bytes())).convert("L")
    assert 600 <= picture.width <= 2000
    assert 300 <= picture.height <= 2400
    assert np.asarray(picture).std() > 5


def test_metrics_keep_the_contract(found):
    assert (found["profile"], found["source"]) == ("test", "synthetic")
    assert {"patient", "5fold"} <= set(found["protocols"])
    for entry in found["protocols"].values():
        assert set(entry["split"]) == {"train", "validation", "test"}
        for scores in entry["models"].values():
            assert set(scores["test"]) == set(metrics.BINARY)
            assert set(scores["test"]["sensitivity"]) == {"value", "low", "high"}
            assert set(scores["train"]) == set(scores["validation"]) == set(metrics.BINARY)
    assert set(found["protocols"]["patient"]["models"]) == set(study.MODELS)
    assert set(found["selected"]) == {"protocol", "model", "threshold"}
    assert set(found["data"]["synthetic"]) == {"records", "patients", "windows", "sha256"}


def test_five_folds_test_every_patient_once(found):
    patients = found["data"]["synthetic"]["patients"]
    assert found["protocols"]["5fold"]["split"]["test"]["patients"] == patients


def test_the_table_of_goals_names_the_labels_and_the_decision_of_each_row(out):
    table = pd.read_csv(out / "aha.csv")
    assert list(table)[:3] == ["labels", "decision", "rhythm"]
    assert set(table["labels"]) == {"annotated"}
    protocols = json.loads((out / "metrics.json").read_text())["protocols"]
    chosen = protocols["5fold_decisions"]["chosen"]
    assert chosen in set(table["decision"]) and chosen in protocols["5fold_decisions"]["models"]
    assert set(table["verdict"]) <= {"pass", "fail", "too few", "report only"}


def test_models_are_chosen_by_name_all_or_one():
    assert study.chosen("all") == study.MODELS
    assert study.chosen("gru, lstm", model="cnn") == ("cnn", "lstm", "gru")
    assert study.chosen("", model="gru") == ("gru",)
    with pytest.raises(ValueError, match="gur"):
        study.chosen("gur")


def test_a_change_that_the_model_does_not_know_is_left_out_and_an_unknown_one_refused():
    changes = {"focal": {"loss": "focal"}, "one way": {"arguments": {"bidirectional": False}}}
    assert list(feedback.fitting(changes, "gru")) == ["focal", "one way"]
    assert list(feedback.fitting(changes, "cnn")) == ["focal"]
    with pytest.raises(ValueError, match="focal, one way, got bigger"):
        feedback.fitting(changes, "gru", wanted="bigger")
