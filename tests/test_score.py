"""Scoring: windows as in training, decisions that stand, "cannot tell", and many recordings."""

import hashlib
import itertools
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ecglib import beats, cinc, datasets, models, own, score, shock, signals, synthetic
from ecglib.own.windows import RULES as OWN_RULES
from ecglib.published import Published
from ecglib.records import Record
from ecglib.runs import RunConfig
from ecglib.score import scoring

FS = 250.0
HOW = {"task": "shock", "rules": shock.RULES}


def published(
    folder: Path, *, model: str = "tiny_cnn", preparation: dict = HOW, fs: float = FS,
    n_samples: int = 1000, n_leads: int = 1, classes=datasets.SHOCK_CLASSES, inputs: str = "signal",
    weights=None, **arguments: object,
) -> Published:  # fmt: skip
    """A published model that nobody trained."""
    network = models.build(
        model, n_leads=n_leads, n_classes=len(classes), n_samples=n_samples, seed=0, **arguments
    )
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {k: v.contiguous() for k, v in network.state_dict().items()}, folder / "model.safetensors"
    )
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    task = preparation["task"]
    config = RunConfig(model=model, data="0", task=task, inputs=inputs, arguments=arguments)
    return Published(
        name=f"{task}-{model}", folder=folder, config=config, fs=fs, n_leads=n_leads,
        n_samples=n_samples, classes=tuple(classes), weights=weights or (1.0,) * len(classes),
        preparation=preparation, digest=digest,
    )  # fmt: skip


class Loud(nn.Module):
    """Says shockable of what is loud."""

    def __init__(self) -> None:
        super().__init__()
        self.edge = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = 20 * (x.std(dim=(1, 2)) - self.edge)
        return torch.stack([-z, z], dim=1)


def record(x: np.ndarray, *, fs: float = FS, leads=("II",), name: str = "one") -> Record:
    return Record(np.atleast_2d(x).astype(np.float32), fs, leads, name, name, "test")


def waves(duration_s: float, *, size: float = 0.3, fs: float = FS, seed: int = 0) -> np.ndarray:
    """Five swings a second with a little noise, as a living electrode has it."""
    t = np.arange(round(duration_s * fs)) / fs
    noise = 0.01 * np.random.default_rng(seed).standard_normal(len(t))
    return size * np.sin(2 * np.pi * 5 * t) + noise


