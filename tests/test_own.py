"""Own recordings: settings, readers, labels and windows."""

import pickle
import re
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wfdb

from ecglib import own, paths, runs, splits
from ecglib.own import Settings

FS = 250.0
KNOWN = {"rate": FS, "unit": "mV"}


def beat(seconds: float = 12.0, *, seed: int = 0, fs: float = FS) -> np.ndarray:
    """Something of an ECG's size, in millivolt."""
    t = np.arange(int(seconds * fs)) / fs
    noise = 0.02 * np.random.default_rng(seed).standard_normal(len(t))
    return np.exp(-(((t + 0.1 * seed) % 0.8 - 0.4) ** 2) / 1e-3) + noise


def write_csv(path: Path, x: np.ndarray, *, fs: float | None = FS, name: str = "II") -> Path:
    table = pd.DataFrame({name: x})
    if fs:
        table.insert(0, "time_s", np.arange(len(x)) / fs)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.6g")
    return path


def write_edf(path: Path, x: np.ndarray, *, unit: str = "uV", fs: float = FS) -> Path:
    bound = float(np.ceil(np.abs(x).max()))
    signal = edfio.EdfSignal(
        x, fs, label="II", physical_dimension=unit, physical_range=(-bound, bound)
    )
    edfio.Edf([signal]).write(path)
    return path


