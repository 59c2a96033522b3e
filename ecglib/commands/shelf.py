"""The runs there are: list, show, compare, publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from .common import Json, Ledger, app, percent, show

runs = typer.Typer(help="The runs there are: list, show, compare, publish.", no_args_is_help=True)
app.add_typer(runs, name="runs")
Which = Annotated[str, typer.Argument(metavar="RUN", help="Id, its beginning, folder, or last.")]
SHORT = ["id", "task", "model", "protocol", "inputs", "seed", "epochs", "validation_loss", "made"]


@runs.command("list")
def list_(
    task: Annotated[str | None, typer.Option("--task", "-t", help="Of this task only.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Of this model only.")] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=0, help="So many; 0: all.")] = 20,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """List the runs, the latest last.

    \b
    Examples:
      ecglib runs list
      ecglib runs list --task own --json
    """
    from ecglib.given import nearest
    from ecglib.tasks import shelf

    table, problems = shelf.listing(ledger=ledger)
    for line in problems:
        typer.echo(f"ecglib: {line}", err=True)
    for name, wanted in (("task", task), ("model", model)):
        if wanted is None:
            continue
        if wanted not in set(table[name]):
            raise ValueError(f"no run of {name} {wanted!r}{nearest(wanted, set(table[name]))}")
        table = table[table[name] == wanted]
    shown = table.tail(number) if number else table
    text = shown[SHORT].to_string(index=False, float_format="%.4f") if len(shown) else "no runs yet"
    if len(shown) < len(table):
        text += f"\nthe latest {len(shown)} of {len(table)}; --number 0 shows all"
    show(shown.astype({"made": str}).to_dict("records"), text, as_json=as_json)


@runs.command("show")
def show_(run: Which, ledger: Ledger = None, as_json: Json = False) -> None:
    """Show what a run was asked for and how its training went.

    \b
    Example:
      ecglib runs show last
    """
    from ecglib.tasks import shelf

    found = shelf.find(run, ledger=ledger)
    config = json.loads(found.config.json())
    history = found.history.to_dict("records")
    about = {"run": found.id, "folder": str(found.folder), "parameters": found.n_parameters}
    lines = [f"run {found.id}: {found.n_parameters:,} parameters", f"kept in {found.folder}"]
    flat = {k: v for k, v in config.items() if not isinstance(v, dict)}
    for title, part in (("", flat), ("model", config["arguments"]), ("training", config["train"])):
        told = ", ".join(f"{name}={_short(value)}" for name, value in sorted(part.items()))
        lines.append(f"{title}: {told}" if title else told)
    lines.append(found.history.to_string(index=False, float_format="%.4g"))
    show(about | {"config": config, "history": history}, "\n".join(lines), as_json=as_json)


@runs.command()
def compare(
    run: Annotated[list[str], typer.Argument(metavar="RUN RUN…", help="The first is the measure.")],
    metric: Annotated[
        str, typer.Option(help="accuracy, macro_recall, macro_f1, recall_CLASS, f1_CLASS.")
    ] = "macro_recall",
    split: Annotated[Literal["train", "validation", "test"], typer.Option()] = "test",
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Compare runs on the same patients; a difference whose interval covers 0 is no clear one.

    For two classes macro_recall is the balanced accuracy.

    \b
    Example:
      ecglib runs compare 3f2a 77b0 --metric macro_f1
    """
    from ecglib.tasks import results, sets, shelf

    found = [shelf.find(word, ledger=ledger) for word in run]
    windows = {one.id: sets.windows_of(one.config) for one in found}
    table = results.compare(found, windows, metric=metric, split=split)
    lines = [f"{metric} on {split} data in %, 95 % intervals by patient"]
    for row in table.to_dict("records"):
        line = f"{row['run']}  {row['model']}: {percent(row)}"
        if row["run"] != found[0].id:
            ends = {k: row[f"difference_{k}"] for k in ("low", "high")}
            line += f"; less the first {percent({'value': row['difference'], **ends})} points"
        lines.append(line)
    show(table.to_dict("records"), "\n".join(lines), as_json=as_json)


@runs.command()
def publish(
    run: Which,
    name: Annotated[str, typer.Option(help="Such as my-shock.")],
    about: Annotated[str, typer.Option(help="A sentence on what the model is for.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Default: outs/demo/models.")] = None,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Publish a run as a model: its weights, all it takes to use them, and a card.

    \b
    Example:
      ecglib runs publish last --name my-shock --about "Shock advice from four seconds."
    """
    from ecglib.tasks import models, shelf

    path = models.publish(shelf.find(run, ledger=ledger), name, about=about, folder=folder)
    files = sorted(p.name for p in path.iterdir())
    show({"name": name, "folder": str(path), "files": files}, str(path), as_json=as_json)


def _short(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
