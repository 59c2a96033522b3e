"""Figures that hold the networks of exercise 05 beside each other: what their artists say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ecglib import plots

PAIRS = pd.DataFrame({
    "a": ["naive", "naive", "basic_cnn"],
    "b": ["basic_cnn", "rhythm_net", "rhythm_net"],
    "value": [-0.2, -0.25, -0.05],
    "apart": [True, True, False],
})  # fmt: skip
COST = pd.DataFrame(
    {"cost": [1e6, 1e8], "value": [0.7, 0.8], "low": [0.66, 0.76], "high": [0.74, 0.84]},
    index=["c1dct", "rhythm_net"],
)
TABLE = pd.DataFrame(
    [[0.70, 0.72, 0.74, 0.75, 0.72, 0.68, 0.76, 0.74, 0.78, 0.76, 0.757], [0.6, *[np.nan] * 10]],
    index=["basic_cnn", "c1dct"],
    columns=[
        *(f"Rand Init {i}" for i in (1, 2, 3)), "logreg on 9 values", "mean", "low", "high",
        *(f"published {i}" for i in (1, 2, 3)), "published on 9 values",
    ],
)  # fmt: skip
WAYS = pd.DataFrame({
    "model": ["basic_cnn"] * 2 + ["c1dct"] * 2,
    "fusion": ["vote", "mean p"] * 2,
    "test": [0.7, 0.72, 0.5, 0.55],
})  # fmt: skip
GAINS = pd.DataFrame({"N": [0.01, 0.0], "A": [-0.02, 0.03]}, index=["basic_cnn", "c1dct"])
DRAWN = {
    "beside_published": lambda ax: plots.beside_published(TABLE, ax=ax),
    "difference_matrix": lambda ax: plots.difference_matrix(PAIRS, ax=ax),
    "fusions": lambda ax: plots.fusions(WAYS, ax=ax),
    "moved": lambda ax: plots.moved(GAINS, ax=ax),
    "score_against_cost": lambda ax: plots.score_against_cost(COST, xlabel="time (s)", ax=ax),
}


@pytest.fixture
def ax():
    plots.style()
    yield plt.figure().add_subplot()
    plt.close("all")


@pytest.mark.parametrize("name", DRAWN)
def test_each_draws_on_the_axes_it_is_given_and_labels_them(name, ax):
    assert DRAWN[name](ax) is ax
    assert "(" in ax.get_xlabel()
    ax.figure.canvas.draw()


def test_only_differences_that_are_clear_have_colour_and_bold_figures(ax):
    plots.difference_matrix(PAIRS, ax=ax)
    said = {text.get_text(): text.get_weight() for text in ax.texts}
    assert said == {"+20.0": "bold", "+25.0": "bold", "+5.0": "normal"}
    shown = ax.images[0].get_array()
    assert shown[2, 0] == pytest.approx(10)  # where colours end
    assert shown[2, 1] == 0 and np.ma.getmaskarray(shown)[0, 0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["basic_cnn", "rhythm_net"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["naive", "basic_cnn"]


def test_a_network_lies_at_its_cost_and_score_with_its_interval(ax):
    plots.score_against_cost(COST, xlabel="multiply-adds (a recording)", ax=ax)
    dots = {line.get_label(): line for line in ax.lines if line.get_label() in COST.index}
    assert dots["rhythm_net"].get_xydata()[0] == pytest.approx((1e8, 80))
    assert dots["rhythm_net"].get_marker() != dots["c1dct"].get_marker()
    assert ax.lines[2].get_ydata() == pytest.approx([76, 84])
    assert ax.get_xscale() == "log"


def test_published_seeds_are_hollow_and_what_is_missing_is_left_out(ax):
    plots.beside_published(TABLE, ax=ax)
    here, nine, published, published_nine = (
        next(line for line in ax.lines if line.get_label() == label)
        for label in (
            "here: one network", "here: regression on nine values",
            "published: one network", "published: regression on nine values",
        )
    )  # fmt: skip
    assert here.get_xdata() == pytest.approx([70, 72, 74])
    assert nine.get_xdata() == pytest.approx([75])
    assert published.get_markerfacecolor() == "white"
    assert published.get_ydata()[0] > here.get_ydata()[0]
    assert published_nine.get_xdata() == pytest.approx([75.7])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["basic_cnn", "c1dct"]


def test_fusions_are_drawn_in_the_order_asked_for(ax):
    plots.fusions(WAYS, hows=["mean p", "vote"], ax=ax)
    dots = [line for line in ax.lines if line.get_label() in ("mean p", "vote")]
    assert [line.get_label() for line in dots] == ["mean p", "vote"]
    assert dots[0].get_xdata() == pytest.approx([72, 55])


def test_bars_of_a_class_are_as_long_as_its_change(ax):
    plots.moved(GAINS, ax=ax)
    assert [bar.get_width() for bar in ax.containers[1]] == pytest.approx([-2, 3])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["N", "A"]