def write_wfdb(folder: Path, leads: int, *, unit: str = "mV", factor: float = 1.0) -> Path:
    x = np.stack([beat(seed=n) for n in range(leads)], axis=1) * factor
    names = ["I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 7))][:leads]
    wfdb.wrsamp("r1", fs=FS, units=[unit] * leads, sig_name=names, p_signal=x,
                fmt=["16"] * leads, write_dir=str(folder))  # fmt: skip
    return folder / "r1.hea"


def folder_of(tmp_path: Path, *, n: int = 8, labels: bool = True) -> Path:
    """Recordings of `n` people, the first half normal, the others not."""
    folder = tmp_path / "mine"
    rows = []
    for i in range(n):
        write_csv(folder / f"p{i}_a.csv", beat(seed=i))
        rows.append({"file": f"p{i}_a.csv", "label": ["normal", "other"][i >= n // 2]})
    if labels:
        pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


# settings


def test_a_file_of_settings_is_read_and_words_replace_what_it_says(tmp_path):
    file = tmp_path / "own.yml"
    file.write_text("rate: 360\nunit: uV\nlead: II\nclasses: [normal, other]\n")
    settings = own.read_settings(file, unit="mV", window_s=2, lead=None)
    assert (settings.rate, settings.unit, settings.lead) == (360.0, "mV", "II")
    assert settings.classes == ("normal", "other")
    assert settings.stride == settings.window_s == 2.0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rates: 250", "need settings out of rate, unit, .* got 'rates'"),
        ("rate: fast", "need rate as a number above 0, got 'fast'"),
        ("rate: 0", "need rate as a number above 0, got 0"),
        ("window_s: null\nstride_s: -1", "need stride_s as a number above 0, got -1"),
        ("unit: mmHg", "need unit mV, uV, V or the numbers that make a millivolt, got 'mmHg'"),
        ("lead: 0", "need lead as a name or a number from 1, got 0"),
        ("classes: normal", "need classes as a list of labels, got 'normal'"),
        ("classes: [normal, normal]", "need at least two classes, each once"),
        ("[250]", "need settings as `name: value`"),
        ("rate: [250", "need a file of settings in YAML, line"),
        ("rate: !!python/object/apply:os.getcwd []", "need a file of settings in YAML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path, text, complaint):
    file = tmp_path / "own.yml"
    file.write_text(text)
    with pytest.raises(ValueError, match=complaint) as told:
        own.read_settings(file)
    assert str(told.value).startswith(str(file))
    assert "\n" not in str(told.value)


def test_a_wrong_word_needs_no_file_to_be_told():
    with pytest.raises(ValueError, match="^need settings out of .* got 'leed'"):
        own.read_settings(leed="II")


# readers


def test_every_format_gives_the_same_millivolts(tmp_path):
    x = beat()
    write_csv(tmp_path / "a.csv", x * 1e3, name="II (uV)")
    write_edf(tmp_path / "b.edf", x * 1e3)
    table = pa.table({"II": x}).replace_schema_metadata({"fs": "250"})
    pq.write_table(table, tmp_path / "c.parquet")
    np.savez(tmp_path / "d.npz", signal=x, fs=FS, leads=["II"], unit="mV")
    np.save(tmp_path / "e.npy", x[:, None])
    wfdb.wrsamp("f", fs=FS, units=["V"], sig_name=["II"], p_signal=x[:, None] / 1e3,
                fmt=["16"], write_dir=str(tmp_path))  # fmt: skip
    said = {"c": {"unit": "mV"}, "e": KNOWN}
    for file in sorted(tmp_path.glob("*.*")):
        if file.suffix == ".dat":
            continue
        record = own.recording(file, Settings(**said.get(file.stem, {})))
        assert record.signal.dtype == np.float32 and record.signal.shape == (1, len(x))
        np.testing.assert_allclose(record.signal[0], x, atol=1e-3, err_msg=file.name)
        assert record.fs == FS and record.leads[0] in ("II", "1")


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1e3), ("V", 1e-3), (200, 200.0), ("5", 5.0)])
def test_a_unit_or_a_gain_brings_numbers_to_millivolt(tmp_path, unit, factor):
    np.save(tmp_path / "a.npy", beat() * factor)
    record = own.recording(tmp_path / "a.npy", Settings(rate=FS, unit=unit))
    np.testing.assert_allclose(record.signal[0], beat(), atol=1e-5)


def test_csv_may_have_no_names_semicolons_a_second_line_of_units_and_gaps(tmp_path):
    (tmp_path / "a.csv").write_text(
        "".join(f"{i / FS:.3f},{v:.5f}\n" for i, v in enumerate(beat()))
    )
    assert own.recording(tmp_path / "a.csv", Settings(unit="mV")).fs == FS
    lines = [f"{v:.5f};{2 * v:.5f}".replace(".", ",") for v in beat()]
    (tmp_path / "b.csv").write_text("# a remark\nI;II\n" + "\n".join(lines))
    record = own.recording(tmp_path / "b.csv", Settings(**KNOWN, lead="ii"))
    np.testing.assert_allclose(record.signal[0], 2 * beat(), atol=1e-4)
    rows = [f"{i / 360:.3f},{v:.4f}" for i, v in enumerate(beat(fs=360))]
    rows[7] = rows[7].split(",")[0] + ",-"
    (tmp_path / "c.csv").write_text("'Elapsed time','MLII'\n'seconds','mV'\n" + "\n".join(rows))
    record = own.recording(tmp_path / "c.csv")
    assert (record.fs, record.leads) == (360.0, ("MLII",))
    assert np.flatnonzero(np.isnan(record.signal[0])).tolist() == [7]


def test_a_lead_is_chosen_by_name_by_number_or_all_are_kept(tmp_path):
    header = write_wfdb(tmp_path, 12)
    by_name = own.recording(header, Settings(lead="aVR"))
    by_number = own.recording(header, Settings(lead=4))
    assert by_name.leads == by_number.leads == ("aVR",)
    np.testing.assert_array_equal(by_name.signal, by_number.signal)
    assert own.recording(header, Settings(lead="all")).signal.shape[0] == 12


def test_a_header_with_zeros_for_checksums_has_none_and_a_wrong_sum_is_refused(tmp_path):
    header = write_wfdb(tmp_path, 1)
    first, lead = header.read_text().splitlines()[:2]
    words = lead.split()
    for checksum, complaint in (("0", ""), ("77", "checksum")):
        words[6] = checksum
        header.write_text(f"{first}\n{' '.join(words)}\n")
        if complaint:
            with pytest.raises(own.FileError, match=complaint):
                own.recording(header)
        else:
            np.testing.assert_allclose(own.recording(header).signal[0], beat(), atol=1e-3)


def bad_files(folder: Path) -> dict[str, tuple[Path, Settings, str]]:
    known, x = Settings(**KNOWN), beat()
    edf = write_edf(folder / "short.edf", x * 1e3)
    edf.write_bytes(edf.read_bytes()[:-500])
    (folder / "noise.edf").write_bytes(bytes(range(256)) * 3)
    np.save(folder / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (folder / "cut.npz").write_bytes(b"PK\x03\x04 nothing")
    np.save(folder / "cube.npy", np.zeros((2, 3, 4)))
    np.save(folder / "none.npy", np.zeros(0))
    np.save(folder / "nan.npy", np.full(3000, np.nan))
    np.save(folder / "plain.npy", x)
    np.save(folder / "brief.npy", x[:300])
    np.save(folder / "large.npy", x * 1e3)
    (folder / "empty.csv").touch()
    (folder / "text.csv").write_text("II\n0.1\nyes\n0.2\n")
    (folder / "uneven.csv").write_text("time_s,II\n" + "0.0,1\n0.1,2\n0.2,3\n0.9,4\n1.0,3\n")
    (folder / "ragged.csv").write_text("I,II\n1,2\n1,2,3\n")
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    (folder / "damaged.parquet").write_bytes(b"PAR1 nothing")
    pq.write_table(pa.table({"II": ["a", "b"]}), folder / "words.parquet")
    rowless = pa.table({"time_s": pa.array([], pa.float64()), "II": pa.array([], pa.float64())})
    pq.write_table(rowless, folder / "rowless.parquet")
    header = write_wfdb(folder, 12)
    (folder / "lost.hea").write_text(header.read_text().replace("r1", "lost"))
    return {
        "an EDF file cut short": (edf, known, "need an EDF file, it is cut short"),
        "an EDF file that is none": (folder / "noise.edf", known, "need an EDF file"),
        "an array of objects": (folder / "object.npy", known, "need a NumPy file of numbers"),
        "an archive that is none": (folder / "cut.npz", known, "need a NumPy file of numbers"),
        "three dimensions": (folder / "cube.npy", known, "in one or two dimensions, got"),
        "no samples": (folder / "none.npy", known, "need samples, the file has none"),
        "only NaN": (folder / "nan.npy", known, "only NaN"),
        "no rate": (folder / "plain.npy", Settings(unit="mV"), "need a rate, the file states none"),
        "no unit": (folder / "plain.npy", Settings(rate=FS), "need a unit, the file states none"),
        "too short": (folder / "brief.npy", known, "need at least a window of 4 s, got 1.2 s"),
        "microvolts": (folder / "large.npy", known, "need millivolts, got .* 1e3 mV if|uV"),
        "an empty file": (folder / "empty.csv", known, "the file is empty"),
        "a word": (folder / "text.csv", known, "need numbers in column 1, row 3 has none"),
        "uneven time": (folder / "uneven.csv", known, "column of the time with even steps"),
        "ragged lines": (folder / "ragged.csv", known, "need lines of as many cells each"),
        "binary": (folder / "binary.csv", known, "need text in UTF-8|empty or binary"),
        "no Parquet": (folder / "damaged.parquet", known, "need a Parquet file"),
        "Parquet of words": (folder / "words.parquet", known, "need numbers in column 1"),
        "Parquet without rows": (
            folder / "rowless.parquet",
            known,
            "need samples, the file has none",
        ),
        "12 leads": (header, Settings(), "need one lead, the file has 12: give `lead` as I, II"),
        "no such lead": (header, Settings(lead="V9"), "need lead 'V9', the file has I, II"),
        "another rate": (header, Settings(rate=500, lead=1), "need 500 Hz .* says 250 Hz"),
        "no signal file": (folder / "lost.hea", Settings(lead=1), "missing file .*lost.dat"),
        "another kind": (folder / "r1.dat", known, "need a recording .*, got '.dat'"),
    }


def test_what_cannot_be_used_is_told_in_one_line_that_names_the_file(tmp_path):
    for case, (file, settings, complaint) in bad_files(tmp_path).items():
        with pytest.raises(own.FileError, match=complaint) as told:
            own.recording(file, settings)
        assert str(told.value).startswith(f"{file}: "), case
        assert "\n" not in str(told.value), case
        assert str(file) not in told.value.plain, case


def test_an_error_survives_the_way_between_processes(tmp_path):
    error = own.FileError(tmp_path / "a.csv", "need more", plain="need it")
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.plain) == (str(error), "need it")


def test_a_folder_gives_its_recordings_in_order_and_their_patients(tmp_path):
    folder = folder_of(tmp_path)
    found = list(own.recordings(folder, Settings(unit="mV", labels="labels.csv", patient=r"(p\d)")))
    assert [r.record for r in found] == [f"p{i}_a" for i in range(8)]
    assert [r.patient for r in found] == [f"p{i}" for i in range(8)]
    assert {r.database for r in found} == {"mine"}


def test_mixed_rates_need_a_rate_to_which_all_are_brought(tmp_path):
    folder = folder_of(tmp_path)
    write_csv(folder / "p1_a.csv", beat(fs=500), fs=500)
    settings = {"unit": "mV", "labels": "labels.csv"}
    with pytest.raises(ValueError, match=r"p1_a.csv: need one rate, got 500 Hz here and 250 Hz in"):
        list(own.recordings(folder, Settings(**settings)))
    made = own.windows(folder, Settings(**settings, window_rate=125), progress=False)
    assert (made.fs, made.signal.shape[-1]) == (125.0, 500)


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_a_folder_without_recordings_is_refused(tmp_path, content):
    folder = tmp_path / "mine"
    if content:
        folder.mkdir()
        (folder / content).write_text("hello")
    with pytest.raises(ValueError, match="mine: need (a folder of )?recordings"):
        list(own.recordings(folder))


# labels


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("", "need lines of text, the file is empty"),
        ("file,label\n", "the table names nothing"),
        ("file,kind\np0_a,normal\n", "need the columns file .* and label"),
        ("file,label\nx,normal\ny,other\n", "it names none of them"),
        ("file,label\np0_a,normal\ny,other\n", "need a recording of the folder, row 2 has none"),
        ("file,label\np0_a,\n", "need a label, row 1 has none"),
        ("file,label,start_s\np0_a,normal,soon\n", "need seconds in start_s, row 1"),
        ("file,label,start_s,end_s\np0_a,normal,5,3\n", "need 0 <= start_s < end_s, row 1"),
        ("file,label\np0_a,normal\np0_a.csv,other\n", "need one label at a time, row 2"),
        ("file,label,patient\np0_a,normal,\n", "need a patient, row 1"),
        ("file,label,patient,start_s,end_s\np0_a,normal,a,0,4\np0_a,other,b,4,8\n",
         "need one patient for each recording, row 1 and 1 more"),
    ],
)  # fmt: skip
def test_a_table_of_labels_is_refused_by_row_without_repeating_it(tmp_path, table, complaint):
    folder = folder_of(tmp_path)
    (folder / "labels.csv").write_text(table)
    with pytest.raises(ValueError, match=complaint) as told:
        own.windows(folder, Settings(unit="mV", labels="labels.csv"), progress=False)
    assert str(told.value).startswith(f"{folder / 'labels.csv'}: ")
    assert not (paths.data() / "prepared").exists()


