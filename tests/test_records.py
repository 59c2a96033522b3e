import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from ecglib import records

FS, N_SAMPLES = 250, 500
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def two_leads() -> np.ndarray:
    t = np.arange(N_SAMPLES) / FS
    return np.stack([np.sin(2 * np.pi * t), 0.5 * np.cos(2 * np.pi * 2 * t)])


def write(
    folder: Path, signal: np.ndarray | None = None, *, name: str = "r1", unit: str = "mV", **options
) -> Path:
    """Write a WFDB record of (n_leads, n_samples) in `unit`; returns its path."""
    signal = two_leads() if signal is None else signal
    n = len(signal)
    wfdb.wrsamp(
        name,
        fs=FS,
        units=[unit] * n,
        sig_name=["MLII", "V5", "V1"][:n],
        p_signal=signal.T,
        fmt=[options.pop("fmt", "16")] * n,
        write_dir=str(folder),
        **options,
    )
    return folder / name


# recordings


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1), ("uV", 1e-3), ("V", 1e3)])
def test_every_voltage_arrives_in_millivolt(tmp_path, unit, factor):
    record = records.read_wfdb(write(tmp_path, unit=unit), database="mine")
    np.testing.assert_allclose(record.signal, two_leads() * factor, atol=2e-4 * factor)


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212"])
def test_every_format_keeps_the_shape(tmp_path, fmt):
    record = records.read_wfdb(write(tmp_path, fmt=fmt), database="mine")
    assert record.signal.shape == (2, N_SAMPLES)
    assert record.signal.dtype == np.float32
    assert record.signal.flags.c_contiguous
    np.testing.assert_allclose(record.signal, two_leads(), atol=0.02)


def test_a_record_knows_its_rate_leads_and_owner(tmp_path):
    record = records.read_wfdb(write(tmp_path), database="mine")
    assert (record.fs, record.leads) == (250.0, ("MLII", "V5"))
    assert (record.patient, record.record, record.database) == ("mine-r1", "r1", "mine")
    assert records.read_wfdb(tmp_path / "r1", database="mine", patient="p7").patient == "p7"


def test_the_two_records_of_one_patient_have_one_owner(tmp_path):
    owners = [
        records.read_wfdb(write(tmp_path, name=name), database="mitdb").patient
        for name in ("201", "202", "203")
    ]
    assert owners == ["mitdb-201", "mitdb-201", "mitdb-203"]


def test_a_path_may_be_text_or_relative(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert records.read_wfdb("r1", database="mine").record == "r1"


def test_invalid_samples_are_nan_and_the_others_stay(tmp_path):
    signal = two_leads()
    signal[0, 100:150] = np.nan
    record = records.read_wfdb(write(tmp_path, signal), database="mine")
    np.testing.assert_array_equal(np.isnan(record.signal), np.isnan(signal))


@pytest.mark.parametrize("value", [np.nan, 0.25])
def test_a_record_without_any_signal_is_refused(tmp_path, value):
    path = write(tmp_path, np.full((2, N_SAMPLES), value), adc_gain=[200, 200], baseline=[0, 0])
    with pytest.raises(ValueError, match=r"r1: need a signal"):
        records.read_wfdb(path, database="mine")


def test_one_flat_lead_does_not_spoil_a_record(tmp_path):
    signal = two_leads()
    signal[1] = 0.25
    path = write(tmp_path, signal, adc_gain=[200, 200], baseline=[0, 0])
    assert np.ptp(records.read_wfdb(path, database="mine").signal[1]) == 0


@pytest.mark.parametrize("missing", ["hea", "dat"])
def test_a_missing_file_is_named(tmp_path, missing):
    path = write(tmp_path)
    (tmp_path / f"r1.{missing}").unlink()
    with pytest.raises(ValueError, match=rf"record .*r1: missing file .*r1\.{missing}"):
        records.read_wfdb(path, database="mine")


@few
@given(kept=st.integers(0, N_SAMPLES * 3 - 1))
def test_a_signal_cut_short_anywhere_is_refused_by_name(kept):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), fmt="212")
        dat = path.with_suffix(".dat")
        dat.write_bytes(dat.read_bytes()[:kept])
        with pytest.raises(ValueError, match=rf"r1: .*need 1500 bytes in r1\.dat, got {kept}"):
            records.read_wfdb(path, database="mine")


