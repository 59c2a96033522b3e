"""Splits keep patients together, give every set every rhythm, and leaks are found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglib import splits

RHYTHMS = np.array(["NSR", "AF", "coarse VF", "rapid VT"])


def table(n_patients: int = 30, *, seed: int = 0, n_windows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), n_windows)
    kind = np.where(rng.random(len(patient)) < 0.5, "NSR", RHYTHMS[patient % 4])
    return pd.DataFrame(
        {
            "database": np.where(patient % 3 == 0, "a", "b"),
            "record": patient.astype(str),
            "patient": patient.astype(str),
            "start_s": np.tile(np.arange(n_windows) * 4.0, n_patients),
            "lead": 0,
            "aha_annotated": kind,
        }
    )


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 1, 200)).astype(np.float32)


def owners(frame: pd.DataFrame, split: splits.Split) -> list[set[str]]:
    return [set(frame["patient"].iloc[rows]) for rows in split.values()]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(5, 40))
def test_no_patient_is_in_two_sets_and_none_is_lost(seed, n):
    frame = table(n, seed=seed, n_windows=6)
    parts = owners(frame, splits.by_patient(frame, kind="aha_annotated", seed=seed))
    assert sum(map(len, parts)) == len(set.union(*parts)) == n


def test_every_set_has_every_rhythm_when_there_are_patients_enough():
    frame = table()
    for rows in splits.by_patient(frame, kind="aha_annotated").values():
        assert set(frame["aha_annotated"].iloc[rows]) == set(RHYTHMS)


def test_sixty_twenty_twenty():
    frame = table(50)
    sizes = [len(p) for p in owners(frame, splits.by_patient(frame, kind="aha_annotated"))]
    assert sizes == [30, 10, 10]


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    frame = table()
    first, again, other = (
        splits.by_patient(frame, kind="aha_annotated", seed=s)["test"] for s in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_window_is_tested_once_over_the_folds():
    frame = table()
    tested = np.concatenate([s["test"] for s in splits.folds(frame, kind="aha_annotated")])
    assert sorted(tested) == list(range(len(frame)))


def test_a_database_left_out_is_not_learnt_from():
    frame = table()
    for name, split in splits.leave_one_database_out(frame, kind="aha_annotated").items():
        assert set(frame["database"].iloc[split["test"]]) == {name}
        assert name not in set(frame["database"].iloc[split["train"]])
        assert name not in set(frame["database"].iloc[split["validation"]])


def test_too_few_patients_are_refused():
    with pytest.raises(ValueError, match="at least 3 patients, got 2"):
        splits.by_patient(table(2), kind="aha_annotated")


def test_an_unknown_protocol_names_the_known_ones():
    with pytest.raises(ValueError, match=r"patient, fold0 to fold4, without_a, without_b.*'best'"):
        splits.protocol(table(), "best")


@pytest.mark.parametrize("name", ["patient", "fold3", "without_a"])
def test_the_protocols_pass_their_own_audit(name):
    frame = table()
    split = splits.protocol(frame, name)
    assert splits.audit(noise(len(frame)), frame, split, window_s=4).clean


def test_a_patient_in_two_sets_is_found():
    frame = table()
    split = splits.protocol(frame, "patient")
    split["test"] = np.append(split["test"], split["train"][0])
    with pytest.raises(splits.LeakError, match="every patient in one set, got"):
        splits.require_clean(noise(len(frame)), frame, split, window_s=4)


def test_overlapping_windows_are_found_even_under_another_name():
    frame = table()
    split = {"train": np.arange(0, 39), "test": np.array([39])}
    frame.loc[39, ["patient", "start_s"]] = ["somebody else", 38 * 4 + 1.0]
    found = splits.audit(noise(len(frame)), frame, split, window_s=4)
    assert found.overlapping_windows == 1


def test_a_copy_of_a_signal_under_another_name_is_found():
    frame, x = table(), noise(1200)
    split = splits.protocol(frame, "patient")
    a, b = split["train"][3], split["test"][7]
    x[b] = 1.5 * x[a]
    assert splits.audit(x, frame, split, window_s=4).near_duplicates == (tuple(sorted((a, b))),)
    with pytest.raises(splits.LeakError, match="copies"):
        splits.require_clean(x, frame, split, window_s=4)


# heartbeats: by beat, or between the people of a published division


def beats(n_patients: int = 20, *, n_beats: int = 50, seed: int = 0) -> pd.DataFrame:
    """Beats of four classes, few F; patients in turn in DS1 and DS2, the last in neither."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), n_beats)
    ds = np.where(patient == n_patients - 1, "", np.where(patient % 2 == 0, "DS1", "DS2"))
    return pd.DataFrame(
        {
            "database": "mitdb",
            "record": patient.astype(str),
            "patient": [f"mitdb-{p}" for p in patient],
            "start_s": np.tile(np.arange(n_beats) * 0.8, n_patients),
            "lead": 0,
            "rhythm": rng.choice(list("NSVF"), len(patient), p=[0.8, 0.09, 0.08, 0.03]),
            "set": "",
            "ds": ds,
        }
    )


def shares(frame: pd.DataFrame, rows: np.ndarray) -> pd.Series:
    return frame["rhythm"].iloc[rows].value_counts() / frame["rhythm"].value_counts()


