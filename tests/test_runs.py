"""The ledger: a run is its configuration, found again or trained, whole or not there."""

import errno
import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import tiny
from hypothesis import given
from hypothesis import strategies as st

from ecglib import datasets, models, runs, splits, train
from ecglib.datasets.inputs import RR_COLUMNS
from ecglib.runs import RunConfig
from ecglib.runs import training as making
from ecglib.train import TrainConfig, loop

TRAIN = TrainConfig(epochs=3, batch_size=32, augment=("scale", "noise"), average=0.9, device="cpu")


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> datasets.Windows:
    return tiny.windows(tmp_path_factory.mktemp("windows"))


def small(windows: datasets.Windows, **changes) -> RunConfig:
    config = RunConfig(model="mlp", data=windows.hash, arguments={"hidden": 8}, train=TRAIN)
    return replace(config, **changes)


@pytest.fixture(scope="module")
def finished(windows, tmp_path_factory) -> runs.Run:
    """One run that the tests only look at."""
    return runs.run(small(windows), windows, folder=tmp_path_factory.mktemp("runs"), progress=False)


def weights(run: runs.Run) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


def never(*_args, **_options):
    raise AssertionError("must not be called")


# the configuration and its id

OTHER = {
    "model": "cnn", "data": "f" * 12, "arguments": {"hidden": 16}, "task": "beats",
    "labels": "reviewed", "protocol": "fold0", "split_seed": 1, "inputs": "rr",
    "start": "0123456789ab",
}  # fmt: skip
OTHER_TRAIN = {
    "fs": 500.0, "epochs": 21, "epoch_windows": 100, "batch_size": 64, "lr": 1e-3,
    "weight_decay": 0.1, "schedule": "cosine", "warmup": 0.3, "loss": "focal", "focal_gamma": 1.0,
    "class_weights": "none", "label_smoothing": 0.1, "clip_norm": 2.0, "patience": 3,
    "augment": ("shift",), "augment_probability": 0.25, "average": 0.9, "seed": 1,
    "augment_strength": 0.5, "mixup": 0.2, "freeze": True, "n_features": 6, "half": True,
    "keep_padding": True, "keep": "last",
}  # fmt: skip
PLAIN = RunConfig(model="mlp", data="0" * 12)


def test_every_entry_of_a_configuration_is_tried_below():
    assert set(OTHER) | {"train"} == set(asdict(PLAIN))
    assert set(OTHER_TRAIN) | {"device"} == set(asdict(TrainConfig()))


@pytest.mark.parametrize("entry", OTHER)
def test_every_entry_has_a_say_in_the_id(entry):
    assert replace(PLAIN, **{entry: OTHER[entry]}).id != PLAIN.id


@pytest.mark.parametrize("entry", OTHER_TRAIN)
def test_every_entry_of_the_training_has_a_say_in_the_id(entry):
    assert replace(PLAIN, train=TrainConfig(**{entry: OTHER_TRAIN[entry]})).id != PLAIN.id


def test_what_earlier_runs_did_not_have_leaves_their_ids_alone():
    content = json.loads(PLAIN.json())
    assert not {"inputs", "start"} & set(content)
    assert not {"mixup", "freeze", "n_features", "augment_strength"} & set(content["train"])
    assert PLAIN.id == "ced10a69996a"


def test_the_device_has_none():
    assert replace(PLAIN, train=TrainConfig(device="cpu")).id == PLAIN.id


def test_the_id_is_the_hash_of_the_canonical_json():
    assert json.loads(PLAIN.json())["model"] == "mlp"
    assert list(json.loads(PLAIN.json())) == sorted(json.loads(PLAIN.json()))
    assert PLAIN.id == RunConfig(data="0" * 12, model="mlp", arguments={}).id
    assert len(PLAIN.id) == 12 and int(PLAIN.id, 16) >= 0


def test_the_order_of_arguments_does_not_count():
    one, other = ({"hidden": 8, "depth": 1}, {"depth": 1, "hidden": 8})
    assert replace(PLAIN, arguments=one).id == replace(PLAIN, arguments=other).id