def with_episode() -> Record:
    """Two minutes, loud from 50 to 80 s, off from 20 to 30 s, three samples lost at 100 s."""
    x = waves(120)
    x[50 * 250 : 80 * 250] *= 6
    x[20 * 250 : 30 * 250] = 0.0
    x[100 * 250 : 100 * 250 + 3] = np.nan
    return record(x)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Published:
    return published(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def table(model) -> pd.DataFrame:
    return score.score(with_episode(), model, network=Loud())


# windows as in training


@pytest.mark.parametrize("fs", [250.0, 360.0])
def test_shock_windows_are_those_of_training(fs, model):
    made = synthetic.recordings(n_patients=1, duration_s=30, fs=fs, seed=1, rhythms=["NSR"])[0]
    whole = pd.DataFrame({"start_s": [0.0], "end_s": [30.0], "rhythm": ["NSR"]})
    wanted, table, _ = shock.windows_of(shock.Marked(made.record, whole), stride_s=2.0)
    cut = score.windows_of(made.record, model)
    assert cut.start_s == pytest.approx(table["start_s"])
    np.testing.assert_array_equal(cut.take(slice(None)), wanted)


@pytest.mark.parametrize("duration_s", [9, 30, 47])
def test_recordings_for_rhythms_are_those_of_training(duration_s, tmp_path):
    rules = {"task": "rhythms", "form": "records", "rules": cinc.RULES["records"]}
    model = published(
        tmp_path, preparation=rules, fs=150.0, n_samples=4500, classes=("N", "O", "A")
    )
    one = record(waves(duration_s, fs=300.0), fs=300.0)
    wanted, start_s = cinc.whole(one.signal, fs=one.fs)
    cut = score.windows_of(one, model)
    assert cut.start_s == pytest.approx(start_s)
    np.testing.assert_array_equal(cut.take(slice(None)), wanted)
    assert len(score.score(one, model)) == len(wanted)


def test_five_seconds_for_rhythms_are_those_of_training(tmp_path):
    rules = {"task": "rhythms", "form": "windows", "rules": cinc.RULES["windows"]}
    model = published(
        tmp_path, preparation=rules, fs=300.0, n_samples=1500, classes=("N", "O", "A")
    )
    one = record(waves(30, fs=300.0), fs=300.0)
    item = cinc.CincRecord(one, "N", "N", "test")
    wanted, start_s = cinc.windows_of(item, form="windows", label="N")
    cut = score.windows_of(one, model)
    assert cut.start_s == pytest.approx(start_s)
    np.testing.assert_array_equal(cut.take(slice(None)), wanted)


def test_own_windows_are_those_of_training(tmp_path):
    folder = own.generate(tmp_path / "own", n_patients=3, formats=["csv"], seed=0)["csv"]
    settings = own.read_settings(folder / "settings.yml")
    made = own.windows(folder, settings, progress=False)
    model = published(
        tmp_path / "model", preparation={"task": "own", "rules": OWN_RULES}, fs=made.fs,
        n_samples=made.signal.shape[-1], classes=made.classes,
    )  # fmt: skip
    one = next(own.recordings(folder, settings))
    cut = score.windows_of(one, model, stride_s=1 / made.fs)
    rows = np.flatnonzero(made.table["record"] == one.record)
    at = np.round(made.table["start_s"].to_numpy()[rows] * made.fs).astype(int)
    assert len(rows) > 3
    for row, i in zip(rows, at, strict=True):
        np.testing.assert_array_equal(cut.take(slice(i, i + 1))[0], made.signal[row])


def test_r_peaks_are_found_where_they_are():
    hits = marks = found = 0
    for made, truth in synthetic.beat_records(n_patients=2, seed=3):
        at_s = score.r_peaks(made.signal[0], fs=made.fs) / made.fs
        away = np.abs(at_s[None] - truth["time_s"].to_numpy()[:, None])
        hits += (away.min(axis=1) < 0.03).sum()
        marks, found = marks + len(truth), found + (away.min(axis=0) < 0.03).sum() / len(at_s)
    assert hits / marks > 0.95 and found / 2 > 0.95


@pytest.mark.parametrize("inputs", ["signal", "rr", "rr+template"])
def test_beats_are_scored_with_all_that_a_model_is_shown(inputs, tmp_path):
    numbers = datasets.N_FEATURES[inputs]
    model = published(
        tmp_path, model="gru_attention" if numbers else "tiny_cnn", classes=beats.CLASSES,
        preparation={"task": "heartbeats", "form": "context", "rules": beats.RULES["context"]},
        fs=125.0, n_samples=375, n_leads=1 + numbers + (inputs == "rr+template"), inputs=inputs,
        **({"n_features": numbers} if numbers else {}),
    )  # fmt: skip
    made, truth = synthetic.beat_records(n_patients=1, seed=3)[0]
    made = replace(made, signal=made.signal[:, : int(40 * made.fs)])
    table = score.score(made, model)
    assert len(table) == pytest.approx((truth["time_s"] < 40).sum(), abs=4)
    assert np.isfinite(table["p_V"]).all()
    assert (table["from_s"] < table["time_s"]).all() and (table["time_s"] < table["to_s"]).all()
    assert (table["start_s"] >= 0).all() and (table["end_s"] <= 40).all()


# what cannot be told


BAD = {
    "missing": lambda x: np.where(np.arange(len(x)) == 500, np.nan, x),
    "flat": lambda x: np.where(np.arange(len(x)) < 300, 0.2, x),
    "clipped": lambda x: np.clip(x, -0.2, 0.2),
    "large": lambda x: 60 * x,
    "noise": lambda x: x / 5 + np.random.default_rng(0).standard_normal(len(x)),
}


@pytest.mark.parametrize("reason", BAD)
def test_each_rule_has_its_reason(reason):
    x = BAD[reason](waves(4))[None].astype(np.float32)
    assert score.reasons(x, [0], fs=FS, length=1000).tolist() == [reason]
    assert score.reasons(waves(4)[None], [0], fs=FS, length=1000).tolist() == [""]
    both = np.concatenate([waves(4)[None], x])
    assert score.reasons(both, [0], fs=FS, length=1000).tolist() == [reason]
    assert reason in score.REASONS


def test_flat_means_what_it_meant_in_training():
    rng = np.random.default_rng(0)
    x = waves(60)
    for start in rng.integers(3500, 14000, 12):
        x[start : start + rng.integers(200, 320)] = 0.1
    x[2000:2251] = 0.1  # a second to the sample, which is not more than one
    starts = np.append(np.arange(0, len(x) - 1000, 97), 1500)
    flat = signals.longest_flat_s(signals.cut(x[None], starts, length=1000), fs=FS)[:, 0]
    found = score.reasons(x[None], starts, fs=FS, length=1000)
    np.testing.assert_array_equal(found == "flat", flat > shock.FLAT_S)
    assert 0 < (found == "flat").sum() < len(starts)


@pytest.mark.parametrize("rhythm", ["VF", "VT", "VFL", "NSR", "PACED", "ASYSTOLE"])
def test_no_rhythm_is_too_poor_a_signal(rhythm):
    for made in synthetic.recordings(n_patients=4, duration_s=30, seed=2, rhythms=[rhythm]):
        starts = np.arange(0, made.record.signal.shape[1] - 1000, 500)
        found = score.reasons(made.record.signal, starts, fs=FS, length=1000)
        assert (found == "").mean() > 0.95


def test_a_poor_window_is_not_shown_to_the_network(table):
    poor = table[table["reason"].isin(["flat", "missing"])]
    assert set(poor["reason"]) == {"flat", "missing"}
    assert poor["p_shockable"].isna().all() and (poor["decision"] == "cannot tell").all()
    told = table.drop(poor.index)
    assert told["p_shockable"].between(0, 1).all() and (told["said"] != "cannot tell").all()
    lost = table[(table["start_s"] < 100.01) & (table["end_s"] > 100)]
    assert (lost["reason"] == "missing").all() and len(lost)


def test_without_the_gate_only_missing_samples_are_left_out(model):
    table = score.score(with_episode(), model, network=Loud(), gate=False)
    assert set(table["reason"]) == {"", "missing", "start"}


# decisions


def test_three_of_four_decide_and_what_cannot_be_told_changes_nothing():
    agreed = lambda *said: score.agreed(  # noqa: E731
        said, needed=3, of=4, n_classes=2, otherwise=0
    ).tolist()
    assert agreed(0, 0, 0, 0) == [-1, 0, 0, 0]
    assert agreed(1, 1, 1, 0, 0) == [-1, -1, 1, 1, 0]
    assert agreed(0, 0, 0, 1, 1, 1) == [-1, 0, 0, 0, 0, 1]
    assert agreed(1, 1, -1, 1, 1) == [-1, -1, -1, 1, 1]
    assert agreed(1, 1, 1, -1) == [-1, -1, 1, -1]  # never shock what is not seen
    assert agreed(0, 0, -1, -1, 0) == [-1, 0, -1, -1, 0]
    assert agreed(1, -1, -1, 0) == [-1, -1, -1, -1]


def test_a_decision_stands_whatever_the_missing_windows_would_have_said():
    for said in itertools.product([-1, 0, 1], repeat=4):
        found = score.agreed(said, needed=3, of=4, n_classes=2, otherwise=0)[-1]
        if said[-1] < 0:
            assert found == -1
            continue
        unknown = [i for i, s in enumerate(said) if s < 0]
        could = set()
        for filled in itertools.product([0, 1], repeat=len(unknown)):
            whole = np.array(said)
            whole[unknown] = filled
            could.add(int(whole.sum() >= 3))
        assert found == (could.pop() if len(could) == 1 else -1)


def test_of_many_classes_the_one_that_most_say_stands_or_none():
    found = score.agreed([2, 2, 1, 2, 1, 0, 0], needed=2, of=3, n_classes=3)
    assert found.tolist() == [-1, 2, 2, 2, 1, -1, 0]
    with pytest.raises(ValueError, match="more than half of the windows to agree, got 2 of 4"):
        score.agreed([0], needed=2, of=4, n_classes=2)


def test_weights_move_the_threshold():
    p = np.array([[0.65, 0.35], [0.75, 0.25], [np.nan, np.nan]])
    said, sure = score.decide(p, (0.3, 0.7))  # a threshold of 0.3 on the second
    assert said.tolist() == [1, 0, -1]
    assert np.isnan(sure[2]) and (sure[:2] > 0).all()
    assert score.decide(p, (1, 1))[0].tolist() == [0, 0, -1]


def test_an_episode_is_found_and_its_place_is_known_as_soon_as_a_device_could(table):
    found = score.timeline(table)
    (shock,) = found[found["decision"] == "shockable"].to_dict("records")
    assert 54 <= shock["start_s"] <= 64 and 80 <= shock["end_s"] <= 92
    assert shock["sure"] == pytest.approx(1, abs=0.01) and 52 < shock["sure_s"] < 80
    dark = found[found["decision"] == "cannot tell"]
    assert dark["reason"].tolist() == ["start", "flat", "missing"]


def test_decisions_cover_the_recording_without_gaps(table):
    found = score.timeline(table)
    assert found["start_s"].iloc[0] == 0 and found["end_s"].iloc[-1] == pytest.approx(120)
    assert found["start_s"].to_numpy()[1:] == pytest.approx(found["end_s"].to_numpy()[:-1])
    assert (found["decision"].to_numpy()[1:] != found["decision"].to_numpy()[:-1]).all()
    assert found["n_windows"].sum() == len(table)
    assert found["duration_s"].sum() == pytest.approx(120)


def test_without_smoothing_each_window_speaks_for_its_middle(model):
    table = score.score(with_episode(), model, network=Loud(), smooth=None)
    assert table["decision"].tolist() == table["said"].tolist()
    inner = table.iloc[1:-1]
    middle = (inner["start_s"] + inner["end_s"]) / 2
    assert (inner["from_s"] + inner["to_s"]).to_numpy() / 2 == pytest.approx(middle.to_numpy())
    (shock,) = score.timeline(table).query("decision == 'shockable'").to_dict("records")
    assert shock["start_s"] == pytest.approx(50, abs=2.5)
    assert shock["end_s"] == pytest.approx(80, abs=2.5)


def test_the_stride_is_half_a_window_or_what_is_asked_for(model):
    assert np.diff(score.windows_of(with_episode(), model).start_s) == pytest.approx(2)
    often = score.windows_of(with_episode(), model, stride_s=0.5)
    assert np.diff(often.start_s) == pytest.approx(0.5)


def test_the_order_and_number_of_threads_change_nothing(model, monkeypatch):
    monkeypatch.setattr(scoring, "BLOCK", 7)
    before = torch.get_num_threads()
    tables = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            tables.append(score.score(with_episode(), model))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)


