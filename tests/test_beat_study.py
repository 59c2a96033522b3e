"""What exercise 04 does with its runs: which there are, votes, points of operation, results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import softmax

from ecglib import (
    beat_rows,
    beat_scores,
    beat_sets,
    beat_study,
    beat_yardsticks,
    datasets,
    metrics,
    paths,
    publish,
    runs,
)
from ecglib.chapter import open_chapter
from ecglib.runs import Run

CLASSES = ("N", "S", "V", "F", "Q")
QUICK = {"epochs": 1, "batch_size": 32}


def beats(name: str, classes: tuple[str, ...], *, n_samples: int = 187, n: int = 600):
    """Beats of ten people, half of them of the first class; their height tells the class."""
    rng = np.random.default_rng(0)
    label = rng.permutation(np.maximum(np.arange(n) % (2 * len(classes)) - len(classes), 0))
    signal = rng.normal(0, 0.3, (n, 1, n_samples)) + label[:, None, None] / 2
    patient = np.arange(n) // (n // 10)
    table = pd.DataFrame({
        "database": "synthetic",
        "record": [f"r{p}" for p in patient],
        "patient": [f"p{p}" for p in patient],
        "start_s": np.arange(n) * 4.0,
        "lead": 0,
        "rhythm": np.array(classes)[label],
        "time_s": np.arange(n) * 4.0,
        "rr_prev_s": np.where(label == 1, 0.5, 0.8),
        "rr_next_s": 0.8,
        "rr_prev2_s": 0.8,
        "rr_next2_s": 0.8,
        "rr_low_s": 0.7,
        "rr_mid_s": 0.8,
        "rr_high_s": 0.9,
        "set": "",
        "ds": np.where(patient < 5, "DS1", "DS2"),
    })  # fmt: skip
    return datasets.Windows(
        signal=np.float32(signal),
        label=label,
        table=table,
        fs=125.0,
        classes=classes,
        task="ptb" if name == "ptb" else "heartbeats",
        parameters={"source": "synthetic", "labels": "annotated", "form": name},
    )


@pytest.fixture(scope="module")
def sets() -> dict[str, datasets.Windows]:
    return {
        "kachuee": beats("kachuee", CLASSES),
        "around": beats("around", CLASSES, n_samples=375),
        "unpaced": beats("unpaced", CLASSES[:4]),
        "context": beats("context", CLASSES[:4], n_samples=375),
        "ptb": beats("ptb", ("normal", "abnormal")),
    }


def a_run(windows, *, seed=0, noise=1.0, model="se_resnet", validation=(1,), **settings) -> Run:
    """A run nobody trained: the truth with noise, rare classes called too seldom.

    `validation` says which tenths of the beats it validated on; the last two are its test.
    """
    rng = np.random.default_rng(seed)
    n, n_classes = len(windows), len(windows.classes)
    part = np.random.default_rng(99).permutation(n) % 10
    split = np.where(np.isin(part, validation), "validation", np.where(part > 7, "test", "train"))
    z = 3.0 * np.eye(n_classes)[windows.label] + rng.normal(0, noise, (n, n_classes))
    z -= np.linspace(0, 2, n_classes)  # the last classes are called too seldom
    about = {"row": np.arange(n), "split": split, "label": windows.label}
    about |= {"patient": windows.table["patient"].to_numpy()}
    about |= {"score": softmax(z, axis=1)[:, -1].astype(np.float32)}
    logits = {f"logit_{i}": z[:, i].astype(np.float32) for i in range(n_classes)}
    history = pd.DataFrame({"epoch": [1], "validation_loss": [0.5], "seconds": [2.0]})
    made = beat_study.config(windows, model, seed=seed, **(QUICK | settings))
    return Run(made, Path("nowhere"), history, pd.DataFrame(about | logits), 1000)


# which runs


def test_the_course_is_trained_as_the_course_does_and_all_else_is_not(sets):
    rows = sets["kachuee"]
    course = beat_study.config(rows, "course_2d").train
    mine = beat_study.config(rows, "se_resnet").train
    assert (course.class_weights, course.augment, course.average) == ("none", (), 0.0)
    assert mine.augment and mine.average and mine.lr > course.lr
    assert course.fs == mine.fs == 125.0


def test_a_run_says_what_it_is_shown(sets):
    made = beat_study.config(sets["context"], inputs="rr+template", protocol="inter")
    assert made.arguments["n_features"] == datasets.N_FEATURES["rr+template"]
    assert (made.task, made.protocol, made.inputs) == ("heartbeats", "inter", "rr+template")
    assert beat_study.config(sets["ptb"], protocol="beat_fold0").task == "ptb"
    assert beat_study.config(sets["kachuee"]).arguments["n_features"] == 0


def test_a_thinner_set_keeps_every_class_of_every_record_and_is_another_set(sets):
    rows = sets["kachuee"]
    real = replace(rows, parameters=rows.parameters | {"source": "physionet"})
    thin = beat_sets.thinned(real, every=7)
    kinds = rows.table.groupby(["record", "rhythm"]).size()
    kept = thin.table.groupby(["record", "rhythm"]).size()
    assert (kept == -(-kinds // 7)).all() and len(kept) == len(kinds)
    assert thin.hash != real.hash and thin.path.exists()
    assert beat_sets.thinned(real, every=1) is real
    assert beat_sets.thinned(rows, every=7) is rows
    with pytest.raises(ValueError, match="need every of 1 or more, got 0"):
        beat_sets.thinned(real, every=0)


def test_networks_come_by_name_the_page_s_own_always_among_them():
    assert beat_study.chosen("all") == beat_study.FAMILIES
    assert beat_study.chosen("transformer, course_2d") == ("course_2d", "se_resnet", "transformer")
    assert beat_study.chosen("", model="transformer") == ("transformer",)
    with pytest.raises(ValueError, match="need models of course_2d, .* or all, got oracle"):
        beat_study.chosen("oracle")


def test_a_trial_brings_what_it_is_compared_with(sets):
    asked = beat_study.training_configs(sets, experiments="root weights", **QUICK)
    assert set(asked) == {"root weights", "balanced weights", "residual", "course 2-D"}
    with pytest.raises(ValueError, match="need experiments of course 2-D, .* or all, got faster"):
        beat_study.training_configs(sets, experiments="faster")


def test_every_hypothesis_is_about_a_trial_that_exists_and_changes_something(sets):
    asked = beat_study.training_configs(sets, **QUICK)
    assert list(asked) == list(beat_study.HAND)
    assert len({group[0].id for group in asked.values()}) == len(asked)
    for trial in beat_study.HAND.values():
        assert trial.against in {"", *beat_study.HAND}


def test_the_network_of_the_page_has_every_seed_and_the_others_one(sets):
    asked = beat_study.evaluation_configs(sets, models="all", seeds=(3, 4), **QUICK)
    seeds = {}
    for made in asked["intra"]:
        seeds.setdefault((made.model, made.inputs), []).append(made.train.seed)
    assert seeds[("se_resnet", "signal")] == seeds[("se_resnet", "rr")] == [3, 4]
    assert seeds[("course_2d", "signal")] == [3]


def test_the_ladder_changes_one_thing_a_step(sets):
    asked = beat_study.evaluation_configs(sets, **QUICK)
    steps = [asked[name][0] for name in beat_study.LADDER]
    said = [(made.data, made.protocol, made.inputs) for made in steps]
    for before, after in zip(said, said[1:], strict=False):
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert steps[0].data == sets["unpaced"].hash and steps[0].protocol == "intra"


def test_between_people_each_seed_validates_on_other_ones(sets):
    asked = beat_study.evaluation_configs(sets, inter_seeds=(0, 1), **QUICK)
    assert {made.split_seed for made in asked["inter"]} == {0, 1}
    assert {made.split_seed for made in asked["intra"]} == {0}


def test_transfer_starts_from_the_same_seed_of_the_random_split(sets):
    asked = beat_study.evaluation_configs(sets, seeds=(0, 1), **QUICK)
    ids = {m.train.seed: m.id for m in asked["intra"] if m.inputs == "signal"}
    for how in ("frozen", "fine-tuned"):
        assert all(made.start == ids[made.train.seed] for made in asked[how])
        assert {made.train.freeze for made in asked[how]} == {how == "frozen"}
    assert {made.start for made in asked["from scratch"]} == {""}
    assert {made.protocol for made in asked["frozen"]} == set(beat_study.folds())


def test_without_a_ptb_table_there_are_no_such_runs(sets):
    asked = beat_study.evaluation_configs({k: v for k, v in sets.items() if k != "ptb"}, **QUICK)
    assert not set(beat_study.HOW) & set(asked)


def test_every_change_makes_another_run(sets):
    for name, table in beat_study.feedback_configs(sets, **QUICK).items():
        assert len({group[0].id for group in table.values()}) == len(table) > 3
        assert {group[0].protocol for group in table.values()} == {name}


def test_a_change_that_the_network_has_no_argument_for_is_left_out(sets):
    asked = beat_study.feedback_configs(sets, changes="focal loss, no channel weights", **QUICK)
    assert set(asked["intra"]) == {"as it is", "focal loss", "no channel weights"}
    other = beat_study.feedback_configs(
        sets, changes="focal loss, no channel weights", model="gru_attention", **QUICK
    )
    assert set(other["intra"]) == {"as it is", "focal loss"}
    with pytest.raises(ValueError, match="need changes of .*, got bigger"):
        beat_study.feedback_configs(sets, changes="bigger")


def test_all_runs_of_the_pages_are_listed_once_and_what_others_start_from_comes_first(sets):
    pages = {
        "exercise_04/04_training": {"experiments": "residual", "profile": "test", **QUICK},
        "exercise_04/05_evaluation": {"models": "all", "seeds": [0, 1], **QUICK},
        "exercise_04/06_feedback_loops": {"changes": "focal loss", **QUICK},
    }
    listed = beat_study.full_configs(sets, pages)
    ids = [made.id for made in listed]
    assert len(set(ids)) == len(ids)
    wanted = beat_study.evaluation_configs(sets, models="all", seeds=[0, 1], **QUICK)
    assert {made.id for group in wanted.values() for made in group} <= set(ids)
    for place, made in enumerate(listed):
        assert not made.start or made.start in ids[:place]


def test_runs_are_trained_by_their_own_beats_and_starts_come_first(sets, monkeypatch):
    order = []

    def run_all(configs, *, folder, windows, jobs, progress):
        order.extend(configs)
        assert all(made.data == windows["annotated"].hash for made in configs)
        return {made.id: made for made in configs}

    monkeypatch.setattr(runs, "run_all", run_all)
    listed = beat_study.full_configs(sets, {})
    found = beat_study.train_all(reversed(listed), sets, folder=Path("nowhere"))
    assert list(found) == [made.id for made in reversed(listed)]
    done = set()
    for made in order:
        assert not made.start or made.start in done
        done.add(made.id)


# votes and points of operation


def test_a_vote_is_the_mean_of_logits_with_the_parameters_of_all(sets):
    members = [a_run(sets["kachuee"], seed=seed) for seed in (0, 1, 2)]
    voted = beat_scores.vote(members)
    assert voted.n_parameters == 3000
    mean = np.mean([m.of("test")["logit_2"] for m in members], axis=0)
    np.testing.assert_allclose(voted.of("test").sort_values("row")["logit_2"], mean, rtol=1e-5)
    names = list(beat_scores.with_votes({"se_resnet": members, "course_2d": members[:1]}))
    assert names == ["se_resnet", "se_resnet x3", "course_2d"]


def test_a_member_has_no_vote_on_validation_beats_that_it_learnt_from(sets):
    a, b = (a_run(sets["kachuee"], seed=i, validation=(i,)) for i in (0, 1))
    voted = beat_scores.vote([a, b]).of("validation")
    assert set(voted["row"]) == set(a.of("validation")["row"]) | set(b.of("validation")["row"])
    mine = a.of("validation").set_index("row")["logit_0"]
    np.testing.assert_allclose(voted.set_index("row")["logit_0"][mine.index], mine)


def test_the_vote_of_noisy_members_is_better_than_they_are(sets):
    members = [a_run(sets["kachuee"], seed=seed, noise=2) for seed in range(5)]
    alone = beat_scores.plain_scores(beat_scores.stack(members), CLASSES)["macro_recall"]
    voted = beat_scores.plain_scores(beat_scores.stack([beat_scores.vote(members)]), CLASSES)
    assert voted["macro_recall"] > alone + 0.02


def test_the_point_of_operation_comes_from_validation_beats_only(sets):
    run = a_run(sets["kachuee"], noise=2)
    seen = run.predictions
    for split, moves in (("train", False), ("test", False), ("validation", True)):
        changed = seen["logit_1"].mask(seen["split"] == split, seen["logit_1"] - 3)
        other = replace(run, predictions=seen.assign(logit_1=changed))
        same = np.allclose(beat_scores.weights(other), beat_scores.weights(run))
        assert same is not moves
    assert (beat_scores.weights(run, aim="plain") == 1).all()
    with pytest.raises(ValueError, match="need an aim of plain, balanced, recall, got 'luck'"):
        beat_scores.weights(run, aim="luck")


def test_classes_called_too_seldom_gain_from_the_point_of_operation(sets):
    run = a_run(sets["kachuee"], noise=1.5)
    plain, balanced, recall = (
        beat_scores.plain_scores(beat_scores.stack([run], aim=aim), CLASSES, split="validation")
        for aim in beat_scores.AIMS
    )
    assert (
        balanced["macro_recall"] + balanced["macro_f1"] >= plain["macro_recall"] + plain["macro_f1"]
    )
    assert (
        recall["macro_f1"] >= beat_scores.KEPT["intra"] * balanced["macro_f1"] - 0.01
    )  # neighbours count
    assert recall["macro_recall"] >= balanced["macro_recall"] - 0.01


def test_the_better_network_is_selected_whatever_the_test_beats_say(sets):
    good, bad = a_run(sets["kachuee"], noise=0.5), a_run(sets["kachuee"], noise=3, seed=1)
    upset = good.predictions.copy()
    upset.loc[upset["split"] == "test", "logit_0"] += 50
    by_name = {"good": [replace(good, predictions=upset)], "bad": [bad]}
    assert beat_scores.select(by_name, CLASSES) == "good"


def test_a_run_does_not_differ_from_itself_and_other_beats_are_not_compared(sets):
    stacked = beat_scores.stack([a_run(sets["kachuee"])])
    assert beat_scores.compare(stacked, stacked, CLASSES)["value"] == 0
    with pytest.raises(ValueError, match="need stacks over the same beats"):
        beat_scores.compare(stacked, stacked[stacked["row"] > 300], CLASSES)


# results


def test_a_protocol_has_the_shape_that_metrics_json_promises(sets):
    rows = sets["kachuee"]
    group = {"a": [a_run(rows, seed=0), a_run(rows, seed=1)]}
    entry = beat_scores.protocol_entry(group, rows, aims=("balanced", "recall"))
    assert set(entry["split"]) == {"train", "validation", "test"}
    assert sum(part["windows"] for part in entry["split"].values()) == len(rows)
    assert set(entry["models"]) == {"a", "a, recall"}
    model = entry["models"]["a"]
    assert (model["parameters"], model["seeds"]) == (1000, 2)
    names = {"accuracy", "macro_recall", "macro_f1", *(f"recall_{c}" for c in CLASSES)}
    assert names <= set(model["test"]) and names <= set(model["train"])
    assert set(model["test"]["macro_f1"]) == {"value", "low", "high"}


def test_people_are_not_counted_where_nobody_knows_them(sets):
    ptb = sets["ptb"]
    nobody = replace(ptb, table=ptb.table.assign(patient=[f"beat-{i}" for i in range(len(ptb))]))
    entry = beat_scores.protocol_entry({"a": [a_run(nobody, model="se_resnet")]}, nobody)
    assert {part["patients"] for part in entry["split"].values()} == {None}


def test_recall_by_record_adds_up(sets):
    stacked = beat_scores.stack([a_run(sets["context"], noise=2)])
    found = beat_scores.record_recall(stacked, sets["context"], "S")
    seen = beat_scores.of(stacked, "test").query("label == 1")
    assert found["beats"].sum() == len(seen) and found["share"].sum() == pytest.approx(1)
    assert found["found"].sum() == (seen["pred"] == 1).sum()
    assert found["beats"].is_monotonic_decreasing


def test_the_plainest_misses_are_sick_beats_called_well_two_a_record(sets):
    run = a_run(sets["context"], noise=3)
    shown = beat_scores.plainest(beat_scores.stack([run], aim="plain"), sets["context"], n=4)
    assert len(shown) == 4 and (shown["label"] > 0).all() and (shown["pred"] == 0).all()
    assert shown["sick"].is_monotonic_increasing
    assert shown["record"].value_counts().max() <= 2
    perfect = beat_scores.stack([a_run(sets["context"], noise=0)])
    assert beat_scores.plainest(perfect, sets["context"]).empty


def test_the_naive_rule_and_the_linear_model_are_scored_like_a_network(sets, monkeypatch):
    rows = sets["kachuee"]
    naive = beat_yardsticks.naive(rows)
    assert beat_scores.plain_scores(naive, CLASSES)["macro_recall"] == pytest.approx(1 / 5)
    linear = beat_yardsticks.linear(rows)
    assert beat_scores.plain_scores(linear, CLASSES)["macro_recall"] > 0.6
    assert set(linear.groupby("split").size().index) == {"train", "validation", "test"}


def test_another_table_is_judged_by_the_vote_at_its_own_point(sets, monkeypatch):
    rows = sets["kachuee"]
    members = [a_run(rows, seed=seed) for seed in (0, 1)]
    z = np.eye(5)[rows.label] * 4.0
    monkeypatch.setattr(Run, "model", lambda self, windows: self.config.train.seed)
    monkeypatch.setattr("ecglib.train.predict", lambda seed, signal: z * (1 + seed))
    found = beat_scores.elsewhere(members, rows, rows.take(np.arange(len(rows)) < 100_000))
    expected = metrics.tilt(1.5 * z, weights=beat_scores.weights(beat_scores.vote(members)))
    assert found["pred"].tolist() == expected.tolist()


# what the summary is made from


def test_rows_of_a_group_are_replaced_and_the_base_comes_first(sets):
    chapter = open_chapter("exercise_04", profile="demo", source="synthetic")
    rows = sets["kachuee"]
    with pytest.raises(ValueError, match="run 05_evaluation and 06_feedback_loops first"):
        beat_study.summary_rows(chapter)
    for names in (("old",), ("course_2d", "vote x3")):
        group = {name: [a_run(rows, model="course_2d")] for name in names}
        beat_rows.keep_rows(chapter, "another network", group, CLASSES)
    table = {"focal loss": [a_run(rows, loss="focal")], "as it is": [a_run(rows)]}
    beat_rows.keep_rows(chapter, "one change", table, CLASSES, base="as it is")
    found = beat_study.summary_rows(chapter)
    assert found["_name"].tolist() == ["as it is", "course_2d", "vote x3", "focal loss"]
    assert found["base"].tolist() == [True, False, False, False]
    assert found["networks"].tolist() == [1, 1, 3, 1]
    assert {"model", "loss", "n_parameters", "group"} <= set(found)
    assert "batch_size" not in found  # the same in every row
    for score in beat_rows.SCORES:
        d = found[score][0]
        assert 0 < d["low"] <= d["value"] <= d["high"] <= 1


def test_a_search_starts_at_the_best_value_and_reaches_to_its_neighbours(sets):
    rows = sets["kachuee"]
    tried = {f"{lr:g}": [a_run(rows, lr=lr)] for lr in (1e-3, 3e-3, 9e-3)}
    tried["focal"] = [a_run(rows, lr=3e-3, loss="focal")]
    found = beat_rows.ranges(tried, {"0.001": 0.7, "0.003": 0.9, "0.009": 0.8, "focal": 0.6})
    assert found.loc["lr", "best"] == 3e-3
    assert found.loc["lr", "search"] == "0.001 to 0.009"
    assert found.loc["loss", "search"] == "cross_entropy or focal"
    edge = beat_rows.ranges(tried, {"0.001": 0.7, "0.003": 0.8, "0.009": 0.9, "focal": 0.6})
    assert edge.loc["lr", "search"] == "0.003 to 0.027"


# the pages


def test_the_runs_of_the_pages_are_those_that_were_listed(book, monkeypatch):
    monkeypatch.setenv("ECGLIB_DATA", str(book.outs.parent / "data"))
    monkeypatch.setenv("ECGLIB_OUTS", str(book.outs))
    pages = {p.name: p.parameters for p in publish.plan("test") if p.exercise == "exercise_04"}
    n_patients = pages["exercise_04/05_evaluation"]["n_patients"]
    sets = beat_study.versions("synthetic", n_patients=n_patients)
    chapter = open_chapter("exercise_04", profile="test", source="synthetic")
    there = {folder.name for folder in chapter.ledger.iterdir()}
    assert {made.id for made in beat_study.full_configs(sets, pages)} <= there


def test_the_results_of_the_pages_keep_the_contract(book):
    found = json.loads((book.outs / "demo" / "exercise_04" / "metrics.json").read_text())
    assert set(found["protocols"]) == {"intra", "inter", "ptb"}
    assert {"protocol", "model", "threshold"} <= set(found["selected"])
    assert found["selected"]["inter_model"] in found["protocols"]["inter"]["models"]
    for entry in found["protocols"].values():
        for model in entry["models"].values():
            assert {"macro_recall", "macro_f1", "accuracy"} <= set(model["test"])
            assert set(model["test"]["macro_recall"]) == {"value", "low", "high"}


def test_every_parameter_of_the_full_edition_reaches_the_list_of_runs(sets):
    full = yaml.safe_load((paths.root() / "book" / "profiles.yml").read_text())["full"]
    pages = {
        name: full["exercise_04"] | full.get(f"exercise_04/{name}", {}) for name in beat_study.PAGES
    }
    listed = beat_study.full_configs(sets, pages)
    given = pages["05_evaluation"]
    folds = [made for made in listed if made.protocol == "beat_fold0"]
    assert {made.train.epochs for made in folds} == {given["ptb_epochs"]}
    assert len(folds) == len(beat_study.HOW)  # with the first seed
    assert {made.model for made in listed} == {*beat_study.FAMILIES, beat_study.LINEAR}
