"""Where recordings come from: the public databases, tables that a reader has, or synthesis.

Chapter: exercise 03, "Data".
"""

from __future__ import annotations

from collections.abc import Iterable

from ecglib import fetch, paths

SHOCK_DATABASES = ("vfdb", "mitdb", "cudb")


def resolve_source(
    source: str,
    *,
    databases: Iterable[str] = SHOCK_DATABASES,
    tables: Iterable[str] = ("course",),
) -> str:
    """Turn `auto` into `physionet` if every database has been fetched, else `synthetic`.

    `real` (or `physionet`) insists: FileNotFoundError names what is missing and how to get it.
    `tables` are the sources that a reader may have in files of their own; they are taken only if
    asked for.
    """
    choices = ("auto", "real", *tables, "synthetic")
    if source not in (*choices, "physionet"):
        raise ValueError(f"need source {', '.join(choices[:-1])} or {choices[-1]}, got {source!r}")
    if source == "synthetic" or source in tables:
        return source
    missing = [name for name in databases if not fetch.available(name)]
    if not missing:
        return "physionet"
    if source == "auto":
        return "synthetic"
    raise FileNotFoundError(
        f"need the databases {', '.join(missing)} in {paths.data()}: run `make data`"
    )
