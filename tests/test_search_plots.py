"""Figures of a search, by their artists."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ecglib import plots


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


@pytest.fixture
def trials() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trial": range(5),
            "status": ["completed", "stopped", "completed", "failed", "stopped"],
            "model": ["mlp", "mlp", "cnn", "cnn", "cnn"],
            "lr": [1e-3, 1e-2, 1e-1, 1e-2, 1e-2],
            "model.width": [4.0, 8.0, np.nan, np.nan, np.nan],
            "augment": ["", "noise", "", "noise", ""],
            "validation_macro_recall": [0.9, 0.5, 0.8, np.nan, 0.6],
        }
    )


def test_each_trial_that_has_a_value_is_a_line_across_its_settings(ax, trials):
    assert plots.parallel(trials, ["model", "lr", "model.width"], log=["lr"], ax=ax) is ax
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3]
    heights = np.array([line.get_ydata() for line in lines], dtype=float)
    assert len(lines) == 4
    np.testing.assert_allclose(heights[-1], [1, 0, 0])  # the best is drawn last, on top
    np.testing.assert_allclose(heights[-2], [0, 1, np.nan])  # 0.8: no width, a gap
    assert sorted(heights[:2, 1]) == pytest.approx([0.5, 0.5])  # 0.01 between 0.001 and 0.1
    assert [label.get_text() for label in ax.get_xticklabels()] == ["model", "lr", "width"]
    assert {text.get_text() for text in ax.texts} >= {"mlp", "cnn", "0.001", "0.1"}


def test_one_trial_alone_can_be_drawn(ax, trials):
    plots.parallel(trials.head(1), ["model", "lr"], ax=ax)
    assert list(ax.lines[0].get_ydata()) == [0.5, 0.5]


def test_bars_are_as_long_as_settings_matter(ax):
    found = {"setting": ["lr", "model.width"], "importance": [0.5, 0.1], "low": 0.0, "high": 0.6}
    plots.importance(pd.DataFrame(found), ax=ax)
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["lr", "width"]


def test_stopped_trials_are_hollow(ax, trials):
    plots.against(trials, "lr", log=True, ax=ax)
    faces = {
        float(y): line.get_markerfacecolor()
        for line in ax.lines
        for y in np.atleast_1d(line.get_ydata())
    }
    assert set(faces) == {90.0, 50.0, 80.0, 60.0}
    assert faces[50.0] == faces[60.0] == "white" and "white" not in (faces[90.0], faces[80.0])
    assert ax.get_xscale() == "log" and ax.get_legend_handles_labels()[1] == ["cnn", "mlp"]


def test_names_stand_side_by_side(ax, trials):
    plots.against(trials, "augment", ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["none", "noise"]
    x = np.concatenate([line.get_xdata() for line in ax.lines])
    assert sorted(np.round(x.astype(float))) == [0, 0, 0, 1]


def test_curves_end_where_the_trial_was_stopped(ax):
    recall = [0.2, 0.4, 0.6]
    whole = pd.DataFrame({"epoch": [1, 2, 3], "validation_balanced_accuracy": recall})
    plots.trial_curves({0: whole, 1: whole.head(1)}, {0: "completed", 1: "stopped"}, best=0, ax=ax)
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert [(float(c.get_xdata()[0]), float(c.get_ydata()[0])) for c in crosses] == [(1, 20)]
    assert max(ax.lines, key=lambda line: line.get_linewidth()).get_label() == "best: trial 0"


def test_validation_and_test_of_the_best_keep_their_colours(ax):
    found = pd.DataFrame({"n": [1, 2], "validation": [0.8, 0.9], "test": [0.8, 0.82]})
    plots.luck(found, ax=ax)
    drawn = {line.get_label(): line for line in ax.lines}
    for split in ("validation", "test"):
        assert drawn[split].get_color() == plots.SPLIT_COLOURS[split]
        np.testing.assert_allclose(drawn[split].get_ydata(), 100 * found[split])