@few
@given(at=st.integers(0, N_SAMPLES * 4 - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_signal_is_noticed(at, bit):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder))
        dat = path.with_suffix(".dat")
        content = bytearray(dat.read_bytes())
        content[at] ^= 1 << bit
        dat.write_bytes(content)
        with pytest.raises(ValueError, match=r"r1: .*checksum"):
            records.read_wfdb(path, database="mine")


@few
@given(data=st.data())
def test_a_damaged_header_gives_a_record_or_an_error_with_its_name(data):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder))
        header = path.with_suffix(".hea")
        content = bytearray(header.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] = data.draw(st.integers(0, 255))
        header.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        try:
            record = records.read_wfdb(path, database="mine")
        except ValueError as error:
            assert "r1" in str(error)
        else:
            assert record.signal.ndim == 2 and record.fs > 0


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("/mV", "/mmHg", r"in mV, uV or V, got \['mmhg'\]"),
        ("r1 2 250 500", "r1 2 0 500", "a rate"),
        ("r1 2 250 500", "r1 2 250 0", "samples"),
        ("r1.dat", "../r1.dat", "signal line"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, old, new, why):
    path = write(tmp_path)
    header = path.with_suffix(".hea")
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(ValueError, match=rf"record .*r1: .*{why}"):
        records.read_wfdb(path, database="mine")


def test_a_record_of_several_segments_is_refused(tmp_path):
    (tmp_path / "r1.hea").write_text("r1/2 2 250 1000\ns1 500\ns2 500\n")
    with pytest.raises(ValueError, match=r"r1: .*need a record in one piece"):
        records.read_wfdb(tmp_path / "r1", database="mine")


# annotations


def annotate(folder: Path) -> Path:
    wfdb.wrann(
        "r1",
        "atr",
        np.array([10, 20, 300, 400_000]),
        symbol=["+", "N", "V", "+"],
        aux_note=["(N\0", "", "", "(VFIB"],
        write_dir=str(folder),
    )
    return folder / "r1"


def test_annotations_come_with_sample_symbol_and_text(tmp_path):
    marks = records.annotations(annotate(tmp_path))
    assert marks.to_dict("list") == {
        "sample": [10, 20, 300, 400_000],
        "symbol": ["+", "N", "V", "+"],
        "text": ["(N", "", "", "(VFIB"],
    }
    assert marks["sample"].dtype == np.int64


def test_missing_annotations_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"r1\.qrs: missing"):
        records.annotations(tmp_path / "r1", "qrs")


@pytest.mark.parametrize("kept", range(0, 30, 3))
def test_annotations_cut_short_are_refused(tmp_path, kept):
    path = annotate(tmp_path)
    file = path.with_suffix(".atr")
    assert len(file.read_bytes()) >= 30
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"r1\.atr: (cut short|damaged)"):
        records.annotations(path)


