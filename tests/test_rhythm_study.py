"""Which runs exercise 05 is made of, and what its networks are held against."""

from pathlib import Path

import numpy as np
import pytest
from tiny_rhythms import a_run, recordings

from ecglib import datasets, models, runs
from ecglib.rhythms import scores, study, trials, yardsticks

FS = 150.0


@pytest.fixture(scope="module")
def sets():
    return {
        "windows": recordings(),
        "records": recordings("records"),
        "records v2": recordings("records", version=2),
    }


# which runs


def test_five_seconds_are_learnt_in_small_steps_with_little_dropout_and_recordings_our_way(sets):
    theirs = study.config(sets["windows"], "basic_cnn")
    mine = study.config(sets["records"])
    assert mine.model == "rhythm_net" and mine.protocol == theirs.protocol == "published"
    assert (theirs.train.class_weights, theirs.train.augment) == ("none", ())
    assert theirs.train.batch_size < 128 and theirs.train.lr > trials.PUBLISHED_LR
    assert theirs.arguments["dropout"] < trials.PUBLISHED_DROPOUT
    assert mine.train.class_weights == "root" and mine.train.augment and mine.train.average
    assert (theirs.train.fs, mine.train.fs) == (300.0, 150.0)
    assert study.config(sets["windows"], "basic_cnn", epoch_windows=9).train.epoch_windows == 9


def test_every_network_of_the_exercise_exists_and_takes_its_arguments(sets):
    assert {*trials.FAMILY, trials.MODEL} <= set(models.MODELS)
    assert set(trials.REPAIRED) <= set(models.arguments("c1dct"))
    for (name, _), arguments in trials.ARGUMENTS.items():
        assert set(arguments) <= set(models.arguments(name))
    for change in trials.CHANGES.values():
        assert set(change.get("arguments", {})) <= set(models.arguments(trials.MODEL))


def test_the_transformer_compares_at_most_150_tokens(sets):
    for form in ("windows", "records"):
        n_samples = sets[form].signal.shape[-1]
        stride = study.config(sets[form], "transformer").arguments["stride"]
        assert n_samples / stride <= 150


def test_sets_come_by_name(monkeypatch):
    asked = []

    def rhythm_windows(**about):
        asked.append(about)
        return recordings(about["form"])

    monkeypatch.setattr(datasets, "rhythm_windows", rhythm_windows, raising=False)
    made = study.versions("synthetic", 120)
    assert list(made) == ["windows", "records"]
    assert [a["reference"] for a in asked] == ["v2", "v3 to learn"]
    assert {a["n_records"] for a in asked} == {120}
    with pytest.raises(ValueError, match="need sets of windows, .*, got beats"):
        study.versions("synthetic", names=("beats",))


def test_networks_come_by_name_in_the_book_s_order():
    assert study.chosen("all") == trials.FAMILY
    assert study.chosen("c1dct, basic_cnn") == ("basic_cnn", "c1dct")
    with pytest.raises(ValueError, match="need models of basic_cnn, .* or all, got oracle"):
        study.chosen("oracle")


def test_a_trial_brings_what_it_is_compared_with(sets):
    asked = study.training_configs(sets, experiments="attention with distance")
    attention = ["attention", "attention restarted", "attention with distance"]
    assert list(asked) == ["plain", "residual", *attention]
    with pytest.raises(ValueError, match="need experiments of plain, .* or all, got faster"):
        study.training_configs(sets, experiments="faster")


def test_every_hypothesis_is_about_a_trial_that_exists_and_changes_something(sets):
    asked = study.training_configs(sets, epochs=3, own_epochs=4, epoch_windows=50)
    assert list(asked) == list(trials.HAND)
    assert len({group[0].id for group in asked.values()}) == len(asked)
    for name, trial in trials.HAND.items():
        assert trial.against in {"", *trials.HAND}
        whole = name == "whole recordings"
        assert asked[name][0].train.epochs == (4 if whole else 3 * trial.change.get("times", 1))
        assert asked[name][0].data == sets["records" if whole else "windows"].hash


