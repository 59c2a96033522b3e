"""The only module that knows where data come from and where results go.

Everything is a function, so a changed environment variable counts at once.
"""

from __future__ import annotations

import os
from pathlib import Path

PHYSIONET = "https://physionet.org"


def root() -> Path:
    """The repository's root: beside the package if the book is there, else the working folder."""
    beside = Path(__file__).resolve().parent.parent
    return beside if (beside / "_toc.yml").exists() else Path.cwd()


def data() -> Path:
    """Downloads and prepared tables: `ECGLIB_DATA`, else ``data`` in the root."""
    return _from_environment("ECGLIB_DATA", root() / "data")


def outs() -> Path:
    """Results: `ECGLIB_OUTS`, else ``outs`` in the root."""
    return _from_environment("ECGLIB_OUTS", root() / "outs")


def mirror() -> str:
    """Base of the downloads: `ECGLIB_MIRROR` (http(s), ``file:`` or a folder), else PhysioNet."""
    return os.environ.get("ECGLIB_MIRROR") or PHYSIONET


def published(exercise: str) -> Path:
    """Folder of an exercise's published results, which only a full run on real data writes."""
    return outs() / exercise


def demo(exercise: str) -> Path:
    """Folder of an exercise's demo results."""
    return outs() / "demo" / exercise


def ledger(profile: str, source: str) -> Path:
    """Folder of the runs: the published ones apart from all others.

    Parameters
    ----------
    profile : name of the profile in ``book/profiles.yml``
    source : physionet, course or synthetic; what the recordings are in the end, not ``auto``
    """
    return outs() / ("runs" if profile == "full" and source == "physionet" else "demo/runs")


def _from_environment(name: str, default: Path) -> Path:
    value = os.environ.get(name)
    return Path(value).expanduser().resolve() if value else default
