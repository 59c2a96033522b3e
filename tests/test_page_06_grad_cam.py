"""What a network looked at: exhibits, their tests, planted shortcuts, what the page leaves."""

import io
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from PIL import Image

from ecglib import explain, plots, runs, study
from ecglib.tasks import exhibits, looks, shortcuts, ways

FS = 250.0
ECG = np.random.default_rng(0).normal(0, 0.1, (6, 1, 500)).astype(np.float32)
FIGURES = [
    "evidence_shock", "evidence_hybrid", "three_methods", "averages_shock", "evidence_beats",
    "averages_beats", "averages_rows", "evidence_rhythms", "averages_rhythms", "shuffled_weights",
    "shuffled_labels", "deletion", "agreement", "checks", "shortcut_burst", "shortcut_found",
    "shortcut_hum", "shortcut_deletion",
]  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A ledger with a plain network, trained in a moment, and where its windows lie."""
    folder = tmp_path_factory.mktemp("shelf")
    prepared = folder / "data" / "prepared"
    windows = tiny.windows(prepared)
    (prepared / "tiny.parquet").rename(prepared / "shock-a.parquet")
    config = ways.config(windows, "cnn", given={"train": {"epochs": 2, "batch_size": 16}})
    runs.run(config, windows, folder=folder / "runs", progress=False)
    return folder


@pytest.fixture
def cnn(shelf, monkeypatch):
    monkeypatch.setenv("ECGLIB_DATA", str(shelf / "data"))
    return exhibits.exhibit(shelf / "runs", "shock, cnn", n=3)


# exhibits


def test_an_exhibit_shows_test_windows_of_every_class_and_what_was_decided(cnn):
    assert (np.bincount(cnn.label) <= 3).all() and len(np.unique(cnn.label)) == 2
    test = cnn.run.of("test").set_index("row")
    assert set(cnn.rows) <= set(test.index)
    logits = test.loc[cnn.rows, ["logit_0", "logit_1"]].to_numpy()
    assert np.array_equal(cnn.target, logits.argmax(axis=1))
    assert set(cnn.of_class(1).label) == {1} and np.bincount(cnn.some(1).label).max() == 1


def test_averages_are_of_windows_that_were_decided_well(cnn):
    turned = replace(cnn, target=np.where(np.arange(len(cnn.rows)) % 2, cnn.label, 1 - cnn.label))
    well = turned.right()
    assert len(well.rows) == len(cnn.rows) // 2 and np.array_equal(well.target, well.label)


def test_a_map_that_is_high_at_the_beats_follows_them_and_a_flat_one_does_not(cnn):
    class Drawn(type(cnn)):
        def maps(self, method):
            out = np.full((len(self.rows), self.x.shape[-1]), 0.25, np.float32)
            for line, peaks in zip(out, self.peaks(), strict=True):
                for peak in peaks if method == "beats" else ():
                    line[max(peak - 5, 0) : peak + 6] = 1.0
            return out

        def peaks(self):
            return [np.array([100, 350, 600])] * len(self.rows)

    drawn = Drawn(**vars(cnn))
    found = exhibits.beside_peaks(drawn, "beats")
    assert found["low"] > 0.2 and found["n"] == len(cnn.rows)
    assert exhibits.beside_peaks(drawn, "flat")["value"] == pytest.approx(0)
    first = np.arange(len(cnn.rows)) == 0
    assert exhibits.beside_peaks(drawn, "beats", kept=first)["n"] == 1


def test_what_has_not_been_trained_names_the_exercise(shelf, cnn):
    with pytest.raises(ValueError, match="run exercise_05 first"):
        exhibits.exhibit(shelf / "runs", "rhythms, rhythm_net")
    with pytest.raises(ValueError, match="need one of shock, cnn"):
        exhibits.exhibit(shelf / "runs", "cnn")
    assert exhibits.first_of(shelf / "runs", ["rhythms, rhythm_net"]) is None
    found = exhibits.first_of(shelf / "runs", ["rhythms, rhythm_net", "shock, cnn"])
    assert found.run.id == cnn.run.id


def test_the_tests_of_maps_come_as_one_table_with_a_verdict_for_each(cnn):
    tested = exhibits.put_to_test(cnn, layers=2, steps=2, n_random=1)
    table, verdicts = tested.table(), tested.verdicts()
    assert set(table["method"]) == set(explain.METHODS) == set(verdicts["method"])
    assert {"deletion area", "insertion area", "agreement"} < set(table["test"])
    assert table["value"].notna().any() and set(table["network"]) == {"shock, cnn"}
    assert verdicts.filter(like="follows").isin(["yes", "no", "open"]).all(axis=None)
    for row in verdicts.to_dict("records"):
        assert row["weights"]["layer"].startswith("stages.0")  # the lowest layer
        if row["follows deletion"] == "yes":
            assert row["deletion"]["high"] < 0


def test_errors_are_wrong_and_of_different_patients(cnn):
    known = cnn.run.predictions.copy()
    some = known.index[known["split"] == "test"][::3]
    known.loc[some, "label"] = 1 - known.loc[some, "label"]  # as if the network erred there
    run = replace(cnn.run, predictions=known)
    seen = run.of("test").set_index("row")
    shocked = seen["score"] >= study.threshold(run)
    rows = exhibits.plainest_errors(run, cnn.windows, n=5)
    assert rows and (shocked != seen["label"]).loc[rows].all()
    assert seen.loc[rows, "patient"].is_unique


def test_the_strongest_stretch_is_where_the_map_is(cnn):
    maps = np.zeros((1, 1000), np.float32)
    maps[0, 600:700] = -1
    about = pd.DataFrame({"start_s": [10.0]})
    looked = looks.Looked(maps[:, None], maps, about, fs=100.0, method="occlusion")
    part = looks.strongest(looked, 1.0)
    assert part.maps.shape == (1, 100) and (part.maps == -1).all() and (part.signal == -1).all()
    assert part.about["start_s"].item() == pytest.approx(16.0)
    assert looks.strongest(looked, 60.0).maps.shape == (1, 1000)


def test_windows_may_have_different_numbers_of_peaks():
    signal = np.ones((2, 1, 100))
    peaks = [np.array([20, 60]), np.array([30])]
    given = {"label": [0, 0], "classes": ["N"], "fs": 100.0, "before_s": 0.1, "after_s": 0.1}
    assert explain.by_class(signal[:, 0], peaks, signal=signal, **given)["N"].n_beats == 3


def test_of_some_layers_the_lowest_is_always_compared(cnn):
    about = {"method": "grad_cam", "target": 0, "fs": FS}
    every = explain.randomised(cnn.network, cnn.x, **about)
    two = explain.randomised(cnn.network, cnn.x, most=2, **about)
    one = explain.randomised(cnn.network, cnn.x, most=1, **about)
    assert set(two["depth"]) == {0, 1, every["depth"].max()}
    assert set(one["depth"]) == {0, every["depth"].max()}
    assert one["value"].iloc[-1] == pytest.approx(every["value"].iloc[-1], nan_ok=True)


# shortcuts


def test_a_pulse_lies_where_it_is_said_to_and_nothing_else_changes():
    marked, at = explain.mark(ECG, fs=FS, size_mv=2.0)
    changed = marked - ECG
    assert (np.abs(changed[np.arange(6), 0, at]) > 1.9).all()
    assert ((np.abs(changed) > 1e-6).sum(axis=2) == round(0.012 * FS)).all()
    assert (at > 0.2 * FS).all() and (at < 500 - 0.2 * FS).all() and len(set(at)) > 1
    with pytest.raises(ValueError, match="windows longer than twice the margin"):
        explain.mark(ECG[..., :90], fs=FS)


def test_hum_has_the_frequency_it_is_asked_for():
    added = explain.hum(ECG, fs=FS, size_mv=0.3) - ECG
    power = np.abs(np.fft.rfft(added[:, 0], axis=1)).argmax(axis=1)
    assert (power * FS / 500 == 50).all() and np.ptp(added) == pytest.approx(0.6, rel=0.05)
    with pytest.raises(ValueError, match="hum below fs / 2"):
        explain.hum(ECG, fs=100.0)


def test_a_burst_is_hum_around_the_place_it_is_said_to_have():
    noisy, at = explain.burst(ECG, fs=FS, length_s=0.4)
    changed = np.abs(noisy - ECG)[:, 0] > 1e-6
    far = np.abs(np.arange(500) - at[:, None]) > 0.21 * FS
    assert not changed[far].any() and changed.any(axis=1).all() and changed.mean() > 0.15
    with pytest.raises(ValueError, match="a burst within 2 s"):
        explain.burst(ECG, fs=FS, length_s=3.0)


def test_a_map_that_points_at_the_place_is_told_from_one_that_does_not():
    at = np.array([100, 200, 300])
    right, wrong = np.zeros((2, 3, 500))
    right[np.arange(3), at + 5] = -1
    wrong[:, 10] = 1
    assert explain.pointed(right, at, fs=FS)["value"] == 1
    assert explain.pointed(wrong, at, fs=FS)["value"] == 0
    assert explain.pointed(wrong, at, fs=FS)["chance"] == pytest.approx(51 / 500)
    several = np.array([[100, 12], [200, -1], [300, -1]])
    assert explain.pointed(wrong, several, fs=FS)["value"] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="a place for each map"):
        explain.pointed(wrong, at[:2], fs=FS)


def test_a_network_takes_a_planted_shortcut_and_is_fooled_by_it(cnn):
    lesson = shortcuts.lesson(cnn, n=20)
    noise = np.random.default_rng(1).normal(0, 0.02, lesson.x.shape).astype(np.float32)
    hidden = shortcuts.Lesson("cnn", noise, lesson.label, lesson.fs)  # nothing else to learn
    network = hidden.learn(x=hidden.plant("hum"), epochs=40)
    swapped = shortcuts.planted(noise, hidden.label == 0, plant="hum", fs=hidden.fs, seed=3)
    assert hidden.accuracy(network, hidden.plant("hum", seed=4), hidden.label) > 0.9
    assert hidden.accuracy(network, swapped, hidden.label) < 0.1
    with pytest.raises(ValueError, match="need a shortcut of pulse, burst, hum"):
        hidden.plant("wall")


def test_shuffled_labels_are_as_many_and_others(cnn):
    lesson = shortcuts.lesson(cnn, n=20)
    shuffled = lesson.shuffled()
    assert np.array_equal(np.bincount(shuffled), np.bincount(lesson.label))
    assert (shuffled != lesson.label).any()


def test_a_lesson_is_repeatable_and_kept_apart_from_the_test(cnn):
    lesson = shortcuts.lesson(cnn, n=8)
    first, again = lesson.learn(epochs=1), lesson.learn(epochs=1)
    pairs = zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not any((lesson.x == one).all(axis=(1, 2)).any() for one in cnn.x)


def test_equals_are_more_alike_than_other_windows(cnn):
    found = shortcuts.likeness(cnn.network, {"itself": cnn.network}, cnn, methods=["occlusion"])
    value = found.set_index("what")["value"]
    assert value["itself"] == pytest.approx(1) and value["another window"] < 0.9


# figures


def test_the_cascade_shows_both_measures_and_the_yardstick(cnn):
    table = explain.randomised(cnn.network, cnn.x, method="occlusion", target=0, fs=FS, most=2)
    ax = plots.cascade(table, limit=0.5, ax=plt.figure().add_subplot())
    names = ax.get_legend_handles_labels()[1]
    assert names == ["signed", "signed, another window", "absolute", "absolute, another window",
                     "limit, 0.5"]  # fmt: skip
    assert [t.get_text() for t in ax.get_xticklabels()][0] == "none"
    plt.close("all")


def test_checks_have_a_row_each_and_tell_their_verdict_by_marker_and_colour():
    value = {"value": -0.1, "low": -0.2, "high": 0.0}
    rows = {"network": ["a", "b"], "method": ["grad_cam", "occlusion"],
            "deletion": [value, value], "follows deletion": ["yes", "no"]}  # fmt: skip
    ax = plots.checks(pd.DataFrame(rows), check="deletion", ax=plt.figure().add_subplot())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a: grad cam", "b: occlusion"]
    drawn = {(line.get_color(), line.get_marker()) for line in ax.lines if len(line.get_xdata())}
    assert len({marker for _, marker in drawn} - {"None"}) == 2
    with pytest.raises(ValueError, match="need a check of weights, deletion, insertion"):
        plots.checks(pd.DataFrame(rows), check="taste")
    plt.close("all")


def test_a_signal_without_millivolts_has_no_note_of_scale():
    ax = plots.attribution(ECG[0, 0], np.ones(500), fs=FS, unit="of its size",
                           ax=plt.figure().add_subplot())  # fmt: skip
    assert ax.get_ylabel() == "ECG (of its size)" and not ax.texts
    plt.close("all")


# the page


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_of_the_page_are_not_blank_and_have_sane_sizes(book, name):
    file = book.outs / "demo" / "exercise_06" / f"{name}.png"
    if name.startswith("averages") and not file.is_file():  # of what is decided well only
        notebook = (book.outs / "demo" / "book" / "exercise_06" / "02_grad_cam.ipynb").read_text()
        assert "No window of these classes was decided well" in notebook
        return
    picture = Image.open(io.BytesIO(file.read_bytes())).convert("L")
    assert 600 <= picture.width <= 2400 and 150 <= picture.height <= 2400
    assert np.asarray(picture).std() > 5


def test_the_page_leaves_a_table_of_all_tests(book):
    table = pd.read_csv(book.outs / "demo" / "exercise_06" / "sanity.csv")
    assert {"weights shuffled down to", "labels shuffled", "deletion area", "insertion area",
            "agreement"} == set(table["test"])  # fmt: skip
    assert {"shock, cnn", "shock, cnn_lstm", "rhythms, rhythm_net"} <= set(table["network"])
    known = table.dropna(subset=["value", "low", "high"])
    assert len(known) and (known["low"] <= known["value"] + 1e-6).all()