def test_without_labels_the_table_that_looks_like_one_is_named(tmp_path):
    folder = folder_of(tmp_path)
    with pytest.raises(ValueError, match=r"need `labels`: a table .*labels.csv looks like one"):
        own.windows(folder, Settings(unit="mV"), progress=False)
    with pytest.raises(ValueError, match=r"none.csv: need a table of labels, there is no such"):
        own.windows(folder, Settings(unit="mV", labels="none.csv"), progress=False)


@pytest.mark.parametrize(
    ("patient", "complaint"),
    [
        ("(p", "regular expression"),
        (r"p\d", "one group in brackets"),
        (r"(q\d)", "recording 1 of 8"),
    ],
)
def test_an_expression_for_patients_has_to_fit(tmp_path, patient, complaint):
    settings = Settings(unit="mV", labels="labels.csv", patient=patient)
    with pytest.raises(ValueError, match=complaint):
        own.windows(folder_of(tmp_path), settings, progress=False)


def test_folders_can_be_the_labels(tmp_path):
    folder = tmp_path / "mine"
    for i in range(6):
        write_csv(folder / ["calm", "wild"][i % 2] / f"p{i // 2}_x{i}.csv", beat(seed=i))
    settings = Settings(unit="mV", labels="folders", patient=r"/(p\d+)_")
    made = own.windows(folder, settings, progress=False)
    assert made.classes == ("calm", "wild")
    assert set(made.table["patient"]) == {"p0", "p1", "p2"}
    assert set(made.table["record"].str.split("/").str[0]) == {"calm", "wild"}
    write_csv(folder / "p9.csv", beat())
    with pytest.raises(ValueError, match=r"p9.csv: need it in a sub-folder"):
        own.windows(folder, Settings(unit="mV", labels="folders"), progress=False)


