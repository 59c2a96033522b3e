"""The report on a folder of own recordings, and the folders made for practice."""

import datetime
import json
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wfdb

from ecglib import own
from ecglib.own import Settings, personal, quality

FS = 250.0


def beat(seconds: float = 12.0, *, seed: int = 0) -> np.ndarray:
    t = np.arange(int(seconds * FS)) / FS
    noise = 0.02 * np.random.default_rng(seed).standard_normal(len(t))
    return np.exp(-(((t + 0.1 * seed) % 0.8 - 0.4) ** 2) / 1e-3) + noise


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two formats are enough for most; the others differ in their readers only."""
    folder = tmp_path_factory.mktemp("made")
    return own.generate(folder, n_patients=8, formats=("wfdb", "csv", "numpy"), seed=1)


# folders made for practice


def test_every_generated_folder_is_ready_and_gives_windows(tmp_path):
    folders = own.generate(tmp_path / "made", n_patients=6, seed=3)
    assert list(folders) == list(own.FORMATS)
    signals = {}
    for name, folder in folders.items():
        settings = own.read_settings(folder / "settings.yml")
        report = own.check(folder, settings)
        assert report.ready and report.patients == 6 and report.patients_known, report.text()
        assert report.personal == report.duplicates == ()
        assert report.formats.keys() == {name}
        windows = own.windows(folder, settings, progress=False)
        assert windows.classes == ("NSR", "AFIB")
        table = windows.table.sort_values(["patient", "start_s"])
        first = table[(table["patient"] == "p000") & (table["start_s"] == 0)].index[0]
        signals[name] = windows.signal[first]
    for name in ("edf", "csv", "parquet"):
        np.testing.assert_allclose(signals[name], signals["wfdb"], atol=0.01)


def test_the_same_seed_gives_the_same_folder_and_another_one_does_not(tmp_path):
    a, b, c = (
        own.generate(tmp_path / name, n_patients=1, formats=["numpy"], seed=seed)["numpy"]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    first = sorted(p.relative_to(a) for p in a.rglob("*.npy"))
    assert all((a / p).read_bytes() == (b / p).read_bytes() for p in first)
    assert sorted(p.read_bytes() for p in c.rglob("*.npy")) != [(a / p).read_bytes() for p in first]


def test_a_folder_that_is_there_or_an_unknown_format_writes_nothing(tmp_path):
    (tmp_path / "csv").mkdir()
    with pytest.raises(ValueError, match="csv: need a new folder"):
        own.generate(tmp_path, n_patients=1, formats=["numpy", "csv"])
    with pytest.raises(ValueError, match="need formats out of wfdb, .* got xml"):
        own.generate(tmp_path, n_patients=1, formats=["numpy", "xml"])
    assert [p.name for p in tmp_path.iterdir()] == ["csv"]


# what a report says


def test_a_report_counts_formats_rates_leads_durations_and_labels(made):
    report = own.check(made["wfdb"], own.read_settings(made["wfdb"] / "settings.yml"))
    assert (report.recordings, report.formats, report.rates) == (8, {"wfdb": 8}, {"250 Hz": 8})
    assert report.leads == {"II": 8, "V1": 8}
    assert report.durations["total_h"] == pytest.approx(8 * 60 / 3600)
    assert set(report.classes) == {"NSR", "AFIB"}
    assert all(0 < c["patients"] <= 8 for c in report.classes.values())
    assert report.split["possible"]
    content = json.loads(json.dumps(report.as_dict()))
    assert content["ready"] is True and content["formats"] == {"wfdb": 8}
    for part in ("250 Hz 8", "II 8", "label NSR", "split by patient: possible"):
        assert part in report.text()


def test_without_settings_it_tells_what_is_missing_and_guesses_the_unit(made):
    report = own.check(made["csv"])
    assert not report.ready and not report.patients_known
    assert report.units[0]["stated"] == "not stated" and report.units[0]["guessed"] == "uV"
    assert "mV if they are uV" in report.units[0]["why"]
    told = dict(reversed(report.problems))
    assert "need a unit, the file states none" in told["p000_a.csv"]
    assert "name it as `labels`" in told["labels"]
    assert "p000_a.csv and 7 more: need a unit" in report.text()
    leads = dict(own.check(made["wfdb"]).problems)["p000_a.hea"]
    assert leads.startswith("need one lead, the file has 2")
    assert own.check(made["numpy"]).rates == {"not stated": len(list(made["numpy"].rglob("*.npy")))}


def test_microvolts_taken_for_millivolts_are_told(made):
    settings = own.read_settings(made["csv"] / "settings.yml", unit="mV")
    report = own.check(made["csv"], settings)
    assert "looks like uV" in report.text()
    assert all("need millivolts" in told for _, told in report.problems)


@pytest.mark.parametrize(
    ("size", "unit"), [(1.2, "mV"), (0.1, "mV"), (900, "uV"), (1e-3, "V"), (30, None), (0, None)]
)
def test_a_unit_is_guessed_from_the_size_or_not_at_all(size, unit):
    assert own.guess_unit(size)[0] == unit


def test_flat_clipped_and_missing_seconds_are_measured():
    x = beat(20)
    assert (quality.flat_s(x, fs=FS), quality.clipped_s(x, fs=FS)) == (0, 0)
    flat, clipped, gap = x.copy(), np.clip(x, None, 0.5), x.copy()
    flat[1000:1500] = flat[1000]
    gap[10:60] = np.nan
    assert quality.flat_s(flat, fs=FS) == pytest.approx(2.0, abs=0.01)
    assert quality.clipped_s(clipped, fs=FS) > 0.5
    assert quality.missing_s(gap, fs=FS) == pytest.approx(0.2)
    assert quality.clipped_s(np.zeros(500), fs=FS) == 0


def test_a_report_names_the_worst_recording_and_the_copies(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    x = beat()
    for name in ("a", "b", "copy"):
        np.save(folder / f"{name}.npy", beat(seed=1) if name == "b" else x)
    bad = x.copy()
    bad[:1000] = 0.2
    np.save(folder / "bad.npy", bad)
    (folder / "broken.npy").write_bytes(b"nothing")
    report = own.check(folder, Settings(rate=FS, unit="mV"))
    assert report.duplicates == (("a.npy", "copy.npy"),)
    assert report.quality["flat"]["most_in"] == "bad.npy"
    assert report.quality["flat"]["seconds"] == pytest.approx(4, abs=0.1)
    assert ("broken.npy", "need a NumPy file of numbers, it is damaged or holds objects") in (
        report.problems
    )
    assert report.recordings == 5 and sum(report.rates.values()) == 4
    assert "same samples: a.npy = copy.npy" in report.text()


def test_too_few_people_for_a_split_by_patient_are_told(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = [f"r{i}.npy,{'ab'[i % 2]},person{i % 2}" for i in range(6)]
    for i in range(6):
        np.save(folder / f"r{i}.npy", beat(seed=i))
    known = {"rate": FS, "unit": "mV", "labels": "labels.csv"}
    (folder / "labels.csv").write_text("file,label,patient\n" + "\n".join(rows))
    report = own.check(folder, Settings(**known))
    assert report.split == {"possible": False, "why": "need at least 3 patients, got 2"}
    rows = [f"r{i}.npy,{'ab'[i % 2]}" for i in range(5)]
    (folder / "labels.csv").write_text("file,label\n" + "\n".join(rows))
    report = own.check(folder, Settings(**known))
    assert "need windows of every class in every set" in report.split["why"]
    assert "every recording counts as a person of its own" in report.text()
    assert report.unlabelled == 1 and "no label: 1 recordings" in report.text()
    report = own.check(folder, Settings(**known, classes=("a", "c")))
    assert ("labels", "need recordings of every class, got none of 'c'") in report.problems


def test_labels_that_cannot_be_read_are_a_finding_not_an_end(made):
    settings = own.read_settings(made["csv"] / "settings.yml", labels="other.csv")
    report = own.check(made["csv"], settings)
    assert ("labels", "need a table of labels, there is no such file") in report.problems


# personal data: told where, never what

SECRETS = ("Schmidt", "Erika", "1961-04-23", "23-APR-1961", "19610423", "erika@example.org",
           "4711007", "Waldklinik")  # fmt: skip


def personal_folder(folder: Path) -> None:
    x = beat()
    folder.mkdir()
    signal = edfio.EdfSignal(x * 1e3, FS, label="II", physical_dimension="uV",
                             physical_range=(-2000, 2000))  # fmt: skip
    edfio.Edf(
        [signal],
        patient=edfio.Patient(code="4711007", sex="F", birthdate=datetime.date(1961, 4, 23),
                              name="Schmidt"),
        recording=edfio.Recording(startdate=datetime.date(2024, 5, 6),
                                  hospital_administration_code="Waldklinik"),
    ).write(folder / "a.edf")  # fmt: skip
    wfdb.wrsamp("b", fs=FS, units=["mV"], sig_name=["II"], p_signal=x[:, None], fmt=["16"],
                write_dir=str(folder), comments=["Name: Erika Schmidt", "Age: 63"])  # fmt: skip
    pd.DataFrame({"II": x, "Erika Schmidt": x}).to_csv(folder / "c.csv", index=False)
    table = pa.table({"II": x}).replace_schema_metadata({"mail": "erika@example.org"})
    pq.write_table(table, folder / "d.parquet")
    np.savez(folder / "e.npz", signal=x, birthdate="1961-04-23")
    np.save(folder / "Schmidt_Erika.npy", x)
    np.save(folder / "holter_19610423.npy", x[:-1])
    np.save(folder / "patient4711007.npy", np.zeros((2, 2, 2)))
    (folder / "Erika Schmidt.csv").write_text("Schmidt\nErika\n")
    (folder / "Schmidt_Erika.hea").write_text("Schmidt_Erika 1 250 100\nErika.dat 16 1/x 1 0\n")
    (folder / "labels.csv").write_text("file,label,contact\na.edf,x,erika@example.org\nq,y,\n")


def test_personal_data_is_named_by_file_and_field_and_never_copied(tmp_path):
    personal_folder(tmp_path / "mine")
    for settings in (
        None,
        Settings(rate=FS, unit="mV", lead="II", labels="labels.csv"),
        Settings(rate=FS, unit="mV", lead="V7", labels="labels.csv", patient="contact"),
    ):
        report = own.check(tmp_path / "mine", settings)
        shown = report.text() + json.dumps(report.as_dict(), ensure_ascii=False)
        for secret in SECRETS:
            assert secret.lower() not in shown.lower(), secret
    found = set(report.personal)
    fields = ("patient code", "birth date", "patient name", "recording date", "start date",
              "administration code")  # fmt: skip
    assert {f"a.edf: {field}" for field in fields} <= found
    assert {"b.hea: comment line 1", "c.csv: column 2", "d.parquet: metadata entry 1"} <= found
    assert "e.npz: array 2" in found and "b.hea: comment line 2" not in found
    assert "labels.csv: column 3 (an e-mail address)" in found
    assert sum("file name" in one for one in found) == 5


def test_anonymous_files_give_no_alarm(made):
    for folder in made.values():
        assert own.check(folder).personal == ()


@pytest.mark.parametrize(
    "text", ["p000_a", "A00001", "s0010_re", "rec_3", "V1", "100", "MLII", "JS00001", "00012_hr"]
)
def test_usual_names_do_not_look_personal(text):
    assert personal.looks(text, names=True) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ecg_2021-03-14", "a date"),
        ("14.3.2021", "a date"),
        ("20210314", "a date"),
        ("01022003_ecg", "a date"),
        ("Hans_Müller", "a person's name"),
        ("8812345", "a long number"),
        ("a.b@c.org", "an e-mail address"),
        ("Patient Name", "a word for personal data"),
        ("DOB", "a word for personal data"),
    ],
)
def test_dates_names_numbers_and_addresses_look_personal(text, kind):
    assert personal.looks(text, names=True) == kind
