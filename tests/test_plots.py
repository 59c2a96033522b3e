import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import test_plots_attribution
import test_plots_classes
import test_plots_rhythm_scores
import test_plots_rhythms
import test_plots_sanity
from matplotlib.axes import Axes
from matplotlib.colors import same_color

from ecglib import metrics, plots

matplotlib.use("Agg")
RNG = np.random.default_rng(0)
N = 300
Y = (np.arange(N) % 3 == 0).astype(int)
SCORE = np.clip(0.25 + 0.5 * Y + RNG.normal(0, 0.2, N), 0, 1)
TABLE = pd.DataFrame(
    {
        "database": "vfdb",
        "record": [str(418 + i % 10) for i in range(N)],
        "patient": [str(i % 10) for i in range(N)],
        "start_s": 4.0 * np.arange(N),
        "rhythm": np.where(Y, "VF", "NSR"),
        "aha": np.where(Y, "coarse VF", "NSR"),
    }
)
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "train_loss": [0.6, 0.4, 0.2, 0.1],
        "validation_loss": [0.7, 0.5, 0.3, 0.4],
        "train_balanced_accuracy": [0.6, 0.7, 0.8, 0.9],
        "validation_balanced_accuracy": [0.6, 0.7, 0.8, 0.8],
    }
)
INTERVALS = {
    "naive": {"value": 0.5, "low": np.nan, "high": np.nan},
    "cnn": {"value": 0.95, "low": 0.93, "high": 0.97},
    "gru": {"value": 0.97, "low": 0.95, "high": 0.98},
}
ECG = np.sin(2 * np.pi * 5 * np.arange(1000) / 250)
DRAWN = {  # every plot that takes `ax`, with what it needs
    "learning_curves": lambda ax: plots.learning_curves(HISTORY, ax=ax),
    "calibration": lambda ax: plots.calibration(Y, SCORE, ax=ax),
    "ecg_paper": lambda ax: plots.ecg_paper(ECG, fs=250, ax=ax),
    "metrics_table": lambda ax: plots.metrics_table(
        {"train": metrics.binary_scores(Y, SCORE)}, ax=ax
    ),
    "confusion": lambda ax: plots.confusion(Y, SCORE > 0.5, ax=ax),
    "roc": lambda ax: plots.roc(Y, SCORE, threshold=0.5, ax=ax),
    "precision_recall": lambda ax: plots.precision_recall(Y, SCORE, ax=ax),
    "forest": lambda ax: plots.forest(INTERVALS, ax=ax),
    "by_record": lambda ax: plots.by_record(Y, SCORE > 0.5, TABLE, ax=ax),
    "aha": lambda ax: plots.aha(metrics.aha_table((SCORE > 0.5) * 1, TABLE), ax=ax),
}
DRAWN |= test_plots_classes.DRAWN | test_plots_rhythms.DRAWN | test_plots_rhythm_scores.DRAWN
DRAWN |= test_plots_attribution.DRAWN | test_plots_sanity.DRAWN
FIGURES = {"beats_by_class", "examples", "gallery", "sizes_and_times", "timeline"}
ONE_AXIS = {
    "checks",
    "likeness",
    "tracks",
    "forest",
    "aha",
    "beside_published",
    "difference_matrix",
    "fusions",
    "metrics_table",
    "moved",
    "stacked",
    "strides",
    "turned",
    "parallel",
}  # rows have names


@pytest.fixture(autouse=True)
def look():
    """Every figure in the book's style, closed afterwards, and not a warning."""
    with plt.style.context("default"), warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.style()
        yield
        plt.close("all")


@pytest.fixture
def ax():
    return plt.figure().add_subplot()


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def visible(artist, marker):
    return [line for line in artist.lines if line.get_marker() == marker]


def test_the_contracts_cover_every_plot():
    public = {name for name, value in vars(plots).items() if callable(value)}
    assert public == set(DRAWN) | FIGURES | {"style"}


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_plot_draws_on_the_axes_it_is_given_and_returns_them(name, ax):
    other = plt.figure().add_subplot()
    assert DRAWN[name](ax) is ax
    assert ax.has_data() or ax.texts
    assert not other.has_data()


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_plot_takes_the_current_axes_when_it_is_given_none(name):
    assert isinstance(DRAWN[name](None), Axes)


