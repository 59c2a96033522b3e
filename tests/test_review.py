"""The second look at the marks: criteria find, decisions decide."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglib import datasets, fetch, paths, records, review, shock

DATA, MIRROR = paths.data(), os.environ.get("ECGLIB_MIRROR")  # before the tests' own
CALM = {  # sinus rhythm that no criterion minds
    "database": "vfdb", "record": "418", "rhythm": "NSR", "annotated": 0, "rate_per_min": 75.0,
    "amplitude_mv": 1.0, "organisation": 0.8, "narrowness": 0.85,
}  # fmt: skip
WIDE_FAST = {"rate_per_min": 150.0, "narrowness": 0.74, "amplitude_mv": 0.15}
UNMARKED = {"database": "cudb", "rhythm": "UNMARKED", "rate_per_min": 120.0, "narrowness": 0.74,
            "organisation": 0.6}  # fmt: skip
FIBRILLATION = {"rhythm": "VF", "annotated": 1, "rate_per_min": 300.0, "narrowness": 0.5}
ASYSTOLE = {"rhythm": "ASYSTOLE", "rate_per_min": 150.0, "amplitude_mv": 0.2, "narrowness": 0.5}
FINDS = {
    "wide and fast": WIDE_FAST,
    "unmarked tachycardia": UNMARKED,
    "baseline seen": FIBRILLATION | {"narrowness": 0.75},
    "slow waves": FIBRILLATION | {"rate_per_min": 109.0},
    "active asystole": ASYSTOLE,
}


def table(*windows: dict, starts: list[float] | None = None, leads: int = 1) -> pd.DataFrame:
    """One window after the other, each as `CALM` but for what is said, alike in every lead."""
    starts = starts or [4.0 * i for i in range(len(windows))]
    return pd.DataFrame(
        [
            CALM | window | {"start_s": start, "lead": window.get("lead", lead)}
            for window, start in zip(windows, starts, strict=True)
            for lead in range(leads)
        ]
    )


def found(*windows: dict, **options) -> list[str]:
    return review.screen(table(*windows, **options))["criterion"].tolist()


# criteria


def test_there_is_a_table_for_every_criterion():
    assert set(FINDS) == set(review.CRITERIA)


@pytest.mark.parametrize("criterion", FINDS)
def test_a_window_at_the_edge_of_a_criterion_is_found(criterion):
    stretches = review.screen(table({}, FINDS[criterion], {}))
    assert stretches["criterion"].tolist() == [criterion]
    assert stretches[["start_s", "end_s", "windows"]].to_numpy().tolist() == [[4.0, 8.0, 1]]


@pytest.mark.parametrize(
    ("criterion", "change"),
    [
        ("wide and fast", {"rate_per_min": 149.0}),
        ("wide and fast", {"narrowness": 0.75}),
        ("wide and fast", {"amplitude_mv": 0.14}),
        ("wide and fast", {"annotated": -1}),
        ("unmarked tachycardia", {"rate_per_min": 119.0}),
        ("unmarked tachycardia", {"narrowness": 0.75}),
        ("unmarked tachycardia", {"organisation": 0.59}),
        ("unmarked tachycardia", {"rhythm": "NSR"}),
        ("baseline seen", {"narrowness": 0.74}),
        ("baseline seen", {"annotated": 0}),
        ("slow waves", {"rate_per_min": 110.0}),
        ("slow waves", {"rhythm": "VT"}),
        ("active asystole", {"amplitude_mv": 0.19}),
    ],
)
def test_a_window_past_the_edge_is_not(criterion, change):
    assert found(FINDS[criterion] | change) == []


def test_every_lead_must_be_wide_and_fast():
    assert found(WIDE_FAST | {"lead": 0}, WIDE_FAST | {"lead": 1}, starts=[0.0, 0.0])
    assert not found(WIDE_FAST | {"lead": 0}, {"lead": 1}, starts=[0.0, 0.0])


@pytest.mark.parametrize(("rate_per_min", "asked"), [(149.0, []), (150.0, ["active asystole"])])
def test_asystole_with_one_quiet_lead_is_asked_about_only_if_fast(rate_per_min, asked):
    active = FINDS["active asystole"] | {"rate_per_min": rate_per_min}
    assert (
        found(active | {"lead": 0}, active | {"lead": 1, "amplitude_mv": 0.19}, starts=[0.0, 0.0])
        == asked
    )


def test_one_lead_near_its_baseline_is_enough_to_ask():
    leads = [FIBRILLATION | {"lead": 0}, FINDS["baseline seen"] | {"lead": 1}]
    assert found(*leads, starts=[0.0, 0.0]) == ["baseline seen"]


def test_the_sum_and_difference_of_leads_have_no_say():
    sums = table(WIDE_FAST, leads=4)
    sums.loc[sums["lead"] >= 2, "rate_per_min"] = 75.0
    assert review.screen(sums)["criterion"].tolist() == ["wide and fast"]
    assert found({"lead": 0}, WIDE_FAST | {"lead": 2}, starts=[0.0, 4.0]) == []


def test_windows_half_a_minute_apart_are_one_stretch_and_further_ones_two():
    stretches = review.screen(table(*[WIDE_FAST] * 3, starts=[0.0, 30.0, 61.0]))
    assert stretches[["start_s", "end_s", "windows"]].to_numpy().tolist() == [
        [0.0, 34.0, 2],
        [61.0, 65.0, 1],
    ]


def test_another_record_or_criterion_starts_another_stretch():
    other = WIDE_FAST | {"record": "419"}
    assert found(WIDE_FAST, other, starts=[0.0, 4.0]) == ["wide and fast"] * 2
    assert found(WIDE_FAST, UNMARKED | {"database": "vfdb"}) == [
        "wide and fast",
        "unmarked tachycardia",
    ]


def test_calm_windows_give_an_empty_list():
    assert found({}, {}) == []


# decisions


def decide(decision: str, start_s: float, end_s: float, **about) -> pd.DataFrame:
    row = {"database": "vfdb", "record": "418", "decision": decision}
    return pd.DataFrame([row | {"start_s": start_s, "end_s": end_s} | about])


def applied(decisions: pd.DataFrame, starts: list[float]) -> list[str]:
    windows = table(*[{}] * len(starts), starts=starts)
    return review.apply(windows, decisions, window_s=4.0).tolist()


def test_excluded_windows_and_those_only_touched_are_left_out():
    assert applied(decide("exclude", 6, 12), [0.0, 4.0, 8.0, 12.0]) == [
        "NSR", "exclude", "exclude", "NSR"
    ]  # fmt: skip


def test_windows_inside_are_renamed_and_those_only_touched_left_out():
    assert applied(decide("VT", 4, 13), [0.0, 4.0, 8.0, 12.0, 16.0]) == [
        "NSR", "VT", "VT", "exclude", "NSR"
    ]  # fmt: skip


def test_what_is_kept_is_left_alone():
    assert applied(decide("keep", 0, 100), [0.0, 4.0]) == ["NSR", "NSR"]


def test_times_rounded_to_a_hundredth_change_nothing():
    assert applied(decide("VT", 4.01, 7.99), [0.0, 4.004, 8.0]) == ["NSR", "VT", "NSR"]
    assert applied(decide("exclude", 3.99, 8.01), [0.0, 4.0, 8.0]) == ["NSR", "exclude", "NSR"]


def test_an_overlap_beyond_the_rounding_counts():
    assert applied(decide("exclude", 4 - 2 * review.EDGE_S, 8), [0.0, 4.0]) == ["exclude"] * 2
    assert applied(decide("VT", 4 + 2 * review.EDGE_S, 8), [4.0]) == ["exclude"]


@pytest.mark.parametrize("about", [{"record": "419"}, {"database": "mitdb"}])
def test_other_records_are_left_alone(about):
    assert applied(decide("exclude", 0, 100, **about), [0.0, 4.0]) == ["NSR", "NSR"]


def test_the_table_that_was_given_stays_as_it_was():
    windows = table({}, {})
    review.apply(windows, decide("exclude", 0, 100), window_s=4.0)
    assert set(windows["rhythm"]) == {"NSR"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("vfdb,418,8,4,exclude,slow waves,why", "418 8 to 4 s"),
        ("vfdb,418,4,8,exclude,a feeling,why", "'a feeling'"),
        ("vfdb,418,4,8,exlude,slow waves,why", "'exlude'"),
    ],
)
def test_a_decision_that_makes_no_sense_is_named(tmp_path, row, said):
    path = tmp_path / "mine.csv"
    path.write_text(f"database,record,start_s,end_s,decision,criterion,reason\n{row}\n")
    with pytest.raises(ValueError, match=rf"mine\.csv: need end after start.*{said}"):
        review.read(path)


# the tracked table


def test_every_decision_is_known_and_has_a_reason():
    decisions = review.read()
    rhythms = {"keep", "exclude", *shock.RHYTHMS.values()} - {"NOISE"}
    assert set(decisions["decision"]) <= rhythms
    assert set(decisions["database"]) <= set(datasets.SHOCK_DATABASES)
    assert decisions["reason"].str.len().min() > 20


def test_stretches_of_a_record_do_not_overlap():
    for _, rows in review.read().groupby(["database", "record"]):
        rows = rows.sort_values("start_s")
        assert (rows["start_s"].to_numpy()[1:] >= rows["end_s"].to_numpy()[:-1] - 0.05).all()


def test_every_reviewed_record_exists():
    for row in review.read().itertuples():
        assert row.record in fetch.DATABASES[row.database].records


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Iterator[Path]:
    """The folder of the real recordings, fetched from the mirror if that is all there is."""
    there = DATA
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGLIB_DATA", str(there))
        if not all(map(fetch.available, datasets.SHOCK_DATABASES)):
            if not MIRROR:
                pytest.skip("needs the real recordings: `make data`")
            there = tmp_path_factory.mktemp("real")
            patch.setenv("ECGLIB_DATA", str(there))
            for name in datasets.SHOCK_DATABASES:
                fetch.fetch(name, mirror=MIRROR, progress=False)
    yield there


def reviewed_windows(path: Path, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Tables of the windows in the rhythms that a record's decisions are about, lead by lead."""
    record = records.read_wfdb(path, database=path.parent.name)
    stretches = shock.cudb_rhythms if record.database == "cudb" else shock.rhythm_stretches
    rhythms = stretches(
        records.annotations(path), fs=record.fs, duration_s=record.signal.shape[-1] / record.fs
    )
    asked = [
        ((rows["start_s"] < r.end_s) & (rows["end_s"] > r.start_s)).any()
        for r in rhythms.itertuples()
    ]
    for lead, signal in enumerate(record.signal):
        one = replace(record, signal=signal[np.newaxis], leads=record.leads[lead : lead + 1])
        _, windows, _ = shock.windows_of(shock.Marked(one, rhythms[asked]), stride_s=4.0)
        yield windows.assign(lead=lead)


@pytest.mark.real
def test_every_decision_is_about_a_stretch_that_its_criterion_finds(real):
    decisions = review.read()
    tables = [
        windows
        for (database, record), rows in decisions.groupby(["database", "record"])
        for windows in reviewed_windows(real / database / record, rows)
    ]
    stretches = review.screen(pd.concat(tables, ignore_index=True))
    keys = ["database", "record", "criterion"]
    pairs = decisions.merge(stretches, on=keys, suffixes=("", "_seen"))
    same = (pairs["start_s"] - pairs["start_s_seen"]).abs() < review.EDGE_S
    same &= (pairs["end_s"] - pairs["end_s_seen"]).abs() < review.EDGE_S
    agreed = pairs.loc[same, [*keys, "start_s"]].drop_duplicates()
    missing = decisions.merge(agreed, how="left", indicator=True).query("_merge == 'left_only'")
    assert missing[[*keys, "start_s"]].to_numpy().tolist() == []
