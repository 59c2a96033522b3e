"""Unpack chosen files of a zip into one folder, trusting nothing the zip says about itself."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from ecglib.download import FetchError

CHUNK = 2**14  # small, so that a packed bomb cannot unfold in memory
MAX_BYTES = 2**30  # of a zip's content; the largest of the book's databases has 167 MB
MAX_RATIO = 100  # the densest file of the databases is packed 8 to 1
MAX_MEMBERS = 50_000  # the longest list has 17,057


class DamagedError(FetchError):
    """What was got is not what it should be."""


def unpack(
    archive: Path,
    wanted: Iterable[str],
    *,
    folder: Path,
    optional: Iterable[str] = (),
    progress: bool = True,
) -> dict[str, dict]:
    """Unpack files by their names, flat, whatever folder of the zip they lie in.

    Parameters
    ----------
    archive : the zip
    wanted, optional : names of files; those of `optional` may be missing
    folder : where they go; nothing is ever written elsewhere
    progress : show a progress bar

    Returns
    -------
    dict
        For each file its ``bytes`` and ``sha256``.

    Raises
    ------
    DamagedError
        Naming the zip and the file: cut short, damaged, a wanted file missing or there twice, a
        path that leaves its folder, a link, more content than `MAX_BYTES`, `MAX_RATIO` and
        `MAX_MEMBERS` allow.
    OSError
        If the files cannot be written, or will not fit on the disk.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = _members(packed)
            missing = [name for name in wanted if name not in members]
            if missing:
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise DamagedError(f"need {missing[0]}{more} inside")
            chosen = [*wanted, *(name for name in optional if name in members)]
            need = sum(members[name].file_size for name in chosen)
            if need > (free := shutil.disk_usage(folder).free):
                raise OSError(errno.ENOSPC, f"need {need:,} bytes, {free:,} are free")
            bar = tqdm(chosen, desc=f"unpacking {archive.stem}", disable=not progress, unit="file")
            return {name: _write(packed, members[name], folder / name) for name in bar}
    except DamagedError as error:
        raise DamagedError(f"{archive}: {error}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise DamagedError(f"{archive}: need a whole zip without password ({error})") from None


def _members(packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of the zip's top folder by name, after looking for what a zip should not hold."""
    infos = [info for info in packed.infolist() if not info.is_dir()]
    size = sum(info.file_size for info in infos)
    if len(infos) > MAX_MEMBERS or size > MAX_BYTES:
        raise DamagedError(
            f"need at most {MAX_MEMBERS:,} files and {MAX_BYTES:,} bytes inside, "
            f"got {len(infos):,} and {size:,}"
        )
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or re.search(r"[\\:]", info.filename):
            raise DamagedError(f"{info.filename!r} would leave its folder")
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            raise DamagedError(f"{info.filename} is a link, need a file")
        if info.file_size > MAX_RATIO * max(info.compress_size, 100):
            raise DamagedError(f"{info.filename} is packed more than {MAX_RATIO} to 1")
        if len(path.parts) <= 2:  # what lies deeper is not part of the records
            if path.name in members:
                raise DamagedError(f"{path.name} is there twice")
            members[path.name] = info
    return members


def _write(packed: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> dict:
    checksum, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in _chunks(packed, info):
            checksum.update(chunk)
            size += file.write(chunk)
    return {"bytes": size, "sha256": checksum.hexdigest()}


def _chunks(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Content of a file; the zip's own CRC is checked when its end is reached."""
    try:
        with packed.open(info) as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DamagedError(f"{info.filename} is damaged ({error})") from None
