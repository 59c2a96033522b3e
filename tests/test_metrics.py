import doctest
import time

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, log_softmax
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

from ecglib import metrics
from ecglib.metrics import aha, intervals, scores


def windows(*, n=400, seed=0, n_patients=12, ties=False):
    """Labels, scores and patients; some patients have windows of one class only."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, n_patients, n)
    y = (rng.random(n) < np.linspace(0, 0.9, n_patients)[patient]).astype(int)
    score = expit(rng.normal(size=n) + 2 * y - 1)
    return y, score.round(1) if ties else score, patient


def naive_ece(y, p):
    bins = np.minimum((p * 10).astype(int), 9)
    return sum((bins == b).mean() * abs((p - y)[bins == b].mean()) for b in np.unique(bins))


def reference(y, p, *, threshold):
    shock = p >= threshold
    return {
        "sensitivity": sk.recall_score(y, shock),
        "specificity": sk.recall_score(y, shock, pos_label=0),
        "balanced_accuracy": sk.balanced_accuracy_score(y, shock),
        "f1": sk.f1_score(y, shock),
        "roc_auc": sk.roc_auc_score(y, p),
        "average_precision": sk.average_precision_score(y, p),
        "brier": sk.brier_score_loss(y, p),
        "ece": naive_ece(y, p),
        "accuracy": sk.accuracy_score(y, shock),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_binary_scores_are_those_of_scikit_learn(seed, ties):
    y, p, _ = windows(seed=seed, ties=ties)
    assert metrics.binary_scores(y, p, threshold=0.4) == pytest.approx(
        reference(y, p, threshold=0.4)
    )


def test_what_one_class_cannot_tell_is_nan():
    found = metrics.binary_scores([0, 0, 0], [0.1, 0.6, 0.2])
    assert found["specificity"] == pytest.approx(2 / 3)
    undefined = ["sensitivity", "balanced_accuracy", "roc_auc", "average_precision"]
    assert np.isnan([found[name] for name in undefined]).all()


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], [0.1], "one value a window"),
        ([], [], "one value a window"),
        ([0, -1], [0.1, 0.2], "0 and 1 only"),
        ([0, 1], [0.1, 1.2], "probabilities"),
        ([0, 1], [0.1, np.nan], "probabilities"),
    ],
)
def test_bad_input_gets_one_clear_error(y, p, message):
    with pytest.raises(ValueError, match=message):
        metrics.binary_scores(y, p)


@pytest.mark.parametrize("ties", [False, True])
def test_weighing_patients_equals_copying_their_windows(ties):
    y, p, patient = windows(ties=ties, n_patients=8)
    codes, n_patients = scores.patient_codes(patient, len(y))
    tally = scores.tally_up(y.astype(float), p, codes, n_patients=n_patients, threshold=0.5)
    weights = next(intervals.resamples(n_patients, 20, 1))
    found = tally.scores(weights)
    for i, drawn in enumerate(weights.astype(int)):
        copies = np.repeat(np.arange(len(y)), drawn[codes])
        expected = reference(y[copies], p[copies], threshold=0.5)
        assert {name: found[name][i] for name in metrics.BINARY} == pytest.approx(expected)


def test_the_bootstrap_keeps_the_value_and_surrounds_it():
    y, p, patient = windows()
    found = metrics.bootstrap(y, p, patient, threshold=0.3)
    values = {name: d["value"] for name, d in found.items()}
    assert values == pytest.approx(metrics.binary_scores(y, p, threshold=0.3))
    assert all(d["low"] < d["high"] for d in found.values())
    assert all(found[m]["low"] <= values[m] <= found[m]["high"] for m in ("roc_auc", "accuracy"))


def test_the_bootstrap_depends_on_its_seed_and_not_on_the_order_of_windows():
    y, p, patient = windows()
    order = np.random.default_rng(1).permutation(len(y))
    first = metrics.bootstrap(y, p, patient, n=200)
    shuffled = metrics.bootstrap(y[order], p[order], patient[order], n=200)
    for name in metrics.BINARY:
        assert shuffled[name] == pytest.approx(first[name])
    assert metrics.bootstrap(y, p, patient, n=200, seed=1) != first


def test_intervals_grow_when_windows_of_a_patient_are_copies():
    y, p, _ = windows(n=60)
    copied = [np.repeat(values, 10) for values in (y, p, np.arange(60))]
    by_patient = metrics.bootstrap(*copied)["accuracy"]
    by_window = metrics.bootstrap(copied[0], copied[1], np.arange(600))["accuracy"]
    width = by_patient["high"] - by_patient["low"]
    assert width > 2.5 * (by_window["high"] - by_window["low"])


def test_patients_of_one_class_only_are_resampled_like_the_others():
    y, p = np.repeat([0, 1, 0, 1], 25), np.linspace(0, 1, 100)
    found = metrics.bootstrap(y, p, np.repeat(list("abcd"), 25))
    assert np.isfinite([list(d.values()) for d in found.values()]).all()


def test_one_patient_has_no_interval():
    y, p, _ = windows()
    found = metrics.bootstrap(y, p, np.zeros(len(y)))["f1"]
    assert np.isfinite(found["value"])
    assert np.isnan([found["low"], found["high"]]).all()


def test_unknown_patients_are_refused():
    with pytest.raises(ValueError, match="1 unknown"):
        metrics.bootstrap([0, 1], [0.1, 0.9], ["a", None])


def test_a_thousand_resamples_of_37000_windows_take_less_than_three_seconds():
    y, p, patient = windows(n=37_000, n_patients=100)
    start = time.process_time()
    metrics.bootstrap(y, p, patient)
    assert time.process_time() - start < 3


def test_a_score_does_not_differ_from_itself():
    y, p, patient = windows()
    same = metrics.paired_difference(y, p, p, patient)
    assert same == {"value": 0, "low": 0, "high": 0}


def test_pairing_makes_the_interval_of_a_difference_narrower():
    y, p, patient = windows()
    worse = np.clip(p - 0.1 * y, 0, 1)
    single = metrics.bootstrap(y, p, patient)["roc_auc"]
    paired = metrics.paired_difference(y, p, worse, patient, metric="roc_auc")
    expected = sk.roc_auc_score(y, p) - sk.roc_auc_score(y, worse)
    assert paired["value"] == pytest.approx(expected)
    assert 0 < paired["low"] < paired["high"]
    assert paired["high"] - paired["low"] < single["high"] - single["low"]


def test_an_unknown_metric_names_the_choices():
    with pytest.raises(ValueError, match="choose from sensitivity"):
        metrics.paired_difference([0, 1], [0, 1], [0, 1], [0, 1], metric="auroc")
    with pytest.raises(ValueError, match="choose from balanced_accuracy"):
        metrics.choose_threshold([0, 1], [0, 1], metric="roc_auc")


def test_the_threshold_lies_amid_the_gap_between_the_classes():
    assert metrics.choose_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.7]) == pytest.approx(0.4)
    assert metrics.choose_threshold([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0]) == pytest.approx(0.5)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1", "accuracy"])
@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_does_clearly_better_than_the_chosen_one(seed, metric):
    y, p, _ = windows(seed=seed, ties=seed == 2)
    chosen = metrics.choose_threshold(y, p, metric=metric)
    every = np.r_[0, np.unique(p), 1.01]
    best = max(metrics.binary_scores(y, p, threshold=t)[metric] for t in every)
    assert metrics.binary_scores(y, p, threshold=chosen)[metric] >= best - 0.0011


def test_a_threshold_needs_both_classes():
    with pytest.raises(ValueError, match="both classes"):
        metrics.choose_threshold([1, 1], [0.2, 0.9])


def test_the_steady_threshold_is_one_half_unless_that_is_clearly_worse():
    y, p, patient = windows(n=2000, n_patients=30)
    assert metrics.steady_threshold(y, p, patient) == pytest.approx(0.5, abs=0.05)
    low = p / 10  # one half would advise no shock at all
    steady = metrics.steady_threshold(y, low, patient)
    assert metrics.choose_threshold(y, low) <= steady < 0.1


def test_the_steady_threshold_is_the_nearest_to_half_within_a_standard_error_of_the_best():
    y, p, patient = windows(n=2000, n_patients=30)
    bent = p**4
    best = metrics.choose_threshold(y, bent)
    interval = metrics.bootstrap(y, bent, patient, threshold=best, n=200)["balanced_accuracy"]
    error = (interval["high"] - interval["low"]) / (2 * 1.96)
    grid = np.linspace(0, 1, 501)
    reached = np.array([sk.balanced_accuracy_score(y, bent >= t) for t in grid])
    good = grid[reached >= reached.max() - error]
    nearest = good[np.abs(good - 0.5).argmin()]
    assert metrics.steady_threshold(y, bent, patient) == pytest.approx(nearest, abs=0.005)
    assert nearest > best + 0.02  # the allowance matters here


@pytest.mark.parametrize(("hits", "n"), [(1, 10), (97, 100), (200, 200), (0, 5)])
def test_the_lower_limit_is_the_exact_one(hits, n):
    low, _ = proportion_confint(hits, n, alpha=0.2, method="beta")  # two-sided 80 %
    assert metrics.clopper_pearson_lower(hits, n) == pytest.approx(low)


def test_more_hits_than_windows_are_refused():
    with pytest.raises(ValueError, match="hits=3 n=2"):
        metrics.clopper_pearson_lower(3, 2)


def test_windows_that_are_copies_of_one_another_count_once():
    hits, n = np.array([20, 20, 20, 0, 20, 20, 0, 20] * 5), np.full(40, 20)
    assert metrics.design_effect(hits, n) == pytest.approx(20, rel=0.03)


def test_independent_windows_count_in_full_and_never_more():
    rng = np.random.default_rng(0)
    effects = [metrics.design_effect(rng.binomial(30, 0.9, 50), [30] * 50) for _ in range(20)]
    assert min(effects) >= 1
    assert np.mean(effects) == pytest.approx(1.08, abs=0.1)
    assert metrics.design_effect([10, 10], [20, 20]) == 1


def test_without_a_miss_windows_count_in_full_but_one_patient_counts_as_one_window():
    assert metrics.design_effect([10, 5], [10, 5]) == 1
    assert metrics.design_effect([40], [40]) == 40


def aha_case():
    """Predictions and table: 2 of 300 NSR and 30 of 250 coarse VF windows wrong."""
    rhythm = ["NSR"] * 300 + ["coarse VF"] * 250 + ["PVC"] * 10 + ["asystole"] * 120
    rhythm += ["fine VF"] * 8 + [None] * 5
    table = pd.DataFrame({"aha": rhythm, "patient": np.arange(len(rhythm)) % 20})
    table.loc[table["aha"] == "asystole", "patient"] = 3
    shock = table["aha"].isin(["coarse VF", "fine VF"]).to_numpy().copy()
    shock[[0, 7]] = True
    shock[300:330] = False
    return shock.astype(int), table


def test_the_aha_table_gives_each_rhythm_its_verdict():
    rows = metrics.aha_table(*aha_case()).set_index("rhythm")
    assert list(rows.index) == list(metrics.AHA_GOALS)
    assert rows.loc["NSR", ["windows", "patients", "hits"]].tolist() == [300, 20, 298]
    assert rows.loc["NSR", "verdict"] == "pass"
    assert rows.loc["coarse VF", "verdict"] == "fail"  # 88 % where more than 90 % are asked
    assert rows.loc["PVC", "verdict"] == "too few"  # 10 windows
    assert rows.loc["asystole", "verdict"] == "too few"  # 120 windows, all of one patient
    assert rows.loc["fine VF", ["hits", "verdict"]].tolist() == [8, "report only"]
    assert np.isnan(rows.loc["rapid VT", "value"])


def test_the_aha_limit_is_exact_where_patients_agree_and_lower_where_they_differ():
    shock, table = aha_case()
    rows = metrics.aha_table(shock, table).set_index("rhythm")
    assert rows.loc["NSR", "low"] == pytest.approx(metrics.clopper_pearson_lower(298, 300))
    one = table["aha"].eq("NSR") & table["patient"].eq(0)
    gathered = np.where(table["aha"].eq("NSR"), one, shock).astype(int)  # one patient all wrong
    low = metrics.aha_table(gathered, table).set_index("rhythm").loc["NSR", "low"]
    assert low < metrics.clopper_pearson_lower(300 - one.sum(), 300) - 0.02


def test_the_aha_table_refuses_a_name_it_does_not_know():
    with pytest.raises(ValueError, match="sinus"):
        metrics.aha_table([0], pd.DataFrame({"aha": ["sinus"], "patient": ["a"]}))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_outcomes_is_found(temperature):
    rng = np.random.default_rng(0)
    logits = 4 * rng.normal(size=(20_000, 3))
    p = np.exp(log_softmax(logits / temperature, axis=1))
    y = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(max=2)
    assert metrics.fit_temperature(logits, y) == pytest.approx(temperature, rel=0.05)


def test_reliability_is_the_observed_share_with_its_exact_interval():
    y, p, _ = windows(n=1000)
    frame = metrics.reliability(y, p, n_bins=5)
    chosen = (p >= 0.4) & (p < 0.6)
    row = frame.iloc[2]
    assert row["windows"] == chosen.sum()
    assert row["predicted"] == pytest.approx(p[chosen].mean())
    assert row["observed"] == pytest.approx(y[chosen].mean())
    exact = proportion_confint(y[chosen].sum(), chosen.sum(), method="beta")
    assert (row["low"], row["high"]) == pytest.approx(exact)


def test_class_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, guess = rng.integers(0, 4, (2, 300))
    found = metrics.class_scores(y, guess, ["N", "S", "V", "F"])
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, guess))
    assert found["macro_recall"] == pytest.approx(sk.recall_score(y, guess, average="macro"))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(y, guess, average="macro"))
    assert [found[f"f1_{c}"] for c in "NSVF"] == pytest.approx(sk.f1_score(y, guess, average=None))
    recalls = sk.recall_score(y, guess, average=None)
    assert [found[f"recall_{c}"] for c in "NSVF"] == pytest.approx(recalls)


def test_a_class_number_without_a_name_is_refused():
    with pytest.raises(ValueError, match="below 2"):
        metrics.class_scores([0, 1, 2], [0, 1, 1], ["a", "b"])


@pytest.mark.parametrize("module", [aha, scores])
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
