"""Figures of beats and of classes: what their artists say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import same_color

from ecglib import metrics, plots

RNG = np.random.default_rng(0)
CLASSES = ("N", "S", "V")
Y = RNG.choice(3, 600, p=(0.7, 0.1, 0.2))
LOGITS = RNG.normal(size=(600, 3)) + 2.5 * np.eye(3)[Y]
PATIENT = np.arange(600) % 12
SICK, SCORE = Y > 0, metrics.sick_score(LOGITS)
SCORES = {
    name: metrics.class_bootstrap(Y, pred, PATIENT, CLASSES, n=100)
    for name, pred in {"plain": LOGITS.argmax(axis=1), "naive": np.zeros_like(Y)}.items()
}
FS = 125.0
BEATS = np.exp(-((np.arange(187) - 60) ** 2) / 50) * RNG.uniform(0.8, 1, (600, 1))
RR = pd.DataFrame(
    {
        "rr_prev_s": np.where(Y == 1, 0.5, 0.8),
        "rr_next_s": np.where(Y == 1, 1.1, 0.8),
        "rhythm": np.array(CLASSES)[Y],
    }
)
ARROWS = np.stack([np.cos(np.arange(6) / 2), np.sin(np.arange(6) / 2)], axis=1)
TRIALS = pd.DataFrame(
    {
        "trial": range(8),
        "model": ["se_resnet", "transformer"] * 4,
        "status": ["completed", "stopped"] * 4,
        "lr": np.geomspace(1e-4, 1e-2, 8),
        "width": [16, 32] * 4,
        "validation_macro_recall": np.linspace(0.6, 0.9, 8),
    }
)
CURVES = {
    t: pd.DataFrame({"epoch": [1, 2], "validation_balanced_accuracy": [0.5, 0.7]}) for t in (0, 1)
}
WEIGHT = pd.DataFrame({"setting": ["lr"], "importance": [0.3], "low": [0.2], "high": [0.4]})
LUCK = pd.DataFrame({"n": [1, 2, 4], "validation": [0.80, 0.85, 0.9], "test": [0.80, 0.82, 0.85]})
DRAWN = {  # every plot of this exercise that takes `ax`, with what it needs
    "against": lambda ax: plots.against(TRIALS, "lr", log=True, ax=ax),
    "alarms_against_recall": lambda ax: plots.alarms_against_recall(SICK, SCORE, ax=ax),
    "beats_overlay": lambda ax: plots.beats_overlay(BEATS, fs=FS, ax=ax),
    "class_forest": lambda ax: plots.class_forest(SCORES, CLASSES, ax=ax),
    "class_precision_recall": lambda ax: plots.class_precision_recall(Y, LOGITS, CLASSES, ax=ax),
    "cost_curve": lambda ax: plots.cost_curve(SICK, SCORE, cost_ratio=10, ax=ax),
    "folded": lambda ax: plots.folded(BEATS[0], ax=ax),
    "importance": lambda ax: plots.importance(WEIGHT, ax=ax),
    "luck": lambda ax: plots.luck(LUCK, ax=ax),
    "parallel": lambda ax: plots.parallel(TRIALS, ["lr", "width"], log=["lr"], ax=ax),
    "recipe": lambda ax: plots.recipe(BEATS[0], fs=FS, candidates=[60], peak=60, length=100, ax=ax),
    "rr_scatter": lambda ax: plots.rr_scatter(*RR.to_numpy().T, ax=ax),
    "spectrogram": lambda ax: plots.spectrogram(BEATS[0], fs=FS, ax=ax),
    "stacked": lambda ax: plots.stacked(
        pd.DataFrame({"N": [0.9], "S": [0.1]}), xlabel="share (%)", ax=ax
    ),
    "token_matrix": lambda ax: plots.token_matrix(ARROWS @ ARROWS.T, label="in common", ax=ax),
    "traded": lambda ax: plots.traded(SCORES["plain"], SCORES["plain"], CLASSES, ax=ax),
    "trial_curves": lambda ax: plots.trial_curves(
        CURVES, {0: "completed", 1: "stopped"}, best=0, ax=ax
    ),
    "turned": lambda ax: plots.turned(ARROWS, ax=ax),
}


@pytest.fixture
def ax():
    plots.style()
    yield plt.figure().add_subplot()
    plt.close("all")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def marks(ax):
    return [line for line in ax.lines if len(line.get_xdata()) == 1]


def test_classes_are_told_apart_without_colour_and_never_wear_that_of_a_split():
    assert set(plots.CLASS_MARKERS) == set(plots.CLASS_COLOURS)
    five = [plots.CLASS_MARKERS[c] for c in "NSVFQ"]
    assert len(set(five)) == 5
    for colour in plots.CLASS_COLOURS.values():
        assert not any(same_color(colour, split) for split in plots.SPLIT_COLOURS.values())


def test_each_class_has_its_curve_and_the_mark_lies_where_classes_are_called_together(ax):
    weights = np.array([1, 5, 2])
    plots.class_precision_recall(Y, LOGITS, CLASSES, weights=weights, ax=ax)
    assert [label.split(",")[0] for label in labels(ax)] == list(CLASSES)
    tilted = metrics.class_bootstrap(
        Y, metrics.tilt(LOGITS, weights=weights), PATIENT, CLASSES, n=2
    )
    for name, mark in zip(CLASSES, marks(ax), strict=True):
        at = [100 * tilted[f"{what}_{name}"]["value"] for what in ("recall", "precision")]
        assert mark.get_xydata()[0] == pytest.approx(at)


def test_a_class_without_a_beat_has_no_curve(ax):
    plots.class_precision_recall(np.minimum(Y, 1), LOGITS, CLASSES, ax=ax)
    assert [label.split(",")[0] for label in labels(ax)] == ["N", "S"]


def test_the_class_forest_sets_models_side_by_side_with_their_intervals(ax):
    plots.class_forest(SCORES, CLASSES, metric="f1", ax=ax)
    assert labels(ax) == ["plain", "naive"]
    assert [t.get_text() for t in ax.get_yticklabels()] == [*CLASSES, "mean"]
    dots = next(line for line in ax.lines if line.get_label() == "plain")
    values = [SCORES["plain"][f"f1_{c}"]["value"] for c in CLASSES]
    values.append(SCORES["plain"]["macro_f1"]["value"])
    assert dots.get_xdata() == pytest.approx(100 * np.array(values))
    whiskers = next(c for c in ax.collections if isinstance(c, LineCollection))
    (low, _), (high, _) = whiskers.get_segments()[1]
    interval = SCORES["plain"]["f1_S"]
    assert (low, high) == pytest.approx((100 * interval["low"], 100 * interval["high"]))
    assert ax.get_xlabel() == "F1 (%)"
    assert ax.yaxis_inverted()


def test_the_class_forest_asks_for_what_it_lacks(ax):
    with pytest.raises(ValueError, match="recall_Q"):
        plots.class_forest(SCORES, "NSVQ", ax=ax)


def test_the_circle_on_the_alarm_curve_is_the_price_of_its_threshold(ax):
    threshold = metrics.constraint_threshold(SICK, SCORE, recall=0.95)
    plots.alarms_against_recall(SICK, SCORE, label="gru", threshold=threshold, ax=ax)
    found = metrics.price(SICK, SCORE >= threshold)
    (circle,) = marks(ax)
    at = (100 * found["recall"], found["false_alarms"])
    assert circle.get_xydata()[0] == pytest.approx(at)
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "false alarms per 1,000 beats"
    assert labels(ax) == ["gru"]


def test_a_perfect_score_has_an_alarm_curve_too(ax):
    plots.alarms_against_recall([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], threshold=0.5, ax=ax)
    assert np.isfinite(ax.lines[0].get_ydata()).all()
    assert (ax.lines[0].get_ydata() > 0).all()


def test_the_cost_curve_has_its_lowest_point_near_the_chosen_threshold(ax):
    threshold = metrics.cost_threshold(SICK, SCORE, cost_ratio=5)
    plots.cost_curve(SICK, SCORE, cost_ratio=5, threshold=threshold, ax=ax)
    plots.cost_curve(SICK, SCORE, cost_ratio=1, ax=ax)
    (circle,) = marks(ax)
    found = metrics.price(SICK, SCORE >= threshold)
    assert circle.get_ydata()[0] == pytest.approx(found["false_alarms"] + 5 * found["missed"])
    assert circle.get_ydata()[0] < 1.3 * ax.lines[0].get_ydata().min()
    blind = 1000 * min(5 * SICK.mean(), 1 - SICK.mean())
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert dotted[0].get_ydata()[0] == pytest.approx(blind)
    assert sum("whichever" in label for label in labels(ax)) == 1
    assert "a missed beat costs 1 false alarm" in labels(ax)


def test_beats_lie_over_one_another_in_milliseconds_with_the_median_of_all(ax):
    plots.beats_overlay(BEATS[:, None], fs=FS, start_ms=-480, name="V", most=7, ax=ax)
    assert len(ax.lines) == 8
    median = ax.lines[-1]
    assert median.get_ydata() == pytest.approx(np.median(BEATS, axis=0))
    peak = median.get_xdata()[median.get_ydata().argmax()]
    assert peak == pytest.approx(0)
    assert labels(ax) == ["V: 7 of 600 beats", "median of all"]
    assert same_color(ax.lines[0].get_color(), plots.CLASS_COLOURS["V"])


def test_each_class_that_has_beats_gets_its_own_panel():
    figure = plots.beats_by_class(BEATS, Y, (*CLASSES, "F"), fs=FS, most=3)
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert [title.split(":")[0] for title in titles] == list(CLASSES)
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    with pytest.raises(ValueError, match="label each"):
        plots.beats_by_class(BEATS, Y[:5], CLASSES, fs=FS)
    plt.close("all")


def test_the_spectrogram_shows_a_tone_where_it_sounds(ax):
    t = np.arange(500) / FS
    plots.spectrogram(np.where(t > 2, np.sin(2 * np.pi * 20 * t), 0), fs=FS, ax=ax)
    mesh = next(c for c in ax.collections if isinstance(c, QuadMesh))
    level = np.asarray(mesh.get_array())
    corners = mesh.get_coordinates()  # (n_frequencies + 1, n_times + 1, 2): ms, hertz
    row, column = np.unravel_index(level.argmax(), level.shape)
    assert corners[row, 0, 1] <= 20 <= corners[row + 1, 0, 1]
    assert corners[0, column, 0] > 1900
    assert level.max() == pytest.approx(0)
    assert "Hz" in ax.get_ylabel()
    assert "ms" in ax.get_xlabel()


def test_a_beat_shorter_than_the_window_is_refused(ax):
    with pytest.raises(ValueError, match="at least 32 samples"):
        plots.spectrogram(np.ones(20), fs=FS, ax=ax)


def test_a_folded_beat_reads_like_text_with_zeros_behind(ax):
    plots.folded(np.arange(1, 188), fs=FS, ax=ax)
    image = ax.images[0].get_array()
    assert image.shape == (16, 12)
    assert image[0].tolist() == list(range(1, 13))
    assert image[15, 7:].tolist() == [0] * 5
    assert ax.get_yticklabels()[1].get_text() == "192"  # two rows of 96 ms
    with pytest.raises(ValueError, match="192 samples"):
        plots.folded(np.ones(193), ax=ax)


def test_early_beats_lie_above_the_line_of_an_even_rhythm(ax):
    table = RR.copy()
    table.loc[0, "rr_prev_s"] = np.nan
    table.loc[1, "rr_next_s"] = 9.0
    plots.rr_scatter(table["rr_prev_s"], table["rr_next_s"], table["rhythm"], most=50, ax=ax)
    clouds = {c.get_label()[0]: c for c in ax.collections if isinstance(c, PathCollection)}
    assert set(clouds) == set(CLASSES)
    before, after = np.asarray(clouds["S"].get_offsets()).T
    assert (after > before).all()
    assert all(len(c.get_offsets()) <= 50 for c in clouds.values())
    assert any("(1 beyond)" in label for label in labels(ax))
    with pytest.raises(ValueError, match="a class for each pair"):
        plots.rr_scatter([1, 2], [1, 2], ["N"], ax=ax)


def test_a_confusion_of_beats_counts_beats(ax):
    plots.confusion(Y, LOGITS.argmax(axis=1), CLASSES, unit="beats", ax=ax)
    assert ax.get_xlabel() == "predicted (beats, share of true class)"
    assert len(ax.texts) == 9