def test_the_page_on_evaluation_trains_every_network_three_times_and_ours_in_folds(sets):
    asked = study.evaluation_configs(sets)
    assert len({made.id for made in asked["family"]}) == 24
    assert {made.arguments["repaired"] for made in asked["repaired"]} == {True}
    assert len(asked["own"]) == len(asked["transformer"]) == 3
    assert [made.protocol for made in asked["folds"]] == study.folds()
    assert {made.data for made in asked["folds"]} == {sets["records v2"].hash}
    fewer = study.evaluation_configs(sets, models="basic_cnn", seeds=[4], fold_seeds=[])
    assert [made.train.seed for made in fewer["family"]] == [4] and not fewer["folds"]


def test_what_decides_together_is_small_and_has_folds_of_its_own(sets):
    about = {"models": trials.FAMILY_MODEL, "longer": trials.FAMILY_MODEL, "fold_seeds": []}
    asked = study.evaluation_configs(sets, view_seeds=[0, 1], view_fold_seeds=[0], **about)
    published = [made for made in asked["near"] if made.protocol == "published"]
    assert [made.id for made in published] == [made.id for made in asked["family"][:2]]
    assert [made.protocol for made in asked["far"]] == ["published", "published", *study.folds()]
    assert {made.data for made in asked["far"][2:]} == {sets["records v2"].hash}
    assert {trials.title(made) for made in asked["far"]} == {"rhythm_net small"}
    parameters = sum(
        models.n_parameters(
            models.build(made.model, n_leads=1, n_classes=3, n_samples=n, **made.arguments)
        )
        for made, n in ((asked["near"][0], 1500), (asked["far"][0], 4500))
    )
    assert parameters + yardsticks.boosted_size(3) <= trials.LARGEST
    none = study.evaluation_configs(sets, view_seeds=[], **about)
    assert not none["near"] and not none["far"]
    with pytest.raises(ValueError, match="need view_seeds for view_fold_seeds, got none"):
        study.evaluation_configs(sets, view_seeds=[], view_fold_seeds=[0], **about)
    two = {name: sets[name] for name in ("windows", "records")}
    with pytest.raises(ValueError, match="need the set records v2 for folds, got windows, records"):
        study.evaluation_configs(two, fold_seeds=[0])


def test_networks_named_for_it_are_trained_longer(sets):
    about = {"models": "basic_cnn, resnet_like_x3", "longer": "resnet_like_x3, c1dct", "epochs": 2}
    asked = study.evaluation_configs(sets, **about)
    spent = {made.model: (made.train.epochs, made.train.keep) for made in asked["family"]}
    assert spent == {"basic_cnn": (2, "best"), "resnet_like_x3": (10, "last")}
    assert {made.train.epochs for made in asked["own"]} == {trials.OWN["epochs"]}
    curves = study.curve_configs(sets, **about)
    evaluated = {made.model: made.id for made in asked["family"] if not made.train.seed}
    assert {n: made.id for n, (made,) in curves.items()} == evaluated
    trial = study.training_configs(sets, experiments="longer", epochs=2)["longer"][0]
    longer = study.curve_configs(sets, models=trial.model, longer=trial.model, epochs=2)
    assert [trial.id] == [made.id for made in longer[trial.model]]
    with pytest.raises(ValueError, match="need models of basic_cnn, .* or all, got oracle"):
        study.evaluation_configs(sets, longer="oracle")


def test_networks_with_attention_are_trained_beside_the_others_or_left_out(sets):
    asked = study.evaluation_configs(
        sets, models="basic_cnn", seeds=[0], beside_seeds=[0], beside="transformer"
    )
    assert [len(asked[part]) for part in ("family", "repaired", "transformer")] == [1, 0, 1]
    halved = study.evaluation_configs(sets, seeds=[0], beside_seeds=[0], half=True)
    assert {part: {made.train.half for made in halved[part]} for part in halved} == {
        "repaired": {False},
        "transformer": {False},
        **dict.fromkeys(("family", "own", "near", "far", "folds"), {True}),
    }
    none = study.evaluation_configs(sets, models="basic_cnn", seeds=[0], beside="")
    assert not none["repaired"] and not none["transformer"]
    with pytest.raises(ValueError, match="need beside of c1dct repaired, .* or all, got oracle"):
        study.evaluation_configs(sets, beside="oracle")