# moments and files


def test_the_surest_moments_tell_the_rare_and_the_dark(table):
    found = score.moments(table, with_episode(), n=3)
    assert [m.decision for m in found] == ["cannot tell", "shockable", "non-shockable"] or [
        m.decision for m in found
    ] == ["non-shockable", "cannot tell", "shockable"]
    assert sorted(m.time_s for m in found) == [m.time_s for m in found]
    loud = next(m for m in found if m.decision == "shockable")
    assert loud.signal.shape == (1250,) and loud.probability > 0.99
    assert np.std(loud.signal) == pytest.approx(1.8 / np.sqrt(2), rel=0.1)
    assert loud.start_s <= loud.time_s - loud.half_s
    assert loud.time_s + loud.half_s <= loud.start_s + 5 and loud.half_s == 2
    assert loud.start_s == int(loud.start_s) and loud.lead == "II"
    dark = next(m for m in found if m.decision == "cannot tell")
    assert dark.reason == "flat" and np.isnan(dark.probability)
    assert len(score.moments(table, with_episode(), n=1)) == 1


def test_a_table_is_written_whole_and_says_what_it_was_made_with(table, tmp_path, monkeypatch):
    file = score.write(table, tmp_path / "new" / "scores.parquet")
    again = pd.read_parquet(file)
    pd.testing.assert_frame_equal(again, table)
    assert again.attrs["model"] == "shock-tiny_cnn" and again.attrs["smooth"] == [3, 4]
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        score.write(table.head(), file)
    assert len(pd.read_parquet(file)) == len(table)
    assert [p.name for p in file.parent.iterdir()] == ["scores.parquet"]