@given(
    model=st.sampled_from(sorted(models.MODELS)),
    arguments=st.dictionaries(st.text(max_size=5), st.integers() | st.floats(0, 1) | st.booleans()),
    split_seed=st.integers(0, 99),
    lr=st.floats(1e-6, 1),
    augment=st.lists(st.sampled_from(["scale", "shift", "noise"]), unique=True).map(tuple),
)
def test_a_configuration_survives_its_json(model, arguments, split_seed, lr, augment):
    config = RunConfig(
        model=model,
        data="abc",
        arguments=arguments,
        split_seed=split_seed,
        train=TrainConfig(lr=lr, augment=augment),
    )
    assert runs.read_config(config.json()) == config
    assert runs.read_config(config.json()).id == config.id


@pytest.mark.parametrize("where", ["train", None])
def test_an_entry_of_another_version_is_named(where):
    content = json.loads(PLAIN.json())
    (content[where] if where else content)["momentum"] = 0.9
    with pytest.raises(ValueError, match=r"unknown entries \['momentum'\]"):
        runs.read_config(json.dumps(content))


# a run


def test_a_run_is_a_folder_with_its_four_files(finished):
    assert sorted(p.name for p in finished.folder.iterdir()) == sorted(runs.FILES)
    assert finished.folder.name == finished.id == finished.config.id


def test_a_run_tells_how_it_went_and_what_it_predicts(finished, windows):
    assert finished.history["epoch"].tolist() == [1, 2, 3]
    seen = finished.predictions
    assert seen["score"].between(0, 1).all()
    assert set(seen["split"]) == set(splits.SPLITS)
    np.testing.assert_array_equal(seen["label"], windows.label[seen["row"]])
    np.testing.assert_array_equal(seen["patient"], windows.table["patient"].iloc[seen["row"]])
    odds = np.exp(seen["logit_1"] - seen["logit_0"])
    np.testing.assert_allclose(seen["score"], odds / (1 + odds), rtol=1e-5)


def test_first_leads_are_scored_and_only_test_rows_may_lack_a_label(finished, windows):
    assert set(windows.table["lead"].iloc[finished.predictions["row"]]) == {0}
    unlabelled = {name: (finished.of(name)["label"] < 0).any() for name in splits.SPLITS}
    assert unlabelled == {"train": False, "validation": False, "test": True}


def test_the_kept_network_gives_the_kept_predictions(finished, windows):
    seen = finished.of("test")
    logits = train.predict(finished.model(windows), windows.signal[seen["row"]])
    np.testing.assert_allclose(logits, seen[["logit_0", "logit_1"]], atol=1e-6)


def test_tiny_windows_are_learnt(finished):
    seen = finished.of("test")
    assert seen.groupby("label")["score"].mean().diff().loc[1] > 0.02


def test_the_second_call_loads_and_does_not_train(finished, windows, monkeypatch):
    monkeypatch.setattr(train, "Training", never)
    again = runs.run(small(windows), windows, folder=finished.folder.parent, progress=False)
    pd.testing.assert_frame_equal(again.predictions, finished.predictions)
    pd.testing.assert_frame_equal(again.history, finished.history)
    assert (again.id, again.n_parameters) == (finished.id, finished.n_parameters)