def test_steps_are_as_large_as_asked_for(sets):
    sizes = {"batch_size": 7, "own_batch_size": 5, "seeds": [0]}
    about = {"models": "basic_cnn", "beside": "", "fold_seeds": [0]}
    asked = study.evaluation_configs(sets, own_seeds=[0], batch_size=7, own_batch_size=5, **about)
    assert {made.train.batch_size for made in asked["family"]} == {7}
    assert {made.train.batch_size for made in asked["own"] + asked["folds"]} == {5}
    tried = study.training_configs(sets, **sizes)
    assert tried["plain"][0].train.batch_size == 7
    assert tried["whole recordings"][0].train.batch_size == 5
    changed = study.feedback_configs(sets, changes="", **sizes)
    assert changed["own"]["as it is"][0].train.batch_size == 5
    assert changed["family"]["as it is"][0].train.batch_size == 7


def test_curves_are_of_runs_that_the_page_on_evaluation_asks_for(sets):
    curves = study.curve_configs(sets, seeds=[1, 2])
    evaluated = study.evaluation_configs(sets, seeds=[1, 2])["family"]
    assert list(curves) == list(trials.FAMILY)
    assert {made.id for (made,) in curves.values()} <= {made.id for made in evaluated}


def test_repaired_and_published_are_told_apart_by_name(sets):
    asked = study.evaluation_configs(sets, models="c1dct", seeds=[0])
    names = [trials.title(asked[part][0]) for part in ("family", "repaired", "own")]
    assert names == ["c1dct", "c1dct repaired", "rhythm_net"]
    restarted = study.config(sets["windows"], "c1dct", arguments=trials.RESTARTED)
    assert trials.title(restarted) == "c1dct restarted"
    other = study.config(sets["records"], "transformer", arguments=trials.SMALL)
    assert "small" not in trials.title(other)
    whole = study.config(sets["records"], "transformer")
    assert trials.title(whole) == "transformer on recordings"


def test_every_change_makes_another_run(sets):
    for name, table in study.feedback_configs(sets).items():
        assert len({group[0].id for group in table.values()}) == len(table) > 4
        known = trials.CHANGES if name == "own" else trials.FAMILY_CHANGES
        assert list(table) == ["as it is", *known]


def test_a_change_without_its_set_or_argument_is_left_out(sets):
    there = {name: sets[name] for name in ("windows", "records")}
    wanted = "labels as first published, no channel weights, focal loss"
    asked = study.feedback_configs(there, changes=wanted)
    assert list(asked["own"]) == ["as it is", "focal loss", "no channel weights"]
    asked = study.feedback_configs(sets, changes=wanted, model="transformer")
    assert list(asked["own"]) == ["as it is", "labels as first published", "focal loss"]
    with pytest.raises(ValueError, match="need changes of .*, got bigger"):
        study.feedback_configs(sets, changes="bigger")


def test_all_runs_of_the_pages_are_listed_once(sets):
    pages = {
        "exercise_05/04_training": {"experiments": "plain", "profile": "test", "epochs": 2},
        "exercise_05/05_evaluation": {"models": "basic_cnn", "seeds": [0], "epochs": 2},
        "exercise_05/06_feedback_loops": {"changes": "focal loss", "seeds": [0]},
    }
    listed = study.full_configs(sets, pages)
    ids = [made.id for made in listed]
    assert len(set(ids)) == len(ids)
    wanted = study.evaluation_configs(sets, models="basic_cnn", seeds=[0], epochs=2)
    assert {made.id for group in wanted.values() for made in group} <= set(ids)
    plain = [m for m in listed if m.model == "basic_cnn"]
    assert len(plain) == 1  # the trial and the page on evaluation ask for the same run


