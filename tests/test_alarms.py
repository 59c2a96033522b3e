"""Shock advice over recordings, harm done on purpose, and what is made of both."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ecglib import datasets, shock, synthetic
from ecglib.published import Published
from ecglib.records import Record
from ecglib.runs import RunConfig
from ecglib.tasks import alarms, harm

CLASSES = datasets.SHOCK_CLASSES
STRIDE_S, WINDOW_S = 2.0, 4.0


def table(truth: str, said: str, decision: str, *, name: str = "one", since_s=None):
    """Rows from letters: s shockable, n not, and a dot for not judged or cannot tell."""
    words = {"n": CLASSES[0], "s": CLASSES[1], ".": "cannot tell"}
    start_s = STRIDE_S * np.arange(len(truth))
    made = pd.DataFrame({
        "record": name, "patient": name, "start_s": start_s, "end_s": start_s + WINDOW_S,
        "from_s": start_s + WINDOW_S - STRIDE_S, "to_s": start_s + WINDOW_S,
        "said": [words[c] for c in said], "decision": [words[c] for c in decision],
        "truth": [{"n": 0, "s": 1, ".": -1}[c] for c in truth],
        "since_s": start_s if since_s is None else since_s,
    })  # fmt: skip
    made.attrs["classes"] = list(CLASSES)
    return made


class Loud(nn.Module):
    """Says shockable of what is loud."""

    def __init__(self) -> None:
        super().__init__()
        self.edge = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = 20 * (x.std(dim=(1, 2)) - self.edge)
        return torch.stack([-z, z], dim=1)


@pytest.fixture
def model(tmp_path) -> Published:
    return Published(
        name="loud", folder=tmp_path, config=RunConfig(model="tiny_cnn", data="0"), fs=250.0,
        n_leads=1, n_samples=1000, classes=CLASSES, weights=(1.0, 1.0),
        preparation={"task": "shock", "rules": shock.RULES},
    )  # fmt: skip


@pytest.fixture(scope="module")
def marked() -> shock.Marked:
    made = synthetic.recordings(n_patients=1, duration_s=240, seed=3)[0]
    return shock.Marked(made.record, made.rhythms)


def test_a_window_has_a_truth_only_where_it_lies_in_one_rhythm(marked, model):
    found = alarms.held(marked, model, network=Loud())
    assert set(found["truth"]) == {-1, 0, 1}
    for row in found.itertuples():
        inside = (marked.rhythms["start_s"] <= row.start_s + 1e-6) & (
            row.end_s <= marked.rhythms["end_s"] + 1e-6
        )
        assert inside.any() == (row.rhythm != "two rhythms")
        if not inside.any():
            assert row.truth == -1 and np.isnan(row.since_s)
        else:
            assert row.rhythm == marked.rhythms["rhythm"][inside].iloc[0]
            assert row.since_s == marked.rhythms["start_s"][inside].iloc[0]


def test_truths_are_those_that_windows_are_learnt_with(marked, model):
    even = marked.rhythms.assign(**{c: 2 * (marked.rhythms[c] // 2) for c in ("start_s", "end_s")})
    marked = shock.Marked(marked.record, even)  # so that windows start at the same times
    found = alarms.held(marked, model, network=Loud()).set_index("start_s")
    _, learnt, _ = shock.windows_of(marked, stride_s=2.0)
    both = learnt.assign(start_s=learnt["start_s"].round(6)).set_index("start_s")
    common = found.index.intersection(both.index)
    assert len(common) > 20
    assert (found.loc[common, "truth"] == both.loc[common, "annotated"]).all()


def test_agreement_is_compared_on_windows_of_which_both_ways_say_something():
    tables = [table("nnss.", "nsss.", ".nss."), table("nnss", "snss", "nnss", name="two")]
    found = alarms.compared(tables)
    assert found["windows"] == 7 and found["told"] == pytest.approx(7 / 8)
    assert found["alone"]["specificity"]["value"] == pytest.approx(1 / 3)
    assert found["agreed"]["specificity"]["value"] == 1
    assert found["gained"]["specificity"]["value"] == pytest.approx(2 / 3)
    assert found["alone"]["sensitivity"]["value"] == found["agreed"]["sensitivity"]["value"] == 1


def test_false_advice_counts_episodes_not_windows_and_only_where_none_is_due():
    calm_hours = 6 * STRIDE_S / 3600
    one = table("nnnnnn", "snssns", "nnssnn")
    assert alarms.false_per_hour([one], by="said") == pytest.approx(3 / calm_hours)
    assert alarms.false_per_hour([one]) == pytest.approx(1 / calm_hours)
    touching = table("nnss", "nsss", "nsss")  # begins before the mark, and is due
    assert alarms.false_per_hour([touching]) == 0
    assert np.isnan(alarms.false_per_hour([table("ss", "ss", "ss")]))


def test_a_delay_runs_from_the_mark_to_the_end_of_the_first_window_that_advises():
    since_s = [0, 0, 0, *[7.0] * 7]
    one = table("nn..ssssss", "nnnnssssss", "nnnnnnssss", since_s=since_s)
    assert alarms.delays([one], by="said")["onset_s"].tolist() == [8.0]  # the row before is of it
    since_s[3] = np.nan
    one["since_s"] = since_s
    assert alarms.delays([one], by="said")["delay_s"].tolist() == [8 + 4 - 7]
    assert alarms.delays([one])["delay_s"].tolist() == [12 + 4 - 7]


def test_a_stretch_never_noticed_has_no_delay_a_short_one_none_at_all():
    assert alarms.delays([table("nnssssss", "nnnnnnnn", "nnnnnnnn")])["delay_s"].isna().all()
    assert alarms.delays([table("nnssn", "nnssn", "nnssn")]).empty


def test_advice_that_stands_already_is_not_late():
    one = table("n..ssssss", "sssssssss", "sssssssss", since_s=[0, np.nan, np.nan, *[5.0] * 6])
    assert alarms.delays([one])["delay_s"].tolist() == [0.0]


def test_the_telling_recording_is_chosen_by_its_marks_alone():
    tables = {
        "calm": table("nnnnnnnn", "ssssssss", "ssssssss"),
        "once": table("nnnnss", "nnnnss", "nnnnss"),
        "often": table("nsns", "nnnn", "nnnn"),
    }
    assert alarms.telling(tables) == "often"


def test_a_calm_stretch_is_one_without_a_shock_due_or_the_calmest():
    tables = {"a": table("nnsnnnnn", "n" * 8, "n" * 8), "b": table("ssnnssss", "n" * 8, "n" * 8)}
    tables = {name: one.assign(rhythm="any") for name, one in tables.items()}
    assert alarms.calm(tables, length_s=10.0) == ("a", 6.0)
    assert alarms.calm({"b": tables["b"]}, length_s=6.0) == ("b", 4.0)
    assert alarms.calm(tables, length_s=18.0)[0] == "a"
    with pytest.raises(ValueError, match="at least 30 s"):
        alarms.calm(tables, length_s=30.0)


def test_a_piece_is_that_piece(marked):
    part = alarms.piece(marked.record, 10.0, 4.0)
    np.testing.assert_array_equal(part.signal, marked.record.signal[:, 2500:3500])


def test_tracks_say_what_the_rows_say():
    tracks = alarms.bands(table("nns.", "nss.", ".nss"))
    assert tracks["rhythm marks"]["said"].tolist() == [*CLASSES, "not judged"]
    assert tracks["each window alone"]["said"].tolist() == [*CLASSES, "cannot tell"]
    agree = tracks["windows that agree"]
    assert agree["said"].tolist() == ["cannot tell", *CLASSES]
    assert (agree["start_s"].to_numpy()[1:] == agree["end_s"].to_numpy()[:-1]).all()


def test_the_recordings_of_the_test_patients_come_back(tmp_path):
    made = list(shock.synthetic_records(n_patients=4, seed=0))
    people = [m.record.patient for m in made][1::2]

    class Run:
        def of(self, split):
            return pd.DataFrame({"patient": people})

    class Windows:
        source, parameters = "synthetic", {"n_patients": 4, "seed": 0}

    found = alarms.tested(Run(), Windows())
    assert [m.record.patient for m in found] == people
    np.testing.assert_array_equal(found[0].record.signal, made[1].record.signal)
    Windows.source = "course"
    with pytest.raises(ValueError, match="need whole recordings"):
        alarms.tested(Run(), Windows())
    assert len(alarms.files(found, tmp_path / "new")) == len(found)


def test_a_long_recording_is_as_long_as_asked_for():
    day = alarms.holter(0.5, fs=100)
    assert day.signal.shape == (1, 0.5 * 3600 * 100) and np.isfinite(day.signal).all()


def test_harm_is_done_where_it_is_said_and_nowhere_else(marked):
    before = marked.record.signal[:1]
    bad, stretches = harm.harmed(marked.record)
    assert stretches["harm"].tolist() == list(harm.HARMS)
    touched = np.zeros(before.shape[1], dtype=bool)
    for row in stretches.itertuples():
        part = slice(round(row.start_s * bad.fs), round(row.end_s * bad.fs))
        touched[part] = True
        assert not np.array_equal(bad.signal[0, part], before[0, part])
    np.testing.assert_array_equal(bad.signal[0, ~touched], before[0, ~touched])
    with pytest.raises(ValueError, match="record short: need"):
        harm.harmed(Record(before[:, :5000], 250.0, ("II",), "p", "short", "d"))


def test_the_gate_refuses_all_harm_but_motion_and_says_why(marked, model):
    bad, stretches = harm.harmed(marked.record)
    found = harm.answers(bad, stretches, model, network=Loud())
    refused = found["refused"]
    assert (refused.drop("motion") == 1).all() and refused["motion"] == 0
    assert found.loc["electrode off", "reason"].startswith("no change")
    assert found.loc["clipped", "reason"].startswith("more than 5%")
    assert found.loc["muscle", "reason"].startswith("muscle")
    without = found["called shockable without"]
    assert without["motion"] == 1 and without["electrode off"] == 0
    assert np.isnan(without["samples lost"])
