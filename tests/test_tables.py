"""Tables of beats that a reader brings are read as they are meant, or refused in a line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglib import datasets, tables
from ecglib.datasets.inputs import RR_COLUMNS

COLUMNS = [*map(str, range(187)), "target"]


def frame(target, *, seed: int = 0) -> pd.DataFrame:
    """Beats from 0 to 1, padded with zeros, one for each class number."""
    target = np.asarray(target, float)
    x = np.random.default_rng(seed).uniform(0, 1, (len(target), 187)).round(4)
    x[:, 150:] = 0
    return pd.DataFrame(np.column_stack([x, target]), columns=COLUMNS)


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def write(folder: Path, **tables_: pd.DataFrame) -> None:
    for name, table in tables_.items():
        table.to_parquet(folder / f"{name}.parq")


def course(folder: Path, *, train=(0, 1, 2, 3, 4) * 6, test=(4, 3, 2, 1, 0) * 2) -> None:
    write(folder, heart_big_train=frame(train), heart_big_test=frame(test, seed=1))


def kaggle(folder: Path) -> None:
    for name, target in (("mitbih_train", (0, 1, 2, 3, 4) * 6), ("mitbih_test", (0, 1, 2, 3, 4))):
        frame(target).to_csv(folder / f"{name}.csv", header=False, index=False)


def heartbeats(source: str = "course") -> datasets.Windows:
    return datasets.heartbeat_windows(source=source, progress=False)


# what is read


def test_the_courses_tables_keep_their_split_and_their_targets(data):
    course(data)
    windows = heartbeats()
    assert windows.signal.shape == (40, 1, 187) and windows.signal.dtype == np.float32
    assert windows.classes == ("N", "S", "V", "F", "Q") and windows.source == "course"
    assert windows.label[:5].tolist() == [0, 1, 2, 3, 4]
    assert windows.table["set"].tolist() == ["train"] * 30 + ["test"] * 10
    assert windows.table["rhythm"].iloc[30] == "Q"
    np.testing.assert_allclose(windows.signal[0, 0], frame([0] * 30).iloc[0, :187], atol=1e-6)


def test_kaggles_tables_are_read_the_same_way(data):
    kaggle(data)
    windows = heartbeats("kaggle")
    assert len(windows) == 35 and windows.label[:5].tolist() == [0, 1, 2, 3, 4]
    assert (windows.table["set"] == "test").sum() == 5


def test_what_the_tables_do_not_say_stays_unknown(data):
    course(data)
    table = heartbeats().table
    assert table["patient"].is_unique
    assert (table["ds"] == "").all()
    assert table[["start_s", "time_s", *RR_COLUMNS]].isna().all(axis=None)


def test_beats_without_intervals_give_constant_leads_of_zero(data):
    course(data)
    windows = datasets.with_inputs(heartbeats(), "rr")
    assert (windows.signal[:, 1:] == 0).all()


def test_without_class_q_on_request(data):
    course(data)
    windows = datasets.heartbeat_windows(source="course", paced=False, progress=False)
    assert windows.classes == ("N", "S", "V", "F") and len(windows) == 32
    assert set(windows.label) == {0, 1, 2, 3}


def test_another_table_is_prepared_anew(data):
    course(data)
    before = heartbeats().hash
    course(data, train=(0, 1, 2, 3, 4) * 7)
    assert heartbeats().hash != before


def test_tables_hold_the_scaled_form_only(data):
    course(data)
    with pytest.raises(ValueError, match="need form kachuee for source course, got 'context'"):
        datasets.heartbeat_windows(source="course", form="context", progress=False)


# what is refused


def test_a_missing_table_is_named(data):
    with pytest.raises(FileNotFoundError, match=r"need heart_big_train\.parq in .*data"):
        heartbeats()
    course(data)
    (data / "heart_big_test.parq").unlink()
    with pytest.raises(FileNotFoundError, match=r"need heart_big_test\.parq"):
        heartbeats()


def spoil(table: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    if isinstance(value, str):
        return table.assign(**{column: value})
    table = table.copy()
    table.loc[3, column] = value
    return table


TRAIN = frame((0, 1, 2, 3, 4) * 6)


@pytest.mark.parametrize(
    "table, complaint",
    [
        (TRAIN.drop(columns="5"), 'need columns "0" to "186" and "target", got 187 columns'),
        (TRAIN.rename(columns={"target": "label"}), "got 188 columns, 0 to label"),
        (TRAIN[["target", *COLUMNS[:-1]]], "got 188 columns, target to 186"),
        (spoil(TRAIN, "17", np.nan), "need numbers without gaps, got NaN in row 3"),
        (spoil(TRAIN, "target", np.nan), "need numbers without gaps, got NaN in row 3"),
        (spoil(TRAIN, "target", 5.0), r"need targets 0 to 4, got \[5"),
        (spoil(TRAIN, "target", 1.5), r"need targets 0 to 4, got \[1\.5"),
        (spoil(TRAIN, "17", 2.5), r"need samples from 0 to 1, got 0 to 2\.5"),
        (spoil(TRAIN, "17", "much"), "need numbers, got text"),
        (TRAIN.iloc[:0], "need beats, got none"),
    ],
    ids=["short", "renamed", "turned", "gap", "no class", "class 5", "half", "mV", "text", "none"],
)
def test_a_table_that_is_no_table_of_beats_is_refused_by_name(data, table, complaint):
    course(data)
    write(data, heart_big_train=table)
    with pytest.raises(ValueError, match=rf"heart_big_train\.parq: .*{complaint}"):
        heartbeats()
    assert not (data / "prepared").exists()


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"0,1,2\n"])
def test_a_damaged_file_is_refused_in_one_line(data, content):
    course(data)
    (data / "heart_big_test.parq").write_bytes(content)
    with pytest.raises(ValueError, match=r"heart_big_test\.parq: cannot be read") as error:
        heartbeats()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content, complaint",
    [
        ("0.5,0.5\n", "need 188 columns, got 2"),
        (",".join(COLUMNS) + "\n", "need numbers, got text"),
        ("0.5\n0.5,0.7\n", "cannot be read"),
        ("", "cannot be read"),
    ],
    ids=["two columns", "a header", "ragged", "empty"],
)
def test_a_csv_of_another_kind_is_refused(data, content, complaint):
    kaggle(data)
    (data / "mitbih_test.csv").write_text(content)
    with pytest.raises(ValueError, match=rf"mitbih_test\.csv: .*{complaint}"):
        heartbeats("kaggle")


def test_swapped_training_and_test_tables_are_noticed(data):
    course(data)
    (data / "heart_big_train.parq").rename(data / "x.parq")
    (data / "heart_big_test.parq").rename(data / "heart_big_train.parq")
    (data / "x.parq").rename(data / "heart_big_test.parq")
    with pytest.raises(ValueError, match=r"more beats in heart_big_train.* got 10 and 30: swapped"):
        heartbeats()


def test_a_ptb_table_in_the_place_of_a_mitbih_table_is_noticed(data):
    course(data, train=(0, 1) * 20)
    with pytest.raises(ValueError, match=r"heart_big_train\.parq: need all of N.*of PTB"):
        heartbeats()


# beats of the PTB database


def test_both_ptb_tables_are_read_with_their_split(data):
    write(data, heart_train=frame((0, 1, 1) * 6), heart_test=frame((1, 0) * 3))
    windows = datasets.ptb_windows()
    assert datasets.ptb_available() and windows.source == "course"
    assert windows.classes == ("normal", "abnormal") and windows.task == "ptb"
    assert windows.label[:3].tolist() == [0, 1, 1]
    assert windows.table["record"].tolist() == ["heart_train"] * 18 + ["heart_test"] * 6
    assert windows.table["set"].tolist() == ["train"] * 18 + ["test"] * 6
    assert windows.table["patient"].is_unique


def test_one_ptb_table_is_enough_and_has_no_split(data):
    write(data, heart_test=frame((1, 0) * 3))
    windows = datasets.ptb_windows()
    assert len(windows) == 6 and (windows.table["set"] == "").all()


def test_a_second_ptb_table_makes_other_windows(data):
    write(data, heart_test=frame((1, 0) * 3))
    before = datasets.ptb_windows().hash
    write(data, heart_train=frame((1, 0) * 9))
    assert datasets.ptb_windows().hash != before


def test_kaggles_ptb_tables_count_only_as_a_pair(data):
    frame([0] * 4).to_csv(data / "ptbdb_normal.csv", header=False, index=False)
    assert not datasets.ptb_available()
    frame([1] * 9).to_csv(data / "ptbdb_abnormal.csv", header=False, index=False)
    windows = datasets.ptb_windows()
    assert windows.source == "kaggle" and np.bincount(windows.label).tolist() == [4, 9]


def test_swapped_ptb_tables_are_noticed(data):
    write(data, heart_train=frame((1, 0) * 3), heart_test=frame((0, 1) * 9))
    with pytest.raises(ValueError, match=r"more beats in heart_train.*got 6 and 18: swapped"):
        datasets.ptb_windows()


def test_a_ptb_table_of_the_other_class_is_noticed(data):
    frame([1] * 4).to_csv(data / "ptbdb_normal.csv", header=False, index=False)
    frame([1] * 9).to_csv(data / "ptbdb_abnormal.csv", header=False, index=False)
    with pytest.raises(ValueError, match=r"ptbdb_normal\.csv: need targets 0 only, got \[1"):
        datasets.ptb_windows()


def test_a_mitbih_table_in_the_place_of_a_ptb_table_is_noticed(data):
    write(data, heart_test=frame((0, 1, 2, 3, 4)))
    with pytest.raises(ValueError, match=r"heart_test\.parq: need targets 0 to 1, got \[2"):
        datasets.ptb_windows()


def test_real_ptb_beats_that_are_missing_say_where_they_belong():
    assert not datasets.ptb_available()
    with pytest.raises(FileNotFoundError, match=r"heart_train\.parq or heart_test\.parq.*data"):
        datasets.ptb_windows(source="real")


def test_the_names_of_the_files_are_those_of_the_course_and_of_kaggle():
    assert tables.FILES["course"] == ("heart_big_train.parq", "heart_big_test.parq")
    assert tables.FILES["kaggle"] == ("mitbih_train.csv", "mitbih_test.csv")
