"""Get a public database once, from PhysioNet or a mirror: verify and unpack safely.

A mirror has PhysioNet's own folders below its base: an http(s) address, a ``file:`` address or a
folder. A database that has been fetched is a folder of records below the data folder, with a note
of what was verified; fetching it again does nothing. Chapter: exercise 03, "Data".
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ecglib import paths
from ecglib.download import FetchError, locate
from ecglib.unpack import DamagedError, unpack

NOTE = ".verified.json"  # written last; names every file, its size and checksum
SUMS = "SHA256SUMS.txt"
BYTES = {"212": 1.5, "16": 2}  # per sample of the databases' signal formats
LABELS = ("N", "A", "O", "~")  # normal, atrial fibrillation, other, noise


@dataclass(frozen=True)
class Database:
    """What a database must consist of."""

    title: str
    archive: str  # path of the zip below the base
    records: tuple[str, ...]
    extensions: tuple[str, ...]
    fs: float  # hertz
    n_leads: int
    n_samples: tuple[int, int]  # fewest and most of a record
    tables: tuple[str, ...] = ()  # further files, beside the zip
    has_sums: bool = True  # every copy lists the checksums of its files

    @property
    def files(self) -> tuple[str, ...]:
        """The files that the project reads, in order."""
        tables = tuple(PurePosixPath(t).name for t in self.tables)
        return tuple(r + e for r in self.records for e in self.extensions) + tables


def _numbers(*spans: tuple[int, int], but: Iterable[int] = ()) -> tuple[str, ...]:
    return tuple(str(n) for a, b in spans for n in range(a, b + 1) if n not in but)


_PROJECTS = "static/published-projects"
_CINC = "files/challenge-2017/1.0.0"
DATABASES: dict[str, Database] = {
    "mitdb": Database(
        title="MIT-BIH Arrhythmia Database 1.0.0",
        archive=f"{_PROJECTS}/mitdb/mit-bih-arrhythmia-database-1.0.0.zip",
        records=_numbers(
            (100, 124),
            (200, 234),
            but=(110, 120, 204, 206, 211, 216, 218, 224, 225, 226, 227, 229),
        ),
        extensions=(".atr", ".dat", ".hea"),
        fs=360,
        n_leads=2,
        n_samples=(650_000, 650_000),
    ),
    "vfdb": Database(
        title="MIT-BIH Malignant Ventricular Ectopy Database 1.0.0",
        archive=f"{_PROJECTS}/vfdb/mit-bih-malignant-ventricular-ectopy-database-1.0.0.zip",
        records=_numbers((418, 430), (602, 615), but=(603, 604, 606, 608, 613)),
        extensions=(".atr", ".dat", ".hea"),
        fs=250,
        n_leads=2,
        n_samples=(525_000, 525_000),
    ),
    "cudb": Database(
        title="CU Ventricular Tachyarrhythmia Database 1.0.0",
        archive=f"{_PROJECTS}/cudb/cu-ventricular-tachyarrhythmia-database-1.0.0.zip",
        records=tuple(f"cu{n:02d}" for n in range(1, 36)),
        extensions=(".atr", ".dat", ".hea"),
        fs=250,
        n_leads=1,
        n_samples=(127_232, 127_232),
        has_sums=False,
    ),
    "challenge-2017": Database(
        title="PhysioNet/CinC Challenge 2017, training set 1.0.0",
        archive=f"{_CINC}/training2017.zip",
        records=tuple(f"A{n:05d}" for n in range(1, 8529)),
        extensions=(".hea", ".mat"),
        fs=300,
        n_leads=1,
        n_samples=(2_700, 18_300),
        tables=(f"{_CINC}/REFERENCE-v2.csv", f"{_CINC}/REFERENCE-v3.csv"),
        has_sums=False,
    ),
}


def fetch(name: str, *, mirror: str | None = None, progress: bool = True) -> Path:
    """Return the folder of a database's records; download, verify and unpack it if need be.

    Parameters
    ----------
    name : a key of `DATABASES`
    mirror : base of the downloads; default `ECGLIB_MIRROR`, else PhysioNet
    progress : show progress bars

    Returns
    -------
    Path
        ``<data>/<name>``, holding every file of ``DATABASES[name].files``.

    Raises
    ------
    ValueError
        If there is no such database.
    FetchError
        In one line: no network, a damaged zip, a missing or altered file (named), no space left.
        Nothing half-written remains but a partial download, which the next call resumes.
    """
    database = _database(name)
    folder = paths.data() / name
    if available(name):
        return folder
    if folder.exists() and not (folder / NOTE).exists() and any(folder.iterdir()):
        raise FetchError(f"{folder} was not written by a fetch: move it away, then fetch {name}")
    base, downloads = mirror or paths.mirror(), paths.data() / "downloads"
    aside = folder.with_name(f".{name}.{os.getpid()}")
    got: list[Path] = []
    try:
        for path in (database.archive, *database.tables):
            own = f"{name}-{PurePosixPath(path).name}"
            got.append(locate(base, path, folder=downloads, name=own, progress=progress))
        aside.mkdir(parents=True, exist_ok=True)
        note = _unpack_verified(got[0], aside, database=database, progress=progress)
        for path, file in zip(database.tables, got[1:], strict=True):
            table = aside / PurePosixPath(path).name
            shutil.copyfile(file, table)
            note["files"][table.name] = _check_labels(table, database)
        (aside / NOTE).write_text(json.dumps(note))
        _swap(aside, folder, name=name)
    except DamagedError:
        _discard(got, downloads)  # the next call gets a fresh copy
        raise
    except OSError as error:
        raise FetchError(f"{name}: {_reason(error)}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _discard(got, downloads)
    return folder


def fetch_all(
    names: Iterable[str] = tuple(DATABASES), *, mirror: str | None = None, progress: bool = True
) -> dict[str, Path]:
    """Fetch several databases; returns their folders by name. Errors as `fetch`."""
    return {name: fetch(name, mirror=mirror, progress=progress) for name in names}


def available(name: str) -> bool:
    """Has this database been fetched, verified and left whole since?"""
    database, folder = _database(name), paths.data() / name
    try:
        files = json.loads((folder / NOTE).read_text())["files"]
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
        return all(sizes.get(file) == files[file]["bytes"] for file in database.files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def digest(name: str) -> str:
    """SHA-256 over the verified files of a fetched database: the same files, the same digest.

    That of the lines ``<sha256>  <file>`` in order of file; FetchError if it was not fetched.
    """
    lines = [f"{about['sha256']}  {file}\n" for file, about in sorted(_note(name)["files"].items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verification(name: str) -> str:
    """How a fetched database was verified: ``checksums`` or, where its copy has none, ``shape``."""
    return _note(name)["verification"]


def _database(name: str) -> Database:
    if name not in DATABASES:
        raise ValueError(f"need a database out of {', '.join(DATABASES)}, got {name!r}")
    return DATABASES[name]


def _note(name: str) -> dict:
    if not available(name):
        raise FetchError(f"{name} has not been fetched into {paths.data()}: run `make data`")
    return json.loads((paths.data() / name / NOTE).read_text())


def _unpack_verified(archive: Path, aside: Path, *, database: Database, progress: bool) -> dict:
    """Unpack the files that the project reads and verify each; return the note about them."""
    wanted = [record + end for record in database.records for end in database.extensions]
    files = unpack(archive, wanted, folder=aside, optional=[SUMS], progress=progress)
    has_sums = files.pop(SUMS, None) is not None
    if has_sums:
        sums = _read_sums(aside / SUMS)
        for file, about in files.items():
            if sums.get(file) != about["sha256"]:
                need = sums.get(file, "a line about it")
                raise DamagedError(
                    f"{archive}: {file} does not match the {SUMS} inside: need {need}, "
                    f"got {about['sha256']}"
                )
    elif database.has_sums:
        raise DamagedError(f"{archive}: need {SUMS} inside")
    for record in database.records:
        _check_shape(aside, record, database)
    how = "checksums" if has_sums else "shape"
    return {"database": database.title, "verification": how, "files": files}


def _read_sums(path: Path) -> dict[str, str]:
    """SHA-256 by file; lines about files that a copy leaves out do no harm."""
    lines = re.findall(
        r"^([0-9a-f]{64}) [ *]?(\S+)", path.read_text(errors="replace"), re.MULTILINE
    )
    return {file.removeprefix("./"): checksum for checksum, file in lines}


def _check_shape(folder: Path, record: str, database: Database) -> None:
    """Compare a record's header, and its signal file's size, with what must be there."""
    header = folder / f"{record}.hea"
    try:
        lines = header.read_text(errors="replace").splitlines()
        name, n_leads, fs, n_samples = lines[0].split()[:4]
        file, layout = lines[1].split()[:2]
        layout, _, offset = layout.partition("+")
        shape = (name, int(n_leads), float(fs), Path(file).stem)
        n = int(n_samples)
        size = int(offset or 0) + n * shape[1] * BYTES[layout]
        got = (folder / Path(file).name).stat().st_size
    except (ValueError, IndexError, KeyError, FileNotFoundError) as error:
        raise DamagedError(f"{header.name}: need a header of {database.title} ({error})") from None
    if shape != (record, database.n_leads, database.fs, record):
        raise DamagedError(
            f"{header.name}: need record {record}, {database.n_leads} leads, {database.fs} Hz, "
            f"got {name}, {n_leads}, {fs}"
        )
    if not database.n_samples[0] <= n <= database.n_samples[1] or got < size:
        raise DamagedError(
            f"{header.name}: need {database.n_samples} samples and {size:.0f} bytes, got {n}, {got}"
        )


def _check_labels(path: Path, database: Database) -> dict:
    """Compare a table of labels with the records; return its note."""
    content = path.read_bytes()
    rows = [row.split(",") for row in content.decode(errors="replace").split()]
    wrong = [row for row in rows if len(row) != 2 or row[1] not in LABELS]
    if wrong or tuple(row[0] for row in rows) != database.records:
        first = ",".join(wrong[0]) if wrong else f"{len(rows)} records"
        raise DamagedError(
            f"{path.name}: need a label out of {LABELS} for each of {len(database.records)} "
            f"records in order, got {first}"
        )
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _swap(aside: Path, folder: Path, *, name: str) -> None:
    """Put the finished folder in its place; an incomplete one of ours makes room."""
    if available(name):  # another process was faster
        return
    old = aside.with_name(f"{aside.name}.old")
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _discard(files: Iterable[Path], downloads: Path) -> None:
    """Delete downloads; files of a local mirror stay."""
    for file in files:
        if file.parent == downloads:
            file.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left in {paths.data()} ({error.strerror})"
    return f"cannot write or read {error.filename} ({error.strerror})"
