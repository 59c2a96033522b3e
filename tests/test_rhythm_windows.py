"""Windows of three rhythms: what is in the table, in the sets, and in the published split."""

import re
import time
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from ecglib import cinc, datasets, fetch, paths, splits
from ecglib.records import Record


def windows(**options) -> datasets.Windows:
    return datasets.rhythm_windows(
        source="synthetic", progress=False, **{"n_records": 60, **options}
    )


@pytest.fixture
def real(monkeypatch):
    """Make `source="real"` read these recordings: (seconds, v2, v3, set) each."""

    def use(recordings: Iterable[tuple[float, str, str, str]]) -> None:
        def records():
            for i, (length_s, v2, v3, name) in enumerate(recordings, 1):
                x = np.random.default_rng(i).normal(size=(1, int(length_s * 300)))
                record = Record(x.astype("f4"), 300.0, ("I",), f"A{i:05d}", f"A{i:05d}",
                                cinc.DATABASE)  # fmt: skip
                yield cinc.CincRecord(record, v2, v3, name)

        monkeypatch.setattr(fetch, "available", lambda name: True)
        monkeypatch.setattr(fetch, "digest", lambda name: "0" * 64)
        monkeypatch.setattr(cinc, "physionet_records", records)

    return use


MIXED = [
    (30, "N", "N", "train"),
    (30, "O", "A", "train"),
    (30, "O", "A", "test"),
    (20, "A", "~", "validation"),
    (4.9, "N", "N", "train"),
    (61, "~", "N", "test"),
]


def found(**options) -> datasets.Windows:
    return datasets.rhythm_windows(source="real", progress=False, **options)


# windows and table


@pytest.mark.parametrize("form, fs, n", [("windows", 300.0, 1500), ("records", 150.0, 4500)])
def test_both_forms_hold_the_same_recordings(form, fs, n):
    made = windows(form=form)
    assert made.fs == fs and made.signal.shape[1:] == (1, n) and made.signal.dtype == np.float32
    assert (made.classes, made.task, made.source) == (("N", "O", "A"), "rhythms", "synthetic")
    other = windows(form="records" if form == "windows" else "windows")
    columns = ["record", "patient", "rhythm", "v2", "v3", "set", "duration_s"]
    ours, theirs = (w.table[columns].drop_duplicates() for w in (made, other))
    pd.testing.assert_frame_equal(ours.reset_index(drop=True), theirs.reset_index(drop=True))
    assert np.isfinite(made.signal).all()


@pytest.mark.parametrize("form", datasets.RHYTHM_FORMS)
def test_the_table_says_whose_window_it_is_and_where_it_starts(form):
    made = windows(form=form)
    table = made.table
    assert [made.classes[i] for i in made.label] == table["rhythm"].tolist()
    assert (table["annotated"] == made.label).all() and made.parameters["labels"] == "annotated"
    assert (table["lead"] == 0).all() and (table["database"] == "synthetic").all()
    per_record = table.groupby("record")
    assert (per_record["start_s"].transform("size") == table["windows_in_record"]).all()
    assert (per_record["start_s"].first() == 0).all()
    ends = table["start_s"] + made.signal.shape[-1] / made.fs
    assert (ends <= np.maximum(table["duration_s"], made.signal.shape[-1] / made.fs) + 1e-2).all()
    if form == "records":
        assert (ends.groupby(table["record"]).max() >= table.groupby("record")["duration_s"].first()
                - 1e-2).all()  # fmt: skip


def test_noise_is_left_out_and_counted_or_a_fourth_class():
    without, with_noise = windows(), windows(noise=True)
    n = without.parameters["dropped"]["noise"]
    assert n >= 3
    assert with_noise.classes == ("N", "O", "A", "~")
    assert with_noise.table.query("rhythm == '~'")["record"].nunique() == n
    kept = with_noise.take(with_noise.label < 3)
    np.testing.assert_array_equal(kept.signal, without.signal)
    np.testing.assert_array_equal(kept.label, without.label)


def test_what_shapes_the_windows_names_their_file():
    made = [windows(), windows(seed=1), windows(form="records"), windows(noise=True),
            windows(reference="v3"), windows(n_records=61)]  # fmt: skip
    assert len({w.path for w in made}) == len({w.hash for w in made}) == 6
    assert windows().path == made[0].path


