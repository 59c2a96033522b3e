"""The search: what it may be asked, what it loses to a kill (nothing), and what it tells."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from tiny_beats import beats

from ecglib import datasets, hypertune, models, paths, runs, splits
from ecglib.hypertune import Settings, driver

SPACE = {"mlp": {"hidden": {"low": 4, "high": 32, "log": True}, "dropout": [0.0, 0.3]}}
TRAIN = {"lr": {"low": 1e-3, "high": 3e-2, "log": True}, "batch_size": 2, "augment": ["", "noise"]}
SMALL = Settings(models=SPACE, train=TRAIN, trials=8, epochs=6, grace=2, random=4)
SLOW = replace(SMALL, trials=6, epochs=10, grace=4)


@pytest.fixture(scope="module")
def windows() -> datasets.Windows:
    return beats()


# what may be asked


def drawn(settings: Settings, n: int = 50) -> list[dict]:
    """Points as Ray hands them to a trial."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    points = []
    for _ in range(n):
        trial = study.ask()
        settings.draw(trial)
        point = {}
        for name, value in trial.params.items():
            part, _, key = name.partition("/")
            point |= {part: point.get(part, {}) | {key: value}} if key else {part: value}
        points.append(point)
    return points


def test_every_drawn_point_is_a_run_within_the_ranges(windows):
    configs = [SMALL.config(windows, point) for point in drawn(SMALL)]
    assert {c.data for c in configs} == {windows.hash}
    assert all(4 <= c.arguments["hidden"] <= 32 for c in configs)
    assert {c.arguments["dropout"] for c in configs} == {0.0, 0.3}
    assert {c.train.augment for c in configs} == {(), ("noise",)}
    assert all(1e-3 <= c.train.lr <= 3e-2 and c.train.batch_size == 2 for c in configs)
    assert all(c.train.epochs == 6 and c.train.fs == windows.fs for c in configs)