def test_runs_are_trained_by_the_set_they_are_of(sets, monkeypatch):
    def run_all(configs, *, folder, windows, jobs, progress):
        assert all(made.data == windows["annotated"].hash for made in configs)
        return {made.id: made for made in configs}

    monkeypatch.setattr(runs, "run_all", run_all)
    listed = study.full_configs(sets, {})
    assert list(study.train_all(listed, sets, folder=Path("nowhere"))) == [m.id for m in listed]


# yardsticks


def teeth(time_s: np.ndarray, *, length_s: float = 30.0, height: float = 1.0) -> np.ndarray:
    """A tooth 60 ms wide at each time on a line with a little noise."""
    t = np.arange(int(length_s * FS)) / FS
    x = np.random.default_rng(0).normal(0, 0.01, len(t))
    for at in time_s:
        x += height * np.maximum(0, 1 - np.abs(t - at) / 0.03)
    return x


@pytest.mark.parametrize("height", [1.0, -3.0])
def test_r_peaks_are_found_whatever_gain_and_polarity(height):
    at = np.arange(0.5, 29.5, 0.8)
    found = yardsticks.r_peaks(teeth(at, height=height), fs=FS) / FS
    assert len(found) == len(at) and np.abs(found - at).max() < 0.04
    with pytest.raises(ValueError, match="need at least two seconds, got 1.00 s"):
        yardsticks.r_peaks(np.zeros(150), fs=FS)


def test_regular_and_irregular_beats_differ_in_what_is_said_of_intervals():
    rng = np.random.default_rng(1)
    even, uneven = np.full(36, 0.8), rng.uniform(0.45, 1.15, 36)
    a, b = (
        dict(zip(yardsticks.STATISTICS, yardsticks.rr_statistics(x, fs=FS), strict=True))
        for x in (teeth(np.cumsum(rr)) for rr in (even, uneven))
    )
    assert a["rate_per_min"] == pytest.approx(75, rel=0.01)
    assert a["pnn50"] == 0 and b["pnn50"] > 0.7
    for name in ("rr_spread", "rmssd", "longest", "entropy"):
        assert b[name] > a[name]
    assert b["shortest"] < a["shortest"] and b["organisation"] < a["organisation"]


def test_padding_behind_a_short_recording_changes_nothing():
    x = teeth(np.arange(0.5, 9.5, 0.8), length_s=10)
    padded = np.concatenate([x, np.zeros(3000)])
    np.testing.assert_array_equal(*(yardsticks.rr_statistics(s, fs=FS) for s in (x, padded)))


def test_a_recording_without_beats_has_numbers_all_the_same():
    assert np.isfinite(yardsticks.rr_statistics(np.full(4500, 1.0), fs=FS)).all()


def test_the_linear_yardstick_beats_the_naive_one_on_irregular_rhythm(sets):
    rng = np.random.default_rng(2)
    windows = sets["records"]
    rr = {
        0: lambda: np.full(40, 0.8),
        1: lambda: np.full(60, 0.5),
        2: lambda: rng.uniform(0.4, 1.2, 38),
    }
    signal = np.float32([teeth(np.cumsum(rr[c]())) for c in windows.label])[:, None]
    made = datasets.Windows(**{**vars(windows), "signal": signal})
    linear = yardsticks.linear(made, progress=False)
    naive = yardsticks.naive(made)
    reached = [scores.plain_scores(d)["macro_f1"] for d in (naive, linear)]
    assert reached[0] < 0.3 and reached[1] > 0.9
    assert scores.difference(linear, naive, n=50)["low"] > 0
    run = scores.decided([a_run(windows, model="rhythm_net")], {"records": windows})
    assert set(linear) == set(naive) == set(run)
    scores.mcnemar(run, linear)
