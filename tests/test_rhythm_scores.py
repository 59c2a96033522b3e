"""The challenge's score over recordings, its intervals, tables in the published form."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score
from tiny_rhythms import CLASSES, a_run, recordings

from ecglib import metrics
from ecglib.rhythms import challenge, results, scores, trials


@pytest.fixture(scope="module")
def windows():
    return recordings()


@pytest.fixture(scope="module")
def sets(windows):
    return {"windows": windows, "records": recordings("records")}


@pytest.fixture(scope="module")
def runs(windows):
    return [a_run(windows, seed=seed, noise=3.0) for seed in range(3)]


@pytest.fixture(scope="module")
def decisions(runs, sets):
    return scores.decided(runs, sets)


def of_seed(decisions: pd.DataFrame, seed: int) -> pd.DataFrame:
    return decisions[decisions["seed"] == seed]


def test_the_score_is_the_mean_f1_of_three_classes_over_the_whole_set(decisions):
    one = of_seed(decisions, 0)
    seen = one[one["split"] == "test"]
    reference = f1_score(seen["label"], seen["pred"], average="macro")
    assert challenge.challenge_f1(seen["label"], seen["pred"]) == pytest.approx(reference)
    assert scores.plain_scores(one)["macro_f1"] == pytest.approx(reference)
    assert scores.scores(one, n=10)["macro_f1"]["value"] == pytest.approx(reference)


def test_noise_has_no_share_in_the_score_but_what_it_takes_from_others():
    y, pred = [0, 0, 1, 2, 3, 3], [0, 0, 1, 2, 0, 3]
    assert challenge.challenge_f1(y, pred) == pytest.approx((4 / 5 + 1 + 1) / 3)
    about = {"record": list("abcdef"), "patient": list("abcdef"), "split": "test", "seed": 0}
    table = pd.DataFrame({**about, "label": y, "pred": pred})
    found = scores.scores(table, n=20)
    assert found["macro_f1"]["value"] == pytest.approx((4 / 5 + 1 + 1) / 3)
    assert found["f1_~"]["value"] == pytest.approx(2 / 3)
    assert scores.plain_scores(table)["macro_recall"] == pytest.approx(1)


def test_a_set_without_a_class_has_no_score(decisions):
    with pytest.raises(ValueError, match="need records of every class in test, got none of A"):
        scores.scores(decisions[decisions["label"] != 2])
    with pytest.raises(ValueError, match="need records of every class in test, got none of O"):
        scores.plain_scores(decisions[decisions["label"] != 1])


def test_intervals_of_one_seed_are_those_of_the_class_bootstrap(decisions):
    seen = of_seed(decisions, 1)
    seen = seen[seen["split"] == "test"].sort_values("record")
    reference = metrics.class_bootstrap(seen["label"], seen["pred"], seen["patient"], CLASSES)
    found = scores.scores(seen)
    assert list(found) == list(reference)
    for name, ends in reference.items():
        assert found[name] == pytest.approx(ends)


def test_seeds_are_scored_apart_and_averaged(decisions):
    apart = [scores.plain_scores(of_seed(decisions, s))["macro_f1"] for s in range(3)]
    found = scores.scores(decisions, n=200)["macro_f1"]
    assert found["value"] == pytest.approx(np.mean(apart))
    assert found["low"] < found["value"] < found["high"]
    assert scores.plain_scores(decisions)["macro_f1"] == pytest.approx(np.mean(apart))


def test_copies_of_a_recording_are_drawn_together(decisions):
    seen = of_seed(decisions, 0)
    pairs = pd.concat([seen, seen.assign(record=seen["record"] + "b")])
    alone, twice = (scores.scores(d, n=500)["macro_f1"] for d in (seen, pairs))
    assert twice["value"] == pytest.approx(alone["value"])
    width = {k: v["high"] - v["low"] for k, v in (("alone", alone), ("twice", twice))}
    assert width["twice"] == pytest.approx(
        width["alone"], rel=0.15
    )  # not narrower by the root of 2


def test_a_record_decided_twice_or_not_at_all_is_refused(decisions):
    with pytest.raises(ValueError, match="need one decision a record and seed, got several of"):
        scores.scores(pd.concat([decisions, decisions]))
    with pytest.raises(ValueError, match="1 decisions missing"):
        scores.scores(decisions.drop(decisions.index[decisions["split"] == "test"][0]))


def test_a_difference_is_paired_and_zero_of_itself(decisions, runs, sets):
    better = scores.decided([a_run(sets["windows"], seed=5, noise=1)], sets)
    gap = scores.difference(better, decisions, n=300)
    assert gap["low"] > 0
    value = [scores.plain_scores(d)["macro_f1"] for d in (better, decisions)]
    assert gap["value"] == pytest.approx(value[0] - value[1])
    none = scores.difference(decisions, decisions, n=50)
    assert none == {"value": 0, "low": 0, "high": 0}
    with pytest.raises(ValueError, match="need a metric of accuracy, .*, got 'luck'"):
        scores.difference(better, decisions, metric="luck")


def test_decisions_over_other_records_cannot_be_compared(decisions):
    fewer = decisions[decisions["record"] != decisions["record"].iloc[-1]]
    other = decisions.assign(label=(decisions["label"] + 1) % 3)
    for wrong in (fewer[fewer["split"] == "test"].iloc[1:], other):
        with pytest.raises(ValueError, match="need decisions over the same records"):
            scores.difference(decisions, wrong)


def test_mcnemar_counts_what_only_one_gets_right():
    label = np.array([0, 1, 2] * 10)
    table = pd.DataFrame({"record": np.arange(30).astype(str), "split": "test", "label": label})
    table = table.assign(patient=table["record"], seed=0)
    a = table.assign(pred=label)
    wrong = np.where(np.arange(30) < 8, (label + 1) % 3, label)
    b = table.assign(pred=wrong)
    found = scores.mcnemar(a, b)
    assert (found["only_a"], found["only_b"]) == (8, 0)
    assert found["p"] == pytest.approx(binomtest(8, 8).pvalue)
    assert scores.mcnemar(a, a)["p"] == 1
    with pytest.raises(ValueError, match="need one seed of each, got 2 and 1"):
        scores.mcnemar(pd.concat([a, a.assign(seed=1)]), b)


def test_test_records_have_no_say_in_what_is_selected(runs, sets):
    good, bad = (scores.decided([a_run(sets["windows"], noise=n)], sets) for n in (0.5, 4))
    good.loc[good["split"] == "test", "pred"] = 0
    assert scores.select({"bad": bad, "good": good}) == "good"


def test_the_surest_errors_come_first_and_once(decisions):
    found = scores.surest_errors(decisions, n=5)
    assert len(found) == 5 == found["record"].nunique()
    assert (found["pred"] != found["label"]).all() and (found["split"] == "test").all()
    assert found["margin"].is_monotonic_decreasing and found["margin"].iloc[-1] > 0


def test_five_folds_test_every_record_once(sets):
    found = [
        a_run(sets["records"], seed=seed, protocol=f"fold{i}", model="rhythm_net")
        for seed in (0, 1)
        for i in range(5)
    ]
    decided = scores.decided(found, sets)
    tested = decided[(decided["split"] == "test") & (decided["seed"] == 0)]
    assert sorted(tested["record"]) == sorted(sets["records"].table["record"])
    assert scores.scores(decided, n=50)["macro_f1"]["value"] > 0.5
    entry = results.protocol_entry(scores.by_title(found), sets)
    assert entry["split"]["test"]["patients"] == 300
    voted = scores.decided(found, sets, together=True)
    assert voted["seed"].nunique() == 1 and voted["protocol"].nunique() == 5


def test_of_six_seeds_two_committees_of_three_decide(windows, sets):
    found = [a_run(windows, seed=seed) for seed in range(6)]
    decided = scores.decided(found[::-1], sets, together=True)
    assert decided["seed"].unique().tolist() == [0, 1]
    alone = scores.decided(found[3:], sets, together=True)
    second = decided[decided["seed"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(second.drop(columns="seed"), alone.drop(columns="seed"))
    entry = results.protocol_entry({"a": found}, sets)["models"]
    assert entry["a x3"]["parameters"] == 3 * entry["a"]["parameters"]
    assert (entry["a"]["seeds"], entry["a x3"]["seeds"]) == (6, 2)
    four = scores.decided(found[:4], sets, together=True)  # the fourth has nobody to decide with
    pd.testing.assert_frame_equal(four, scores.decided(found[:3], sets, together=True))


def test_runs_over_windows_that_are_not_there_are_refused(runs, sets):
    with pytest.raises(ValueError, match="need windows .* for .*, got"):
        scores.decided(runs, {"records": sets["records"]})


# tables


def test_the_published_rows_are_those_of_the_published_table():
    rows = trials.PUBLISHED
    assert list(rows) == list(trials.FAMILY[:5])
    assert rows["smaller_resnet_4x2"].inits == (0.797, 0.802, 0.795)
    assert rows["smaller_resnet_4x3"].nine == 0.802
    assert rows["basic_cnn"].inits == (0.741, 0.785, 0.765) and rows["basic_cnn"].nine == 0.757
    assert rows["resnet_like_x3"].inits == (0.715, 0.770, 0.775)
    assert rows["resnet_like_x4"].inits == (0.740, 0.777, 0.750)


def test_the_results_table_has_the_published_form_and_the_budget(runs, windows, sets):
    by_name = {"smaller_resnet_4x2": runs[::-1], "c1dct": [a_run(windows, model="c1dct")]}
    table = results.results_table(by_name, sets, n=50)
    row = table.loc["smaller_resnet_4x2"]
    for number in range(3):
        alone = scores.decided([runs[number]], sets, how="learned")
        reached = scores.plain_scores(alone)["macro_f1"]
        assert row[f"Rand Init {number + 1}"] == pytest.approx(reached)
    together = scores.decided(runs, sets, how="learned", together=True)
    assert row["logreg on 9 values"] == pytest.approx(scores.plain_scores(together)["macro_f1"])
    assert row["low"] < row["mean"] < row["high"]
    assert row["published 2"] == 0.802 and row["published mean"] == pytest.approx(0.798)
    n_train = len(runs[0].of("train"))
    cost = row[["parameters", "epochs", "windows seen", "seconds"]].tolist()
    assert cost == [1000, 2, 2 * n_train, 5]
    other = table.loc["c1dct"]
    missing = ["Rand Init 2", "logreg on 9 values", "published 1", "published mean"]
    assert other[missing].isna().all() and other["Rand Init 1"] > 0


def test_windows_drawn_for_an_epoch_are_those_counted(windows):
    found = results.budget([a_run(windows, epoch_windows=100)])
    assert found["windows seen"] == 200


def test_an_entry_holds_what_the_file_of_metrics_asks_for(runs, sets):
    by_name = scores.by_title(runs)
    entry = results.protocol_entry(by_name, sets, hows=("mean log p", "vote"))
    name = "smaller_resnet_4x2"
    assert list(entry["models"]) == [name, f"{name} x3", f"{name}, vote", f"{name} x3, vote"]
    one, voted = entry["models"][name], entry["models"][f"{name} x3"]
    assert (one["seeds"], one["parameters"], voted["parameters"]) == (3, 1000, 3000)
    assert set(one["test"]["macro_f1"]) == {"value", "low", "high"}
    assert voted["test"]["macro_f1"]["value"] > one["test"]["macro_f1"]["value"]
    assert isinstance(one["validation"]["f1_A"], float)
    assert set(entry["split"]) == {"train", "validation", "test"}
    assert entry["split"]["test"]["patients"] == 60
    json.dumps(entry)


def test_decisions_over_other_records_name_the_first_that_differs(runs, sets):
    one = scores.decided(runs[:1], sets)
    tested = one.index[one["split"] == "test"]
    name = one.loc[tested, "record"].min()
    other = one.assign(record=one["record"].str.replace("A", "B"))
    relabelled = one.copy()
    relabelled.loc[one["record"] == name, "label"] += 1
    for changed in (other, relabelled):
        with pytest.raises(ValueError, match=f"the first that differs is {name}"):
            scores.difference(one, changed, n=5)
