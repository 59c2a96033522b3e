"""Recordings as arrays: one reader per file format, each checking what it reads.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import wfdb
from numpy.typing import NDArray
from scipy.io import loadmat

MILLIVOLT = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}  # one of each unit, in millivolt
SAME_PERSON = {("mitdb", "202"): "201"}  # two records of one patient, says mitdb's own guide

# bytes per sample of the WFDB signal formats with a fixed size
BYTES = {"8": 1, "80": 1, "212": 1.5, "310": 4 / 3, "311": 4 / 3, "16": 2, "61": 2, "160": 2,
         "24": 3, "32": 4}  # fmt: skip

COURSE_FS = 250.0  # hertz
COURSE_SAMPLES = 1000  # a window: four seconds
COURSE_BYTES = 2**31  # no course file unpacks to more
COURSE_FIELDS = ("pat_ID", "s_ns", "name", "r_type", "s_ecg", "train")
COURSE_SOURCES = ("source", "o_ddbb")  # the field has one of these names

# spellings of a rhythm, in capitals and without the leading bracket → the book's names
RHYTHMS = {
    "N": "NSR", "NSR": "NSR", "SR": "NSR", "SBR": "SBR", "SB": "SBR", "ST": "ST", "AF": "AFIB",
    "AFIB": "AFIB", "AFL": "AFL", "SVT": "SVT", "SVTA": "SVT", "NOD": "NOD", "B": "BIGEMINY",
    "T": "TRIGEMINY", "BI": "AVB1", "BII": "AVB2", "IVR": "IVR", "VER": "IVR", "P": "PACED",
    "PM": "PACED", "PREX": "PREX", "ASYS": "ASYSTOLE", "AS": "ASYSTOLE", "ASYSTOLE": "ASYSTOLE",
    "VT": "VT", "VFL": "VFL", "VF": "VF", "VFIB": "VF",
}  # fmt: skip
ALWAYS_SHOCKABLE = ("VF", "VFL")
EITHER = ("VT",)  # slow or fast: its windows say nothing about the meaning of s_ns


@dataclass(frozen=True)
class Record:
    """A recording that knows its own rate, leads and owner."""

    signal: NDArray[np.float32]  # (n_leads, n_samples), millivolt; NaN where marked invalid
    fs: float  # samples per second
    leads: tuple[str, ...]  # one name per row of `signal`
    patient: str  # the unit we split on
    record: str
    database: str


def read_wfdb(path: str | Path, *, database: str, patient: str | None = None) -> Record:
    """Read a recording in WFDB format (a ``.hea`` header and its signal files).

    Parameters
    ----------
    path : path of the header, without extension
    database : name that the record carries
    patient : default ``<database>-<record>``, the two records of mitdb's one patient joined

    Returns
    -------
    Record
        signal (n_leads, n_samples) in millivolt; samples marked invalid are NaN.

    Raises
    ------
    ValueError
        Naming the record, if a file is missing or damaged, a signal file is shorter than its
        header says, a checksum of the header does not match, the unit is no voltage, or no lead
        carries a signal.

    Source: Moody et al., WFDB Applications Guide, header(5) and signal(5).
    """
    path = Path(path).resolve()
    try:
        header = wfdb.rdheader(str(path))
        _check_header(header, path)
        record = wfdb.rdrecord(str(path), physical=False, return_res=32)
        _check_sums(record)
        signal = record.dac(return_res=32).T
    except FileNotFoundError as error:
        raise ValueError(f"record {path}: missing file {error.filename}") from None
    except (OSError, TypeError, LookupError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"record {path}: cannot be read ({error})") from None
    units = [unit.lower() for unit in record.units]
    if unknown := set(units) - set(MILLIVOLT):
        raise ValueError(f"record {path}: need signals in mV, uV or V, got {sorted(unknown)}")
    factors = np.array([MILLIVOLT[unit] for unit in units], np.float32)
    signal = np.ascontiguousarray(signal * factors[:, None], dtype=np.float32)
    if not (np.nanmax(signal, -1, initial=-np.inf) > np.nanmin(signal, -1, initial=np.inf)).any():
        raise ValueError(f"record {path}: need a signal, got only constant or invalid samples")
    owner = SAME_PERSON.get((database, path.name), path.name)
    return Record(
        signal=signal,
        fs=float(record.fs),
        leads=tuple(str(name) for name in record.sig_name),
        patient=patient or f"{database}-{owner}",
        record=path.name,
        database=database,
    )


def annotations(path: str | Path, extension: str = "atr") -> pd.DataFrame:
    """Read the annotations of a WFDB record.

    Parameters
    ----------
    path : path of the record, without extension
    extension : of the annotation file

    Returns
    -------
    DataFrame
        sample (int, counted at the record's own rate), symbol, text; in order of time.

    Raises
    ------
    ValueError
        Naming the file, if it is missing, cut short or damaged.
    """
    path = Path(path).resolve()
    file = path.with_name(f"{path.name}.{extension}")
    try:
        complete = file.read_bytes().endswith(b"\0\0")  # the format's end mark
        read = wfdb.rdann(str(path), extension) if complete else None
    except FileNotFoundError:
        raise ValueError(f"annotations {file}: missing file") from None
    except (OSError, TypeError, LookupError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"annotations {file}: damaged ({error})") from None
    if read is None:
        raise ValueError(f"annotations {file}: cut short, the end mark is missing")
    sample = np.asarray(read.sample, dtype=np.int64)
    if len(sample) and (sample[0] < 0 or (np.diff(sample) < 0).any()):
        raise ValueError(f"annotations {file}: damaged, times are negative or out of order")
    text = [note.split("\0")[0].strip() for note in read.aux_note]
    return pd.DataFrame({"sample": sample, "symbol": read.symbol, "text": text})


def read_course_mat(path: str | Path) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Read the course's windows, ``cut_pub_4sec.mat`` or the zip that holds it.

    Which value of `s_ns` means shockable is not documented. It is decided here from `r_type`:
    fibrillation and flutter are shockable, every known rhythm but VT is not, and one window that
    disagrees refuses the file.

    Returns
    -------
    signal : array, shape (n_windows, 1, 1000), float32
        At 250 Hz; taken to be in millivolt, the file states no unit.
    table : DataFrame
        patient, name, rhythm (the book's name where known), source, train (bool), label (1
        shockable, 0 not); a row per window.

    Raises
    ------
    ValueError
        Naming the file and the window or field: damaged, a field missing, a window of another
        length or with NaN, more than two values of `s_ns`, `s_ns` that contradicts `r_type`.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    data = _course_struct(path)
    source = next((name for name in COURSE_SOURCES if name in data.dtype.names), None)
    missing = [name for name in COURSE_FIELDS if name not in data.dtype.names]
    if missing or source is None:
        missing += [] if source else [" or ".join(COURSE_SOURCES)]
        raise ValueError(f"{path}: need the fields {', '.join(missing)}, got {data.dtype.names}")
    windows = [np.asarray(w).ravel() for w in data["s_ecg"]]
    for i, w in enumerate(windows):
        if len(w) != COURSE_SAMPLES or w.dtype.kind not in "fiu":
            raise ValueError(f"{path}: window {i} needs {COURSE_SAMPLES} numbers, got {len(w)}")
        if not np.isfinite(w).all():
            raise ValueError(f"{path}: window {i} has NaN or infinite samples")
    names = {"patient": "pat_ID", "name": "name", "rhythm": "r_type", "source": source}
    table = pd.DataFrame({to: [_text(v) for v in data[field]] for to, field in names.items()})
    spelled = table["rhythm"].str.upper().str.lstrip("(")
    table["rhythm"] = spelled.map(RHYTHMS).fillna(spelled)
    train = pd.Series([_text(v) for v in data["train"]])
    if not train.isin(["0", "1"]).all():
        raise ValueError(f"{path}: need train 0 or 1, got {sorted(set(train) - {'0', '1'})}")
    table["train"] = train == "1"
    table["label"] = _course_labels([_text(v) for v in data["s_ns"]], table["rhythm"], path)
    return np.stack(windows).astype(np.float32)[:, None], table


def _course_labels(values: list[str], rhythm: pd.Series, path: Path) -> NDArray[np.int64]:
    s_ns = pd.Series(values)
    known = rhythm.isin(set(RHYTHMS.values()) - set(EITHER))
    yes, no = rhythm.isin(ALWAYS_SHOCKABLE), known & ~rhythm.isin(ALWAYS_SHOCKABLE)
    if not yes.any() or not no.any():
        got = sorted(set(rhythm))
        raise ValueError(f"{path}: need windows of VF and of NSR to read s_ns by, got {got}")
    if s_ns.nunique() != 2:
        raise ValueError(f"{path}: need two values of s_ns, got {sorted(s_ns.unique())}")
    shock = s_ns[yes].mode()[0]
    wrong = np.flatnonzero((yes & (s_ns != shock)) | (no & (s_ns == shock)))
    if len(wrong):
        i = wrong[0]
        raise ValueError(
            f"{path}: s_ns contradicts r_type in {len(wrong)} windows, first in window {i}: "
            f"s_ns {s_ns[i]} at {rhythm[i]}, while most {rhythm[yes].mode()[0]} has s_ns {shock}"
        )
    return (s_ns == shock).to_numpy(np.int64)


_TRY_MAT = """
import io, sys
from scipy.io import loadmat
loadmat(io.BytesIO(sys.stdin.buffer.read()), squeeze_me=True, variable_names=["data"])
"""


def _course_struct(path: Path) -> NDArray:
    """The struct array `data` of the file, one row per window."""
    with _only_mat(path) if path.suffix.lower() == ".zip" else path.open("rb") as file:
        content = file.read()
    # A damaged file can bring down the reader and Python with it, so a child goes first.
    child = subprocess.run([sys.executable, "-c", _TRY_MAT], input=content, capture_output=True)
    if child.returncode < 0:
        raise ValueError(f"{path}: need a MATLAB file, version 7.2 or older (it is damaged)")
    try:
        data = loadmat(io.BytesIO(content), squeeze_me=True, variable_names=["data"])["data"]
    except KeyError:
        raise ValueError(f"{path}: need a variable `data`") from None
    except Exception as error:  # scipy lets out whatever a damaged file can cause
        raise ValueError(f"{path}: need a MATLAB file, version 7.2 or older ({error})") from None
    data = np.atleast_1d(data)
    if data.dtype.names is None or not data.size:
        raise ValueError(f"{path}: need `data` as an array of structs, got {data.dtype}")
    return data.ravel()


def _only_mat(path: Path) -> io.BytesIO:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.lower().endswith(".mat")]
            members = [m for m in members if not m.filename.startswith("__MACOSX/")]
            if len(members) != 1:
                raise ValueError(f"need one .mat inside, got {[m.filename for m in members]}")
            if members[0].file_size > COURSE_BYTES:
                raise ValueError(f"need at most {COURSE_BYTES} bytes, got {members[0].file_size}")
            return io.BytesIO(archive.read(members[0]))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None


def _text(value: object) -> str:
    """A struct's field as text: MATLAB keeps 7 as 7.0 and a missing text as an empty array."""
    value = np.asarray(value)
    if value.size != 1:
        return "" if value.size == 0 else " ".join(str(v) for v in value.ravel())
    item = value.item()
    return str(int(item)) if isinstance(item, float) and item.is_integer() else str(item).strip()


def _check_header(header: wfdb.Record, path: Path) -> None:
    """Compare the signal files' sizes with what the header promises, before reading them."""
    if not header.n_sig or not header.sig_len or not (header.fs and header.fs > 0):
        raise ValueError(
            f"need signals, samples and a rate in the header, got {header.n_sig} signals, "
            f"{header.sig_len} samples, {header.fs} Hz"
        )
    if getattr(header, "seg_name", None):
        raise ValueError("need a record in one piece, got one of several segments")
    for file in set(header.file_name):
        rows = [i for i, name in enumerate(header.file_name) if name == file]
        if any(header.fmt[i] not in BYTES for i in rows):
            continue  # compressed: the decoder itself notices a short file
        per_frame = sum(BYTES[header.fmt[i]] * (header.samps_per_frame[i] or 1) for i in rows)
        need = int(header.sig_len * per_frame) + (header.byte_offset[rows[0]] or 0)
        got = path.with_name(file).stat().st_size
        if got < need:
            raise ValueError(f"truncated: need {need} bytes in {file}, got {got}")


def _check_sums(record: wfdb.Record) -> None:
    """Compare the 16-bit sums of the samples with the header's, where it has them."""
    for lead, (got, need) in enumerate(zip(record.calc_checksum(), record.checksum, strict=True)):
        if need is not None and (int(got) - int(need)) % 2**16:
            raise ValueError(f"checksum of lead {lead} differs from the header's, file damaged")