def test_recordings_are_cut_once(monkeypatch):
    made = windows()

    def never(**options):
        raise AssertionError("must not be called")

    monkeypatch.setattr(cinc, "synthetic_records", never)
    np.testing.assert_array_equal(windows().signal, made.signal)


# labels and lengths


@pytest.mark.parametrize("reference, labels", [
    ("v2", {"A00001": "N", "A00002": "O", "A00003": "O", "A00004": "A"}),
    ("v3", {"A00001": "N", "A00002": "A", "A00003": "A", "A00006": "N"}),
    ("v3 to learn", {"A00001": "N", "A00002": "A", "A00003": "O", "A00004": "A"}),
])  # fmt: skip
def test_the_reference_says_which_labels_count_and_so_what_is_noise(real, reference, labels):
    real(MIXED)
    table = found(reference=reference).table
    assert table.groupby("record")["rhythm"].first().to_dict() == labels
    assert table.query("record == 'A00002'")[["v2", "v3"]].drop_duplicates().values.tolist() == [
        ["O", "A"]
    ]


def test_short_recordings_are_left_out_or_padded_and_counted(real):
    real(MIXED)
    made = found(form="records", noise=True)
    assert made.parameters["dropped"] == {"shorter than a window": 1}
    assert made.parameters["padded"] == 1
    assert made.table["record"].value_counts().to_dict() == {
        "A00001": 1, "A00002": 1, "A00003": 1, "A00004": 1, "A00006": 5,
    }  # fmt: skip
    assert (made.signal[made.table["record"] == "A00004", 0, 3000:] == 0).all()


def test_when_nothing_is_left_the_short_ones_are_named(real):
    real([(4.0, "N", "N", "train"), (20, "~", "~", "train")])
    with pytest.raises(ValueError, match=r"at least 5 s, got A00001 \(4\.0 s\)$"):
        found()
    assert not (paths.data() / "prepared").exists()