@pytest.mark.parametrize("name", sorted(set(DRAWN) - ONE_AXIS))
def test_both_axes_say_what_they_show(name, ax):
    DRAWN[name](ax)
    assert ax.get_xlabel()
    assert ax.get_ylabel()


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_no_plot_repeats_its_heading(name, ax):
    assert DRAWN[name](ax).get_title() == ""


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_plot_can_be_saved_without_a_warning(name, ax, tmp_path):
    DRAWN[name](ax).figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_splits_keep_their_colours(ax):
    plots.learning_curves(HISTORY, ax=ax)
    for line, split in zip(ax.lines, ("train", "validation"), strict=False):
        assert same_color(line.get_color(), plots.SPLIT_COLOURS[split])
    assert len(set(plots.SPLIT_COLOURS.values())) == len(plots.SPLIT_COLOURS) == 3


def test_splits_are_told_apart_without_colour(ax):
    plots.learning_curves(HISTORY, ax=ax)
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()


def test_the_epoch_with_the_lowest_validation_loss_is_marked(ax):
    plots.learning_curves(HISTORY, quantity="balanced_accuracy", ax=ax)
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([60, 70, 80, 90])
    assert labels(ax)[-1] == "weights kept: epoch 3"
    assert ax.get_ylabel() == "balanced accuracy (%)"


def test_calibration_shows_windows_bins_a_fit_and_the_identity(ax):
    plots.calibration(Y, SCORE, split="train", ax=ax)
    assert len(ax.collections[0].get_offsets()) == N
    assert same_color(ax.collections[0].get_facecolor()[0][:3], plots.SPLIT_COLOURS["train"])
    bins = metrics.reliability(Y, SCORE)
    (points,) = visible(ax, "o")
    assert points.get_ydata().tolist() == pytest.approx(bins["observed"].tolist())
    assert {"perfect", "observed, 95 %"} < set(labels(ax))
    assert texts(ax) == ["shockable: 100 windows", "non-shockable: 200 windows"]


def test_well_calibrated_scores_have_slope_one(ax):
    score = np.random.default_rng(1).uniform(0.01, 0.99, 50_000)
    y = (np.random.default_rng(2).random(50_000) < score).astype(int)
    plots.calibration(y, score, ax=ax)
    slope = next(float(s.split()[-1]) for s in labels(ax) if s.startswith("logistic fit"))
    assert slope == pytest.approx(1, abs=0.05)
    assert len(ax.collections[0].get_offsets()) == plots.MOST_POINTS


def test_calibration_of_one_class_leaves_the_fit_out(ax):
    plots.calibration(np.zeros(20, dtype=int), np.linspace(0, 0.4, 20), ax=ax)
    assert not any(label.startswith("logistic") for label in labels(ax))


def squares(ax, size):
    """Where the vertical and the horizontal rulings of a size lie."""
    vertical, horizontal = (c for c in ax.collections if c.get_label() == f"_{size}")
    return (
        np.array([s[0, 0] for s in vertical.get_segments()]),
        np.array([s[0, 1] for s in horizontal.get_segments()]),
    )


def test_ecg_paper_has_standard_squares_at_equal_scale(ax):
    plots.ecg_paper(ECG, fs=250, ax=ax)
    for size, seconds, millivolt in (("major", 0.2, 0.5), ("minor", 0.04, 0.1)):
        vertical, horizontal = squares(ax, size)
        assert np.diff(vertical) == pytest.approx(seconds)
        assert np.diff(horizontal) == pytest.approx(millivolt)
    ax.figure.canvas.draw()
    origin, second, volt = ax.transData.transform([(0, 0), (1, 0), (0, 1)])
    assert (second - origin)[0] / 25 == pytest.approx((volt - origin)[1] / 10)