def test_of_few_windows_each_is_seen_once_an_epoch(windows):
    for drawn, want in ((len(windows), 0), (len(windows) // 4, len(windows) // 4)):
        settings = replace(SMALL, train={**SMALL.train, "epoch_windows": drawn})
        assert settings.config(windows, {"model": "mlp"}).train.epoch_windows == want


def test_arguments_that_are_not_searched_are_written_out(windows):
    config = SMALL.config(windows, {"model": "mlp"})
    assert config.arguments == models.arguments("mlp")


def test_each_model_is_drawn_with_its_own_arguments_only():
    both = replace(SMALL, models=SPACE | {"cnn": {"kernel": [3, 5]}})
    assert {tuple(sorted(set(p) - {"train"})) for p in drawn(both)} == {
        ("cnn", "model"),
        ("mlp", "model"),
    }


def test_inputs_with_rr_intervals_tell_the_network_how_many(windows):
    config = replace(SMALL, inputs="rr").config(windows, {"model": "mlp"})
    assert config.arguments["n_features"] == config.train.n_features == datasets.N_FEATURES["rr"]


def test_a_first_point_is_asked_by_the_names_that_are_drawn():
    first = {"model": "mlp", "train": {"lr": 0.01, "batch_size": 2}, "arguments": {"hidden": 9}}
    points = replace(SMALL, first=(first,)).points()
    assert points == [{"model": "mlp", "train/lr": 0.01, "mlp/hidden": 9}]


WRONG = {
    "metric": ({"metric": "test_recall"}, "need a metric of validation_macro_recall"),
    "trials": ({"trials": 0}, "need trials as a whole number from 1, got 0"),
    "words": ({"epochs": "many"}, "need epochs as a whole number from 1, got many"),
    "cpus": ({"cpus": 0}, "need cpus as a number of processors, got 0"),
    "grace": ({"grace": 9}, "need grace within 6 epochs, got 9"),
    "no model": ({"models": {}}, "need at least one model"),
    "unknown model": ({"models": {"oracle": {}}}, "unknown model 'oracle'"),
    "argument": ({"models": {"mlp": {"size": 3}}}, "entries of mlp out of .*hidden.* got size"),
    "training": ({"train": {"momentum": 0.9}}, "need entries of train out of .*lr.* momentum"),
    "given": ({"train": {"epochs": 3}}, "got epochs"),
    "no mapping": ({"train": [1]}, "need names and values under train"),
    "upside down": ({"train": {"lr": {"low": 1, "high": 0.1}}}, "need low < high.* train/lr"),
    "log of 0": ({"train": {"lr": {"low": 0, "high": 0.1, "log": True}}}, "train/lr"),
    "half a range": ({"train": {"lr": {"low": 0.1}}}, "train/lr"),
    "empty list": ({"train": {"lr": []}}, "need a list of values for train/lr"),
    "nested": ({"train": {"augment": [["noise"]]}}, "need a list of values for train/augment"),
    "first model": ({"first": [{"model": "cnn"}]}, "need first: with model .of mlp"),
    "first outside": (
        {"first": [{"model": "mlp", "train": {"lr": 1.0}}]},
        "need train/lr of first: within what is tried",
    ),
}  # fmt: skip


@pytest.mark.parametrize("changes, said", WRONG.values(), ids=WRONG)
def test_settings_that_cannot_be_searched_are_refused_in_a_line(changes, said):
    with pytest.raises(ValueError, match=said) as error:
        replace(SMALL, **changes)
    assert "\n" not in str(error.value)


def test_settings_are_read_from_a_file_and_changed(tmp_path):
    path = tmp_path / "search.yml"
    path.write_text(yaml.safe_dump({"models": SPACE, "train": TRAIN, "trials": 8, "epochs": 5}))
    found = hypertune.read_settings(path, epochs=6, grace=2, random=4)
    assert found == SMALL


@pytest.mark.parametrize(
    "text", ["models: [", "- 1", "trials: 3", "models: {mlp: {}}\nspeed: 9", "models: 3", "\x00"]
)
def test_a_file_that_holds_no_settings_is_named(text, tmp_path):
    path = tmp_path / "search.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"search\.yml") as error:
        hypertune.read_settings(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.yml: need the settings"):
        hypertune.read_settings(tmp_path / "none.yml")


def test_the_settings_of_the_book_can_be_searched():
    found = hypertune.read_settings(paths.root() / "book" / "exercise_04" / "search.yml")
    assert found.trials >= 60
    for point in drawn(found, n=200):
        config = found.config(beats(n=8, n_samples=187), point)
        network = models.build(
            config.model, n_leads=1, n_classes=5, n_samples=187, **config.arguments
        )
        assert models.n_parameters(network) < 500_000


def test_a_search_can_be_narrowed_to_some_models_with_some_settings_fixed():
    first = [{"model": name, "train": {"lr": 0.01}} for name in ("mlp", "cnn")]
    both = replace(SMALL, models=SPACE | {"cnn": {}}, first=first)
    one = both.only("mlp", lr=0.02)
    assert (list(one.models), one.train["lr"]) == (["mlp"], 0.02)
    assert one.first == ({"model": "mlp", "train": {}},)
    assert both.only("all") == both
    with pytest.raises(ValueError, match="need models of mlp, cnn or all, got 'gru'"):
        both.only("gru")


def test_settings_are_told_in_words():
    said = SMALL.described().set_index(["part", "setting"])["tried"]
    assert said["train", "lr"] == "0.001 to 0.03, log"
    assert said["train", "batch_size"] == "2, fixed"
    assert said["train", "augment"] == "none / noise"


# what the table tells


def test_a_setting_that_decides_is_important_and_one_that_does_not_is_not():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"lr": rng.random(60), "name": rng.choice(["a", "b"], 60), "idle": 1.0})
    table["width"] = np.where(table["name"] == "a", rng.random(60), np.nan)
    table["validation_macro_recall"] = (table["lr"] - 0.5) ** 2
    found, fit = hypertune.importance(table, ["lr", "name", "idle", "width"])
    assert found["setting"][0] == "lr" and set(found["setting"]) == {"lr", "name", "width"}
    assert found["importance"][0] > 10 * found["importance"][1]
    assert (found["low"] <= found["importance"]).all()
    assert fit > 0.8
    table["validation_macro_recall"] = rng.random(60)
    assert hypertune.importance(table, ["lr", "name", "width"])[1] < 0.2


def test_too_few_trials_have_no_importance():
    found, fit = hypertune.importance(
        pd.DataFrame({"lr": [1, 2], "validation_macro_recall": [0.1, 0.2]}), ["lr"]
    )
    assert found.empty and np.isnan(fit)


def test_the_best_of_many_flatters_itself_on_validation_alone():
    rng = np.random.default_rng(0)
    truth, noise = 0.9, rng.normal(0, 0.02, (2, 40))
    found = hypertune.best_of(truth + noise[0], truth + noise[1])
    assert found["n"].tolist() == list(range(1, 41))
    assert found["validation"].is_monotonic_increasing
    assert found["validation"].iloc[-1] == pytest.approx((truth + noise[0]).max())
    assert found["test"].iloc[-1] == pytest.approx(truth + noise[1][noise[0].argmax()])
    assert found["validation"].iloc[0] == pytest.approx((truth + noise[0]).mean(), abs=2e-3)
    with pytest.raises(ValueError, match="need as many test as validation"):
        hypertune.best_of([1.0], [])


# a trial by itself


def trial(settings: Settings, windows: datasets.Windows, point: dict):
    """As a worker makes it, without a worker."""
    from ecglib.hypertune.trial import Trial

    made = object.__new__(Trial)
    made.settings, made.windows = settings, windows
    made.reset_config(point)
    return made


def test_a_trial_never_looks_at_a_test_beat(windows):
    test = splits.protocol(windows.table, SMALL.protocol)["test"]
    signal = windows.signal.copy()
    signal[test] = np.nan
    blind = trial(SMALL, replace(windows, signal=signal), {"model": "mlp"}).training.step()
    seeing = trial(SMALL, windows, {"model": "mlp"}).training.step()
    assert blind | {"seconds": 0} == seeing | {"seconds": 0}


@pytest.mark.parametrize(
    "models, train, said",
    [({"transformer": {"width": 30, "heads": 4}}, {}, "width"), (SPACE, {"lr": 1e30}, "loss is")],
    ids=["no such network", "diverged"],
)
def test_a_trial_that_cannot_be_fails_alone_and_says_why(models, train, said, windows):
    settings = replace(SMALL, models=models, train=train, first=())
    row = trial(settings, windows, {"model": next(iter(models))}).step()
    assert row["done"] and said in row["failed"] and "\n" not in row["failed"]
    assert row["validation_macro_recall"] == 0.0


def test_a_trial_goes_on_from_its_checkpoint_to_the_same_end(windows, tmp_path):
    one, other = (trial(SMALL, windows, {"model": "mlp"}) for _ in range(2))
    one.training.step()
    one.save_checkpoint(tmp_path)
    other.load_checkpoint(tmp_path)
    one, other = one.training.step(), other.training.step()
    assert one | {"seconds": 0} == other | {"seconds": 0}


# Ray: a cluster of two machines, here


@pytest.fixture(scope="module")
def searched(windows, nodes, tmp_path_factory) -> tuple[pd.DataFrame, Path]:
    """A finished search and its ledger."""
    ledger = tmp_path_factory.mktemp("ledger")
    options = {"folder": ledger, "address": nodes.address, "progress": False}
    return hypertune.search(SMALL, windows, **options), ledger


def test_a_search_has_a_row_for_each_trial(searched):
    table, _ = searched
    assert table["trial"].tolist() == list(range(SMALL.trials))
    assert set(table["status"]) == {"completed", "stopped"}
    assert (table.loc[table["status"] == "completed", "epochs"] == SMALL.epochs).all()
    assert table.loc[table["status"] == "stopped", "epochs"].between(2, 5).all()
    assert {"model", "lr", "augment", "model.hidden", "model.dropout"} <= set(table)
    assert "batch_size" not in table  # the same for all
    assert (table["seconds"] > 0).all() and (table["n_parameters"] > 0).all()
    assert (table["error"] == "").all()


def test_trials_are_seen_on_both_nodes(searched):
    assert set(searched[0]["node"]) == {1, 2}


def test_every_trial_is_a_run_and_its_value_that_of_the_weights_kept(searched, windows):
    table, ledger = searched
    assert set(runs.table(ledger)["id"]) == set(table["run"])
    for row in table.itertuples():
        run = runs.load(ledger / row.run)
        assert len(run.history) >= row.epochs  # two alike: the longer one
        if len(run.history) > row.epochs:
            continue
        seen = run.of("validation")
        logits = seen[[f"logit_{i}" for i in range(5)]].to_numpy()
        recalls = [(logits[seen["label"] == i].argmax(1) == i).mean() for i in range(5)]
        assert np.mean(recalls) == pytest.approx(row.validation_macro_recall, abs=1e-6)
        best = run.history.loc[run.history["validation_loss"].idxmin()]
        assert best["validation_loss"] == pytest.approx(row.validation_loss)
        assert (run.config.train.lr, run.n_parameters) == (row.lr, row.n_parameters)


def test_only_what_was_trained_to_the_end_is_tested(searched):
    table, ledger = searched
    for row in table.drop_duplicates("run", keep=False).itertuples():
        sets = set(runs.load(ledger / row.run).predictions["split"])
        assert sets == (set(splits.SPLITS) if row.status == "completed" else {"validation"})


def test_what_the_ledger_tells_fits_the_table(searched, windows):
    table, ledger = searched
    histories = hypertune.histories(table, ledger)
    assert {t: len(h) for t, h in histories.items()} == dict(table.set_index("trial")["epochs"])
    test = hypertune.tested(table, ledger, classes=windows.classes)
    ranked = hypertune.ranked(table, SMALL)
    assert set(test.index) == set(ranked["trial"]) and test.between(0, 1).all()
    assert ranked["validation_macro_recall"].is_monotonic_decreasing


def test_the_second_call_loads_and_starts_nothing(searched, windows, monkeypatch):
    table, ledger = searched
    monkeypatch.setattr(runs, "prepare", None)
    again = hypertune.search(SMALL, windows, folder=ledger)
    pd.testing.assert_frame_equal(again, table)


KILLED = """
import sys
from pathlib import Path
from ecglib import hypertune
from test_hypertune import SLOW, beats
hypertune.search(SLOW, beats(), folder=Path(sys.argv[1]), address=sys.argv[2], progress=False)
"""


def begun(ledger: Path) -> list[Path]:
    """The trials that Ray has on disk with an epoch behind them."""
    return sorted({p.parent for p in ledger.glob(".ray/search-*/Trial*/checkpoint_*")})


def wait_for(n: int, ledger: Path, *, seconds: float = 120) -> None:
    for _ in range(int(10 * seconds)):
        if len(begun(ledger)) >= n:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {n} trials within {seconds} s")


def test_a_killed_search_goes_on_where_it_was(windows, nodes, tmp_path):
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path, nodes.address],
        env=os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:{os.environ['PYTHONPATH']}"},
        stderr=subprocess.DEVNULL,
    )
    wait_for(3, tmp_path)  # one of them has ended, as two go at a time
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not list(tmp_path.glob("search-*.parquet"))
    table = hypertune.search(SLOW, windows, folder=tmp_path, address=nodes.address, progress=False)
    assert len(table) == SLOW.trials and set(table["status"]) <= {"completed", "stopped"}
    assert table["trial"].tolist() == list(range(SLOW.trials))
    assert not begun(tmp_path)  # the state is gone, the runs are there
    assert set(runs.table(tmp_path)["id"]) == set(table["run"])


