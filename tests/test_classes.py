"""Scores of several classes, where to operate, and what it costs to miss few."""

import doctest
import time

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics as sk

from ecglib import metrics
from ecglib.metrics import operate, recall

CLASSES = ("N", "S", "V")
SHARES = (0.9, 0.03, 0.07)


def beats(n=4000, *, seed=0, n_patients=20, clear=2.0):
    """Labels, logits of an honest network, and patients who differ."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=SHARES)
    z = rng.normal(size=(n, 3)) + np.log(SHARES) + clear * np.eye(3)[y]
    return y, z, rng.integers(0, n_patients, n)


def lesser_of_both(y, pred) -> float:
    scores = metrics.class_scores(y, pred, CLASSES)
    return min(scores["macro_recall"], scores["macro_f1"])


def test_values_are_those_of_the_whole_set_and_precision_is_scikit_learns():
    y, z, patient = beats()
    pred = z.argmax(axis=1)
    found = metrics.class_bootstrap(y, pred, patient, CLASSES, n=50)
    expected = metrics.class_scores(y, pred, CLASSES)
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected)
    precision = [found[f"precision_{c}"]["value"] for c in CLASSES]
    assert precision == pytest.approx(sk.precision_score(y, pred, average=None))
    assert set(found) == set(expected) | {f"precision_{c}" for c in CLASSES}


def test_intervals_are_those_of_drawing_patients_one_by_one():
    y, z, patient = beats(2000, n_patients=6, clear=1.5)
    pred = z.argmax(axis=1)
    found = metrics.class_bootstrap(y, pred, patient, CLASSES, n=4000)["macro_f1"]
    rng = np.random.default_rng(1)
    rows = [np.flatnonzero(patient == p) for p in range(6)]
    draws = []
    for _ in range(250):
        chosen = np.concatenate([rows[p] for p in rng.integers(0, 6, 6)])
        draws.append(sk.f1_score(y[chosen], pred[chosen], average="macro"))
    low, high = np.percentile(draws, (2.5, 97.5))
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.01)


def test_patients_who_differ_widen_the_interval():
    y = np.repeat([0, 1], 500)
    pred, patient = y.copy(), np.arange(1000) % 10
    pred[(patient < 2) & (y == 1)] = 0
    by_patient = metrics.class_bootstrap(y, pred, patient, ("N", "S"))["recall_S"]
    by_beat = metrics.class_bootstrap(y, pred, np.arange(1000), ("N", "S"))["recall_S"]
    widths = [d["high"] - d["low"] for d in (by_patient, by_beat)]
    assert widths[0] > 3 * widths[1] > 0


def test_a_class_that_one_patient_has_is_scored_where_that_patient_is_drawn():
    y, patient = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 4, 4])
    found = metrics.class_bootstrap(y, [0, 0, 1, 0, 1, 0], patient, ("N", "F"))
    assert found["recall_F"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert found["macro_recall"]["low"] > 0.25  # never taken as a recall of 0
    assert found["f1_F"]["low"] > 0.2  # nor a false call as an F1 of 0


def test_a_class_without_a_beat_is_left_out_of_the_means():
    found = metrics.class_bootstrap([0, 0, 1, 1], [0, 0, 1, 0], [0, 1, 2, 3], CLASSES)
    assert found["macro_recall"]["value"] == pytest.approx(0.75)
    assert np.isnan(found["recall_V"]["value"])


def test_one_patient_has_no_interval_of_class_scores():
    found = metrics.class_bootstrap([0, 1], [0, 1], ["a", "a"], CLASSES)
    assert found["accuracy"]["value"] == 1
    assert np.isnan(found["accuracy"]["low"])


@pytest.mark.parametrize("alone", [False, True])
def test_a_thousand_resamples_of_109000_beats_take_less_than_three_seconds(alone):
    y, z, patient = beats(109_000, n_patients=47)
    start = time.process_time()
    metrics.class_bootstrap(y, z.argmax(1), np.arange(len(y)) if alone else patient, CLASSES)
    assert time.process_time() - start < 3


def test_a_network_does_not_differ_from_itself_and_pairing_narrows():
    y, z, patient = beats()
    pred, other = z.argmax(axis=1), (z + [0, 0.2, 0]).argmax(axis=1)
    same = metrics.class_difference(y, pred, pred, patient, CLASSES)
    assert same == {"value": 0, "low": 0, "high": 0}
    paired = metrics.class_difference(y, other, pred, patient, CLASSES, metric="recall_S")
    single = metrics.class_bootstrap(y, pred, patient, CLASSES)["recall_S"]
    found = [metrics.class_scores(y, p, CLASSES)["recall_S"] for p in (other, pred)]
    assert paired["value"] == pytest.approx(found[0] - found[1])
    assert 0 <= paired["low"] <= paired["value"] <= paired["high"]
    assert paired["high"] - paired["low"] < single["high"] - single["low"]


def test_what_cannot_be_scored_is_said_in_one_line():
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        metrics.class_bootstrap([0, 3], [0, 1], [0, 1], CLASSES)
    with pytest.raises(ValueError, match="prediction for each of 2"):
        metrics.class_bootstrap([0, 1], [0], [0, 1], CLASSES)
    with pytest.raises(ValueError, match="choose from accuracy"):
        metrics.class_difference([0, 1], [0, 1], [0, 1], [0, 1], CLASSES, metric="recall")


def test_tilting_by_one_over_the_shares_calls_the_likeliest_for_equal_shares():
    y, z, _ = beats()
    assert np.array_equal(metrics.tilt(z, weights=np.ones(3)), z.argmax(axis=1))
    assert np.array_equal(
        metrics.tilt(z, weights=1 / np.array(SHARES)),
        (softmax(z, axis=1) / SHARES).argmax(axis=1),
    )
    with pytest.raises(ValueError, match="above 0"):
        metrics.tilt(z, weights=[1, 0, 1])
    with pytest.raises(ValueError, match="nan"):
        metrics.tilt(z * np.nan, weights=[1, 1, 1])


@pytest.mark.parametrize("bent", [(0, 0, 0), (0, 3.5, 2.5), (0, -2, 1)])
def test_chosen_weights_do_better_on_new_beats_whatever_the_training_favoured(bent):
    (y, z, _), (new, z_new, _) = beats(), beats(20_000, seed=1)
    weights = metrics.choose_weights(y, z + bent)
    assert weights[0] == 1
    tilted = lesser_of_both(new, metrics.tilt(z_new + bent, weights=weights))
    assert tilted > lesser_of_both(new, (z_new + bent).argmax(axis=1)) + 0.01
    best = max(  # the true prior to some power, which validation does not know
        lesser_of_both(new, metrics.tilt(z_new, weights=np.array(SHARES) ** -alpha))
        for alpha in np.linspace(0, 1, 21)
    )
    assert tilted > best - 0.03


def test_recall_first_finds_more_and_a_floor_holds_on_new_beats():
    (y, z, _), (new, z_new, _) = beats(), beats(20_000, seed=1)
    found = {}
    for name, wish in {
        "balanced": {},
        "recall": {"aim": "recall"},
        "floor": {"aim": "recall", "floor": 0.7},
    }.items():
        pred = metrics.tilt(z_new, weights=metrics.choose_weights(y, z, **wish))
        found[name] = metrics.class_scores(new, pred, CLASSES)
    macro = {name: d["macro_recall"] for name, d in found.items()}
    assert macro["recall"] > macro["floor"] > macro["balanced"]
    assert found["recall"]["macro_f1"] < 0.7 <= found["floor"]["macro_f1"]


def test_a_margin_stays_further_above_the_floor():
    y, z, _ = beats()
    f1 = []
    for margin in (0, 1, 3):
        weights = metrics.choose_weights(y, z, aim="recall", floor=0.7, margin=margin)
        f1.append(metrics.class_scores(y, metrics.tilt(z, weights=weights), CLASSES)["macro_f1"])
    assert f1[0] < f1[1] < f1[2]


def test_the_order_of_the_classes_changes_no_decision():
    y, z, _ = beats()
    weights, turned = metrics.choose_weights(y, z), metrics.choose_weights(2 - y, z[:, ::-1])
    assert turned[0] == 1
    assert turned[2] < 1  # the commonest class is now the last
    pred = metrics.tilt(z, weights=weights)
    assert np.mean(2 - metrics.tilt(z[:, ::-1], weights=turned) == pred) > 0.97


def test_a_floor_out_of_reach_gives_what_comes_nearest():
    y, z, _ = beats()
    nearest = metrics.choose_weights(y, z, aim="recall", floor=0.99)
    f1 = [
        metrics.class_scores(y, metrics.tilt(z, weights=w), CLASSES)["macro_f1"]
        for w in (nearest, np.ones(3), metrics.choose_weights(y, z, aim="recall"))
    ]
    assert f1[0] > max(f1[1] - 0.02, f1[2])


def test_a_class_without_validation_beats_gets_no_weight_of_its_own():
    y, z, _ = beats()
    z = np.c_[z, np.full(len(z), -9.0)]
    weights = metrics.choose_weights(y, z)
    assert weights[3] == weights[0] == 1
    assert weights[1] > 1


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"aim": "best"}, "aim of balanced, recall"),
        ({"floor": 0.9}, "goes with the aim recall"),
        ({"aim": "recall", "floor": 90}, "floor from 0 to 1"),
    ],
)
def test_an_unclear_wish_is_refused(wish, message):
    y, z, _ = beats(100)
    with pytest.raises(ValueError, match=message):
        metrics.choose_weights(y, z, **wish)


def test_weights_need_two_classes_and_finite_logits():
    with pytest.raises(ValueError, match="only class 1"):
        metrics.choose_weights([1, 1], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="finite logits"):
        metrics.choose_weights([0, 1], np.full((2, 3), np.nan))


def test_the_sick_score_is_one_minus_the_well_probability_and_keeps_the_order_of_the_surest():
    _, z, _ = beats(100)
    assert metrics.sick_score(z) == pytest.approx(1 - softmax(z, axis=1)[:, 0])
    assert metrics.sick_score(z, well=2) == pytest.approx(1 - softmax(z, axis=1)[:, 2])
    surest = metrics.sick_score([[50, 0], [60, 0], [0, 60]])
    assert 0 < surest[1] < surest[0]
    assert surest[2] == 1
    with pytest.raises(ValueError, match="class 5"):
        metrics.sick_score(z, well=5)


def best_precision(y, score, *, at_least):
    precision, found, _ = sk.precision_recall_curve(y, score)
    return precision[found >= at_least].max()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True])
def test_the_constraint_is_met_at_the_highest_precision_there_is(seed, ties):
    y, z, _ = beats(2000, seed=seed)
    sick, score = y > 0, metrics.sick_score(z)
    score = score.round(2) if ties else score
    threshold = metrics.constraint_threshold(sick, score, recall=0.97)
    found = metrics.price(sick, score >= threshold)
    assert found["recall"] >= 0.97
    assert found["precision"] == pytest.approx(best_precision(sick, score, at_least=0.97))


def test_a_margin_keeps_the_constraint_on_most_new_sets():
    kept = dict.fromkeys((0, 2), 0)
    for seed in range(20):
        (y, z, _), (new, z_new, _) = beats(2000, seed=seed), beats(4000, seed=100 + seed)
        for margin in kept:
            threshold = metrics.constraint_threshold(
                y > 0, metrics.sick_score(z), recall=0.95, margin=margin
            )
            kept[margin] += np.mean(metrics.sick_score(z_new)[new > 0] >= threshold) >= 0.95
    assert kept[2] >= 17 > kept[0]


def test_patients_who_differ_ask_for_a_larger_margin():
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(10), 100)
    sick = np.tile(np.repeat([0, 1], 50), 10)
    score = np.where(sick, 0.9 - 0.06 * patient + rng.uniform(0, 0.05, 1000), rng.beta(1, 6, 1000))
    wish = {"recall": 0.7, "margin": 1.0}
    alone = metrics.constraint_threshold(sick, score, **wish)
    together = metrics.constraint_threshold(sick, score, groups=patient, **wish)
    assert together < alone < metrics.constraint_threshold(sick, score, recall=0.7)


@pytest.mark.parametrize("n_patients", [1, 5, 40])
def test_the_running_standard_error_is_that_of_each_step(n_patients):
    codes = np.random.default_rng(0).integers(0, n_patients, 40)
    codes = np.unique(codes, return_inverse=True)[1]
    found, n, k = recall._standard_errors(codes), np.bincount(codes), codes.max() + 1
    for step in (1, 10, 33, 40):
        hits = np.bincount(codes[:step], minlength=k)
        between = ((hits - step / 40 * n) ** 2).sum() * k / max(k - 1, 1)
        assert found[step - 1] == pytest.approx(np.sqrt(between) / 40 if k > 1 else 0, abs=1e-9)


def test_all_sick_beats_can_be_asked_for_even_with_a_margin():
    sick, score = [0, 1, 0, 1], [0.1, 0.2, 0.3, 0.9]
    threshold = metrics.constraint_threshold(sick, score, recall=1.0, margin=2)
    assert 0.1 < threshold <= 0.2


def test_a_calibrated_score_is_cut_at_one_over_one_plus_the_cost():
    rng = np.random.default_rng(0)
    score = rng.beta(0.5, 2, 20_000)
    sick = rng.random(20_000) < score
    for ratio in (0.5, 1, 9, 99):
        threshold = metrics.cost_threshold(sick, score, cost_ratio=ratio)
        assert threshold == pytest.approx(1 / (1 + ratio), rel=0.06)


def test_a_score_that_is_too_low_is_cut_where_the_cost_is_lowest():
    rng = np.random.default_rng(0)
    score = rng.beta(0.5, 2, 20_000)
    sick = rng.random(20_000) < score
    threshold = metrics.cost_threshold(sick, score / 10, cost_ratio=1)
    assert threshold == pytest.approx(0.05, abs=0.006)


def test_the_dearer_a_miss_the_lower_the_threshold():
    y, z, _ = beats()
    score = metrics.sick_score(z)
    cuts = [metrics.cost_threshold(y > 0, score, cost_ratio=r) for r in (0.1, 1, 10, 100)]
    assert cuts == sorted(cuts, reverse=True)
    assert cuts[0] > cuts[-1]


def test_the_price_is_counted_by_beats_and_by_the_hour():
    sick, called = np.repeat([1, 0], [100, 900]), np.zeros(1000, dtype=int)
    called[:90] = called[100:109] = 1
    found = metrics.price(sick, called, beats_per_hour=5000)
    assert found["recall"] == pytest.approx(0.9)
    assert found["precision"] == pytest.approx(90 / 99)
    assert (found["false_alarms"], found["missed"]) == pytest.approx((9, 10))
    assert found["false_alarms_per_hour"] == pytest.approx(45)
    healthier = metrics.price(sick, called, sick_share=0.01)
    assert healthier["recall"] == pytest.approx(0.9)
    assert healthier["false_alarms"] == pytest.approx(9.9)
    assert healthier["precision"] == pytest.approx(0.009 / 0.0189)


def test_a_price_that_is_undefined_is_nan_and_never_an_error():
    found = metrics.price([0, 0], [0, 0])
    assert np.isnan(found["recall"])
    assert np.isnan(found["precision"])
    assert found["false_alarms"] == found["missed"] == 0


def test_the_sick_curve_agrees_with_the_price_at_each_of_its_thresholds():
    y, z, _ = beats(300)
    score = metrics.sick_score(z).round(2)
    curve = metrics.sick_curve(y > 0, score)
    assert curve["threshold"].is_monotonic_decreasing
    for row in curve.iloc[::9].itertuples():
        at = metrics.price(y > 0, score >= row.threshold)
        for name in ("recall", "precision", "false_alarms", "missed"):
            assert getattr(row, name) == pytest.approx(at[name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.constraint_threshold([1, 1], [0.1, 0.2]), "only sick"),
        (lambda: metrics.constraint_threshold([0, 1], [0.1, 0.2], recall=99), "recall <= 1"),
        (lambda: metrics.cost_threshold([0, 0], [0.1, 0.2], cost_ratio=1), "only well"),
        (lambda: metrics.cost_threshold([0, 1], [0.1, 0.2], cost_ratio=0), "above 0"),
        (lambda: metrics.price([0, 1], [0]), "one decision a beat"),
        (lambda: metrics.price([0, 1], [0, 1], sick_share=5), "sick_share from 0 to 1"),
        (lambda: metrics.sick_curve([0, 1], [0, 2]), "probabilities"),
    ],
)
def test_bad_decisions_get_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("module", [operate, recall])
def test_the_examples_of_operating_points_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_a_class_that_one_person_carries_has_no_say_in_the_weights():
    y = np.repeat([0, 1, 2], [300, 60, 60])
    people = np.r_[np.arange(300) % 10, np.arange(60) % 10, np.full(60, 3)]
    assert metrics.judged(y, people, n_classes=3).tolist() == [True, True, False]
    assert metrics.judged(y, None, n_classes=4).tolist() == [True, True, True, False]
    assert metrics.judged(y[y != 1], people[y != 1], n_classes=3).tolist() == [True, False, True]
    rng = np.random.default_rng(0)
    z = rng.normal(0, 1, (len(y), 3)) + 2 * np.eye(3)[y]
    weights = metrics.choose_weights(y, z, aim="recall", groups=people)
    steps = np.log(weights[2]) / np.log(300 / 60) / 0.05  # a share to some power, and no further
    assert steps == pytest.approx(round(steps), abs=1e-6)
