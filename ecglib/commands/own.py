"""Look into a folder of one's own recordings, or make one to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import (
    Json,
    Labels,
    Lead,
    Patient,
    Quiet,
    Rate,
    Set,
    SettingsFile,
    Unit,
    about_data,
    app,
    own_settings,
    show,
)

own = typer.Typer(
    help="Recordings of your own: look into a folder, or make one to try things on.",
    no_args_is_help=True,
)
app.add_typer(own, name="new-data")


@own.command()
def check(
    folder: Annotated[Path, typer.Argument(help="With sub-folders, if need be.")],
    settings: SettingsFile = None,
    rate: Rate = None, unit: Unit = None, lead: Lead = None, labels: Labels = None,
    patient: Patient = None, given: Set = None, as_json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Tell what is in a folder of recordings, and what stands in the way of training.

    The exit status is 0 whatever is found; in JSON, `ready` says whether windows can be cut.

    \b
    Examples:
      ecglib new-data check my_folder
      ecglib new-data check my_folder --settings my_folder/settings.yml --json
      ecglib new-data check my_folder --rate 500 --unit uV --lead II --labels labels.csv
    """
    from ecglib import own

    about = about_data(rate=rate, unit=unit, lead=lead, labels=labels, patient=patient)
    report = own.check(folder, own_settings(settings, about, given), progress=not quiet)
    show(report.as_dict(), report.text(), as_json=as_json)


@own.command()
def generate(
    folder: Annotated[Path, typer.Argument(help="To make the folders in.")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help="wfdb, edf, csv, parquet or numpy; repeat. All."),
    ] = None,
    patients: Annotated[int, typer.Option(help="A recording each.")] = 40,
    duration_s: Annotated[float, typer.Option(help="Of a recording, in seconds.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Another one makes other recordings.")] = 0,
    as_json: Json = False,
) -> None:
    """Make synthetic recordings with labels, a folder for each format, with settings.yml.

    \b
    Examples:
      ecglib new-data generate try_out --format edf
      ecglib train --data try_out/edf --settings try_out/edf/settings.yml
    """
    from ecglib import own

    made = own.generate(
        folder, n_patients=patients, formats=tuple(formats or own.FORMATS), seed=seed,
        duration_s=duration_s,
    )  # fmt: skip
    text = "\n".join(f"{name}: {path}" for name, path in made.items())
    show({name: str(path) for name, path in made.items()}, text, as_json=as_json)