# windows


def test_windows_lie_within_a_label_and_say_where_they_come_from(tmp_path):
    folder = tmp_path / "mine"
    write_csv(folder / "a.csv", beat(20))
    (folder / "labels.csv").write_text(
        "file,label,start_s,end_s,patient\na,calm,0,9,x\na,wild,9,15.5,x\na,rest,15.5,,x\n"
    )
    settings = Settings(unit="mV", labels="labels.csv", window_s=2, stride_s=1)
    made = own.windows(folder, settings, progress=False)
    assert made.signal.shape == (8 + 5 + 3, 1, 500) and made.signal.dtype == np.float32
    assert made.classes == ("calm", "rest", "wild")
    about = made.table.groupby("rhythm")["start_s"].agg(["min", "max"])
    assert about.loc["calm"].tolist() == [0, 7]
    assert about.loc["wild"].tolist() == [9, 13]
    assert about.loc["rest"].tolist() == [15.5, 17.5]
    assert {"database", "record", "patient", "start_s", "rhythm", "lead", "annotated"} <= set(
        made.table
    )
    assert (made.task, made.source, made.parameters["labels"]) == ("own", "own", "annotated")


def test_labels_beyond_the_end_of_a_recording_are_refused(tmp_path):
    folder = tmp_path / "mine"
    for name in ("a", "b"):
        write_csv(folder / f"{name}.csv", beat(20))
    settings = Settings(unit="mV", labels="labels.csv", window_s=2)
    line = "file,label,start_s,end_s,patient\na,calm,0,{},x\nb,wild,0,20.4,y\n"
    (folder / "labels.csv").write_text(line.format(5000))
    said = r"need labels within its 20 s, got one at 5000 s \(in samples\?\)"
    with pytest.raises(ValueError, match=rf"labels.csv: a: {said}"):
        own.windows(folder, settings, progress=False)
    problems = own.check(folder, settings).problems
    assert [what for what, _ in problems] == ["labels, a.csv"] and re.search(said, problems[0][1])
    (folder / "labels.csv").write_text(line.format(20))
    assert own.windows(folder, settings, progress=False).signal.shape[0] == 20