def test_the_same_configuration_gives_the_same_weights(finished, windows, tmp_path):
    assert weights(runs.run(small(windows), windows, folder=tmp_path, progress=False)) == weights(
        finished
    )


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_killed_run_goes_on_to_the_weights_of_one_never_killed(
    epoch, finished, windows, tmp_path, monkeypatch
):
    one_epoch, trained = loop._one_epoch, []

    def killed(*args, **options):
        if options["epoch"] == epoch:
            raise KeyboardInterrupt
        return one_epoch(*args, **options)

    def counted(*args, **options):
        trained.append(options["epoch"])
        return one_epoch(*args, **options)

    monkeypatch.setattr(loop, "_one_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.run(small(windows), windows, folder=tmp_path, progress=False)
    assert not (tmp_path / small(windows).id).exists()
    assert runs.table(tmp_path).empty

    monkeypatch.setattr(loop, "_one_epoch", counted)
    resumed = runs.run(small(windows), windows, folder=tmp_path, progress=False)
    assert trained == list(range(epoch, 3))
    assert weights(resumed) == weights(finished)
    columns = finished.history.columns.drop("seconds")
    pd.testing.assert_frame_equal(resumed.history[columns], finished.history[columns])
    pd.testing.assert_frame_equal(resumed.predictions, finished.predictions)
    assert [p.name for p in tmp_path.iterdir()] == [resumed.id]


def test_a_disk_full_at_the_end_leaves_no_run_and_loses_no_epoch(
    finished, windows, tmp_path, monkeypatch
):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.torch, "save_file", full)
        with pytest.raises(OSError, match="No space left"):
            runs.run(small(windows), windows, folder=tmp_path, progress=False)
    assert not (tmp_path / small(windows).id).exists()
    monkeypatch.setattr(loop, "_one_epoch", never)
    again = runs.run(small(windows), windows, folder=tmp_path, progress=False)
    assert weights(again) == weights(finished)


def test_whoever_finishes_second_takes_the_run_of_the_first(
    finished, windows, tmp_path, monkeypatch
):
    rename = os.rename

    def late(aside, final):
        shutil.copytree(finished.folder, final)
        rename(aside, final)

    monkeypatch.setattr(os, "rename", late)
    found = runs.run(small(windows), windows, folder=tmp_path, progress=False)
    pd.testing.assert_frame_equal(found.history, finished.history)
    assert [p.name for p in tmp_path.iterdir()] == [found.id]


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """A copy of the finished run, to spoil."""
    return Path(shutil.copytree(finished.folder, tmp_path / finished.id))