@pytest.mark.parametrize("options, says", [
    ({"source": "course"}, "need source auto, real or synthetic, got 'course'"),
    ({"form": "beats"}, "need form windows or records, got 'beats'"),
    ({"reference": "v4"}, "need reference v2, v3, v3 to learn, got 'v4'"),
])  # fmt: skip
def test_other_arguments_are_refused(options, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        datasets.rhythm_windows(**{"source": "synthetic", "progress": False, **options})


def test_missing_recordings_are_named_or_replaced():
    with pytest.raises(FileNotFoundError, match="challenge-2017"):
        datasets.rhythm_windows(source="real", progress=False)
    assert datasets.rhythm_windows(n_records=20, progress=False).source == "synthetic"


# splits


def test_the_published_split_counts_as_it_was_published():
    sets = splits.published_sets()
    names, counts = np.unique(sets, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "test": 853, "train": 6822, "validation": 853,
    }  # fmt: skip


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("name", ["published", *(f"fold{i}" for i in range(5))])
def test_every_set_of_a_synthetic_split_has_every_class_and_no_leak(name, noise):
    made = windows(noise=noise, n_records=160)
    split = splits.protocol(made.table, name)
    splits.require_classes(made.label, split, classes=made.classes)
    splits.require_clean(made.signal, made.table, split, window_s=5.0, protocol=name)
    assert splits.excused(name) == ""
    assert sorted(np.concatenate(list(split.values()))) == list(range(len(made)))


def test_the_published_split_is_the_column_whatever_the_seed():
    table = windows().table
    for seed in (0, 1):
        for name, rows in splits.protocol(table, "published", seed=seed).items():
            assert set(table["set"].iloc[rows]) == {name}
    with pytest.raises(ValueError, match="in the column set, got no validation"):
        splits.protocol(table[table["set"] != "validation"], "published")


def recordings(counts: dict[str, int], *, seed: int = 0) -> pd.DataFrame:
    """A table of recordings with one to five windows each."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(list(counts), list(counts.values())))
    row = np.repeat(np.arange(len(labels)), rng.integers(1, 6, len(labels)))
    names = [f"A{i:05d}" for i in row]
    return pd.DataFrame({"database": "challenge-2017", "record": names, "patient": names,
                         "rhythm": labels[row], "v2": labels[row]})  # fmt: skip


def members(table: pd.DataFrame, rows: np.ndarray) -> set[str]:
    return set(table["patient"].iloc[rows])


def test_folds_share_out_every_label_to_one_patient_and_test_each_once():
    table = recordings({"N": 503, "O": 251, "A": 73})
    by_patient = table.drop_duplicates("patient").set_index("patient")["v2"]
    parts = [splits.protocol(table, f"fold{i}") for i in range(5)]
    assert sorted(np.concatenate([s["test"] for s in parts])) == list(range(len(table)))
    for i, split in enumerate(parts):
        people = [members(table, rows) for rows in split.values()]
        assert sum(map(len, people)) == len(set.union(*people)) == len(by_patient)
        counts = by_patient[sorted(people[2])].value_counts().to_dict()
        assert counts == pytest.approx({"N": 100.6, "O": 50.2, "A": 14.6}, abs=1)
        assert np.array_equal(split["validation"], parts[(i + 1) % 5]["test"])


def test_folds_do_not_depend_on_windows_on_noise_by_v2_or_on_the_labels_learnt_from():
    table = recordings({"N": 503, "O": 251, "A": 73, "~": 20})
    want = members(table, splits.protocol(table, "fold2")["test"])
    for other in (
        table.drop_duplicates("patient").reset_index(drop=True),
        table.assign(rhythm=table["v2"].replace({"~": "N"})),
    ):
        assert members(other, splits.protocol(other, "fold2")["test"]) == want
    silent = table[table["v2"] != "~"].reset_index(drop=True)
    noisy = set(table.query("v2 == '~'")["patient"])
    assert members(silent, splits.protocol(silent, "fold2")["test"]) == want - noisy


def test_identical_recordings_stay_in_one_fold():
    table = recordings({"N": 60, "O": 30, "A": 20})
    table.loc[table["record"].isin(["A00003", "A00004"]), "patient"] = "A00003"
    for seed in range(5):
        for rows in splits.protocol(table, "fold0", seed=seed).values():
            assert len({"A00003", "A00004"} & set(table["record"].iloc[rows])) != 1


def test_another_seed_gives_other_folds():
    table = recordings({"N": 60, "O": 30, "A": 20})
    first, again, other = (splits.protocol(table, "fold0", seed=s)["test"] for s in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_fold_without_a_rhythm_is_named():
    with pytest.raises(ValueError, match=r"each of 5 folds, fold \d has no A \(got 4 in all\)"):
        splits.protocol(recordings({"N": 60, "O": 30, "A": 4}), "fold0")


def test_as_many_recordings_as_the_challenge_has_are_split_in_a_moment():
    table = recordings({"N": 5050, "O": 2456, "A": 738})
    began = time.perf_counter()
    splits.protocol(table, "fold4")
    assert time.perf_counter() - began < 2


def test_a_label_of_two_recordings_cannot_be_in_three_sets():
    with pytest.raises(ValueError, match="at least 3 recordings of every kind, got 2 of A"):
        splits.stratified_sets(["N"] * 10 + ["A"] * 2, seed=0)


# the real recordings


@pytest.fixture
def challenge(monkeypatch):
    monkeypatch.delenv("ECGLIB_DATA")
    if not fetch.available("challenge-2017"):
        pytest.skip(f"needs challenge-2017 in {paths.data()}")


@pytest.mark.real
def test_the_real_recordings_fall_into_the_published_sets(challenge):
    seen = pd.DataFrame(
        [(i.record.record, i.record.patient, i.v2, i.set, i.record.signal.shape[-1])
         for i in cinc.physionet_records()],
        columns=["record", "patient", "v2", "set", "n"],
    )  # fmt: skip
    kept = seen[seen["v2"] != "~"]
    counts = pd.crosstab(kept["set"], kept["v2"])[["N", "O", "A"]]
    assert counts.loc["train"].tolist() == [4033, 1958, 606]
    assert counts.loc["validation"].tolist() == [513, 243, 73]
    assert counts.loc["test"].tolist() == [504, 255, 59]
    stride = kept["v2"].map(cinc.STRIDES).where(kept["set"] != "test", cinc.TEST_STRIDE)
    n_windows = ((kept["n"] - cinc.N_WINDOW) // stride + 1).groupby(kept["set"]).sum()
    assert n_windows.to_dict() == {"train": 68_062, "validation": 8_564, "test": 9_719}
    twins = seen[seen["record"] != seen["patient"]].set_index("record")["patient"].to_dict()
    assert twins == {"A01176": "A00227", "A03123": "A02656"}
    both = seen.set_index("record")["set"]
    assert all(both[a] == both[b] for a, b in twins.items())  # the published split has no leak
