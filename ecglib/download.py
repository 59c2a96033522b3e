"""Get one file from a base: an http(s) address, a ``file:`` address or a folder.

Files of a local base are used where they are. Downloads go through pooch, with a progress bar;
one that broke off is resumed.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pooch
import requests
from tqdm.auto import tqdm

ATTEMPTS = 3  # each resumes where the one before broke off
TIMEOUT_S = (10, 60)  # to connect, to wait for the next bytes
CHUNK = 2**14  # bytes; what is lost at most when a connection breaks
MIRROR_HELP = "name a mirror: an address or a folder in ECGLIB_MIRROR, or `make data MIRROR=…`"


class FetchError(RuntimeError):
    """A file could not be had: what was tried, what was wrong, what to do."""


def locate(base: str, path: str, *, folder: Path, name: str, progress: bool = True) -> Path:
    """Return a local copy of the file `path` below `base`.

    Parameters
    ----------
    base : http(s) address, ``file:`` address or folder
    path : path of the file below the base
    folder, name : where a download is kept, and under which name
    progress : show a progress bar

    Raises
    ------
    FetchError
        If the base is of another kind, has no such file, or cannot be reached.
    OSError
        If the download cannot be written.
    """
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]+):", base)
    kind = scheme.group(1).lower() if scheme else "folder"
    if kind in ("http", "https"):
        return _retrieve(f"{base.rstrip('/')}/{path}", folder=folder, name=name, progress=progress)
    if kind not in ("file", "folder"):
        raise FetchError(f"need an http(s) or file address or a folder as mirror, got {base!r}")
    local = Path(unquote(urlsplit(base).path) if kind == "file" else base).expanduser() / path
    if not local.is_file():
        raise FetchError(f"no file {local}: the mirror needs PhysioNet's folders below {base}")
    return local


def _retrieve(url: str, *, folder: Path, name: str, progress: bool) -> Path:
    pooch.get_logger().setLevel(logging.WARNING)  # its advice to pin a hash is not for readers
    downloader = partial(_resume, part=folder / f"{name}.part", progress=progress)
    try:
        return Path(
            pooch.retrieve(url, known_hash=None, fname=name, path=folder, downloader=downloader)
        )
    except requests.HTTPError as error:
        raise FetchError(f"{url}: status {error.response.status_code}; {MIRROR_HELP}") from None
    except requests.RequestException as error:
        why = type(error).__name__
        raise FetchError(f"no answer from {url} ({why}): try again, or {MIRROR_HELP}") from None


def _resume(url: str, output_file: str, _pooch: Any, *, part: Path, progress: bool) -> None:
    """A downloader for pooch: keeps what has arrived in `part` and asks only for the rest."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _append_rest(url, part, progress=progress)
            break
        except requests.HTTPError:
            raise
        except requests.RequestException:
            if attempt == ATTEMPTS or not part.exists():
                raise
    part.replace(output_file)


def _append_rest(url: str, part: Path, *, progress: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == 416:  # nothing beyond what we have, or our part is of another file
            if answer.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            return _append_rest(url, part, progress=progress)
        answer.raise_for_status()
        if answer.status_code != 206 or not _continues(answer, have):
            have = 0
        rest = int(answer.headers.get("Content-Length", 0))
        total = have + rest if rest else None
        with (
            part.open("ab" if have else "wb") as file,
            tqdm(
                desc=part.stem,
                initial=have,
                total=total,
                unit="B",
                unit_scale=True,
                disable=not progress,
            ) as bar,
        ):
            for chunk in answer.iter_content(CHUNK):
                bar.update(file.write(chunk))


def _continues(answer: requests.Response, have: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
