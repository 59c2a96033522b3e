"""The recordings in a folder, and one reader for each kind of file.

Nothing is unpickled, evaluated or fetched. Chapter: exercise 06, "From raw files to a trained
model".
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import edfio
import numpy as np
import wfdb

from ecglib import records
from ecglib.records import MILLIVOLT

from .errors import FileError
from .raw import Raw
from .tabular import first_line, read_csv, read_parquet

FORMS = {".hea": "wfdb", ".edf": "edf", ".csv": "csv", ".parquet": "parquet", ".parq": "parquet",
         ".npy": "numpy", ".npz": "numpy"}  # fmt: skip
WFDB_TOLD = {  # what the reader of WFDB says, without what stands in the header
    "missing file": "need its signal file, it is missing",
    "truncated": "need all samples of the header, a signal file is cut short",
    "checksum": "need samples that fit the header's checksum, they differ",
    "constant": "need a signal, it is constant or invalid throughout",
    "mV, uV or V": "need signals in mV, uV or V, the header says otherwise",
}
MOST_LEADS = 64  # an array with more in its shorter side is no recording


@dataclass(frozen=True)
class Entry:
    """A recording of a folder, not yet read."""

    path: Path  # of the file, or of the WFDB header
    name: str  # path in the folder without extension, or with it where two would be alike
    file: str  # path in the folder, with forward slashes

    @property
    def form(self) -> str:
        return FORMS[self.path.suffix.lower()]


def entries(folder: str | Path, *, labels: str | None = None) -> list[Entry]:
    """The recordings of a folder and its sub-folders, in the order of their names.

    Hidden files, and tables of labels (a CSV with a column `label` and one named `file` or
    `record`), are none.

    Raises
    ------
    ValueError
        Naming the folder, if it is none or has no recording.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: need a folder of recordings, there is none")
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in FORMS or any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_file() and inside.as_posix() != labels and not _is_labels(path):
            found.append((path, inside))
    if not found:
        raise ValueError(f"{folder}: need recordings ({', '.join(FORMS)}), found none")
    count = Counter(inside.with_suffix("").as_posix() for _, inside in found)
    out = []
    for path, inside in found:
        name = inside.with_suffix("").as_posix()
        out.append(Entry(path, name if count[name] == 1 else inside.as_posix(), inside.as_posix()))
    return out


def tables_of_labels(folder: str | Path) -> list[str]:
    """Paths in the folder of what looks like tables of labels."""
    folder = Path(folder)
    return [
        p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*.csv")) if _is_labels(p)
    ]


def read(path: str | Path) -> Raw:
    """The numbers of a file and what it says about them.

    Raises
    ------
    ValueError
        Naming the file and what was needed: unreadable, cut short or empty.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMS:
        raise FileError(path, f"need a recording ({', '.join(FORMS)}), got {path.suffix!r}")
    if not path.is_file():
        raise FileError(path, "need a recording, there is no such file")
    if not path.stat().st_size:
        raise FileError(path, "need samples, the file is empty")
    try:
        return READERS[FORMS[path.suffix.lower()]](path)
    except OSError:
        raise FileError(path, "need a file that can be read") from None


def digest(entry: Entry) -> str:
    """SHA-256 over all files of a recording; of WFDB the header and its signal files."""
    total = hashlib.sha256()
    for path in [entry.path, *_signal_files(entry)]:
        with path.open("rb") as file:
            while block := file.read(2**20):
                total.update(block)
    return total.hexdigest()


def _is_labels(path: Path) -> bool:
    if path.suffix.lower() != ".csv":
        return False
    try:
        cells = {cell.lower() for cell in first_line(path)[0]}
    except ValueError:
        return False
    return "label" in cells and bool(cells & {"file", "record"})


def _signal_files(entry: Entry) -> list[Path]:
    if entry.form != "wfdb":
        return []
    try:
        names = wfdb.rdheader(str(entry.path.with_suffix("").resolve())).file_name
    except Exception:  # the reader of the recording says what is wrong
        return []
    paths = [entry.path.with_name(Path(name).name) for name in dict.fromkeys(names or ())]
    return [path for path in paths if path.is_file()]


def _wfdb(path: Path) -> Raw:
    try:
        record = records.read_wfdb(path.with_suffix(""), database="own")
    except ValueError as error:
        if "checksum" in str(error) and (found := _without_sums(path)) is not None:
            return found
        needed = str(error).partition(f"{path.resolve().with_suffix('')}: ")[2] or str(error)
        plain = next((told for said, told in WFDB_TOLD.items() if said in needed), "")
        plain = plain or "need a WFDB record, it cannot be read"
        raise FileError(path, needed, plain=plain) from None
    return Raw(path, "wfdb", record.signal, record.leads, record.fs, ("mV",) * len(record.leads))


def _without_sums(path: Path) -> Raw | None:
    """A record whose header has 0 for every checksum, as some published ones do; None if not so."""
    name = str(path.with_suffix("").resolve())
    if any(wfdb.rdheader(name).checksum):
        return None
    record = wfdb.rdrecord(name)
    units = tuple(u if u.lower() in MILLIVOLT else None for u in record.units)
    numbers = np.ascontiguousarray(record.p_signal.T, np.float32)
    return Raw(path, "wfdb", numbers, tuple(record.sig_name), float(record.fs), units)


def _edf(path: Path) -> Raw:
    """Read the signals of an EDF file that are voltages, or all if none is said to be one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a file cut short only warns
        try:
            with path.open("rb") as file:
                header = file.read(256)
            if header[192:197] == b"EDF+D":
                raise FileError(path, "need a recording without gaps, got EDF+D")
            edf = edfio.read_edf(path, lazy_load_data=False)
            signals = [s for s in edf.signals if s.physical_dimension.lower() in MILLIVOLT]
            signals = signals or list(edf.signals)
            rates = sorted({float(s.sampling_frequency) for s in signals})
            numbers = [s.data for s in signals]
            names = tuple(s.label.strip() for s in signals)
        except Exception as error:  # edfio lets out whatever a damaged header can cause
            if isinstance(error, FileError):
                raise
            reason = "cut short" if isinstance(error, Warning) else "damaged or something else"
            raise FileError(path, f"need an EDF file, it is {reason}") from None
    if not signals:
        raise FileError(path, "need signals, the file has none")
    if len(rates) > 1:
        got = ", ".join(f"{rate:g}" for rate in rates)
        raise FileError(path, f"need signals of one rate, got {got} Hz")
    units = tuple(
        s.physical_dimension if s.physical_dimension.lower() in MILLIVOLT else None for s in signals
    )
    return Raw(path, "edf", np.array(numbers, np.float32), names, rates[0], units)


