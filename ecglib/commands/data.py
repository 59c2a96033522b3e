"""Fetch the public databases, cut windows."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import (
    Data,
    Json,
    Labels,
    Lead,
    Patient,
    Quiet,
    Rate,
    Set,
    SettingsFile,
    Source,
    Task,
    Unit,
    about_data,
    app,
    show,
    task_of,
)

Names = Annotated[list[str] | None, typer.Argument(help="Databases; all by default.")]
Mirror = Annotated[str | None, typer.Option(help="Folder or address laid out as PhysioNet is.")]


@app.command()
def fetch(
    names: Names = None, mirror: Mirror = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Fetch the public databases; what is there is left alone.

    \b
    Examples:
      ecglib fetch
      ecglib fetch mitdb --mirror /media/copy
    """
    from ecglib import fetch
    from ecglib.given import nearest

    for name in names or ():
        if name not in fetch.DATABASES:
            near = nearest(name, fetch.DATABASES) or f": need {', '.join(fetch.DATABASES)}"
            raise ValueError(f"unknown database {name!r}{near}")
    found = {}
    for name in names or fetch.DATABASES:
        found[name] = fetch.fetch(name, mirror=mirror, progress=not quiet)
        if not as_json:
            typer.echo(found[name])
    if as_json:
        show({name: str(folder) for name, folder in found.items()}, "", as_json=True)


@app.command(hidden=True)
def data(names: Names = None, mirror: Mirror = None, quiet: Quiet = False) -> None:
    """The same as fetch, by its former name."""
    fetch(names, mirror, False, quiet)


@app.command()
def prepare(
    task: Task = None, source: Source = "auto", data: Data = None, settings: SettingsFile = None,
    rate: Rate = None, unit: Unit = None, lead: Lead = None, labels: Labels = None,
    patient: Patient = None, given: Set = None, as_json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Cut recordings into windows and keep them as Parquet.

    \b
    Examples:
      ecglib prepare --task heartbeats
      ecglib prepare --data my_folder --settings my_folder/settings.yml
      ecglib prepare --data my_folder --labels labels.csv --rate 250 --set window_s=10
    """
    from ecglib.given import deal, parsed
    from ecglib.tasks import sets

    own = about_data(rate=rate, unit=unit, lead=lead, labels=labels, patient=patient)
    task = task_of(task, data, own)
    shape = own | deal(parsed(given or ()), [sets.choices(task)])[0]
    windows = sets.windows(
        task, source=source, folder=data, settings=settings, given=shape, progress=not quiet
    )
    found = sets.describe(windows)
    counts = ", ".join(f"{name} {n:,}" for name, n in found["classes"].items())
    text = f"{found['source']}: {found['windows']} windows of {found['patients']} patients"
    lines = [text, f"classes: {counts}" + _rest(found), f"kept in {found['file']}"]
    show(found, "\n".join(lines), as_json=as_json)


def _rest(found: dict) -> str:
    dropped = ", ".join(f"{name} {n:,}" for name, n in found["dropped"].items() if n)
    learnt = f", without a label {found['not_learnt']:,}" if found["not_learnt"] else ""
    return learnt + (f"; not cut: {dropped}" if dropped else "")
