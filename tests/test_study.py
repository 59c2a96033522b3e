"""What an exercise does with its runs: thresholds, stacks, comparisons, results."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

from ecglib import datasets, metrics, runs, study, votes
from ecglib.chapter import Chapter, open_chapter
from ecglib.runs import Run

QUICK = {"epochs": 1, "batch_size": 32, "augment": (), "device": "cpu"}
ENTRY = {"parameters", "seeds", "train", "validation", "test"}


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> datasets.Windows:
    return tiny.windows(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module")
def two_seeds(windows, tmp_path_factory) -> list[Run]:
    asked = [
        study.config(windows, "mlp", seed=seed, arguments={"hidden": 8}, **QUICK) for seed in (0, 1)
    ]
    found = runs.run_all(
        asked,
        folder=tmp_path_factory.mktemp("runs"),
        windows={"annotated": windows},
        progress=False,
    )
    return list(found.values())


def rescored(run: Run, factor: float, *, split: str) -> Run:
    """The run, had it given so many times the score to every window of a set."""
    seen = run.predictions
    scores = seen["score"].mask(seen["split"] == split, seen["score"] * factor)
    return replace(run, predictions=seen.assign(score=scores))


def knowing(run: Run, *, model: str, right: float) -> Run:
    """A run of another name that is right on so much of every class of every set."""
    seen = run.predictions
    truth = seen["label"].clip(lower=0)
    wrong = seen.groupby(["split", "label"]).cumcount() % 5 >= 5 * right
    scores = (truth.where(~wrong, 1 - truth) * 0.8 + 0.1).astype(np.float32)
    config = replace(run.config, model=model)
    return replace(run, config=config, predictions=seen.assign(score=scores))


# decisions over several windows


def test_a_window_decides_with_the_two_before_it_and_never_with_those_after(windows, two_seeds):
    run = two_seeds[0]
    (longer,) = votes.in_context([run], windows)
    assert longer.config.model == "mlp, 3 s"  # these windows last a second each
    a = run.of("test").join(windows.table[["record", "start_s"]], on="row")
    b = longer.of("test").set_index("row")["logit_1"]
    margin = (a["logit_1"] - a["logit_0"]).clip(-6, 6)
    one = a[a["record"] == a["record"].iloc[0]].sort_values("start_s")
    rows, own = one["row"].to_numpy(), margin[one.index].to_numpy()
    assert b[rows[0]] == pytest.approx(own[0])
    assert b[rows[1]] == pytest.approx(own[:2].mean())
    assert b[rows[5]] == pytest.approx(own[3:6].mean())


def test_two_networks_decide_together_and_a_single_one_has_nobody_to_ask(windows, two_seeds):
    one = two_seeds[0]
    other = knowing(one, model="oracle", right=1.0)
    other = replace(other, predictions=other.predictions.assign(logit_1=9.0))
    ways = votes.decisions({"mlp": [one], "oracle": [other]}, windows)
    assert list(ways) == [
        "mlp", "oracle", "mlp + oracle", "mlp, 3 s", "oracle, 3 s", "mlp + oracle, 3 s"
    ]  # fmt: skip
    (voted,) = ways["mlp + oracle"]
    mean = (one.predictions["logit_1"] + 9.0) / 2
    assert np.allclose(voted.predictions["logit_1"], mean)
    assert voted.n_parameters == 2 * one.n_parameters
    assert list(votes.decisions({"mlp": [one]}, windows)) == ["mlp", "mlp, 3 s"]


def test_who_saw_other_windows_cannot_vote(two_seeds):
    one, other = two_seeds
    fewer = replace(other, predictions=other.predictions.iloc[1:].reset_index(drop=True))
    with pytest.raises(ValueError, match="same windows"):
        votes.ensembles([one, fewer])


def test_a_gap_ends_the_memory(windows, two_seeds):
    run = two_seeds[0]
    first = run.of("test").join(windows.table["start_s"], on="row")
    without = run.predictions[~run.predictions["row"].isin(first.loc[first["start_s"] == 3, "row"])]
    (longer,) = votes.in_context([replace(run, predictions=without)], windows)
    found = longer.of("test").join(windows.table["start_s"], on="row").set_index("row")
    alone = without.set_index("row").loc[found.index[found["start_s"] == 4.0]]
    margin = (alone["logit_1"] - alone["logit_0"]).clip(-6, 6)
    assert np.allclose(found.loc[found["start_s"] == 4.0, "logit_1"], margin)
    assert not np.allclose(found.loc[found["start_s"] == 2.0, "logit_1"], margin)


# which runs


def test_all_means_every_model_and_names_keep_the_order_of_the_book():
    assert study.chosen("all") == study.MODELS
    assert study.chosen("gru, mlp") == ("mlp", "gru")
    assert study.chosen("", model="cnn") == ("cnn",)
    assert study.chosen("mlp", model="cnn") == ("mlp", "cnn")


@pytest.mark.parametrize("asked", ["oracle", "mlp, oracle", ""])
def test_a_model_that_is_none_of_the_exercise_is_refused(asked):
    with pytest.raises(ValueError, match="need models of mlp, cnn, .* or all, got"):
        study.chosen(asked)


def test_there_is_a_run_for_every_combination(windows):
    made = study.configs(
        {"annotated": windows}, ("mlp", "cnn"), seeds=(0, 1), protocols=study.folds(), **QUICK
    )
    assert len({config.id for config in made}) == 2 * 2 * 5
    assert {config.train.seed for config in made} == {0, 1}
    assert {config.train.epochs for config in made} == {1}
    assert {config.data for config in made} == {windows.hash}


def test_synthetic_recordings_have_no_reviewed_labels():
    assert list(study.versions("synthetic", n_patients=2)) == ["annotated"]
    with pytest.raises(ValueError, match=r"annotated \(synthetic recordings\), got 'reviewed'"):
        study.versions("synthetic", n_patients=2, needs="reviewed")


def test_runs_are_sorted_by_model_labels_and_protocol(two_seeds):
    first, second = two_seeds
    other = replace(second, config=replace(second.config, protocol="fold0"))
    assert study.by_model([first, other]) == {"mlp": [first]}
    assert study.by_model([first, other], protocols=["fold0"]) == {"mlp": [other]}
    assert study.by_model([first], labels="reviewed") == {}


# thresholds and stacks


def test_the_threshold_comes_from_validation_windows_only(two_seeds, windows):
    run, before = two_seeds[0], study.threshold(two_seeds[0])
    for split in ("train", "test"):
        other = rescored(run, 0.1, split=split)
        assert study.threshold(other) == before
        assert (study.stack([other], windows)["threshold"] == before).all()
    assert study.threshold(rescored(run, 0.1, split="validation")) < 0.1 < before


def test_a_stack_holds_every_test_window_of_every_seed_with_what_is_known(two_seeds, windows):
    stacked = study.stack(two_seeds, windows)
    assert stacked.groupby("seed")["row"].nunique().tolist() == [len(two_seeds[0].of("test"))] * 2
    for name in study.CARRIED:
        np.testing.assert_array_equal(stacked[name], windows.table[name].iloc[stacked["row"]])
    assert set(stacked["aha"]) == {"NSR", "coarse VF", "other VT"}
    assert set(stacked["run"]) == {run.id for run in two_seeds}


def test_every_seed_decides_by_its_own_threshold(two_seeds, windows):
    stacked = study.stack(two_seeds, windows)
    thresholds = {run.config.train.seed: study.threshold(run) for run in two_seeds}
    for seed, part in stacked.groupby("seed"):
        expected = (part["score"] >= thresholds[seed]).astype(int)
        assert part["shock"].tolist() == expected.tolist()


def test_counts_of_all_seeds_add_up(two_seeds, windows):
    stacked = study.stack(two_seeds, windows)
    seen = stacked[stacked["label"] >= 0]
    hits = (seen["shock"] == seen["label"]).mean()
    assert study.plain_scores(stacked)["accuracy"] == pytest.approx(hits)
    scored = study.scores(stacked, n=50)["accuracy"]
    assert scored["value"] == pytest.approx(hits)
    assert scored["low"] <= hits <= scored["high"]


def test_windows_without_a_label_are_never_scored(two_seeds, windows):
    stacked = study.stack(two_seeds, windows)
    other = stacked.assign(score=stacked["score"].mask(stacked["label"] < 0, 0.999))
    assert study.plain_scores(other) == study.plain_scores(stacked)


# comparisons


def test_a_run_does_not_differ_from_itself(two_seeds, windows):
    stacked = study.stack(two_seeds, windows)
    shuffled = stacked.sample(frac=1, random_state=0)
    assert study.compare(stacked, shuffled) == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_better_run_has_the_higher_metric(two_seeds, windows):
    good, bad = (
        study.stack([knowing(two_seeds[0], model="mlp", right=right)], windows)
        for right in (1.0, 0.4)
    )
    found = study.compare(good, bad)
    assert 0 < found["low"] <= found["value"] <= found["high"]
    assert study.compare(bad, good)["value"] == pytest.approx(-found["value"])


def test_stacks_over_other_windows_are_not_compared(two_seeds, windows):
    stacked = study.stack(two_seeds, windows)
    for other in (stacked[stacked["seed"] == 0], stacked.assign(row=stacked["row"] + 1)):
        with pytest.raises(ValueError, match="need stacks over the same windows"):
            study.compare(stacked, other)


def test_the_model_is_chosen_by_validation_windows_only(two_seeds):
    good = knowing(two_seeds[0], model="cnn", right=1.0)
    bad = knowing(two_seeds[0], model="gru", right=0.6)
    seen, best = bad.predictions, knowing(two_seeds[0], model="gru", right=1.0).predictions
    elsewhere = seen["split"] != "validation"
    bad = replace(bad, predictions=seen.assign(score=seen["score"].mask(elsewhere, best["score"])))
    for split in ("train", "test"):
        good = rescored(good, 0.0, split=split)
    assert study.select([good, bad]) == "cnn"


def test_the_mean_over_seeds_chooses_not_the_luckiest_seed(two_seeds):
    steady = [knowing(run, model="cnn", right=0.8) for run in two_seeds]
    lucky = [
        knowing(run, model="gru", right=right)
        for run, right in zip(two_seeds, (1.0, 0.4), strict=True)
    ]
    assert study.select([*lucky, *steady]) == "cnn"


# results


def test_a_protocol_has_the_shape_that_metrics_json_promises(two_seeds, windows):
    entry = study.protocol_entry({"mlp": two_seeds}, windows)
    assert set(entry) == {"split", "models"}
    assert sum(part["patients"] for part in entry["split"].values()) == 12
    assert set(entry["split"]) == {"train", "validation", "test"}
    model = entry["models"]["mlp"]
    assert set(model) == ENTRY
    assert (model["parameters"], model["seeds"]) == (two_seeds[0].n_parameters, 2)
    assert set(model["train"]) == set(model["validation"]) == set(model["test"])
    assert set(model["test"]) == set(metrics.BINARY)
    assert all(set(value) == {"value", "low", "high"} for value in model["test"].values())
    assert all(isinstance(value, float) for value in model["train"].values())


def test_the_split_counts_labelled_windows_of_the_first_lead(two_seeds, windows):
    entry = study.protocol_entry({"mlp": two_seeds}, windows)
    for part in entry["split"].values():
        assert part["windows"] == part["patients"] * 6


def test_each_database_is_described(windows):
    about = {"data": {"a": "1" * 64, "b": "2" * 64}}
    described = study.data_entry(replace(windows, parameters=windows.parameters | about))
    assert described["a"] == {"records": 6, "patients": 6, "windows": 42, "sha256": "1" * 64}
    assert study.data_entry(windows)["b"]["sha256"] is None
    assert study.databases(windows) == ["a", "b"]


def test_the_results_can_be_written_and_read_again(two_seeds, windows):
    chapter: Chapter = open_chapter("exercise_03", profile="demo", source="synthetic")
    with pytest.raises(ValueError, match="run 05_evaluation first"):
        study.results(chapter)
    entry = study.protocol_entry({"mlp": two_seeds}, windows)
    chapter.write_metrics(
        {
            "data": study.data_entry(windows),
            "protocols": {"patient": entry},
            "selected": {"protocol": "patient", "model": "mlp", "threshold": 0.5},
        }
    )
    assert study.results(chapter)["protocols"]["patient"]["models"]["mlp"]["seeds"] == 2


def test_the_table_of_the_association_counts_what_it_has_a_goal_for(two_seeds, windows):
    stacked = study.stack(two_seeds[:1], windows)
    counted = study.aha(stacked).set_index("rhythm")["windows"]
    for rhythm in ("coarse VF", "NSR", "other VT"):
        assert counted[rhythm] == (stacked["aha"] == rhythm).sum()
    unmarked = stacked.assign(aha=stacked["aha"].replace("NSR", "unmarked"))
    assert study.aha(unmarked).set_index("rhythm")["windows"].get("NSR", 0) == 0


# windows to look at


def test_the_plainest_errors_come_first_and_two_of_a_record_at_most(two_seeds, windows):
    run = knowing(two_seeds[0], model="mlp", right=0.5)
    stacked = study.stack([run], windows)
    errors = study.worst(stacked, n=4)
    assert (errors["shock"] != errors["label"]).all() and (errors["label"] >= 0).all()
    assert errors["record"].value_counts().max() <= 2
    margin = (errors["score"] - errors["threshold"]).abs()
    assert margin.is_monotonic_decreasing


def test_picked_windows_hold_errors_and_right_ones_of_both_classes(two_seeds, windows):
    picked = study.pick(study.stack([knowing(two_seeds[0], model="mlp", right=0.7)], windows), n=6)
    right = picked[picked["shock"] == picked["label"]]
    assert picked["row"].is_unique and (picked["label"] >= 0).all()
    assert set(right["label"]) == {0, 1}
    assert 0 < len(picked) - len(right) <= 3


def test_a_network_without_errors_still_shows_windows(two_seeds, windows):
    stacked = study.stack([knowing(two_seeds[0], model="mlp", right=1.0)], windows)
    assert study.worst(stacked).empty
    assert set(study.pick(stacked, n=4)["label"]) == {0, 1}


def test_the_temperature_comes_from_validation_and_keeps_the_order(two_seeds):
    run = two_seeds[0]
    temperature, cooled = study.tempered(run)
    assert temperature > 0
    before = run.of("test")["score"].rank(method="min")
    assert np.corrcoef(before, cooled["score"].rank(method="min"))[0, 1] == pytest.approx(
        1, abs=1e-3
    )
    changed = run.predictions.copy()
    changed.loc[changed["split"] == "test", ["logit_0", "logit_1"]] *= 5
    assert study.tempered(replace(run, predictions=changed))[0] == temperature
