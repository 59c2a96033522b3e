"""Figures of recordings and rhythms: what their artists say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import same_color

from ecglib import plots

CLASSES = ("N", "O", "A")
RHYTHM = np.repeat(CLASSES, (6, 3, 2))
SPREAD = np.arange(11) / 10
STARTS = {"N": [0, 3.3, 6.7], "A": [0, 2.1, 4.2, 6.3]}
TRACE = np.sin(np.arange(900) / 20)
PEAKS = np.array([100, 300, 550])
P = np.array([[0.9, 0.05, 0.05], [0.2, 0.1, 0.7], [0.6, 0.3, 0.1]])
FUSED = {"mean p": P.mean(axis=0), "vote": np.array([2, 0, 1]) / 3}
DRAWN = {  # every plot of this file that takes `ax`, with what it needs
    "class_shares": lambda ax: plots.class_shares(
        SPREAD, RHYTHM, CLASSES, xlabel="spread (1)", ax=ax
    ),
    "joined": lambda ax: plots.joined(P, CLASSES, fused=FUSED, ax=ax),
    "marked_peaks": lambda ax: plots.marked_peaks(TRACE, fs=300, peaks=PEAKS, ax=ax),
    "strides": lambda ax: plots.strides(STARTS, length_s=3.3, duration_s=10, ax=ax),
}


@pytest.fixture
def ax():
    plots.style()
    yield plt.figure().add_subplot()
    plt.close("all")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_rhythms_are_told_apart_without_colour_and_never_wear_that_of_a_split():
    known = plots.RHYTHM_COLOURS.keys()
    assert known == plots.RHYTHM_LINES.keys() == plots.RHYTHM_MARKERS.keys() == set("NOA~")
    for look in (plots.RHYTHM_LINES, plots.RHYTHM_MARKERS):
        assert len(set(look.values())) == 4
    for colour in plots.RHYTHM_COLOURS.values():
        assert not any(same_color(colour, split) for split in plots.SPLIT_COLOURS.values())


def test_shares_rise_to_all_recordings_of_a_class(ax):
    plots.class_shares(SPREAD, RHYTHM, (*CLASSES, "~"), xlabel="spread", ax=ax)
    assert labels(ax) == ["N: 6", "O: 3", "A: 2"]
    of_a = ax.lines[-1]
    assert of_a.get_xdata() == pytest.approx([0.9, 1.0])
    assert of_a.get_ydata() == pytest.approx([50, 100])


def test_shares_need_a_class_for_each_value(ax):
    with pytest.raises(ValueError, match="class for each value"):
        plots.class_shares(SPREAD, RHYTHM[:3], CLASSES, xlabel="spread", ax=ax)


def test_each_window_is_a_bar_where_it_lies(ax):
    plots.strides(STARTS, length_s=3.3, duration_s=10, ax=ax)
    assert [bar.get_x() for bar in ax.patches] == pytest.approx([*STARTS["N"], *STARTS["A"]])
    assert {round(bar.get_width(), 3) for bar in ax.patches} == {3.3}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["N: 3 windows", "A: 4 windows"]


@pytest.mark.parametrize("step", [1.0, 2.1, 2.5, 5.0])
def test_no_window_hides_another(ax, step):
    starts = np.arange(0, 5.01, step)
    plots.strides({"A": starts}, length_s=5, duration_s=10.1, ax=ax)
    bars = [bar.get_bbox() for bar in ax.patches]
    for i, one in enumerate(bars):
        for other in bars[i + 1 :]:
            apart = one.y1 <= other.y0 + 1e-9 or other.y1 <= one.y0 + 1e-9
            assert apart or other.x0 >= one.x1 - 1e-9


def test_a_window_behind_the_end_of_the_recording_is_refused(ax):
    with pytest.raises(ValueError, match=r"within 10 s, got N .* 12 s"):
        plots.strides({"N": [7]}, length_s=5, duration_s=10, ax=ax)


def test_peaks_are_marked_at_their_time_with_the_interval_to_the_next(ax):
    plots.marked_peaks(TRACE, fs=300, peaks=PEAKS, ax=ax)
    assert ax.lines[1].get_xdata() == pytest.approx(PEAKS / 300)
    assert [text.get_text() for text in ax.texts] == ["667", "833"]


def test_a_trace_without_a_beat_is_drawn_too(ax):
    plots.marked_peaks(TRACE, fs=300, peaks=[], ax=ax)
    assert not ax.texts


def test_peaks_outside_the_trace_are_refused(ax):
    with pytest.raises(ValueError, match="peaks inside"):
        plots.marked_peaks(TRACE, fs=300, peaks=[900], ax=ax)


def test_what_windows_are_joined_to_stands_behind_them_class_by_class(ax):
    plots.joined(P, CLASSES, fused=FUSED, ax=ax)
    assert labels(ax) == list(CLASSES)
    windows, ends = ax.lines[4], ax.lines[5]  # of class A, behind two lines a class
    assert windows.get_ydata() == pytest.approx(P[:, 2])
    assert ends.get_ydata() == pytest.approx([FUSED["mean p"][2], FUSED["vote"][2]])
    assert min(ends.get_xdata()) > max(windows.get_xdata())
    named = [t.get_text() for t in ax.get_xticklabels()]
    assert named == ["1", "2", "3", "mean p", "vote"]


def test_a_fusion_over_other_classes_is_refused(ax):
    with pytest.raises(ValueError, match="a number a class"):
        plots.joined(P, CLASSES, fused={"vote": [0.5, 0.5]}, ax=ax)
