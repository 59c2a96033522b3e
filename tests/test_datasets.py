"""Windows are prepared once, written whole, read without a copy and named by what shaped them."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from scipy.io import savemat

from ecglib import beats, datasets, review, shock, splits


@pytest.fixture
def windows(tmp_path) -> datasets.Windows:
    return tiny.windows(tmp_path, n_patients=3)


def synthetic(**options) -> datasets.Windows:
    return datasets.shock_windows(
        source="synthetic", progress=False, **{"n_patients": 2, **options}
    )


def never(*_args, **_options):
    raise AssertionError("must not be called")


# files


def test_what_is_written_is_read_again(windows, tmp_path):
    datasets.write_windows(windows, tmp_path / "deep" / "w.parquet")
    found = datasets.read_windows(tmp_path / "deep" / "w.parquet")
    np.testing.assert_array_equal(found.signal, windows.signal)
    np.testing.assert_array_equal(found.label, windows.label)
    pd.testing.assert_frame_equal(found.table, windows.table)
    for name in ("fs", "classes", "task", "parameters", "hash"):
        assert getattr(found, name) == getattr(windows, name)
    assert (found.signal.dtype, found.label.dtype) == (np.float32, np.int64)


def test_several_leads_and_rows_keep_their_places(windows, tmp_path):
    signal = np.arange(len(windows) * 3 * 5, dtype=np.float32).reshape(-1, 3, 5)
    datasets.write_windows(replace(windows, signal=signal), tmp_path / "w.parquet")
    np.testing.assert_array_equal(datasets.read_windows(tmp_path / "w.parquet").signal, signal)


def test_signals_are_read_without_a_copy(windows, monkeypatch):
    tables, read = [], pq.read_table

    def watched(*args, **options):
        tables.append(read(*args, **options))
        return tables[-1]

    monkeypatch.setattr(pq, "read_table", watched)
    signal = datasets.read_windows(windows.path).signal
    _, values = tables[0]["signal"].chunk(0).values.buffers()
    assert tables[0]["signal"].num_chunks == 1
    assert signal.__array_interface__["data"][0] == values.address
    assert not signal.flags.owndata and not signal.flags.writeable


def test_the_file_says_what_it_holds(windows):
    schema = pq.read_schema(windows.path)
    assert schema.field("signal").type == pa.list_(pa.float32(), 250)
    for word in (b'"task": "shock"', b'"fs": 250.0', b'"unit": "mV"', b'"classes"'):
        assert word in schema.metadata[b"ecglib"]


def test_a_full_disk_leaves_no_file(windows, tmp_path, monkeypatch):
    def full(_table, where, **_options):
        Path(where).write_bytes(b"PAR1 and no more")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        datasets.write_windows(windows, tmp_path / "new" / "w.parquet")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_full_disk_spares_the_file_that_was_there(windows, monkeypatch):
    before = windows.path.read_bytes()

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError):
        datasets.write_windows(windows, windows.path)
    assert windows.path.read_bytes() == before


def foreign(path: Path) -> None:
    pd.DataFrame({"signal": [1.0], "label": [0]}).to_parquet(path)


@pytest.mark.parametrize(
    "spoil",
    [
        foreign,
        lambda path: path.write_text("database,record\n"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
    ],
    ids=["foreign", "text", "empty", "cut short"],
)
def test_a_file_that_is_no_table_of_windows_is_named(windows, spoil):
    spoil(windows.path)
    with pytest.raises(ValueError, match=r"tiny\.parquet: need a table of windows"):
        datasets.read_windows(windows.path)


def test_signals_labels_and_table_must_be_of_one_length(windows):
    with pytest.raises(ValueError, match="as many signals as labels and table rows, got 42, 41"):
        replace(windows, label=windows.label[1:])


@pytest.mark.parametrize("rows", [np.array([5, 2]), np.arange(42) % 2 == 1])
def test_taken_rows_keep_signal_label_and_table_together(windows, rows):
    part = windows.take(rows)
    index = np.flatnonzero(rows) if rows.dtype == bool else rows
    np.testing.assert_array_equal(part.signal, windows.signal[index])
    assert part.label.tolist() == part.table["annotated"].tolist()
    assert part.table["start_s"].tolist() == windows.table["start_s"].iloc[index].tolist()


# preparation


def test_synthetic_windows_hold_both_classes_in_millivolt():
    windows = synthetic(n_patients=4)
    assert windows.signal.shape[1:] == (1, 1000) and windows.fs == 250
    assert set(windows.label) == {-1, 0, 1}
    assert (windows.source, windows.classes) == ("synthetic", ("non-shockable", "shockable"))
    assert 0.1 < windows.table["amplitude_mv"].median() < 5
    assert {"database", "record", "patient", "start_s", "rhythm"} <= set(windows.table)


def test_the_second_call_reads_what_the_first_prepared(monkeypatch):
    first = synthetic()
    monkeypatch.setattr(shock, "windows_of", never)
    second = synthetic()
    assert (second.path, second.hash) == (first.path, first.hash)
    np.testing.assert_array_equal(second.signal, first.signal)


def test_a_killed_preparation_starts_anew(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", never)
        with pytest.raises(AssertionError):
            synthetic()
    assert len(synthetic()) > 0


@pytest.mark.parametrize("change", [{"seed": 1}, {"n_patients": 3}, {"stride_s": 2.0}])
def test_a_changed_parameter_gives_other_windows_and_another_name(change):
    one, other = synthetic(), synthetic(**change)
    assert one.hash != other.hash and one.path != other.path


@pytest.mark.parametrize("rule", shock.RULES)
def test_every_rule_shapes_the_name(rule, monkeypatch):
    before = synthetic()
    monkeypatch.setitem(shock.RULES, rule, -1)
    assert synthetic().path != before.path


def test_labels_have_a_hash_of_their_own_but_one_file():
    annotated, reviewed = synthetic(), synthetic(labels="reviewed")
    assert annotated.hash != reviewed.hash
    assert annotated.path == reviewed.path


def test_a_new_review_renames_the_reviewed_labels_only(windows):
    def hashes(digest: str) -> list[str]:
        about = {**windows.parameters, "review": digest}
        made = replace(windows, parameters=about)
        return [datasets.with_labels(made, labels).hash for labels in datasets.LABELS]

    (annotated, reviewed), (annotated_then, reviewed_then) = hashes("old"), hashes("new")
    assert annotated == annotated_then
    assert reviewed != reviewed_then


def test_what_was_not_cut_is_counted():
    assert set(synthetic().parameters["dropped"]) >= {"flat", "invalid"}


def test_unknown_labels_are_refused(windows):
    with pytest.raises(ValueError, match="annotated or reviewed, got 'best'"):
        datasets.with_labels(windows, "best")


# sources


def test_auto_takes_real_recordings_only_if_all_are_there(monkeypatch):
    there = {"vfdb", "mitdb"}
    monkeypatch.setattr(datasets.fetch, "available", lambda name: name in there)
    assert datasets.resolve_source("auto") == "synthetic"
    there.add("cudb")
    assert datasets.resolve_source("auto") == "physionet"
    assert datasets.resolve_source("real") == "physionet"


def test_real_recordings_that_are_missing_are_named():
    with pytest.raises(FileNotFoundError, match=r"vfdb, mitdb, cudb in .*: run `make data`"):
        datasets.shock_windows(source="real", progress=False)


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="auto, real, course or synthetic, got 'home'"):
        datasets.resolve_source("home")


def test_the_digest_of_the_review_belongs_to_real_recordings_only():
    assert "review" not in synthetic().parameters
    assert len(review.digest()) == 12


# the course's file


def course(path: Path, **changes) -> None:
    """Ten windows of sinus rhythm and fibrillation in turn, a patient each pair."""
    n, t = 10, np.arange(1000) / 250
    waves = [np.sin(2 * np.pi * (1.2, 5.0)[i % 2] * t + i) for i in range(n)]
    columns = {
        "pat_ID": [float(i // 2) for i in range(n)],
        "s_ns": [float(i % 2) for i in range(n)],
        "name": [f"cu{i:02d}" for i in range(n)],
        "r_type": ["NSR", "VF"] * 5,
        "s_ecg": waves,
        "source": ["cudb", "vfdb"] * 5,
        "train": [1.0] * n,
    } | changes
    data = np.empty((1, n), dtype=[(field, object) for field in columns])
    for field, values in columns.items():
        for i, value in enumerate(values):
            data[0, i][field] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"data": data})


def test_the_courses_windows_come_with_their_own_labels(tmp_path):
    course(tmp_path / "data" / "ecg" / "cut_pub_4sec.mat")
    windows = datasets.shock_windows(source="course", progress=False)
    assert windows.source == "course"
    assert windows.signal.shape == (10, 1, 1000)
    assert windows.label.tolist() == [0, 1] * 5
    assert windows.table["database"].tolist() == ["cudb", "vfdb"] * 5
    assert windows.table["patient"].nunique() == 5
    assert set(windows.table["lead"]) == {0}


def test_another_course_file_is_prepared_anew(tmp_path):
    path = tmp_path / "data" / "ecg" / "cut_pub_4sec.mat"
    course(path)
    before = datasets.shock_windows(source="course", progress=False)
    course(path, name=[f"x{i}" for i in range(10)])
    after = datasets.shock_windows(source="course", progress=False)
    assert before.hash != after.hash
    assert after.table["record"].iloc[0] == "x0"


def test_a_contradiction_in_the_course_file_is_refused_by_name(tmp_path):
    course(tmp_path / "data" / "ecg" / "cut_pub_4sec.mat", s_ns=[0.0, 1.0] * 4 + [1.0, 1.0])
    with pytest.raises(ValueError, match=r"cut_pub_4sec\.mat: s_ns contradicts r_type"):
        datasets.shock_windows(source="course", progress=False)
    assert not (tmp_path / "data" / "prepared").exists()


def test_a_missing_course_file_says_where_it_belongs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cut_pub_4sec\.mat or \.zip in .*data.ecg"):
        datasets.shock_windows(source="course", progress=False)


# heartbeats


def heartbeats(**options) -> datasets.Windows:
    return datasets.heartbeat_windows(
        source="synthetic", progress=False, **{"n_patients": 8, **options}
    )


@pytest.mark.parametrize("form, n_samples", [("kachuee", 187), ("context", 375)])
def test_synthetic_beats_hold_all_classes_in_both_forms(form, n_samples):
    windows = heartbeats(form=form)
    assert windows.signal.shape[1:] == (1, n_samples) and windows.fs == 125
    assert windows.classes == ("N", "S", "V", "F", "Q") and set(windows.label) == set(range(5))
    assert (windows.task, windows.source) == ("heartbeats", "synthetic")
    assert windows.parameters["labels"] == "annotated"
    assert windows.table["rhythm"].tolist() == [windows.classes[i] for i in windows.label]
    assert windows.table["rhythm"].value_counts().idxmax() == "N"


def test_both_forms_have_the_same_beats():
    one, other = heartbeats(), heartbeats(form="context")
    assert one.hash != other.hash
    pd.testing.assert_frame_equal(
        one.table.drop(columns="start_s"), other.table.drop(columns="start_s")
    )


def test_paced_patients_and_class_q_are_left_out_on_request():
    windows = heartbeats(paced=False)
    assert windows.classes == ("N", "S", "V", "F") and set(windows.label) == set(range(4))
    assert set(windows.table["ds"]) == {"DS1", "DS2"}
    assert windows.parameters["dropped"]["paced or unclassifiable"] > 0
    assert windows.hash != heartbeats().hash


@pytest.mark.parametrize("paced", [True, False])
@pytest.mark.parametrize("protocol", ["intra", "inter", "beat_fold1"])
def test_synthetic_beats_have_every_class_in_every_set(protocol, paced):
    windows = heartbeats(paced=paced)
    split = splits.protocol(windows.table, protocol)
    splits.require_classes(windows.label, split, classes=windows.classes)
    splits.require_clean(
        windows.signal, windows.table, split, window_s=187 / 125, protocol=protocol
    )


def test_beats_are_prepared_once_and_read_again_with_their_labels(monkeypatch):
    first = heartbeats()
    monkeypatch.setattr(beats, "windows_of", never)
    again = heartbeats()
    assert (again.path, again.hash) == (first.path, first.hash)
    read = datasets.with_labels(datasets.read_windows(first.path), "annotated")
    np.testing.assert_array_equal(read.label, first.label)


@pytest.mark.parametrize("form", datasets.BEAT_FORMS)
def test_the_rules_of_a_form_shape_the_name_of_its_file(form, monkeypatch):
    before = heartbeats(form=form)
    monkeypatch.setitem(beats.RULES[form], "version", -1)
    assert heartbeats(form=form).path != before.path


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="kachuee or context, got 'square'"):
        heartbeats(form="square")


def test_beats_know_one_more_source():
    with pytest.raises(ValueError, match="auto, real, course, kaggle or synthetic, got 'home'"):
        datasets.heartbeat_windows(source="home")
    with pytest.raises(FileNotFoundError, match=r"mitdb in .*: run `make data`"):
        datasets.heartbeat_windows(source="real")


def test_synthetic_ptb_beats_differ_between_the_classes():
    windows = datasets.ptb_windows(source="synthetic", n_beats=400)
    assert windows.signal.shape == (400, 1, 187) and windows.classes == ("normal", "abnormal")
    assert (windows.task, windows.source) == ("ptb", "synthetic")
    assert 0.5 < windows.label.mean() < 0.9
    st = windows.signal[:, 0, 14:28].mean(axis=-1)  # 0.1 to 0.2 s after the R peak
    assert np.median(st[windows.label == 1]) > np.median(st[windows.label == 0]) + 0.05
    assert windows.table["patient"].is_unique


def test_ptb_beats_are_synthetic_where_there_is_no_table():
    assert datasets.ptb_windows(n_beats=60).source == "synthetic"


# what a network sees of a beat


def test_the_signal_alone_is_left_as_it_is():
    windows = heartbeats()
    assert datasets.with_inputs(windows, "signal") is windows


def test_intervals_come_as_leads_that_are_constant_over_time():
    windows = heartbeats()
    seen = datasets.with_inputs(windows, "rr")
    assert seen.signal.shape == (len(windows), 1 + datasets.N_FEATURES["rr"], 187)
    np.testing.assert_array_equal(seen.signal[:, :1], windows.signal)
    assert (np.ptp(seen.signal[:, 1:], axis=-1) == 0).all()
    row = windows.table.iloc[20]
    names = ("rr_prev_s", "rr_next_s", "rr_prev2_s", "rr_next2_s")
    before, after, before2, after2 = (np.log(row[name] / row["rr_mid_s"]) for name in names)
    spread = np.log(row["rr_high_s"] / row["rr_low_s"])
    want = np.array([before, after, after - before, before2, after2]) / spread
    np.testing.assert_allclose(seen.signal[20, 1:, 0], want.clip(-3, 3), atol=1e-5)


def test_an_early_beat_looks_alike_at_any_rate_and_restlessness():
    table = heartbeats().table
    slow = table.assign(**{n: 2 * table[n] for n in table if n.startswith("rr_")})
    np.testing.assert_allclose(datasets.rr_features(slow), datasets.rr_features(table), atol=1e-5)
    restless = table.assign(rr_low_s=0.5 * table["rr_mid_s"], rr_high_s=2 * table["rr_mid_s"])
    calm = table.assign(rr_low_s=0.9 * table["rr_mid_s"], rr_high_s=1.1 * table["rr_mid_s"])
    here, there = (np.abs(datasets.rr_features(t)[20, 0]) for t in (restless, calm))
    assert 0 < here < there


def test_unknown_intervals_are_0_and_extreme_ones_are_cut():
    windows = heartbeats().take(np.arange(3))
    table = windows.table.assign(rr_prev_s=[np.nan, 1e-3, 60.0])
    features = datasets.rr_features(table)
    assert features[0, [0, 2]].tolist() == [0, 0]
    assert features[1, 0] == -3 and features[2, 0] == 3 and np.isfinite(features).all()


def test_the_typical_beat_is_the_median_of_the_records_own_windows():
    windows = heartbeats(form="context")
    seen = datasets.with_inputs(windows, "rr+template")
    assert seen.signal.shape == (len(windows), 2 + datasets.N_FEATURES["rr+template"], 375)
    np.testing.assert_array_equal(seen.signal[:, 0], windows.signal[:, 0])
    np.testing.assert_array_equal(
        seen.signal[:, 2:7], datasets.with_inputs(windows, "rr").signal[:, 1:]
    )
    for record in windows.table["record"].unique()[:2]:
        rows = np.flatnonzero(windows.table["record"] == record)
        own = np.median(windows.signal[rows, 0], axis=0)
        np.testing.assert_allclose(seen.signal[rows, 1], np.tile(own, (len(rows), 1)))


def test_a_beat_is_like_itself_and_a_changed_part_is_not():
    x = heartbeats(form="context").signal[:5, 0]
    np.testing.assert_allclose(datasets.likeness(x, 2 * x + 1, fs=125.0), 1, atol=1e-4)
    late = x.copy()
    late[:, 202:237] *= -1  # the T wave upside down
    found = datasets.likeness(x, late, fs=125.0)
    np.testing.assert_allclose(found[:, :2], 1, atol=1e-4)
    assert (found[:, 2] < 0).all()


def test_where_most_beats_come_early_the_late_ones_are_the_persons_own():
    windows = heartbeats(form="context")
    rows = np.flatnonzero(windows.table["record"] == windows.table["record"].iloc[0])[:100]
    some = windows.take(rows)
    early = np.arange(100) % 10 < 7  # seven in ten beats are early, and upside down
    own = np.median(some.signal[~early], axis=0)
    signal = np.where(early[:, None, None], -own, own).astype(np.float32)
    table = some.table.assign(
        rr_prev_s=np.where(early, 0.5, 1.0), rr_low_s=0.5, rr_mid_s=0.5, rr_high_s=1.0
    )
    ectopic = replace(some, signal=signal, table=table)
    median, late = (datasets.with_inputs(ectopic, i).signal for i in ("rr+template", "rr+late"))
    np.testing.assert_allclose(median[:, 1], np.tile(-own[0], (100, 1)), atol=1e-6)
    np.testing.assert_allclose(late[:, 1], np.tile(own[0], (100, 1)), atol=1e-6)
    assert (late[early, -8, 0] < -0.5).all() and (late[~early, -8, 0] == 0).all()
    assert (late[early, -2, 0] < 0).all() and (late[~early, -2, 0] > 0.99).all()


def test_the_typical_beat_takes_no_label():
    windows = heartbeats(form="context")
    turned = replace(windows, label=windows.label[::-1].copy())
    one, other = (datasets.with_inputs(w, "rr+template").signal for w in (windows, turned))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("inputs", datasets.INPUTS)
def test_other_inputs_leave_hash_and_path_alone(inputs):
    windows = heartbeats(form="context")
    seen = datasets.with_inputs(windows, inputs)
    assert (seen.hash, seen.path) == (windows.hash, windows.path)


def test_unknown_inputs_and_windows_without_intervals_are_refused(windows):
    with pytest.raises(ValueError, match=r"signal, rr, rr\+template, rr\+late, got 'all'"):
        datasets.with_inputs(windows, "all")
    with pytest.raises(ValueError, match="need R-R intervals in the table, rr_high_s"):
        datasets.with_inputs(windows, "rr")