def test_ecg_paper_draws_every_sample_at_its_time(ax):
    plots.ecg_paper(ECG, fs=250, start_s=60, ax=ax)
    x, y = ax.lines[0].get_data()
    assert (x[0], x[-1]) == pytest.approx((60, 63.996))
    assert y == pytest.approx(ECG)


def test_leads_lie_below_one_another_with_their_names(ax):
    plots.ecg_paper(np.stack([ECG, ECG]), fs=250, leads=["II", "V1"], ax=ax)
    upper, lower = (line.get_ydata() for line in ax.lines)
    assert upper.min() >= lower.max() - 1e-9
    assert texts(ax)[:2] == ["II", "V1"]


def test_what_is_cut_off_is_said(ax):
    plots.ecg_paper(5 * ECG, fs=250, limit_mv=2, ax=ax)
    assert ax.lines[0].get_ydata().max() == 2
    assert "cut at ±2 mV" in texts(ax)[-1]


def test_a_flat_line_and_a_long_strip_are_drawn_too():
    plots.ecg_paper(np.zeros(1000), fs=250, ax=plt.figure().add_subplot())
    ax = plots.ecg_paper(np.tile(ECG, 8), fs=250, ax=plt.figure().add_subplot())
    assert not [c for c in ax.collections if c.get_label() == "_minor"]


def test_ecg_paper_needs_a_rate():
    with pytest.raises(ValueError, match="fs=0"):
        plots.ecg_paper(ECG, fs=0)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("n_leads", [1, 2])
def test_examples_show_truth_and_score_and_mark_what_is_wrong(n, n_leads):
    signal = np.tile(ECG, (n, n_leads, 1))
    figure = plots.examples(signal, Y[:n], np.full(n, 0.2), TABLE[:n], fs=250)
    assert len(figure.axes) == n
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    for i, ax in enumerate(figure.axes):
        title = ax.get_title("left")
        assert f"vfdb {418 + i}, {4 * i} s" in title
        assert "P(shock) = 0.20" in title
        assert plots.SHOCK[Y[i]] in title
        assert ("wrong" in title) == (Y[i] == 1)


def test_examples_without_a_score_for_each_window_are_refused():
    with pytest.raises(ValueError, match="2, 2, 1, 2"):
        plots.examples(np.zeros((2, 1, 100)), [0, 1], [0.5], TABLE[:2], fs=250)


def test_a_gallery_gives_every_window_its_title_at_one_scale():
    signal = np.stack([ECG, 0.1 * ECG])[:, None]
    colours = ["black", plots.SPLIT_COLOURS["test"]]
    figure = plots.gallery(signal, ["large", "small"], fs=250, leads=["II"], colours=colours)
    assert [ax.get_title("left") for ax in figure.axes] == ["large", "small"]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert [texts(ax)[0] for ax in figure.axes] == ["II", "II"]
    for ax, colour in zip(figure.axes, colours, strict=True):
        assert same_color(ax._left_title.get_color(), colour)


def test_a_gallery_without_a_title_for_each_window_is_refused():
    with pytest.raises(ValueError, match="1 titles"):
        plots.gallery(np.zeros((2, 1, 100)), ["one"], fs=250)