def _numpy(path: Path) -> Raw:
    """Read an array of one or two dimensions, the longer one being the time.

    An ``.npz`` has it as `signal` or as its only array, and may have `fs`, `leads` and `unit`.
    """
    about: dict[str, np.ndarray] = {}
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.lib.npyio.NpzFile):
            with found:
                about = {name: found[name] for name in found.files}
            if not about:
                raise FileError(path, "need an array, the file has none")
            if "signal" not in about and len(about) > 1:
                raise FileError(path, "need an array named `signal`, got several others")
            found = about.get("signal", next(iter(about.values())))
    except (OSError, ValueError, EOFError, MemoryError, KeyError, zipfile.BadZipFile,
            zlib.error, NotImplementedError) as error:  # fmt: skip
        if isinstance(error, FileError):
            raise
        raise FileError(
            path, "need a NumPy file of numbers, it is damaged or holds objects"
        ) from None
    if found.dtype.kind not in "fiu" or found.ndim not in (1, 2):
        raise FileError(
            path, f"need numbers in one or two dimensions, got {found.dtype} in {found.ndim}"
        )
    x = np.atleast_2d(found)
    x = x if x.shape[0] <= x.shape[1] else x.T
    if len(x) > MOST_LEADS:
        raise FileError(path, f"need (leads, samples), got the shape {found.shape}")
    leads, fs, unit = _npz_about(path, about, len(x))
    return Raw(path, "numpy", x.astype(np.float32), leads, fs, (unit,) * len(x))


def _npz_about(
    path: Path, about: dict[str, np.ndarray], n_leads: int
) -> tuple[tuple[str, ...], float | None, str | None]:
    leads = [str(name) for name in np.ravel(about.get("leads", np.arange(n_leads) + 1))]
    if len(leads) != n_leads:
        raise FileError(path, f"need as many `leads` as rows, got {len(leads)} for {n_leads}")
    fs, unit = about.get("fs"), about.get("unit")
    if fs is not None:
        if fs.size != 1 or fs.dtype.kind not in "fiu" or not 0 < fs.item() < np.inf:
            raise FileError(path, "need `fs` as a number of hertz above 0")
        fs = float(fs.item())
    if unit is not None:
        if unit.size != 1 or str(unit.item()).lower() not in MILLIVOLT:
            raise FileError(path, "need `unit` mV, uV or V")
        unit = str(unit.item())
    return tuple(leads), fs, unit


READERS = {
    "wfdb": _wfdb, "edf": _edf, "csv": read_csv, "parquet": read_parquet, "numpy": _numpy
}  # fmt: skip
