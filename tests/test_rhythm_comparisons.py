"""Networks of exercise 05 side by side, and what they cost."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from tiny_rhythms import a_run, recordings

from ecglib.beat_trials import Trial
from ecglib.datasets import Windows
from ecglib.rhythms import budgets, comparisons, fusion, scores


@pytest.fixture(scope="module")
def windows():
    return recordings()


@pytest.fixture(scope="module")
def decided(windows):
    sets = {"windows": windows}
    return {
        name: scores.decided([a_run(windows, seed=seed, noise=noise)], sets)
        for name, seed, noise in (("good", 1, 0.5), ("like it", 2, 0.5), ("bad", 3, 6.0))
    }


def changed(windows, **columns):
    table = windows.table.assign(**columns)
    return Windows(**{**vars(windows), "table": table})


# pairs


def test_a_pair_differs_as_it_does_when_compared_alone(decided):
    found = comparisons.differences(decided, n=200).set_index(["a", "b"])
    assert list(found.index) == [("good", "like it"), ("good", "bad"), ("like it", "bad")]
    alone = scores.difference(decided["good"], decided["bad"], n=200)
    assert found.loc[("good", "bad"), ["value", "low", "high"]].to_dict() == pytest.approx(alone)
    p = scores.mcnemar(decided["good"], decided["bad"])["p"]
    assert found.loc[("good", "bad"), "p"] == p < 0.01


def test_only_what_differs_is_told_apart(decided):
    found = comparisons.differences(decided, n=200)
    assert list(found["apart"]) == [False, True, True]


def test_several_seeds_are_averaged_and_have_no_mcnemar(windows, decided):
    both = [a_run(windows, seed=seed, noise=0.5) for seed in (1, 2)]
    two = scores.decided(both, {"windows": windows})
    found = comparisons.differences({"two": two, "bad": decided["bad"]}, n=50)
    assert np.isnan(found["p"][0]) and found["apart"][0]


def test_one_alone_or_an_unknown_score_is_refused(decided):
    with pytest.raises(ValueError, match="need at least two to compare, got 1"):
        comparisons.differences({"good": decided["good"]})
    with pytest.raises(ValueError, match="need a metric of .*, got 'luck'"):
        comparisons.differences(decided, metric="luck", n=10)


# labels


def test_decisions_stay_and_labels_change(windows, decided):
    turned = windows.table["rhythm"].replace({"O": "A", "A": "O"})
    found = scores.relabelled(decided["good"], changed(windows, v3=turned), reference="v3")
    assert (found["pred"] == decided["good"]["pred"]).all()
    assert (found["label"] == decided["good"]["label"].map({0: 0, 1: 2, 2: 1})).all()


def test_records_that_are_noise_in_the_other_labels_are_left_out(windows, decided):
    record = windows.table["record"].iloc[0]
    noisy = windows.table["rhythm"].where(windows.table["record"] != record, "~")
    found = scores.relabelled(decided["good"], changed(windows, v3=noisy), reference="v3")
    assert len(found) == len(decided["good"]) - 1 and record not in set(found["record"])
    with pytest.raises(ValueError, match="need labels v2 or v3, got 'v4'"):
        scores.relabelled(decided["good"], windows, reference="v4")


def test_what_learnt_from_other_labels_is_scored_by_those_of_the_test_set(windows):
    learnt = windows.table["rhythm"]
    other = learnt.where(windows.table["set"] != "train", learnt.replace({"O": "N"}))
    made = changed(windows, v2=other, v3=learnt)
    made = Windows(**vars(made) | {"parameters": made.parameters | {"reference": "v3 to learn"}})
    found = scores.decided([a_run(made, seed=1)], {"windows": made}).set_index("split")
    assert set(found.loc["train", "label"]) == {0, 1, 2}  # as they were learnt
    assert set(found.loc["test", "label"]) == set(found.loc["validation", "label"]) == {0, 1, 2}


# fusion


def test_every_fusion_of_every_network_is_scored_and_none_flatters_itself(windows):
    sets, runs = {"windows": windows}, [a_run(windows, seed=1)]
    found = comparisons.fusion_table({"net": runs}, sets).set_index("fusion")
    assert list(found.index) == list(fusion.FUSIONS)
    learned = scores.decided(runs, sets, how="learned, honest")
    honest = scores.plain_scores(learned, split="validation")["macro_f1"]
    assert found.loc["learned, honest", "validation"] == honest
    alone = scores.plain_scores(scores.decided(runs, sets, how="vote"))["macro_f1"]
    assert found.loc["vote", "test"] == alone


def test_more_of_the_prior_is_taken_out_where_it_was_put_in(windows):
    groups = {"even": [a_run(windows, seed=1)], "tilted": [a_run(windows, seed=1, tilt=3.0)] * 2}
    found = comparisons.alphas(groups, {"windows": windows})
    assert found["tilted"][0] == found["tilted"][1] > found["even"][0] >= 0


def test_those_alike_are_the_most_of_which_no_two_are_apart():
    clear = {"ab", "ac", "ad", "bd"}
    pairs = [{"a": a, "b": b, "apart": a + b in clear} for a, b in combinations("abcde", 2)]
    assert comparisons.alike(pd.DataFrame(pairs)) == ["b", "c", "e"]
    apart = pd.DataFrame(pairs[:1]).assign(apart=True)
    assert comparisons.alike(apart) == []


# hypotheses and strips


def test_a_hypothesis_is_open_unless_the_interval_leaves_zero_out():
    more, less = Trial("", {}, against="x"), Trial("", {}, against="x", sign=-1)
    up, unclear = {"low": 0.01, "high": 0.03}, {"low": -0.01, "high": 0.03}
    assert comparisons.verdict(more, up) == "borne out"
    assert comparisons.verdict(less, up) == "refuted"
    assert comparisons.verdict(more, unclear) == comparisons.verdict(less, unclear) == "open"


def test_overlapping_windows_make_one_strip_with_its_middle_at_zero(windows):
    whole = np.arange(3000, dtype=np.float32)
    table = windows.table.iloc[:3].assign(record="A1", start_s=[0.0, 2.5, 5.0])
    signal = np.stack([whole[None, s : s + 1500] for s in (0, 750, 1500)])
    cut = Windows(**{**vars(windows), "table": table, "signal": signal, "label": np.zeros(3, int)})
    found = comparisons.strip(cut, "A1", seconds=12)
    assert found.shape == (1, 3600) and np.isnan(found[0, 3000:]).all()
    np.testing.assert_allclose(found[0, :3000], whole - np.median(whole))
    assert np.isfinite(comparisons.strip(cut, "A1", seconds=4)).all()
    with pytest.raises(ValueError, match="need windows of record A2, got none"):
        comparisons.strip(cut, "A2")


# cost


def test_a_recording_costs_as_many_windows_as_it_has(windows):
    groups = {"small": [a_run(windows, model="smaller_resnet_4x2")],
              "plain": [a_run(windows, model="basic_cnn")]}  # fmt: skip
    found = budgets.costs(groups, {"windows": windows})
    tested = windows.table[windows.table["set"] == "test"]
    mean = len(tested) / tested["record"].nunique()
    work = found["multiply-adds a recording"] / found["multiply-adds a window"]
    assert work.to_numpy() == pytest.approx(mean)
    assert (
        found.loc["small", "multiply-adds a window"] < found.loc["plain", "multiply-adds a window"]
    )
    assert (found["seconds an epoch"] == 2.5).all() and (found["window (s)"] == 5).all()
    with pytest.raises(ValueError, match="need windows .* for small"):
        budgets.costs(groups, {"other": recordings(version=3)})


def test_hours_of_the_published_training_grow_with_its_epochs(windows):
    cost = budgets.costs({"small": [a_run(windows)]}, {"windows": windows})
    found = budgets.published_hours(cost).loc["small"]
    a_window = 5.0 / cost.loc["small", "windows seen"]
    assert found["fewest"] == pytest.approx(132 * 68_062 * a_window / 3600)
    assert found["most"] / found["fewest"] == pytest.approx(260 / 132)
