"""Tasks by name: windows, ways to train, runs that are found, judged and compared."""

import dataclasses
import shutil

import numpy as np
import pytest
import tiny
import tiny_beats
import tiny_rhythms

from ecglib import metrics, paths, runs, study
from ecglib.rhythms import fusion, scores
from ecglib.tasks import looks, models, results, sets, shelf, ways

QUICK = {"train": {"epochs": 1, "augment": (), "average": 0.0}}


@pytest.fixture
def shock(tmp_path):
    """Windows of shock advice where prepared ones lie, and two runs on them."""
    windows = tiny.windows(tmp_path / "data" / "prepared")
    (tmp_path / "data/prepared/tiny.parquet").rename(tmp_path / "data/prepared/shock-a.parquet")
    folder = tmp_path / "outs" / "demo" / "runs"
    made = [ways.config(windows, "tiny_cnn", seed=seed, given=QUICK) for seed in (0, 1)]
    return windows, [runs.run(one, windows, folder=folder, progress=False) for one in made]


def test_the_windows_of_a_run_are_found_again_by_their_hash(shock):
    windows, (run, _) = shock
    found = sets.windows_of(run.config)
    assert found.hash == windows.hash == run.config.data
    assert np.array_equal(found.label, windows.label)


def test_windows_that_are_gone_are_named(shock, tmp_path):
    (tmp_path / "data/prepared/shock-a.parquet").unlink()
    with pytest.raises(ValueError, match="need the windows .* prepare those of shock"):
        sets.windows_of(shock[1][0].config)


def test_a_run_is_found_by_id_beginning_folder_and_as_the_last(shock):
    _, (first, second) = shock
    start = next(n for n in range(1, 13) if first.id[:n] != second.id[:n])
    for word in (first.id, first.id[:start], str(first.folder)):
        assert shelf.find(word).id == first.id
    assert shelf.find("last").id in (first.id, second.id)
    with pytest.raises(ValueError, match="got 'zzz'.*2 there are"):
        shelf.find("zzz")
    with pytest.raises(ValueError, match="need a run's id"):
        shelf.find("")


def test_a_beginning_that_several_runs_share_is_refused(shock):
    _, made = shock
    ledger = made[0].folder.parent
    for name in ("ab12", "ab34"):
        made[0].folder.with_name(name).mkdir()
        (ledger / name / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="'ab' begins ab12, ab34"):
        shelf.find("ab")


def test_the_list_tells_of_every_run_and_names_a_broken_one(shock):
    _, made = shock
    broken = made[0].folder.with_name("abc")
    broken.mkdir()
    (broken / "config.json").write_text("{")
    table, problems = shelf.listing()
    assert set(table["id"]) == {run.id for run in made}
    assert set(table["model"]) == {"tiny_cnn"} and set(table["epochs"]) == {1}
    assert len(problems) == 1 and "abc" in problems[0]


def test_a_run_is_scored_as_the_pages_of_shock_advice_score_it(shock):
    windows, (run, _) = shock
    found = results.evaluate(run, windows, n=50)
    stacked = study.stack([run], windows)
    assert found.scores == study.scores(stacked, n=50)
    seen = stacked[stacked["label"] >= 0]
    assert sum(map(sum, found.confusion)) == len(seen)
    assert found.confusion[1][1] == int((seen["shock"] * seen["label"]).sum())
    assert found.as_dict()["n"] == len(seen)
    assert sum(found.weights) == pytest.approx(1)


def test_the_weights_of_shock_advice_decide_as_its_threshold(shock):
    windows, (run, _) = shock
    seen = results.decided(run, windows)
    p = np.stack([1 - seen["score"], seen["score"]], axis=1)
    clear = np.abs(seen["score"] - results.decision_weights(run, windows)[0]) > 1e-6
    by_weights = (p * results.decision_weights(run, windows)).argmax(axis=1)
    assert np.array_equal(by_weights[clear], seen["pred"][clear])


def test_runs_are_compared_on_the_same_patients(shock):
    windows, made = shock
    by_id = {run.id: windows for run in made}
    table = results.compare(made, by_id, n=50)
    first, second = table.to_dict("records")
    assert np.isnan(first["difference"])
    assert second["difference"] == pytest.approx(second["value"] - first["value"])
    with pytest.raises(ValueError, match="two runs or more"):
        results.compare(made[:1], by_id)
    with pytest.raises(ValueError, match="need a metric of accuracy"):
        results.compare(made, by_id, metric="f2", n=5)


def test_a_set_that_there_is_not_is_refused(shock):
    windows, (run, _) = shock
    with pytest.raises(ValueError, match="need a set of train, validation, test, got 'tset'"):
        results.evaluate(run, windows, split="tset")


def test_maps_of_chosen_windows_come_with_what_was_decided(shock):
    windows, (run, _) = shock
    found = looks.look(run, windows, [0, 7], target="shockable")
    table = found.table()
    assert len(table) == 2 * windows.signal.shape[-1]
    assert list(table["window"].unique()) == [0, 7]
    assert table.loc[table["window"] == 7, "lead_1"].to_numpy() == pytest.approx(
        windows.signal[7, 0]
    )
    assert set(table["target"]) == {"shockable"}
    assert table["attribution"].notna().all()