@pytest.mark.parametrize("unit", ["uV", "V"])
def test_a_unit_other_than_the_file_states_is_refused_unless_it_is_a_number(tmp_path, unit):
    header = write_wfdb(tmp_path, 1)
    with pytest.raises(ValueError, match=f"need {unit} as the settings say, the file says mV: if"):
        own.recording(header, Settings(unit=unit))
    np.testing.assert_allclose(
        own.recording(header, Settings(unit=2.0)).signal, own.recording(header).signal / 2
    )
    assert own.recording(header, Settings(unit="mv")).signal.shape[0] == 1


def test_millivolts_called_microvolts_are_refused(tmp_path):
    file = write_csv(tmp_path / "a.csv", beat(20))
    with pytest.raises(ValueError, match="need millivolts, got .* with the unit uV; give `unit`"):
        own.recording(file, Settings(unit="uV"))


def test_leads_in_another_order_are_refused(tmp_path):
    folder = tmp_path / "mine"
    for name, leads in {"a": ["I", "II"], "b": ["II", "I"]}.items():
        x = np.stack([beat(10, seed=n) for n in range(2)], axis=1)
        folder.mkdir(exist_ok=True)
        pd.DataFrame(x, columns=leads).to_csv(folder / f"{name}.csv", index=False)
    (folder / "labels.csv").write_text("file,label,patient\na.csv,calm,x\nb.csv,wild,y\n")
    settings = Settings(rate=FS, unit="mV", labels="labels.csv", window_s=2, lead="all")
    with pytest.raises(
        ValueError, match="same leads in the same order .* b has ii, i, others i, ii"
    ):
        own.windows(folder, settings, progress=False)


