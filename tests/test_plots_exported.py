"""Sizes, times and tracks as they are drawn."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from ecglib import plots


@pytest.fixture
def costs() -> pd.DataFrame:
    rows = [
        {"name": name, "form": form, "bytes": 1000 * (i + 1), "latency_ms": 1.0 + i, "low_ms": 0.9,
         "high_ms": 3.0, "batch_ms": 0.1 * (i + 1)}
        for name in ("cnn", "tiny_cnn")
        for i, form in enumerate(("torch", "onnx", "int8"))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_every_model_has_a_row_and_every_form_a_marker(costs):
    figure = plots.sizes_and_times(costs)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["cnn", "tiny_cnn"]
    for ax, column in zip(figure.axes, ("bytes", "latency_ms", "batch_ms"), strict=True):
        assert len(ax.lines) == 3 and ax.get_xscale() == "log" and "(" in ax.get_xlabel()
        factor = 1e-3 if column == "bytes" else 1
        drawn = sorted(x for line in ax.lines for x in line.get_xdata())
        assert drawn == pytest.approx(sorted(factor * costs[column]))
    plt.close(figure)


def test_a_table_without_times_is_refused(costs):
    with pytest.raises(ValueError, match="batch_ms, low_ms missing"):
        plots.sizes_and_times(costs.drop(columns=["low_ms", "batch_ms"]))


def bands(*rows):
    return pd.DataFrame(rows, columns=["start_s", "end_s", "said"])


def test_tracks_lie_below_each_other_and_the_unknown_is_hatched():
    first = bands((0, 10, "non-shockable"), (10, 30, "shockable"))
    ax = plots.tracks({"marks": first, "model": bands((0, 30, "cannot tell"))}, end_s=30)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["marks", "model"]
    drawn = [c for c in ax.collections if isinstance(c, PolyCollection)]
    assert sum(c.get_hatch() is not None for c in drawn) == 1
    shown = [t.get_text() for t in ax.get_legend().get_texts()]
    assert shown == ["non-shockable", "shockable", "cannot tell"]
    assert ax.get_xlabel() == "time (s)"
    plt.close(ax.figure)


def test_long_tracks_are_drawn_in_minutes_and_frames_are_named():
    one = bands((0, 600, "non-shockable"))
    ax = plots.tracks({"marks": one}, end_s=600, framed={"electrode off": (60, 120)})
    assert ax.get_xlabel() == "time (min)" and ax.get_xlim() == (0, 10)
    assert [t.get_text() for t in ax.texts] == ["electrode\noff"]
    assert sorted(line.get_xdata()[0] for line in ax.lines) == [1, 2]
    plt.close(ax.figure)
