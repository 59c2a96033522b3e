"""What the commands share: the application, options that several have, how results are shown.

Chapter: "How to run".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
import typer.core

if TYPE_CHECKING:
    from ecglib.own import Settings

HELP = """Deep learning on the electrocardiogram: the book's tasks, and recordings of your own.

\b
From a folder of recordings to a model:
  ecglib new-data check my_folder
  ecglib train --data my_folder --labels labels.csv --model cnn
  ecglib evaluate last
  ecglib score recording.edf --model last -o timeline.parquet

`ecglib COMMAND --help` has examples for each command.
"""

ORDER = ("fetch", "prepare", "new-data", "train", "evaluate", "explain", "score", "export",
         "runs", "hypertune", "book", "site", "bench", "readme", "data")  # fmt: skip


class _InOrder(typer.core.TyperGroup):
    """Lists the commands in the order in which they are used."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    help=HELP,
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: the same in a terminal, a log and a file
)


def _still(quiet: bool) -> bool:
    if quiet:
        os.environ["TQDM_DISABLE"] = "1"  # bars that no command has a switch for
    return quiet


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.", callback=_still)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
Task = Annotated[
    Literal["shock", "heartbeats", "rhythms", "own"] | None,
    typer.Option("--task", "-t", help="Default: shock, or own if --data is given."),
]
Source = Annotated[
    str, typer.Option(help="auto, real or synthetic (also course, kaggle: tables of your own).")
]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of recordings of your own.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="YAML file on these recordings.")
]
Rate = Annotated[float | None, typer.Option(help="Hertz, if the files do not say.")]
Unit = Annotated[str | None, typer.Option(help="mV, uV, V, or how many numbers make a mV.")]
Lead = Annotated[str | None, typer.Option(help="Name or number of the lead, or all.")]
Labels = Annotated[
    str | None, typer.Option(help="Table of labels in the folder, or `folders`.")
]  # fmt: skip
Patient = Annotated[
    str | None, typer.Option(help="Column of the labels, or expression on file names.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="name=value of any setting; repeat. See `train --show`."),
]
Ledger = Annotated[Path | None, typer.Option(help="Folder of runs; default those in outs/.")]


def about_data(
    *, rate: float | None, unit: str | None, lead: str | None, labels: str | None,
    patient: str | None,
) -> dict[str, object]:  # fmt: skip
    """The options on own recordings that were given; a lead that is a number is one."""
    number = int(lead) if lead is not None and lead.isdigit() else lead
    given = {"rate": rate, "unit": unit, "lead": number, "labels": labels, "patient": patient}
    return {name: value for name, value in given.items() if value is not None}


def task_of(task: str | None, data: Path | None, given: Mapping[str, object]) -> str:
    """The task that is meant; recordings of one's own, and words on them, are for own."""
    task = task or ("own" if data else "shock")
    if task == "own" and data is None:
        raise typer.BadParameter("the task own needs a folder of recordings, --data FOLDER")
    if task != "own" and (data or given):
        name = "--data" if data else f"--{next(iter(given))}"
        raise typer.BadParameter(f"{name} is for recordings of your own, not for the task {task}")
    return task


def own_settings(file: Path | None, given: dict[str, object], pairs: list[str] | None) -> Settings:
    """Settings on own recordings from a file, options and ``name=value``, the last one counts."""
    from ecglib import own
    from ecglib.given import deal, parsed

    shape = deal(parsed(pairs or ()), [dict.fromkeys(own.Settings().as_dict())])[0]
    return own.read_settings(file, **(given | shape))


def place(path: Path, *endings: str) -> Path:
    """A file that can be written, before anything is computed for it.

    Raises
    ------
    ValueError
        If it has another ending, or its folder is not there or not open to writing.
    """
    if path.suffix.lower() not in endings:
        raise ValueError(f"need a file named *{' or *'.join(endings)} to write, got {path}")
    if path.is_dir():
        raise ValueError(f"need a file to write, {path} is a folder")
    if not path.parent.is_dir():
        raise ValueError(f"need a folder to write {path.name} into, {path.parent} is none")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"need the right to write {path}")
    return path


def show(value: object, text: str, *, as_json: bool) -> None:
    """Print `value` as JSON, or `text`."""
    if as_json:
        from ecglib.chapter import plain

        text = json.dumps(plain(value), ensure_ascii=False, indent=1, default=str)
    typer.echo(text)


def percent(score: Mapping[str, float]) -> str:
    """A value with its interval, in per cent."""
    from ecglib.chapter import interval

    return interval(dict(score))