def test_intra_gives_every_set_its_share_of_every_class():
    frame = beats()
    split = splits.protocol(frame, "intra")
    for name, share in (("train", 0.72), ("validation", 0.08), ("test", 0.2)):
        np.testing.assert_allclose(shares(frame, split[name]), share, atol=0.03)
    assert sorted(np.concatenate(list(split.values()))) == list(range(len(frame)))


def test_intra_tests_the_rows_that_a_published_split_tests():
    frame = beats()
    frame["set"] = np.where(np.arange(len(frame)) % 4 == 0, "test", "train")
    split = splits.protocol(frame, "intra", seed=3)
    assert split["test"].tolist() == list(range(0, len(frame), 4))
    assert len(split["validation"]) == pytest.approx(len(frame) * 0.075, abs=3)


def test_inter_learns_from_the_first_division_and_tests_the_second():
    frame = beats()
    split = splits.protocol(frame, "inter")
    ds = {name: set(frame["ds"].iloc[rows]) for name, rows in split.items()}
    assert ds == {"train": {"DS1"}, "validation": {"DS1"}, "test": {"DS2"}}
    parts = owners(frame, split)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 19
    assert len(parts[1]) == 2
    for rows in split.values():
        assert set(frame["rhythm"].iloc[rows]) == set("NSVF")


def test_inter_without_the_division_says_what_is_missing():
    with pytest.raises(ValueError, match="need rows of DS1 and DS2, got 0 and 0"):
        splits.protocol(beats().assign(ds=""), "inter")


def test_every_beat_is_tested_once_over_the_folds_by_beat():
    frame = beats()
    parts = [splits.protocol(frame, f"beat_fold{i}") for i in range(5)]
    assert sorted(np.concatenate([s["test"] for s in parts])) == list(range(len(frame)))
    assert np.array_equal(parts[0]["validation"], parts[1]["test"])
    for split in parts:
        np.testing.assert_allclose(shares(frame, split["test"]), 0.2, atol=0.03)


@pytest.mark.parametrize("name", ["intra", "beat_fold2"])
def test_a_split_by_beat_is_let_through_only_under_its_name(name):
    frame = beats()
    split, x = splits.protocol(frame, name), noise(len(frame))
    assert not splits.audit(x, frame, split, window_s=1.5).clean
    splits.require_clean(x, frame, split, window_s=1.5, protocol=name)
    with pytest.raises(splits.LeakError, match="every patient in one set"):
        splits.require_clean(x, frame, split, window_s=1.5, protocol="patient")


def test_a_row_in_two_sets_is_refused_even_in_a_split_by_beat():
    frame = beats()
    split = splits.protocol(frame, "intra")
    split["test"] = np.append(split["test"], split["train"][:2])
    with pytest.raises(splits.LeakError, match="every row in one set, got 2 in several"):
        splits.require_clean(noise(len(frame)), frame, split, window_s=1.5, protocol="intra")


def test_inter_lets_through_the_one_person_of_two_records_and_nobody_else():
    frame = beats()
    frame.loc[frame["record"].isin(["0", "1"]), "patient"] = "mitdb-201"
    split, x = splits.protocol(frame, "inter"), noise(len(frame))
    splits.require_clean(x, frame, split, window_s=3, protocol="inter")
    with pytest.raises(splits.LeakError, match="every patient in one set, got mitdb-201"):
        splits.require_clean(x, frame, split, window_s=3)
    frame.loc[frame["record"].isin(["2", "3"]), "patient"] = "mitdb-7"
    with pytest.raises(splits.LeakError, match="every patient in one set, got mitdb-7"):
        splits.require_clean(x, frame, split, window_s=3, protocol="inter")


def test_inter_still_refuses_copies():
    frame, x = beats(), noise(1000)
    split = splits.protocol(frame, "inter")
    x[split["test"][5]] = x[split["train"][5]]
    with pytest.raises(splits.LeakError, match="copies"):
        splits.require_clean(x, frame, split, window_s=3, protocol="inter")


@pytest.mark.parametrize("name", ["intra", "inter", "beat_fold0", "beat_fold4"])
def test_what_a_protocol_shares_is_said_in_a_sentence(name):
    assert splits.excused(name).endswith(".")


@pytest.mark.parametrize("name", ["patient", "fold0", "without_mitdb", ""])
def test_protocols_that_share_nothing_have_no_excuse(name):
    assert splits.excused(name) == ""


def test_beats_can_be_split_by_patient_too():
    frame = beats()
    split = splits.protocol(frame, "patient")
    assert splits.audit(noise(len(frame)), frame, split, window_s=0.5).clean


def test_a_set_without_a_class_is_named():
    split = {"train": np.array([0, 1]), "test": np.array([2, 3])}
    with pytest.raises(ValueError, match="test has no shockable"):
        splits.require_classes(
            np.array([0, 1, 0, 0]), split, classes=("non-shockable", "shockable")
        )


def test_training_uses_every_lead_and_testing_the_first():
    label, lead = np.array([0, 1, -1, 0, 1, -1]), np.array([0, 1, 0, 0, 1, 0])
    split = {"train": np.array([0, 1, 2]), "validation": np.array([3, 4]), "test": np.array([4, 5])}
    rows = splits.usable(split, label, lead)
    assert {k: v.tolist() for k, v in rows.items()} == {
        "train": [0, 1],
        "validation": [3],
        "test": [5],
    }
