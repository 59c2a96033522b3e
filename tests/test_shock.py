"""From rhythm marks to labelled windows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglib import records, shock, synthetic

FS = 250.0


def marks(*rows: tuple[float, str, str], fs: float = FS) -> pd.DataFrame:
    """Marks at seconds, each with its symbol and text."""
    frame = pd.DataFrame(rows, columns=["sample", "symbol", "text"])
    return frame.assign(sample=(frame["sample"] * fs).astype(int))


def stretches(frame: pd.DataFrame) -> list[tuple[float, float, str]]:
    return list(frame[["start_s", "end_s", "rhythm"]].itertuples(index=False, name=None))


def at(frame: pd.DataFrame, time_s: float) -> str:
    return frame.loc[(frame["start_s"] <= time_s) & (time_s < frame["end_s"]), "rhythm"].item()


def beating(duration_s: float, *, rate: float = 75, fs: float = FS) -> np.ndarray:
    """Sinus beats with the noise of a living electrode, millivolt."""
    rr_s = np.full(int(duration_s * rate / 60) + 2, 60 / rate)
    x = synthetic.beats(rr_s, fs=fs, seed=0)[..., : int(duration_s * fs)].reshape(-1)
    x = np.pad(x, (0, int(duration_s * fs) - len(x)))
    return x + 0.01 * np.random.default_rng(0).normal(size=len(x))


def recording(*signal: np.ndarray, fs: float = FS) -> records.Record:
    return records.Record(
        signal=np.float32(signal),
        fs=fs,
        leads=("MLII", "V5", "V1")[: len(signal)],
        patient="mine-p",
        record="p",
        database="mine",
    )


def cut(
    *signal: np.ndarray,
    rhythms: list | None = None,
    fs: float = FS,
    stride_s: float = 4.0,
    beats_s: list[float] | None = None,
):
    """`shock.windows_of` a record of these leads, sinus rhythm unless said otherwise."""
    rhythms = rhythms or [(0.0, len(signal[0]) / fs, "NSR")]
    frame = pd.DataFrame(rhythms, columns=["start_s", "end_s", "rhythm"])
    beats = None if beats_s is None else np.array(beats_s)
    return shock.windows_of(
        shock.Marked(recording(*signal, fs=fs), frame, beats), stride_s=stride_s
    )


# rhythm marks


def test_a_rhythm_lasts_until_the_next_mark_and_the_last_to_the_end():
    frame = shock.rhythm_stretches(
        marks((2, "+", "(N"), (5, "V", ""), (10, "+", "(VT"), (14, "+", "(NOISE")),
        fs=FS,
        duration_s=20.0,
    )
    assert stretches(frame) == [(2, 10, "NSR"), (10, 14, "VT"), (14, 20, "NOISE")]


def test_a_record_without_rhythm_marks_has_no_stretches():
    frame = shock.rhythm_stretches(marks((5, "N", "")), fs=FS, duration_s=20.0)
    assert stretches(frame) == []


def test_an_unknown_rhythm_mark_is_named():
    with pytest.raises(ValueError, match=r"need rhythm marks out of .*got \['\(WHAT'\]"):
        shock.rhythm_stretches(marks((0, "+", "(N"), (5, "+", "(WHAT")), fs=FS, duration_s=20.0)


@pytest.mark.parametrize("rhythm", sorted(set(shock.RHYTHMS.values()) - {"NOISE"}))
def test_every_rhythm_has_a_row_in_the_table_of_the_association(rhythm):
    category = shock.categories(pd.Series([rhythm]), pd.Series([200.0]), pd.Series([1.0]))
    assert category.item() != "left out"


# cudb


def cudb(*rows: tuple[float, str, str], duration_s: float = 300.0) -> pd.DataFrame:
    return shock.cudb_rhythms(marks(*rows), fs=FS, duration_s=duration_s)


def test_fibrillation_lies_between_its_brackets():
    frame = cudb((100, "[", ""), (160, "]", ""))
    assert (at(frame, 100.5), at(frame, 159.5), at(frame, 161)) == ("VF", "VF", "UNMARKED")


def test_an_unclosed_bracket_runs_to_the_end():
    assert at(cudb((100, "[", "")), 299.5) == "VF"


def test_the_minute_before_an_onset_is_not_used():
    frame = cudb((100, "[", ""), (160, "]", ""), (200, "[", ""))
    assert stretches(frame) == [
        (0, 40, "UNMARKED"),
        (40, 100, "UNKNOWN"),
        (100, 160, "VF"),
        (160, 200, "UNKNOWN"),
        (200, 300, "VF"),
    ]


def test_an_onset_in_the_first_minute_leaves_nothing_before_it():
    assert stretches(cudb((20, "[", ""))) == [(0, 20, "UNKNOWN"), (20, 300, "VF")]


def test_after_a_mark_of_lost_text_only_fibrillation_is_known():
    frame = cudb((50, "+", ""), (200, "[", ""), (220, "]", ""))
    assert stretches(frame) == [
        (0, 50, "UNMARKED"),
        (50, 200, "UNKNOWN"),
        (200, 220, "VF"),
        (220, 300, "UNKNOWN"),
    ]


def test_a_pair_of_noise_marks_spans_the_noise_between():
    frame = cudb((100, "~", ""), (104, "~", ""))
    assert stretches(frame) == [(0, 99, "UNMARKED"), (99, 105, "NOISE"), (105, 300, "UNMARKED")]


def test_noise_marks_far_apart_stand_for_themselves():
    frame = cudb((100, "~", ""), (110, "~", ""))
    assert [at(frame, t) for t in (99.5, 105, 110.5)] == ["NOISE", "UNMARKED", "NOISE"]


def test_noise_hides_fibrillation():
    assert at(cudb((100, "[", ""), (150, "~", "")), 150.5) == "NOISE"


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(0, 299), st.sampled_from("[]~+"), st.just("")), max_size=8)
)
def test_stretches_of_cudb_cover_the_record_without_gaps(rows):
    frame = cudb(*sorted(rows))
    assert frame["start_s"].iloc[0] == 0 and frame["end_s"].iloc[-1] == 300
    assert np.array_equal(frame["start_s"][1:], frame["end_s"][:-1])


# windows


@settings(max_examples=15, deadline=None)
@given(
    changes=st.lists(st.floats(1, 59), min_size=1, max_size=6, unique=True),
    fs=st.sampled_from([250.0, 360.0]),
    stride_s=st.sampled_from([1.0, 2.5, 4.0]),
)
def test_a_window_never_crosses_a_change_of_rhythm(changes, fs, stride_s):
    edges = [0.0, *sorted(changes), 60.0]
    rhythms = [
        (a, b, name) for a, b, name in zip(edges, edges[1:], ["NSR", "VT", "VF"] * 3, strict=False)
    ]
    _, table, _ = cut(beating(60, fs=fs), rhythms=rhythms, fs=fs, stride_s=stride_s)
    for start, rhythm in zip(table["start_s"], table["rhythm"], strict=True):
        homes = [r for r in rhythms if r[0] - 1e-9 <= start and start + 4 <= r[1] + 1e-9]
        assert [name for *_, name in homes] == [rhythm]


def test_a_minute_gives_fifteen_windows_of_four_seconds():
    signal, table, dropped = cut(beating(60))
    assert signal.shape == (15, 1, 1000) and signal.dtype == np.float32
    assert table["start_s"].tolist() == list(range(0, 60, 4))
    assert sum(dropped.values()) == 0


def test_another_rate_is_resampled_and_the_amplitude_kept():
    slow, _, _ = cut(beating(60))
    fast, table, _ = cut(beating(60, fs=360.0), fs=360.0)
    assert fast.shape == slow.shape
    assert table["amplitude_mv"].median() == pytest.approx(np.ptp(slow[:, 0], axis=1).mean(), 0.15)


def test_noise_and_what_is_not_known_are_counted_and_not_cut():
    _, table, dropped = cut(
        beating(60), rhythms=[(0, 20, "NSR"), (20, 36, "NOISE"), (36, 60, "UNKNOWN")]
    )
    assert len(table) == 5
    assert (dropped["noise"], dropped["unknown"]) == (4, 6)


def test_flat_windows_are_counted_and_not_cut():
    x = beating(60)
    x[2500:2800] = 0.3  # 1.2 s
    _, table, dropped = cut(x)
    assert dropped["flat"] == 1
    assert 8.0 not in table["start_s"].tolist()


def test_a_second_without_change_is_not_yet_flat():
    x = beating(60)
    x[2500:2740] = 0.3  # 0.96 s
    assert cut(x)[2]["flat"] == 0


def test_windows_with_invalid_samples_are_counted_and_not_cut():
    x = beating(60)
    x[2500:2503] = np.nan
    signal, table, dropped = cut(x)
    assert (dropped["invalid"], dropped["flat"]) == (1, 0)
    assert 8.0 not in table["start_s"].tolist()
    assert np.isfinite(signal).all()


def test_a_lead_that_was_off_leaves_the_other_one():
    _, table, dropped = cut(beating(60), np.zeros(60 * 250))
    assert set(table["lead_name"]) == {"MLII", "sum", "difference"}
    assert dropped["flat"] == 15


def test_a_record_of_noise_only_gives_no_windows():
    signal, table, dropped = cut(beating(60), rhythms=[(0, 60, "NOISE")])
    assert (signal.shape, len(table), dropped["noise"]) == ((0, 1, 1000), 0, 15)


def test_two_leads_give_their_sum_and_difference_as_further_views():
    a, b = beating(20), np.roll(beating(20, rate=90), 30)
    signal, table, _ = cut(a, b)
    views = {name: signal[rows.index] for name, rows in table.groupby("lead_name")}
    assert table.drop_duplicates("lead")[["lead", "lead_name"]].to_numpy().tolist() == [
        [0, "MLII"], [1, "V5"], [2, "sum"], [3, "difference"]
    ]  # fmt: skip
    for name, sign in (("sum", 1), ("difference", -1)):
        np.testing.assert_allclose(
            views[name], (views["MLII"] + sign * views["V5"]) / np.sqrt(2), atol=1e-5
        )


def test_a_record_whose_leads_were_all_off_gives_no_windows():
    signal, table, dropped = cut(np.zeros(60 * 250))
    assert (signal.shape, len(table), dropped["flat"]) == ((0, 1, 1000), 0, 15)


def test_one_lead_and_three_leads_give_no_further_views():
    assert set(cut(beating(20))[1]["lead_name"]) == {"MLII"}
    assert len(set(cut(*[beating(20)] * 3)[1]["lead_name"])) == 3


def test_sinus_rhythm_with_a_ventricular_beat_counts_as_premature_beats():
    _, table, _ = cut(beating(20), beats_s=[5.0, 11.99])
    assert table["ectopic"].tolist() == [0, 1, 1, 0, 0]
    assert table["aha_annotated"].tolist() == ["NSR", "PVC", "PVC", "NSR", "NSR"]
    assert set(table["annotated"]) == {0}


def test_fibrillation_with_a_ventricular_beat_stays_fibrillation():
    _, table, _ = cut(beating(20), rhythms=[(0, 20, "VF")], beats_s=[5.0])
    assert set(table["aha_annotated"]) == {"coarse VF"}


# categories and labels at their edges


@pytest.mark.parametrize(
    ("rhythm", "rate", "amplitude", "category", "label"),
    [
        ("VT", 150.0, 1.0, "rapid VT", 1),
        ("VT", 149.9, 1.0, "other VT", -1),
        ("VF", 300.0, 0.2, "coarse VF", 1),
        ("VF", 300.0, 0.199, "fine VF", -1),
        ("VFL", 250.0, 0.2, "coarse VF", 1),
        ("VFL", 250.0, 0.1, "fine VF", -1),
        ("NSR", 200.0, 1.0, "NSR", 0),
        ("ASYSTOLE", 0.0, 0.05, "asystole", 0),
        ("SVT", 220.0, 1.0, "SVT", 0),
        ("IVR", 160.0, 1.0, "idioventricular", 0),
        ("UNMARKED", 160.0, 1.0, "unmarked", 0),
        ("exclude", 200.0, 1.0, "left out", -1),
    ],
)
def test_rate_and_amplitude_decide_what_is_shockable(rhythm, rate, amplitude, category, label):
    found = shock.categories(pd.Series([rhythm]), pd.Series([rate]), pd.Series([amplitude]))
    assert found.tolist() == [category]
    assert shock.label_of(found).tolist() == [label]


def test_the_two_mitdb_records_of_one_person_have_one_owner(monkeypatch, tmp_path):
    for name in ("201", "202", "203"):
        (tmp_path / "data" / "mitdb").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "mitdb" / f"{name}.hea").touch()
    monkeypatch.setattr(
        records,
        "read_wfdb",
        lambda path, *, database, patient: records.Record(
            np.zeros((1, 5000), np.float32), FS, ("MLII",), patient, path.name, database
        ),
    )
    monkeypatch.setattr(
        records, "annotations", lambda path: marks((0, "+", "(N"), (2, "V", ""), (3, "N", ""))
    )
    found = list(shock.physionet_records())
    assert [m.record.patient for m in found] == ["mitdb-201", "mitdb-201", "mitdb-203"]
    assert found[0].ventricular_s.tolist() == [2.0]