@few
@given(content=st.binary(max_size=60))
def test_any_bytes_give_annotations_in_order_or_an_error_with_their_name(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r1"
        path.with_suffix(".atr").write_bytes(content + b"\0\0")
        try:
            marks = records.annotations(path)
        except ValueError as error:
            assert "r1.atr" in str(error)
        else:
            assert marks["sample"].is_monotonic_increasing


# the course's windows


def course(n: int = 6, *, source: str = "source", **changes) -> dict:
    """Columns of a course file: sinus rhythm and fibrillation in turn."""
    rng = np.random.default_rng(0)
    return {
        "pat_ID": [float(i // 2) for i in range(n)],
        "s_ns": [float(i % 2) for i in range(n)],
        "name": [f"cu{i:02d}" for i in range(n)],
        "r_type": ["NSR", "VF"] * (n // 2),
        "s_ecg": list(rng.normal(size=(n, 1000))),
        source: ["cudb"] * n,
        "train": [1.0, 0.0] * (n // 2),
    } | changes


def save(path: Path, columns: dict) -> Path:
    n = len(next(iter(columns.values())))
    data = np.empty((1, n), dtype=[(field, object) for field in columns])
    for field, values in columns.items():
        for i, value in enumerate(values):
            data[0, i][field] = value
    savemat(path, {"data": data})
    return path


@pytest.fixture
def mat(tmp_path):
    return lambda **changes: save(tmp_path / "cut_pub_4sec.mat", course(**changes))


@pytest.mark.parametrize("source", ["source", "o_ddbb"])
def test_the_course_file_gives_windows_and_their_table(mat, source):
    signal, table = records.read_course_mat(mat(source=source))
    np.testing.assert_array_equal(signal[:, 0], np.float32(course()["s_ecg"]))
    assert signal.dtype == np.float32
    assert table.to_dict("list") == {
        "patient": ["0", "0", "1", "1", "2", "2"],
        "name": ["cu00", "cu01", "cu02", "cu03", "cu04", "cu05"],
        "rhythm": ["NSR", "VF"] * 3,
        "source": ["cudb"] * 6,
        "train": [True, False] * 3,
        "label": [0, 1] * 3,
    }


@pytest.mark.parametrize("turn", [lambda w: w[:, None], lambda w: w[None]])
def test_a_window_may_be_a_row_or_a_column(mat, turn):
    signal, _ = records.read_course_mat(mat(s_ecg=[turn(w) for w in course()["s_ecg"]]))
    assert signal.shape == (6, 1, 1000)


def test_the_zip_is_read_like_the_file_in_it(mat, tmp_path):
    path = mat()
    with zipfile.ZipFile(tmp_path / "cut_pub_4sec.zip", "w") as packed:
        packed.write(path, "folder/cut_pub_4sec.mat")
        packed.writestr("__MACOSX/folder/._cut_pub_4sec.mat", b"junk")
    signal, table = records.read_course_mat(tmp_path / "cut_pub_4sec.zip")
    expected, expected_table = records.read_course_mat(path)
    np.testing.assert_array_equal(signal, expected)
    assert table.equals(expected_table)


@pytest.mark.parametrize(
    "s_ns", [[1.0, 0.0] * 3, [2.0, 1.0] * 3, ["ns", "s"] * 3, [False, True] * 3]
)
def test_the_rhythm_decides_what_s_ns_means(mat, s_ns):
    _, table = records.read_course_mat(mat(s_ns=s_ns))
    assert table["label"].tolist() == [0, 1] * 3


def test_tachycardia_and_unknown_rhythms_follow_s_ns(mat):
    rhythm = ["NSR", "VF", "VT", "VT", "(vfib", "XYZ"]
    _, table = records.read_course_mat(mat(r_type=rhythm, s_ns=[0, 1, 0, 1, 1, 0]))
    assert table["rhythm"].tolist() == ["NSR", "VF", "VT", "VT", "VF", "XYZ"]
    assert table["label"].tolist() == [0, 1, 0, 1, 1, 0]


@pytest.mark.parametrize("s_ns", [[0, 1, 0, 1, 0, 0], [0, 1, 1, 1, 0, 1]])
def test_one_window_whose_s_ns_contradicts_its_rhythm_refuses_the_file(mat, s_ns):
    with pytest.raises(ValueError, match=r"cut_pub_4sec\.mat: s_ns contradicts r_type in 1 window"):
        records.read_course_mat(mat(s_ns=s_ns))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"s_ns": [0, 1, 2, 1, 0, 1]}, "two values of s_ns"),
        ({"s_ns": [1] * 6}, "two values of s_ns"),
        ({"r_type": ["VT"] * 6}, "need windows of VF and of NSR"),
        ({"r_type": ["VF"] * 6}, "need windows of VF and of NSR"),
        ({"train": [1, 0, 1, 0, 1, 2]}, r"train 0 or 1, got \['2'\]"),
        ({"s_ecg": [np.zeros(999)] * 6}, "window 0 needs 1000 numbers, got 999"),
        ({"s_ecg": [np.zeros(1000)] * 5 + [np.full(1000, np.nan)]}, "window 5 has NaN"),
        ({"s_ecg": [np.zeros(1000)] * 5 + [np.full(1000, np.inf)]}, "window 5 has NaN"),
        ({"s_ecg": ["x" * 1000] * 6}, "window 0 needs 1000 numbers"),
        ({"s_ecg": [np.zeros(1000) * 1j] * 6}, "window 0 needs 1000 numbers"),
    ],
)
def test_what_is_wrong_with_a_course_file_is_said(mat, changes, why):
    with pytest.raises(ValueError, match=rf"cut_pub_4sec\.mat: .*{why}"):
        records.read_course_mat(mat(**changes))


@pytest.mark.parametrize("field", course())
def test_a_missing_field_is_named(tmp_path, field):
    columns = course()
    del columns[field]
    with pytest.raises(ValueError, match=rf"x\.mat: need the fields .*{field}"):
        records.read_course_mat(save(tmp_path / "x.mat", columns))


@pytest.mark.parametrize("content", [{"other": 1}, {"data": np.zeros(5)}, {"data": "text"}])
def test_a_matlab_file_of_something_else_is_refused(tmp_path, content):
    savemat(tmp_path / "x.mat", content)
    with pytest.raises(ValueError, match=r"x\.mat: need .*data"):
        records.read_course_mat(tmp_path / "x.mat")


def test_a_course_file_that_is_not_there_is_named(tmp_path):
    for name in ("x.mat", "x.zip"):
        with pytest.raises(FileNotFoundError, match=name):
            records.read_course_mat(tmp_path / name)


@settings(max_examples=12, deadline=None)
@given(share=st.floats(0, 0.999), flip=st.floats(0, 0.999))
def test_a_damaged_course_file_is_never_an_unnamed_error(share, flip):
    with tempfile.TemporaryDirectory() as folder:
        path = save(Path(folder) / "x.mat", course(n=2))
        content = bytearray(path.read_bytes()[: 1 + int(share * path.stat().st_size)])
        content[int(flip * len(content))] ^= 0xFF
        path.write_bytes(content)
        try:
            records.read_course_mat(path)
        except ValueError as error:
            assert "x.mat" in str(error)


def test_a_file_that_brings_the_reader_down_is_refused(mat, monkeypatch):
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGBUS)"
    monkeypatch.setattr(records, "_TRY_MAT", crash)
    with pytest.raises(ValueError, match=r"cut_pub_4sec\.mat: .*damaged"):
        records.read_course_mat(mat())


@pytest.mark.parametrize("names", [[], ["a.mat", "b.mat"], ["a.txt"]])
def test_a_zip_needs_exactly_one_file_of_windows(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for name in names:
            packed.writestr(name, b"")
    with pytest.raises(ValueError, match=r"x\.zip: .*need one \.mat inside"):
        records.read_course_mat(tmp_path / "x.zip")


def test_a_zip_that_would_unpack_to_too_much_is_refused(mat, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.write(mat(), "x.mat")
    monkeypatch.setattr(records, "COURSE_BYTES", 100)
    with pytest.raises(ValueError, match=r"x\.zip: .*at most 100 bytes"):
        records.read_course_mat(tmp_path / "x.zip")


def test_something_else_named_zip_is_refused(tmp_path):
    (tmp_path / "x.zip").write_text("not a zip")
    with pytest.raises(ValueError, match=r"x\.zip"):
        records.read_course_mat(tmp_path / "x.zip")
