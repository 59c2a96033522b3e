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
