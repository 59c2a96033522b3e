"""Pictures of how a beat is cut, what its classes weigh, and how positions turn arrows."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ecglib import plots

FS = 125.0
TEN = np.clip(np.sin(2 * np.pi * np.arange(1250) / FS), 0, 1)  # a peak each second
SHARES = pd.DataFrame({"N": [0.90, 0.50], "S": [0.08, 0.25], "F": [0.02, 0.25]}, index=["a", "b"])
ANGLE = np.pi / 6
ARROWS = np.stack([np.cos(ANGLE * np.arange(6)), np.sin(ANGLE * np.arange(6))], axis=1)


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_the_piece_of_a_recipe_starts_at_its_peak_and_ends_with_the_recording(ax):
    plots.recipe(TEN, fs=FS, candidates=[31, 156], peak=156, length=150, ax=ax)
    piece = {line.get_label(): line for line in ax.lines}["piece that becomes a row"]
    assert piece.get_xdata()[0] == 156 / FS
    assert len(piece.get_xdata()) == 150
    plots.recipe(TEN, fs=FS, candidates=[31], peak=1200, length=150, ax=ax)
    assert max(line.get_xdata()[-1] for line in ax.lines if len(line.get_xdata()) > 2) <= 1249 / FS


def test_candidates_sit_on_the_signal_and_marks_below_it(ax):
    plots.recipe(TEN, fs=FS, candidates=[31, 156], peak=31, length=150, marked=[31, 156], ax=ax)
    found = {line.get_label(): line for line in ax.lines}
    assert np.allclose(found["candidates"].get_ydata(), TEN[[31, 156]])
    assert (found["marked beats"].get_ydata() < 0).all()
    with pytest.raises(ValueError, match="peak in it"):
        plots.recipe(TEN, fs=FS, candidates=[], peak=1250, length=10, ax=ax)


def test_the_parts_of_a_bar_make_a_hundred_per_cent_and_small_ones_have_no_number(ax):
    plots.stacked(SHARES, xlabel="share (%)", ax=ax)
    width = np.array([[bar.get_width() for bar in bars] for bars in ax.containers])
    assert np.allclose(width.sum(axis=0), 100)
    assert [text.get_text() for text in ax.texts].count("2") == 0
    assert "90" in [text.get_text() for text in ax.texts]
    with pytest.raises(ValueError, match="sum to 1"):
        plots.stacked(2 * SHARES, xlabel="share (%)", ax=ax)


def test_every_position_has_its_arrow(ax):
    plots.turned(ARROWS, ax=ax)
    numbers = [text.get_text() for text in ax.texts if text.get_text()]
    assert numbers == [str(n) for n in range(6)]
    assert ax.get_aspect() == 1
    with pytest.raises(ValueError, match="n_positions, 2"):
        plots.turned(np.zeros((3, 3)), ax=ax)


def test_a_matrix_of_pairs_shows_zero_in_the_middle_of_its_colours(ax):
    plots.token_matrix(ARROWS @ ARROWS.T, label="in common", ax=ax)
    (image,) = ax.images
    assert image.get_array().shape == (6, 6)
    assert image.norm.vmin == -image.norm.vmax
    assert ax.get_ylabel() == "position of the query"
    with pytest.raises(ValueError, match="n_queries, n_keys"):
        plots.token_matrix(np.zeros(3), label="in common", ax=ax)


def test_numbers_above_nothing_start_their_colours_there(ax):
    plots.token_matrix(np.full((2, 2), 0.1), label="weight", most=0.5, ax=ax)
    assert ax.images[0].get_clim() == (0, 0.5)
    plots.token_matrix([[-1.0, 2.0]], label="in common", ax=ax)
    assert ax.images[1].get_clim() == (-2, 2)