def test_a_picture_is_written(table, tmp_path):
    file = score.picture(table, with_episode(), tmp_path / "page.png")
    assert file.read_bytes().startswith(b"\x89PNG")


# what is refused


TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def test_twelve_leads_need_a_choice(model):
    many = record(np.stack([waves(8, seed=i) for i in range(12)]), leads=TWELVE)
    with pytest.raises(
        ValueError, match="record one: need one lead, it has 12: give `lead` as I, "
    ):
        score.score(many, model)
    for lead in ("v2", 8, "8"):
        cut = score.windows_of(many, model, lead=lead)
        assert cut.lead == "V2"
        np.testing.assert_array_equal(cut.raw[0], many.signal[7])
    for lead in ("V9", 0, 13):
        with pytest.raises(ValueError, match="record one: need lead .*, it has I, II"):
            score.windows_of(many, model, lead=lead)


def test_several_leads_are_taken_in_the_order_they_were_learnt_in_only(tmp_path):
    how = {"task": "own", "leads": ["i", "ii"], "settings": {"lead": "all"}}
    two = published(tmp_path, preparation=how, n_leads=2)
    signal = np.stack([waves(8, seed=i) for i in range(2)])
    np.testing.assert_array_equal(
        score.windows_of(record(signal, leads=("I", "II")), two).raw, signal.astype(np.float32)
    )
    with pytest.raises(ValueError, match="need the leads i, ii in this order, .* got ii, i"):
        score.windows_of(record(signal, leads=("II", "I")), two)
    with pytest.raises(ValueError, match="need the 2 leads of own-tiny_cnn, got 1: II"):
        score.windows_of(record(signal[:1]), two)


