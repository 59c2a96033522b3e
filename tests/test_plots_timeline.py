"""The page of a whole recording: rows, colours, sums and strips."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from ecglib import plots

SHOCK = ("non-shockable", "shockable")
HOUR = 3600.0


def episodes(*rows: tuple[float, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["start_s", "end_s", "decision"])


DAY = episodes(
    (0, 4 * HOUR + 600, "non-shockable"),
    (4 * HOUR + 600, 4 * HOUR + 604, "shockable"),
    (4 * HOUR + 604, 10 * HOUR - 300, "non-shockable"),
    (10 * HOUR - 300, 10 * HOUR + 300, "cannot tell"),
    (10 * HOUR + 300, 24 * HOUR, "non-shockable"),
)


def moment(time_s: float, decision: str, *, p: float = 0.9, reason: str = "", size: float = 0.8):
    signal = size * np.sin(2 * np.pi * np.arange(1250) / 250)
    return SimpleNamespace(time_s=time_s, half_s=2.0, start_s=time_s - 2.5, lead="II",
                           decision=decision, reason=reason,
                           probability=p, signal=signal, fs=250.0)  # fmt: skip


MOMENTS = [
    moment(100, "non-shockable", p=0.999),
    moment(4 * HOUR + 602, "shockable"),
    moment(10 * HOUR, "cannot tell", p=np.nan, reason="flat"),
]


@pytest.fixture(autouse=True)
def closed():
    plots.style()
    yield
    plt.close("all")


def spans(figure, decision: str) -> list[tuple[float, float, float]]:
    """(row, left, width) of the bands of a decision, in the unit of the axis."""
    found = []
    for collection in figure.axes[0].collections:
        if collection.get_label() == f"_{decision}":
            for path in collection.get_paths():
                (left, low), (right, high) = path.vertices.min(axis=0), path.vertices.max(axis=0)
                found.append((round((low + high) / 2), left, right - left))
    return found


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_a_day_has_a_row_for_each_hour_and_time_runs_down():
    figure = plots.timeline(DAY, classes=SHOCK)
    ax = figure.axes[0]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names[:2] == ["0:00", "1:00"] and names[-1] == "23:00" and len(names) == 24
    assert ax.get_xlim() == (0, 60) and ax.get_xlabel() == "time into the row (min)"
    assert ax.yaxis_inverted()
    figure.canvas.draw()


def test_an_episode_over_the_hour_goes_on_in_the_next_row():
    dark = spans(plots.timeline(DAY, classes=SHOCK), "cannot tell")
    assert dark == [(9, pytest.approx(55), pytest.approx(5)), (10, 0, pytest.approx(5))]


def test_four_seconds_of_a_day_can_be_seen_at_their_place_but_are_not_counted_longer():
    figure = plots.timeline(DAY, classes=SHOCK)
    ((row, left, width),) = spans(figure, "shockable")
    assert row == 4 and left + width / 2 == pytest.approx(10 + 2 / 60, abs=1e-6)
    assert width == pytest.approx(0.003 * 60) and width > 4 / 60
    assert "4 s" in texts(figure.axes[0])
    said = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert said == [
        "non-shockable: 23 h 49 min (99.3 %)",
        "shockable: 4 s (0.0046 %)",
        "cannot tell: 10 min (0.69 %)",
    ]


def test_what_is_rare_lies_over_what_is_usual_and_has_another_colour():
    ax = plots.timeline(DAY, classes=SHOCK).axes[0]
    by_name = {c.get_label(): c for c in ax.collections}
    assert by_name["_shockable"].get_zorder() > by_name["_cannot tell"].get_zorder()
    assert by_name["_cannot tell"].get_zorder() > by_name["_non-shockable"].get_zorder()
    assert tuple(by_name["_shockable"].get_facecolor()[0]) == to_rgba("#D55E00")
    assert by_name["_cannot tell"].get_hatch()  # seen without colour, too


def test_letters_lead_from_the_rows_to_the_strips():
    figure = plots.timeline(DAY, MOMENTS, classes=SHOCK, title="one, lead II")
    bands, *strips = figure.axes
    placed = {t.get_text(): t.xy for t in bands.texts if t.get_text() in "abc"}
    assert placed["a"] == (pytest.approx(100 / 60), 0)
    assert placed["b"] == (pytest.approx(10 + 2 / 60), 4) and placed["c"] == (0, 10)
    assert [ax.get_title(loc="left") for ax in strips] == [
        "a   from 0:01:37   non-shockable, P > 0.99",
        "b   from 4:09:59   shockable, P = 0.90",
        "c   from 9:59:57   cannot tell (flat)",
    ]
    assert {ax.get_ylabel() for ax in strips} == {"lead II (mV)"}
    (bar,) = [line for line in strips[0].lines if line.get_marker() == "|"]
    assert bar.get_xdata() == pytest.approx([0.5, 4.5])  # the window that was judged
    assert "one, lead II" in bands.get_title(loc="left")
    figure.canvas.draw()


def test_strips_are_ecg_paper_at_one_scale():
    loud = [MOMENTS[0], moment(200, "shockable", size=1.9)]
    figure = plots.timeline(DAY, loud, classes=SHOCK)
    for ax in figure.axes[1:]:
        assert ax.get_aspect() == pytest.approx(0.4)
        assert ax.get_ylim() == (-2, 2) and ax.get_xlim() == (0, 5)


@pytest.mark.parametrize(
    "duration_s, row_s, n_rows", [(8, 10, 1), (200, 10, 20), (360, 30, 12), (1800, 300, 6)]
)
def test_short_recordings_have_short_rows(duration_s, row_s, n_rows):
    figure = plots.timeline(episodes((0, duration_s, "shockable")), classes=SHOCK)
    rows = spans(figure, "shockable")
    assert len(rows) == n_rows
    unit = 60 if row_s > 60 else 1
    assert rows[0][2] == pytest.approx(min(row_s, duration_s) / unit)


def test_a_week_has_no_more_rows_than_a_page():
    figure = plots.timeline(episodes((0, 7 * 24 * HOUR, "non-shockable")), classes=SHOCK)
    assert len(spans(figure, "non-shockable")) <= 30
    figure.canvas.draw()


def test_rhythms_and_beats_have_the_colours_of_their_chapters():
    made = episodes((0, 60, "N"), (60, 90, "A"), (90, 100, "O"))
    ax = plots.timeline(made, classes=("N", "O", "A")).axes[0]
    colours = {c.get_label(): tuple(c.get_facecolor()[0]) for c in ax.collections if len(
        c.get_facecolor())}  # fmt: skip
    assert colours["_A"] == to_rgba(plots.RHYTHM_COLOURS["A"])
    assert colours["_O"] == to_rgba(plots.RHYTHM_COLOURS["O"])
    assert len({colours["_N"], colours["_A"], colours["_O"]}) == 3


def test_beats_are_counted_and_the_strip_shows_which_one_is_meant():
    made = episodes((0, 50, "N"), (50, 51, "V"), (51, 300, "N")).assign(n_windows=[60, 2, 338])
    figure = plots.timeline(made, [moment(50.5, "V")], classes=("N", "S", "V"), counted="beats")
    said = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert said == ["N: 398 beats (99.5 %)", "S: 0 beats (0 %)", "V: 2 beats (0.5 %)"]
    assert {"V", "2"} <= set(texts(figure.axes[0])) and "S" not in texts(figure.axes[0])
    (mark,) = [line for line in figure.axes[1].lines if line.get_marker() == "v"]
    assert mark.get_xdata()[0] == pytest.approx(2.5)


def test_nothing_and_too_much_are_refused():
    with pytest.raises(ValueError, match="need episodes and at most 8 moments, got 0, 0"):
        plots.timeline(DAY.head(0), classes=SHOCK)
    with pytest.raises(ValueError, match="got 5, 9"):
        plots.timeline(DAY, MOMENTS * 3, classes=SHOCK)