def test_classes_keep_their_order_and_leave_other_labels_out(tmp_path):
    folder = folder_of(tmp_path)
    settings = Settings(unit="mV", labels="labels.csv", classes=("other", "normal"))
    assert own.windows(folder, settings, progress=False).classes == ("other", "normal")
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("p0_a.csv,normal", "p0_a.csv,unclear"))
    made = own.windows(folder, settings, progress=False)
    assert made.parameters["dropped"] == {"label left out": 1}
    with pytest.raises(ValueError, match="got none of 'wide'"):
        changed = Settings(unit="mV", labels="labels.csv", classes=("normal", "wide"))
        own.windows(folder, changed, progress=False)


def test_flat_missing_short_and_unlabelled_stretches_are_counted_not_cut(tmp_path):
    folder = folder_of(tmp_path)
    flat, gap = beat(12), beat(12)
    flat[:500] = 0.3  # two seconds
    gap[2600] = np.nan
    write_csv(folder / "p0_a.csv", flat)
    write_csv(folder / "p1_a.csv", gap)
    rows = ["p0_a,normal,,", "p1_a,normal,,", "p2_a,other,0,3", "p3_a,other,,"]
    (folder / "labels.csv").write_text("record,label,start_s,end_s\n" + "\n".join(rows))
    made = own.windows(folder, Settings(unit="mV", labels="labels.csv"), progress=False)
    expected = {"flat": 1, "invalid": 1, "shorter than a window": 1, "without a label": 4}
    assert made.parameters["dropped"] == expected
    assert len(made) == 2 + 2 + 3
    assert np.isfinite(made.signal).all()


def test_windows_are_read_back_until_a_file_a_label_or_a_setting_changes(tmp_path):
    folder = folder_of(tmp_path)
    settings = Settings(unit="mV", labels="labels.csv")
    prepared = paths.data() / "prepared"
    first = own.windows(folder, settings, progress=False)
    assert own.windows(folder, settings, progress=False).hash == first.hash
    assert len(list(prepared.iterdir())) == 1
    seen = {first.hash}
    seen.add(own.windows(folder, Settings(unit="mV", labels="labels.csv", stride_s=2),
                         progress=False).hash)  # fmt: skip
    write_csv(folder / "p0_a.csv", beat(seed=99))
    seen.add(own.windows(folder, settings, progress=False).hash)
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("p0_a.csv,normal", "p0_a.csv,other"))
    seen.add(own.windows(folder, settings, progress=False).hash)
    assert len(seen) == len(list(prepared.iterdir())) == 4


def test_volts_taken_for_millivolts_and_one_class_write_nothing(tmp_path):
    folder = folder_of(tmp_path)
    for i in range(8):
        write_csv(folder / f"p{i}_a.csv", beat(seed=i) / 1e3)
    with pytest.raises(ValueError, match="need millivolts, got 0.00107 mV from peak to peak with"):
        own.windows(folder, Settings(unit="mV", labels="labels.csv"), progress=False)
    (folder / "labels.csv").write_text("file,label\np0_a,normal\n")
    with pytest.raises(ValueError, match="at least two classes, got only 'normal'"):
        own.windows(folder, Settings(unit="V", labels="labels.csv"), progress=False)
    assert not (paths.data() / "prepared").exists()


def test_splits_and_runs_take_own_windows_as_all_others(tmp_path):
    folder = folder_of(tmp_path, n=10)
    settings = Settings(unit="mV", labels="labels.csv", patient=r"^(p\d)", window_s=2)
    windows = own.windows(folder, settings, progress=False)
    split = splits.protocol(windows.table, "patient")
    splits.require_clean(windows.signal, windows.table, split, window_s=2.0)
    from ecglib.train import TrainConfig

    config = runs.RunConfig(
        model="tiny_cnn", data=windows.hash, task="own", train=TrainConfig(epochs=1, batch_size=8)
    )
    run = runs.run(config, windows, folder=tmp_path / "ledger", progress=False)
    assert len(run.of("test")) == len(split["test"])