REFUSED = {
    "short": (record(waves(3.5)), {}, "record one: need at least 4 s, .*, got 3.5 s"),
    "slow": (record(waves(8, fs=64.0), fs=64.0), {}, "need more than 80 Hz, got 64 Hz"),
    "stride": (record(waves(8)), {"stride_s": 0}, "need stride_s above 0"),
    "no majority": (record(waves(8)), {"smooth": (2, 4)}, "more than half of the windows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_scored_is_refused_in_a_line(case, model):
    one, how, said = REFUSED[case]
    with pytest.raises(ValueError, match=said) as error:
        score.score(one, model, **how)
    assert "\n" not in str(error.value)


def test_beats_that_are_not_there_are_missed_by_name(tmp_path):
    rules = {"task": "heartbeats", "form": "kachuee", "rules": beats.RULES["kachuee"]}
    model = published(tmp_path, preparation=rules, fs=125.0, n_samples=187, classes=beats.CLASSES)
    with pytest.raises(ValueError, match="record one: need at least 3 beats, found "):
        score.score(record(np.zeros(2500)), model)


def test_windows_of_other_rules_or_tasks_are_refused(tmp_path):
    other = {"task": "shock", "rules": shock.RULES | {"version": 1}}
    with pytest.raises(ValueError, match="rules of version 1.*this library has version 2"):
        score.score(record(waves(8)), published(tmp_path, preparation=other))
    with pytest.raises(ValueError, match="need a model of shock, .* is of 'weather'"):
        score.score(record(waves(8)), published(tmp_path, preparation={"task": "weather"}))


# many recordings: a cluster of two machines, here


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twelve recordings and one that is none."""
    folder = tmp_path_factory.mktemp("recordings")
    for i in range(12):
        np.savez(folder / f"r{i:02d}.npz", signal=waves(40 + i, seed=i), fs=FS, unit="mV")
    (folder / "r05b.npz").write_bytes(b"PK nothing")
    return folder


def alone(folder: Path, model: Published, **how: object) -> pd.DataFrame:
    files = [file for file in sorted(folder.glob("*.npz")) if file.stem != "r05b"]
    parts = [score.score(own.recording(file), model, **how) for file in files]
    return pd.concat(parts, ignore_index=True)


def test_a_fleet_gives_the_table_that_its_recordings_give_alone(model, nodes, folder, tmp_path):
    out = tmp_path / "fleet.parquet"
    done = score.fleet(folder, model, out=out, address=nodes.address, progress=False, stride_s=1.0)
    wanted = alone(folder, model, stride_s=1.0)
    pd.testing.assert_frame_equal(pd.read_parquet(out), wanted, rtol=1e-5)
    assert done.recordings["record"].is_monotonic_increasing and len(done.recordings) == 13
    assert done.failed["record"].tolist() == ["r05b"]
    assert "r05b.npz: need" in done.failed["error"][0] and "\n" not in done.failed["error"][0]
    assert set(done.recordings["node"]) == {1, 2}
    assert [p.name for p in tmp_path.iterdir()] == ["fleet.parquet"]


def test_a_fleet_without_a_single_recording_that_can_be_scored_writes_nothing(
    model, nodes, folder, tmp_path
):
    with pytest.raises(ValueError, match="all 1 failed: .*r05b.npz: need"):
        score.fleet(folder / "r05b.npz", model, out=tmp_path / "none.parquet",
                    address=nodes.address, progress=False)  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_nothing_of_a_fleet_is_lost_with_a_node_that_goes_half_way(model, nodes, folder, tmp_path):
    second = nodes.list_all_nodes()[-1]
    out = tmp_path / "fleet.parquet"
    files = sorted(folder.glob("r*.npz")) * 4  # the same ones again, under their paths

    def remove() -> None:
        for _ in range(1200):
            if list(tmp_path.glob(".fleet.parquet.*")):  # the first are done
                break
            time.sleep(0.05)
        nodes.remove_node(second, allow_graceful=False)

    going = threading.Thread(target=remove)
    going.start()
    done = score.fleet(files, model, out=out, address=nodes.address, progress=False, stride_s=0.1)
    going.join()
    assert len(nodes.list_all_nodes()) == 1
    assert len(done.recordings) == len(files) and len(done.failed) == 4
    found = pd.read_parquet(out)
    wanted = alone(folder, model, stride_s=0.1)
    assert len(found) == 4 * len(wanted)
    assert found["p_shockable"].to_numpy() == pytest.approx(
        np.tile(wanted["p_shockable"], 4), rel=1e-5
    )


def test_a_fleet_that_is_none_is_refused_before_ray_starts(model, tmp_path):
    with pytest.raises(ValueError, match="need recordings to score, got none"):
        score.fleet([], model, out=tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="need stride_s, smooth or gate, got threshold"):
        score.fleet([tmp_path], model, out=tmp_path / "x.parquet", threshold=1)
