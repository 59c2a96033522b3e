"""What is measured on a recording, and what trees make of it."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from tiny_rhythms import a_run, recordings

from ecglib import datasets
from ecglib.rhythms import fusion, measurements, results, scores, yardsticks

FS = 150.0


def beats(
    time_s: np.ndarray, *, p_wave: float = 0.0, length_s: float = 30.0, odd: tuple[int, ...] = ()
) -> np.ndarray:
    """A tooth at each time with a wave 0.15 s before it; `odd` beats are wide and upside down."""
    t = np.arange(round(length_s * FS)) / FS
    x = np.random.default_rng(0).normal(0, 0.01, len(t))
    for i, at in enumerate(time_s):
        height, half = (-1.2, 0.08) if i in odd else (1.0, 0.03)
        x += height * np.maximum(0, 1 - np.abs(t - at) / half)
        x += p_wave * np.maximum(0, 1 - np.abs(t - at + 0.15) / 0.04)
    return x


EVEN = np.arange(0.5, 29.5, 0.8)


def test_rhythm_tells_rate_early_beats_and_their_pauses():
    rr = np.full(40, 0.8)
    even = measurements.rhythm(rr)
    assert even["median_rate"] == pytest.approx(75)
    assert even["early"] == even["early_then_pause"] == even["deviation"] == even["drift"] == 0
    rr[[10, 20]], rr[[11, 21]] = 0.5, 1.1
    found = measurements.rhythm(rr)
    assert found["early"] == found["late"] == pytest.approx(2 / 40)
    assert found["n_early_then_pause"] == 2
    uneven = measurements.rhythm(np.random.default_rng(0).uniform(0.4, 1.2, 60))
    assert uneven["deviation"] > 0.1 and abs(uneven["in_a_row"]) < 0.4
    slower = measurements.rhythm(np.repeat([0.6, 0.9], 20))
    assert slower["in_a_row"] > 0.8 and slower["drift"] > 0.3


def test_a_p_wave_and_a_beat_of_another_shape_are_seen():
    without, with_p = (measurements.measure(beats(EVEN, p_wave=h), fs=FS) for h in (0.0, 0.2))
    assert with_p["p_size"] > 3 * without["p_size"]
    assert with_p["p_alike"] > 0.9 > without["p_alike"]
    assert 0.15 < with_p["p_high"] < 0.3 and with_p["upright"] == 1
    odd = measurements.measure(beats(EVEN, odd=(7, 14, 21)), fs=FS)
    assert odd["qrs_odd"] == pytest.approx(3 / 34, abs=0.01) and without["qrs_odd"] == 0


def test_size_and_polarity_change_nothing_but_the_sign():
    x = beats(EVEN, p_wave=0.2)
    a, b = (measurements.measure(k * x, fs=FS) for k in (1.0, -7.0))
    assert a.pop("upright") == -b.pop("upright")
    for name, value in a.items():
        assert b[name] == pytest.approx(value, rel=0.02, abs=0.02), name


def test_the_mean_beat_is_there_as_numbers():
    found = measurements.measure(beats(EVEN, p_wave=0.2), fs=FS)
    shape = [found[f"shape_{i}"] for i in range(measurements.N_SHAPE)]
    place = np.argmax(shape) / measurements.N_SHAPE
    whole = measurements.BEFORE_S + measurements.AFTER_S
    assert place * whole == pytest.approx(measurements.BEFORE_S, abs=0.04)
    assert max(shape) > 0.4


@pytest.mark.parametrize("x", [np.full(4500, 1.0), beats(np.array([0.5, 1.3, 2.1]), length_s=3)])
def test_a_recording_with_hardly_a_beat_has_only_statistics(x):
    assert set(measurements.measure(x, fs=FS)) == set(yardsticks.STATISTICS)


def test_padding_behind_a_short_recording_changes_nothing():
    x = beats(np.arange(0.5, 9.5, 0.8), length_s=10)
    a, b = (measurements.measure(s, fs=FS) for s in (x, np.concatenate([x, np.zeros(3000)])))
    assert a == b and len(a) > 60


@pytest.fixture(scope="module")
def windows() -> datasets.Windows:
    """Recordings of even beats (N), even and fast ones (O), uneven ones (A)."""
    rng, bare = np.random.default_rng(2), recordings("records", n=150)
    rr = [lambda: np.full(40, 0.8), lambda: np.full(60, 0.5), lambda: rng.uniform(0.4, 1.2, 38)]
    signal = np.float32([beats(np.cumsum(rr[c]())) for c in bare.label])[:, None]
    return datasets.Windows(**{**vars(bare), "signal": signal})


@pytest.fixture(scope="module")
def measured(windows) -> pd.DataFrame:
    return measurements.of_records(windows, progress=False)


def test_trees_learn_from_training_records_only(windows, measured):
    found = yardsticks.boosted(windows, measured)
    assert set(found) == set(yardsticks.naive(windows))
    assert scores.plain_scores(found)["macro_f1"] > 0.8
    np.testing.assert_array_equal(
        fusion.of(found, "p"), fusion.of(yardsticks.boosted(forged(windows), measured), "p")
    )


def test_the_regression_learns_from_training_records_only(windows):
    a, b = (yardsticks.linear(w, progress=False) for w in (windows, forged(windows)))
    np.testing.assert_array_equal(fusion.of(a, "p"), fusion.of(b, "p"))
    assert not a["label"].equals(b["label"])


def forged(windows: datasets.Windows) -> datasets.Windows:
    """The same with other labels for all that is not learnt from."""
    learnt = windows.table["set"].to_numpy() == "train"
    label = np.where(learnt, windows.label, (windows.label + 1) % 3)
    return datasets.Windows(**{**vars(windows), "label": label})


def test_what_cannot_be_measured_is_named(windows):
    silent = np.zeros_like(windows.signal)
    with pytest.raises(ValueError, match="record A00000: need at least two seconds, got 0.00 s"):
        measurements.of_records(
            datasets.Windows(**{**vars(windows), "signal": silent}), progress=False
        )


def test_every_record_has_to_be_measured(windows, measured):
    with pytest.raises(ValueError, match="need measurements of every record, got none of A00000"):
        yardsticks.boosted(windows, measured.drop(index="A00000"))


def test_the_trees_are_no_larger_than_said(windows, measured, monkeypatch):
    from sklearn.ensemble import HistGradientBoostingClassifier

    kept = []

    class Noted(HistGradientBoostingClassifier):
        def fit(self, x, y):
            kept.append(super().fit(x, y))
            return self

    monkeypatch.setattr("sklearn.ensemble.HistGradientBoostingClassifier", Noted)
    yardsticks.boosted(windows, measured)
    nodes = [tree.nodes for step in kept[0]._predictors for tree in step]
    size = sum(node["is_leaf"].sum() + 2 * (~node["is_leaf"].astype(bool)).sum() for node in nodes)
    assert 0 < size <= yardsticks.boosted_size(3)


def test_a_second_opinion_has_half_the_say(windows, measured):
    runs = [a_run(windows, seed=s, model="rhythm_net") for s in range(3)]
    features = [fusion.record_features(run, windows) for run in runs]
    second = yardsticks.boosted(windows, measured)
    both = fusion.joined(features, second.sample(frac=1, random_state=0))
    mine = fusion.mean(features, "log_p")
    theirs = np.log(fusion.of(second.set_index("record").loc[both["record"]], "p"))
    np.testing.assert_allclose(fusion.of(both, "log_p"), (mine + theirs) / 2, atol=1e-6)
    sets = {"records": windows}
    alone = scores.decided(runs, sets)
    joined = scores.decided(runs, sets, opinions=[second])
    assert scores.difference(joined, alone, n=50)["value"] > 0
    assert joined["seed"].nunique() == 3
    assert scores.decided(runs, sets, opinions=[second], together=True)["seed"].nunique() == 1


def test_three_opinions_have_a_third_each_and_seeds_hear_their_own(windows, measured):
    runs = [a_run(windows, seed=s, model="rhythm_net") for s in range(3)]
    near = [a_run(windows, seed=10 + s, model="basic_cnn") for s in range(3)]
    trees, sets = yardsticks.boosted(windows, measured), {"records": windows}
    said = scores.decided(near, sets)
    said["seed"] -= 10
    found = scores.decided(runs, sets, opinions=[said, trees]).set_index(["seed", "record"])
    for seed in range(3):
        mine = [fusion.record_features(run, windows) for run in (runs[seed], near[seed])]
        theirs = np.log(fusion.of(trees.set_index("record").loc[mine[0]["record"]], "p"))
        log_p = (fusion.of(mine[0], "log_p") + fusion.of(mine[1], "log_p") + theirs) / 3
        p = softmax(log_p, axis=1)
        there = found.loc[seed].loc[mine[0]["record"]]
        np.testing.assert_allclose(there[["p_0", "p_1", "p_2"]].to_numpy(), p, atol=1e-6)
    with pytest.raises(ValueError, match="need an opinion for seed 2 of published, got none"):
        scores.decided(runs, sets, opinions=[said[said["seed"] < 2]])


def test_training_records_that_an_opinion_does_not_know_are_left_out(windows, measured):
    run, trees = a_run(windows, model="rhythm_net"), yardsticks.boosted(windows, measured)
    gone = trees.loc[trees["split"] == "train", "record"].iloc[:2]
    features = [fusion.record_features(run, windows)]
    found = fusion.joined(features, trees[~trees["record"].isin(gone)])
    assert sorted(set(features[0]["record"]) - set(found["record"])) == sorted(gone)
    many = trees.loc[trees["split"] == "train", "record"].iloc[:20]
    with pytest.raises(ValueError, match="need an opinion on 150 records and 3 classes, got 130"):
        fusion.joined(features, trees[~trees["record"].isin(many)])


def test_several_seeds_with_an_opinion_decide_by_threes(windows, measured):
    runs = [a_run(windows, seed=s, model="rhythm_net") for s in range(6)]
    near = scores.decided([a_run(windows, seed=s) for s in range(6)], {"records": windows})
    trees, sets = yardsticks.boosted(windows, measured), {"records": windows}
    about = {"how": "mean log p", "opinions": [near, trees], "n_others": 100, "n_trees": 10}
    found = results.joint("views", runs, sets, **about)
    assert list(found) == ["views", "views x3"]
    (alone, one), (together, three) = found.values()
    assert (alone["seed"].nunique(), together["seed"].nunique()) == (6, 2)
    size = runs[0].n_parameters + 100
    assert (one["parameters"], three["parameters"]) == (size + 10, 3 * size + 10)
    assert one["test"]["macro_f1"]["value"] == pytest.approx(scores.plain_scores(alone)["macro_f1"])
    last = scores.decided(runs[3:], sets, opinions=[near[near["seed"] > 2], trees], together=True)
    second = together[together["seed"] == 1]
    columns = ["p_0", "p_1", "p_2"]
    np.testing.assert_allclose(second[columns].to_numpy(), last[columns].to_numpy())
    assert list(results.joint("views", runs[:1], sets, **about)) == ["views"]


def test_in_folds_each_network_hears_the_trees_that_learnt_from_the_same_records(windows, measured):
    runs = [a_run(windows, protocol=f"fold{i}", model="rhythm_net") for i in range(5)]
    second = [yardsticks.boosted(windows, measured, protocol=f"fold{i}") for i in range(5)]
    found = scores.decided(runs, {"records": windows}, opinions=[pd.concat(second)])
    assert sorted(found.loc[found["split"] == "test", "record"]) == sorted(windows.table["record"])
    swapped = pd.concat([second[1].assign(protocol="fold0"), *second[1:]])
    with pytest.raises(ValueError, match="need an opinion of the same split"):
        scores.decided(runs, {"records": windows}, opinions=[swapped])


def test_a_second_opinion_that_lacks_something_is_refused(windows, measured):
    run, second = a_run(windows, model="rhythm_net"), yardsticks.boosted(windows, measured)
    features = [fusion.record_features(run, windows)]
    tested = second.loc[second["split"] == "test", "record"].iloc[0]
    with pytest.raises(ValueError, match="need an opinion on 150 records and 3 classes, got 149"):
        fusion.joined(features, second[second["record"] != tested])
    with pytest.raises(ValueError, match="and 3 classes, got 150 records and 2 classes"):
        fusion.joined(features, second.drop(columns="p_2"))
    upset = second.assign(split=second["split"].replace({"test": "train"}))
    with pytest.raises(
        ValueError, match="of the same split, got record A.* in test here and in tr"
    ):
        fusion.joined(features, upset)
    with pytest.raises(ValueError, match=r"need an opinion for published, got \['fold0'\]"):
        scores.decided([run], {"r": windows}, opinions=[second.assign(protocol="fold0")])
    with pytest.raises(ValueError, match="with further opinions, got 'learned'"):
        scores.decided([run], {"r": windows}, how="learned", opinions=[second])