def test_the_table_prints_values_intervals_and_what_is_undefined(ax):
    scores = {
        "train": {"sensitivity": 0.9812, "brier": np.nan},
        "test": {
            "sensitivity": {"value": 0.97, "low": 0.95, "high": 0.984},
            "brier": {"value": 0.0213, "low": np.nan, "high": np.nan},
        },
    }
    plots.metrics_table(scores, ax=ax)
    assert texts(ax) == ["98.1", "97.0\n(95.0 to 98.4)", "–", "0.021"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["train", "test"]
    for tick in ax.get_xticklabels():
        assert same_color(tick.get_color(), plots.SPLIT_COLOURS[tick.get_text()])


def test_the_better_cell_is_the_darker_one_also_where_low_is_good(ax):
    plots.metrics_table({"a": {"brier": 0.01, "f1": 0.6}, "b": {"brier": 0.3, "f1": 0.9}}, ax=ax)
    shown = ax.collections[0].get_array().reshape(2, 2)
    f1, brier = shown
    assert f1[1] > f1[0]
    assert brier[0] > brier[1]


def test_confusion_counts_windows_and_shares_of_the_true_class(ax):
    plots.confusion([0, 0, 0, 1], [0, 0, 1, 1], ax=ax)
    assert texts(ax) == ["2\n66.7 %", "1\n33.3 %", "0\n0.0 %", "1\n100.0 %"]


def test_curves_lie_over_one_another_with_their_areas(ax):
    plots.roc(Y, SCORE, label="gru", threshold=0.5, ax=ax)
    plots.roc(Y, 1 - SCORE, label="upside down", ax=ax)
    area = metrics.binary_scores(Y, SCORE)["roc_auc"]
    assert labels(ax) == [f"gru, area {area:.3f}", f"upside down, area {1 - area:.3f}"]
    at = metrics.binary_scores(Y, SCORE)
    (point,) = visible(ax, "o")
    expected = (100 - 100 * at["specificity"], 100 * at["sensitivity"])
    assert point.get_xydata()[0] == pytest.approx(expected)


def test_precision_recall_has_the_share_of_shockable_as_its_yardstick(ax):
    plots.precision_recall(Y, SCORE, label="gru", ax=ax)
    average = metrics.binary_scores(Y, SCORE)["average_precision"]
    assert labels(ax) == [f"gru, average {average:.3f}"]
    assert ax.lines[1].get_ydata()[0] == pytest.approx(100 * Y.mean())


def test_the_forest_names_models_intervals_and_yardsticks(ax):
    plots.forest(INTERVALS, baselines=["naive"], references={"published": 0.993}, ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(INTERVALS)
    assert texts(ax) == ["50.0", "95.0 (93.0 to 97.0)", "97.0 (95.0 to 98.0)"]
    hollow = [same_color(p.get_markerfacecolor(), "white") for p in visible(ax, "o")]
    assert hollow == [True, False, False]
    assert labels(ax) == ["published"]
    assert ax.yaxis_inverted()


def test_errors_are_counted_by_record_the_worst_first(ax):
    table = pd.DataFrame({"database": "cudb", "record": ["a", "a", "b", "b", "b", "c"]})
    plots.by_record([1, 1, 0, 0, 1, 0], [0, 1, 1, 1, 0, 0], table, ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cudb b (of 3)", "cudb a (of 2)"]
    missed, needless = ([bar.get_width() for bar in bars] for bars in ax.containers)
    assert (missed, needless) == ([1, 1], [2, 0])
    assert "4 of 4 errors, 2 of 3 records" in ax.get_xlabel()


def test_a_model_without_an_error_still_gets_a_figure(ax):
    plots.by_record(Y, Y, TABLE, ax=ax)
    assert "0 of 0 errors" in ax.get_xlabel()


def test_the_aha_figure_tells_each_verdict_in_words(ax):
    table = pd.DataFrame(
        {
            "rhythm": ["coarse VF", "NSR", "AF", "fine VF"],
            "windows": [250, 300, 0, 5],
            "patients": [9, 20, 0, 1],
            "hits": [245, 290, 0, 4],
            "value": [0.98, 0.967, np.nan, 0.8],
            "low": [0.95, 0.95, np.nan, 0.1],
            "goal": [0.9, 0.99, 0.95, np.nan],
            "limit": [0.87, 0.97, 0.88, np.nan],
            "verdict": ["pass", "fail", "too few", "report only"],
        }
    )
    plots.aha(table, ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["coarse VF", "NSR", "fine VF"]
    assert texts(ax) == [
        "pass: 245 of 250, 9 patients",
        "fail: 290 of 300, 20 patients",
        "report only: 4 of 5, 1 patient",
    ]
    goals = next(line for line in ax.lines if line.get_label() == "goal")
    assert goals.get_xdata()[:2].tolist() == pytest.approx([90, 99])
    assert "shock advised" in ax.get_xlabel()