def test_nothing_is_lost_with_a_node_that_goes_half_way(windows, nodes, tmp_path):
    second = nodes.list_all_nodes()[-1]

    def remove() -> None:
        wait_for(3, tmp_path)
        nodes.remove_node(second, allow_graceful=False)

    going = threading.Thread(target=remove)
    going.start()
    table = hypertune.search(SLOW, windows, folder=tmp_path, address=nodes.address, progress=False)
    going.join()
    assert len(nodes.list_all_nodes()) == 1
    assert len(table) == SLOW.trials and set(table["status"]) <= {"completed", "stopped"}
    assert table["node"].iloc[-1] == table["node"].mode()[0]  # the one that is left
    assert set(runs.table(tmp_path)["id"]) == set(table["run"])


# what is refused


def test_a_cluster_that_does_not_answer_is_named_at_once(windows, tmp_path):
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="need a Ray cluster at 127.0.0.1:9: ") as error:
        hypertune.search(SMALL, windows, folder=tmp_path, address="127.0.0.1:9")
    assert "\n" not in str(error.value)
    assert time.monotonic() - began < 30
    assert not any(tmp_path.iterdir())


def test_windows_that_cannot_be_split_are_refused_before_ray_starts(windows, tmp_path):
    with pytest.raises(ValueError, match="need a protocol out of"):
        hypertune.search(replace(SMALL, protocol="best"), windows, folder=tmp_path)
    patients = [str(number) for number in range(len(windows))]
    close = windows.table.assign(
        record="1", patient=patients, start_s=0.1 * np.arange(len(windows))
    )
    settings = replace(SMALL, protocol="patient")
    with pytest.raises(splits.LeakError, match="windows in one set only"):
        hypertune.search(settings, replace(windows, table=close), folder=tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_search_that_a_full_disk_or_a_user_cut_short_has_no_table_yet(windows):
    class Grid(list):
        _experiment_analysis = SimpleNamespace(
            trials=[SimpleNamespace(is_finished=lambda: True)] * SMALL.trials
        )

    full = SimpleNamespace(error="task failed\nOSError: [Errno 28] No space left on device")
    with pytest.raises(RuntimeError, match="1 of 8 trials could not be written .OSError.*28"):
        driver._table(SMALL, windows, Grid([full]))
    with pytest.raises(RuntimeError, match="8 of 9 trials have ended: the same call goes on"):
        driver._table(replace(SMALL, trials=9), windows, Grid([]))


def test_a_trial_that_asks_for_more_than_there_is_does_not_wait_for_ever(windows, nodes, tmp_path):
    settings = replace(SMALL, cpus=8)
    with pytest.raises(ValueError, match="need 8 CPU for a trial, Ray has"):
        hypertune.search(settings, windows, folder=tmp_path, address=nodes.address)