@pytest.mark.parametrize("name", runs.FILES)
def test_a_missing_file_of_a_run_is_named(name, copied):
    (copied / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        runs.load(copied)


@pytest.mark.parametrize("part", ["config", "n_parameters"])
def test_a_run_that_does_not_say_what_it_is_is_named(part, copied):
    about = json.loads((copied / "config.json").read_text())
    for spoilt in ({k: v for k, v in about.items() if k != part}, about | {part: None}):
        (copied / "config.json").write_text(json.dumps(spoilt))
        with pytest.raises(ValueError, match="config.json: need the configuration of a run"):
            runs.load(copied)


@pytest.mark.parametrize("name", [name for name in runs.FILES if name != "model.safetensors"])
def test_a_damaged_file_of_a_run_is_named(name, copied):
    (copied / name).write_bytes((copied / name).read_bytes()[:50])
    with pytest.raises(ValueError, match=name):
        runs.load(copied)


def test_a_damaged_network_is_named(copied, windows):
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        runs.load(copied).model(windows)


# step by step, for whoever wants a say between two epochs


def test_a_run_made_step_by_step_is_the_run_made_at_once(finished, windows, tmp_path):
    config = small(windows)
    network, training = runs.prepare(config, windows, tmp_path)
    while not training.done:
        training.step()
    made = runs.keep(config, windows, network, training.finish(), tmp_path)
    assert weights(made) == weights(finished)
    pd.testing.assert_frame_equal(made.predictions, finished.predictions)
    assert [p.name for p in tmp_path.iterdir()] == [made.id]


def test_a_training_stopped_early_is_kept_without_a_look_at_the_test_rows(windows, tmp_path):
    config = small(windows)
    network, training = runs.prepare(config, windows, tmp_path, checkpoint=False)
    assert not list(tmp_path.iterdir())
    training.step()
    made = runs.keep(
        config, windows, network, training.finish(), tmp_path, sets=("train", "validation")
    )
    assert len(made.history) == 1
    assert set(made.predictions["split"]) == {"train", "validation"}


# what the network is shown, and where it starts


def beats(windows: datasets.Windows) -> datasets.Windows:
    """The tiny windows with an interval before and after each."""
    seconds = dict.fromkeys(RR_COLUMNS, 0.8)
    early = np.where(windows.label == 1, 0.5, 0.8)
    return replace(windows, table=windows.table.assign(**seconds | {"rr_prev_s": early}))


N_RR = datasets.N_FEATURES["rr"]
RR = {"model": "se_resnet", "arguments": {"n_features": N_RR}, "inputs": "rr"}


def test_a_network_is_shown_the_intervals_it_asks_for(windows, tmp_path):
    config = small(windows, **RR, train=replace(TRAIN, epochs=1))
    made = runs.run(config, beats(windows), folder=tmp_path, progress=False)
    network = made.model(beats(windows))
    assert (network.n_leads, network.n_features) == (1 + N_RR, N_RR)
    shown = datasets.with_inputs(beats(windows), "rr").signal
    seen = made.of("test")
    logits = train.predict(network, shown[seen["row"]])
    np.testing.assert_allclose(logits, seen[["logit_0", "logit_1"]], atol=1e-5)


def test_the_augmentation_knows_which_leads_are_numbers(windows, tmp_path):
    config = small(windows, **RR)
    _, training = runs.prepare(config, beats(windows), tmp_path)
    assert training.learner.augmentation.n_features == N_RR


def test_intervals_must_not_be_taken_for_signal(windows, tmp_path):
    error = refused(small(windows, inputs="rr"), beats(windows), tmp_path)
    assert error.match("need the argument n_features=5 for inputs 'rr', got 0")


def test_a_run_starts_from_the_weights_of_another_but_for_the_head(finished, windows, tmp_path):
    shutil.copytree(finished.folder, tmp_path / finished.id)
    config = small(windows, start=finished.id, train=replace(TRAIN, seed=7))
    network, _ = runs.prepare(config, windows, tmp_path)
    fresh, _ = runs.prepare(replace(config, start=""), windows, tmp_path)
    there = finished.model(windows).state_dict()
    for name, value in network.state_dict().items():
        assert value.equal(fresh.state_dict()[name] if name[:5] == "head." else there[name]), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "0123456789ab"}, "need the run 0123456789ab to start from, .* has none"),
        ({"arguments": {"hidden": 9}}, "differs in stages"),
        ({"model": "tiny_cnn", "arguments": {}}, "need a run of the same network"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(changes, message, finished, windows, tmp_path):
    shutil.copytree(finished.folder, tmp_path / finished.id)
    config = replace(small(windows, start=finished.id), **changes)
    with pytest.raises(ValueError, match=message):
        runs.run(config, windows, folder=tmp_path, progress=False)


def test_what_a_run_starts_from_is_made_before_it(windows, tmp_path):
    first = seeds(windows, 1)[0]
    then = replace(first, start=first.id, train=replace(first.train, freeze=True))
    last = replace(first, start=then.id)
    options = {"windows": {"annotated": windows}, "progress": False}
    made = runs.run_all([last, then, first], folder=tmp_path, **options)
    assert list(made) == [last.id, then.id, first.id]
    body, head = "stages.1.weight", "head.weight"
    one, two = (made[c.id].model(windows).state_dict() for c in (first, then))
    assert one[body].equal(two[body]) and not one[head].equal(two[head])


def test_windows_with_one_version_of_labels_are_read_as_they_are(windows, tmp_path):
    path = tmp_path / "beats.parquet"
    table = windows.table.drop(columns=list(datasets.LABELS))
    datasets.write_windows(replace(windows, table=table), path)
    read = making._read(path, "annotated")
    np.testing.assert_array_equal(read.label, windows.label)
    assert read.hash == windows.hash


# what is refused


def refused(config: RunConfig, windows: datasets.Windows, folder: Path) -> pytest.ExceptionInfo:
    """The error that this run ends in; no run is left behind."""
    with pytest.raises(ValueError) as error:
        runs.run(config, windows, folder=folder, progress=False)
    assert not any(p.name[0] != "." for p in folder.glob("*"))
    return error


def test_windows_of_another_hash_are_refused(windows, tmp_path):
    error = refused(small(windows, data="0" * 12), windows, tmp_path)
    assert error.match(f"need windows 000000000000 .*got {windows.hash}")


def test_windows_of_other_labels_are_refused(windows, tmp_path):
    assert refused(small(windows, labels="reviewed"), windows, tmp_path).match("reviewed")


def test_a_patient_in_two_sets_is_refused(windows, tmp_path, monkeypatch):
    split = splits.protocol(windows.table, "patient")
    split["test"] = np.append(split["test"], split["train"][0])
    monkeypatch.setattr(splits, "protocol", lambda *_args, **_options: split)
    monkeypatch.setattr(train, "Training", never)
    error = refused(small(windows), replace(windows), tmp_path)  # not split before
    assert error.type is splits.LeakError and error.match("every patient in one set")


@pytest.mark.parametrize("name", splits.SPLITS)
def test_a_set_without_a_class_is_named(name, windows, tmp_path):
    label = windows.label.copy()
    rows = splits.protocol(windows.table, "patient")[name]
    label[rows[label[rows] == 1]] = 0
    error = refused(small(windows), replace(windows, label=label), tmp_path)
    assert error.match(f"{name} has no shockable")


def test_an_unknown_model_names_the_known_ones(windows, tmp_path):
    error = refused(small(windows, model="oracle"), windows, tmp_path)
    assert error.match("unknown model 'oracle', expected one of .*mlp")


def test_an_unknown_argument_of_a_model_is_named(windows, tmp_path):
    assert refused(small(windows, arguments={"size": 3}), windows, tmp_path).match("size")


def test_an_unknown_protocol_names_the_known_ones(windows, tmp_path):
    error = refused(small(windows, protocol="best"), windows, tmp_path)
    assert error.match("patient, fold0 to fold4, without_a, without_b")


# several runs


def seeds(windows: datasets.Windows, n: int) -> list[RunConfig]:
    return [small(windows, train=replace(TRAIN, seed=seed, epochs=1)) for seed in range(n)]


def test_two_jobs_give_what_one_gives(windows, tmp_path):
    options = {"windows": {"annotated": windows}, "progress": False}
    one, two = (
        runs.run_all(seeds(windows, 2), folder=tmp_path / str(jobs), jobs=jobs, **options)
        for jobs in (1, 2)
    )
    assert list(one) == list(two) == [config.id for config in seeds(windows, 2)]
    for name in one:
        assert weights(one[name]) == weights(two[name])
        pd.testing.assert_frame_equal(one[name].predictions, two[name].predictions)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_is_asked_for_twice_is_trained_once(jobs, windows, tmp_path):
    options = {"windows": {"annotated": windows}, "progress": False, "jobs": jobs}
    asked = seeds(windows, 2)
    made = runs.run_all([*asked, *asked, asked[0]], folder=tmp_path, **options)
    assert list(made) == [config.id for config in asked]


def test_runs_that_are_there_are_not_trained_again(windows, tmp_path, monkeypatch):
    options = {"windows": {"annotated": windows}, "folder": tmp_path, "progress": False}
    runs.run_all(seeds(windows, 1), **options)
    trained, training = [], train.Training

    def watched(*args, config, **more):
        trained.append(config.seed)
        return training(*args, config=config, **more)

    monkeypatch.setattr(train, "Training", watched)
    assert len(runs.run_all(seeds(windows, 2), **options)) == 2
    assert trained == [1]


def test_the_table_lists_every_run_and_no_unfinished_one(finished, windows, tmp_path):
    folder = finished.folder.parent
    (folder / ".0123456789ab").mkdir(exist_ok=True)
    listed = runs.table(folder)
    assert listed["id"].tolist() == [finished.id]
    row = listed.iloc[0]
    assert (row["model"], row["protocol"], row["lr"]) == ("mlp", "patient", TRAIN.lr)
    assert row["model.hidden"] == 8
    assert row["n_parameters"] == finished.n_parameters == 251 * 8 + 9 * 8 + 9 * 2
    best = finished.history["validation_loss"].idxmin()
    assert row["best_epoch"] == finished.history["epoch"][best]


def test_an_empty_ledger_gives_an_empty_table(tmp_path):
    assert runs.table(tmp_path / "nothing").empty