@pytest.mark.parametrize(
    ("rows", "how", "told"),
    [
        ([10**6], {}, "need windows from 0 to"),
        ([-1], {}, "got -1"),
        ([0], {"method": "gradcam"}, "did you mean 'grad_cam'"),
        ([0], {"target": "VF"}, "need a target of predicted, non-shockable, shockable"),
    ],
)
def test_what_cannot_be_looked_at_is_told(shock, rows, how, told):
    windows, (run, _) = shock
    with pytest.raises(ValueError, match=told):
        looks.look(run, windows, rows, **how)


def test_beats_are_learnt_as_in_their_exercise_and_judged_by_class(tmp_path):
    windows = tiny_beats.beats()
    config = ways.config(windows, "gru_attention", given=QUICK)
    assert config.protocol == "intra"  # nobody said who the people are
    run = runs.run(config, windows, folder=tmp_path, progress=False)
    found = results.evaluate(run, windows, n=20)
    assert found.unit == "beats" and set(found.scores) >= {"macro_f1", "recall_V"}
    seen = results.decided(run, windows)
    seen = seen[seen["split"] == "test"]
    wanted = metrics.class_scores(seen["label"], seen["pred"], windows.classes)
    assert found.scores["macro_f1"]["value"] == pytest.approx(wanted["macro_f1"])


def test_rhythms_are_judged_with_the_prior_taken_out_as_their_exercise_does():
    windows = tiny_rhythms.recordings("records")
    run = tiny_rhythms.a_run(windows, seed=1, tilt=3.0, model="rhythm_net")
    weights = results.decision_weights(run, windows)
    assert weights[0] == 1 < weights[1] < weights[2]  # the rarer, the more
    features = fusion.record_features(run, windows)
    by_weights = metrics.tilt(fusion.of(features, "log_p"), weights=weights)
    seen = results.decided(run, windows).set_index("record")
    assert (seen.loc[features["record"], "pred"].to_numpy() == by_weights).all()
    wanted = scores.decided([run], {"these": windows}, how="prior-corrected")
    assert (seen["pred"] == wanted.set_index("record")["pred"]).all()


def test_what_one_publishes_for_oneself_goes_beside_the_edition(shock, monkeypatch, tmp_path):
    monkeypatch.setenv("ECGLIB_OUTS", str(tmp_path / "outs"))
    run = shock[1][0]
    path = models.publish(run, "mine")
    assert path == paths.demo("models") / "mine" and any(path.glob("*.md"))
    shutil.copytree(path, paths.published("exercise_06") / "models" / "shock-cnn")
    with pytest.raises(ValueError, match="need another name than shock-cnn: the book publishes"):
        models.publish(run, "shock-cnn")


@pytest.mark.parametrize("task", sets.TASKS)
def test_every_task_has_a_model_and_settings_without_two_meanings(task):
    shape, run = ways.settings_of(task, ways.MODELS[task], {})
    assert shape == {} and run == {"run": {}, "train": {}, "arguments": {}}
    groups = [set(sets.choices(task)), set(ways.RUN), set(ways._train())]
    groups.append(set(ways._arguments(ways.MODELS[task])))
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_settings_go_where_they_belong():
    given = {"stride_s": 2, "epochs": 3, "kernel": 5, "split_seed": 1}
    shape, run = ways.settings_of("shock", "tiny_cnn", given)
    assert shape == {"stride_s": 2.0}
    assert run == {"run": {"split_seed": 1}, "train": {"epochs": 3}, "arguments": {"kernel": 5}}
    with pytest.raises(ValueError, match="unknown model 'cnnn': did you mean 'cnn'"):
        ways.settings_of("shock", "cnnn", {})


def test_a_changed_setting_makes_another_run(shock):
    windows, (run, _) = shock
    same = ways.config(windows, "tiny_cnn", given=QUICK)
    assert same == run.config
    other = ways.config(windows, "tiny_cnn", given=QUICK | {"run": {"split_seed": 3}})
    assert other == dataclasses.replace(same, split_seed=3)


def test_inputs_that_a_task_has_not_are_refused(shock):
    for name in ("rr", "rrr"):
        with pytest.raises(ValueError, match=f"need inputs signal on shock, got '{name}'"):
            ways.config(shock[0], "tiny_cnn", given={"run": {"inputs": name}})


def test_a_task_that_there_is_not_and_a_folder_too_many_are_refused(tmp_path):
    with pytest.raises(ValueError, match="need a task of shock, heartbeats, rhythms, own"):
        sets.windows("shok")
    with pytest.raises(ValueError, match="need the task own"):
        sets.windows("shock", folder=tmp_path)
    with pytest.raises(ValueError, match="need a folder of recordings"):
        sets.windows("own")
