"""Figures of what a network looked at: what their artists say."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ecglib import plots

FS = 250.0
ECG = 0.8 * np.sin(2 * np.pi * 5 * np.arange(1000) / FS)
MAP = np.exp(-(((np.arange(1000) - 600) / 40) ** 2))
SHARE = np.linspace(0, 1, 11)
FALLS = {("deletion", "map"): 4, ("deletion", "random"): 1}
RISES = {("insertion", "map"): -4, ("insertion", "random"): -1}
CURVES = SimpleNamespace(
    n=1200,
    table=pd.concat(
        pd.DataFrame({"kind": kind, "order": order, "share": SHARE, "value": value,
                      "low": value - 0.05, "high": value + 0.05})
        for (kind, order), rate in (FALLS | RISES).items()
        for value in [0.9 * (np.exp(-rate * SHARE) if rate > 0 else 1 - np.exp(rate * SHARE))]
    ),
    areas=pd.DataFrame({
        "kind": ["deletion"] * 3 + ["insertion"] * 3,
        "order": ["map", "random", "difference"] * 2,
        "value": [0.22, 0.57, -0.35, 0.68, 0.33, 0.35],
    }),
)  # fmt: skip
PAIRS = pd.DataFrame({
    "a": ["grad_cam", "grad_cam", "occlusion"],
    "b": ["occlusion", "integrated_gradients", "integrated_gradients"],
    "value": [0.7, 0.2, -0.1], "low": [0.6, 0.1, -0.2], "high": [0.8, 0.3, 0.0],
})  # fmt: skip
TIME = np.arange(-60, 101) / FS
AVERAGE = SimpleNamespace(
    name="V",
    time_s=TIME,
    beat=np.exp(-((TIME / 0.03) ** 2)),
    map=np.exp(-(((TIME - 0.1) / 0.05) ** 2)),
    low=np.full(161, -0.1),
    high=np.full(161, 1.1),
    n_beats=1234,
    n_windows=300,
)
DRAWN = {
    "attribution": lambda ax: plots.attribution(ECG, MAP, fs=FS, ax=ax),
    "class_average": lambda ax: plots.class_average(AVERAGE, ax=ax),
    "deletion": lambda ax: plots.deletion(CURVES, ax=ax),
    "agreement": lambda ax: plots.agreement(PAIRS, ax=ax),
}


@pytest.fixture
def ax():
    plots.style()
    yield plt.figure().add_subplot()
    plt.close("all")


def colours(ax):
    (mesh,) = (c for c in ax.collections if type(c).__name__ == "QuadMesh")
    return mesh


def bar(ax):
    return ax.child_axes[0]


@pytest.mark.parametrize("name", DRAWN)
def test_each_draws_on_the_axes_it_is_given_and_labels_them(name, ax):
    assert DRAWN[name](ax) is ax
    assert ax.get_xlabel() and ax.get_ylabel()
    ax.figure.canvas.draw()


def test_the_map_lies_at_its_time_behind_the_trace_and_the_squares(ax):
    plots.attribution(ECG, 3 * MAP, fs=FS, start_s=10, ax=ax)
    mesh, trace = colours(ax), ax.lines[0]
    place = mesh.get_coordinates()[0, :, 0]
    shown = np.asarray(mesh.get_array()).ravel()
    middle = (place[:-1] + place[1:]) / 2
    assert middle[shown.argmax()] == pytest.approx(10 + 600 / FS)
    assert shown.max() == pytest.approx(1)
    squares = [c for c in ax.collections if c.get_label() in ("_major", "_minor")]
    assert mesh.get_zorder() < min(c.get_zorder() for c in squares) < trace.get_zorder()
    assert ax.get_xlim() == pytest.approx((10, 14))
    assert trace.get_ydata() == pytest.approx(ECG)
    assert ax.get_aspect() == pytest.approx(0.4)  # still paper


def test_what_speaks_against_the_class_has_another_colour_and_the_bar_says_so(ax):
    plots.attribution(ECG, MAP, fs=FS, ax=ax)
    assert bar(ax).get_ylabel() == "attribution"
    assert [t.get_text() for t in bar(ax).get_yticklabels()] == ["0", "most"]
    other = plt.figure().add_subplot()
    plots.attribution(ECG, MAP - np.roll(MAP, 200), fs=FS, ax=other)
    other.figure.canvas.draw()
    assert [t.get_text() for t in bar(other).get_yticklabels()] == ["against", "0", "for"]
    limits = colours(other).get_clim()
    assert limits == (-1, 1)
    red, _, blue = colours(other).get_cmap()(np.array([0.0, 1.0]))[:, :3].T
    assert red[0] > blue[0] and blue[1] > red[1]


def test_figures_beside_each_other_may_share_their_strongest_colour(ax):
    plots.attribution(ECG, MAP, fs=FS, largest=4.0, ax=ax)
    assert np.asarray(colours(ax).get_array()).max() == pytest.approx(0.25)


def test_an_empty_map_and_several_leads_are_drawn_too(ax):
    plots.attribution(np.stack([ECG, ECG]), np.zeros(1000), fs=FS, leads=["II", "V1"], ax=ax)
    assert not np.asarray(colours(ax).get_array()).any()
    low, high = ax.get_ylim()
    assert np.ptp(colours(ax).get_coordinates()[..., 1]) == pytest.approx(high - low)


@pytest.mark.parametrize("bad", [MAP[1:], np.full(1000, np.nan), np.stack([MAP, MAP])])
def test_a_map_that_does_not_fit_the_signal_is_refused(bad, ax):
    with pytest.raises(ValueError, match=r"a finite map of shape \(1000,\)"):
        plots.attribution(ECG, bad, fs=FS, ax=ax)


def test_the_mean_beat_lies_over_its_map_which_has_its_own_axis(ax):
    plots.class_average(AVERAGE, unit="scaled 0 to 1", ax=ax)
    (right,) = (other for other in ax.figure.axes if other is not ax)
    beat = next(line for line in ax.lines if line.get_label() == "mean beat")
    assert beat.get_xdata()[beat.get_ydata().argmax()] == 0
    assert right.lines[0].get_xdata()[right.lines[0].get_ydata().argmax()] == pytest.approx(100)
    assert ax.get_ylabel() == "ECG (scaled 0 to 1)"
    assert "share of the largest" in right.get_ylabel()
    assert right.get_zorder() < ax.get_zorder()
    assert ax.get_legend().get_title().get_text() == "V: 1,234 beats"


def test_curves_are_told_apart_by_colour_and_line_and_tell_their_areas(ax):
    plots.deletion(CURVES, ax=ax)
    said = {line.get_label(): line for line in ax.lines}
    assert set(said) == {
        "deletion, by the map: 0.22",
        "deletion, random: 0.57",
        "insertion, by the map: 0.68",
        "insertion, random: 0.33",
    }
    look = {(line.get_color(), line.get_linestyle()) for line in said.values()}
    assert len(look) == 4
    falls = said["deletion, by the map: 0.22"]
    assert falls.get_xdata()[-1] == 100 and falls.get_ydata()[0] == pytest.approx(0.9)
    assert len(ax.collections) == 4  # an interval each
    assert ax.get_legend().get_title().get_text() == "area, 1,200 windows"


def test_every_pair_of_methods_has_its_correlation_and_interval(ax):
    plots.agreement(PAIRS, ax=ax)
    assert {text.get_text(): text.get_position() for text in ax.texts} == {
        "0.70\n(0.60 to 0.80)": (0, 1),
        "0.20\n(0.10 to 0.30)": (0, 2),
        "−0.10\n(−0.20 to 0.00)": (1, 2),
    }
    assert [t.get_text() for t in ax.get_xticklabels()] == ["grad cam", "occlusion"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["occlusion", "integrated gradients"]
    shown = ax.images[0].get_array()
    assert shown[0, 0] == pytest.approx(0.7) and np.ma.getmaskarray(shown)[0, 1]
    ax.figure.canvas.draw()
    left, right, low, high = ax.images[0].get_extent()
    assert (left, right, low, high) == (-0.5, 1.5, 2.5, 0.5)
