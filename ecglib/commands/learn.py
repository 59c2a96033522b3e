"""Train, evaluate, search."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .common import (
    Data,
    Json,
    Labels,
    Lead,
    Ledger,
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
    percent,
    place,
    show,
    task_of,
)

if TYPE_CHECKING:
    from ecglib.tasks.results import Result

Split = Annotated[Literal["train", "validation", "test"], typer.Option(help="Which set.")]


@app.command()
def train(
    task: Task = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A network of the library.")
    ] = None,
    source: Source = "auto", data: Data = None, settings: SettingsFile = None,
    rate: Rate = None, unit: Unit = None, lead: Lead = None, labels: Labels = None,
    patient: Patient = None, given: Set = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    profile: Annotated[str, typer.Option(help="Names the ledger, as for the book.")] = "demo",
    ledger: Annotated[Path | None, typer.Option(help="Folder of runs, instead.")] = None,
    only_show: Annotated[
        bool, typer.Option("--show", help="Print every setting and its value, train nothing.")
    ] = False,
    as_json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Train a network and keep the run in the ledger; one that is there is loaded.

    --set takes any setting of the windows, of the training or of the network. A training that was
    stopped goes on where it was when the same command is given again.

    \b
    Examples:
      ecglib train --task shock --model tiny_cnn --set epochs=5
      ecglib train --task heartbeats --model transformer --set inputs=rr --seed 1
      ecglib train --data my_folder --settings my_folder/settings.yml --model cnn
      ecglib train --task rhythms --show
    """
    from ecglib import paths, runs
    from ecglib.given import parsed
    from ecglib.tasks import results, sets, ways

    own = about_data(rate=rate, unit=unit, lead=lead, labels=labels, patient=patient)
    task = task_of(task, data, own)
    model = model or ways.MODELS[task]
    shape, changes = ways.settings_of(task, model, parsed(given or ()))
    windows = sets.windows(
        task, source=source, folder=data, settings=settings, given=own | shape, progress=not quiet
    )
    config = ways.config(windows, model, seed=seed, given=changes)
    if only_show:
        show(*ways.told(config, windows), as_json=as_json)
        return
    folder = (ledger or paths.ledger(profile, windows.source)).resolve()
    known = (folder / config.id).is_dir()
    run = runs.run(config, windows, folder=folder, progress=not quiet)
    os.utime(run.folder)  # `last` is the one that was asked for last, also if it was there
    best = run.kept
    result = results.evaluate(run, windows, split="validation")
    name, score = results.headline(result)
    about = {"run": run.id, "folder": str(run.folder), "trained": not known}
    about |= {"epochs": len(run.history), "best_epoch": int(best["epoch"])}
    about |= {"validation_loss": float(best["validation_loss"]), "validation": result.as_dict()}
    lines = [
        f"run {run.id}: {model} on {task} ({windows.source}), {run.n_parameters:,} parameters"
        + (", was there already" if known else ""),
        f"best epoch {int(best['epoch'])} of {len(run.history)}, validation loss "
        f"{best['validation_loss']:.4f}, {name} {percent(score)} %",
        f"kept in {run.folder}",
        f"next: ecglib evaluate {run.id}",
    ]
    show(about, "\n".join(lines), as_json=as_json)


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id, its beginning, folder, or last.")],
    split: Split = "test",
    picture: Annotated[
        Path | None, typer.Option(help="Draw what was taken for what: a PNG.")
    ] = None,
    ledger: Ledger = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Print a run's scores with 95 % intervals by patient, and what it takes for what.

    \b
    Examples:
      ecglib evaluate last
      ecglib evaluate 3f2a --split validation --picture confusion.png
      ecglib evaluate 3f2a --json
    """
    if picture is not None:
        place(picture, ".png")
    from ecglib.tasks import results, sets, shelf

    found = shelf.find(run, ledger=ledger)
    result = results.evaluate(found, sets.windows_of(found.config), split=split)
    if picture is not None:
        from . import pictures

        pictures.write(
            pictures.confusion(result.confusion, result.classes, unit=result.unit), picture
        )
    show(result.as_dict(), _read(result), as_json=as_json)


def _read(result: Result) -> str:
    n = sum(map(sum, result.confusion))
    lines = [
        f"{result.model}, {result.task}, run {result.run}: {n:,} {result.unit} of "
        f"{result.patients:,} patients ({result.split})"
    ]
    wide = max(map(len, result.scores))
    lines += [f"  {name:<{wide}}  {percent(value)}" for name, value in result.scores.items()]
    lines.append("in %, with 95 % intervals by patient" + _deciding(result))
    lines += ["", f"true below, taken for to the right ({result.unit}):"]
    names = [str(name) for name in result.classes]
    width = max(len(f"{n:,}"), *map(len, names))
    lines.append(" ".join([" " * width, *(f"{name:>{width}}" for name in names)]))
    for name, row in zip(names, result.confusion, strict=True):
        lines.append(" ".join([f"{name:>{width}}", *(f"{count:>{width},}" for count in row)]))
    return "\n".join(lines)


def _deciding(result: Result) -> str:
    if result.task == "shock":
        return f"; a shock is advised from P = {result.weights[0]:.3f} on"
    if len(set(result.weights)) == 1:
        return ""
    pairs = zip(result.classes, result.weights, strict=True)
    return "; probabilities times " + ", ".join(f"{name} {w:.3g}" for name, w in pairs)


@app.command()
def hypertune(
    settings: Annotated[Path | None, typer.Option(help="book/exercise_04/search.yml.")] = None,
    profile: Annotated[str, typer.Option(help="Names the ledger, as for the book.")] = "demo",
    source: Annotated[str, typer.Option(help="auto, real, course or synthetic.")] = "auto",
    form: Annotated[str, typer.Option(help="kachuee or context.")] = "kachuee",
    trials: Annotated[int | None, typer.Option(help="Instead of the file's.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the file's.")] = None,
    concurrent: Annotated[int | None, typer.Option(help="Trials side by side.")] = None,
    cpus: Annotated[float | None, typer.Option(help="Processors for each trial.")] = None,
    gpus: Annotated[float | None, typer.Option(help="GPUs for each trial, or parts.")] = None,
    address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="Of a Ray cluster; else one here.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Folder or s3://… that all machines of a cluster share.")
    ] = None,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard.")] = False,
    fresh: Annotated[bool, typer.Option(help="Begin anew, do not resume.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for a better network for heartbeats; a killed search goes on where it was.

    \b
    Examples:
      ecglib hypertune --trials 8 --epochs 2
      ecglib hypertune --address head:6379 --storage /shared --gpus 0.5
    """
    from ecglib import datasets, hypertune
    from ecglib.chapter import open_chapter

    changes = {"trials": trials, "epochs": epochs, "concurrent": concurrent}
    changes |= {"cpus": cpus, "gpus": gpus}
    given = {name: value for name, value in changes.items() if value is not None}
    asked = hypertune.read_settings(settings, **given)
    chapter = open_chapter("exercise_04", profile=profile, source=source)
    windows = datasets.heartbeat_windows(
        source=chapter.source, form=form, paced=form == "kachuee", progress=not quiet
    )
    table = hypertune.search(
        asked, windows, folder=chapter.ledger / "search", address=address, storage=storage,
        dashboard=dashboard, resume=not fresh, progress=not quiet,
    )  # fmt: skip
    file = chapter.out / "trials.parquet"
    hypertune.write(table, file)
    best = hypertune.ranked(table, asked).iloc[0]
    value = float(best[asked.metric])
    about = {"trials": len(table), "model": best["model"], "run": best["run"]}
    text = f"best of {len(table)} trials: {best['model']}, run {best['run']}, "
    show(
        about | {"metric": asked.metric, "value": value, "table": str(file)},
        text + f"{asked.metric} {value:.4f}",
        as_json=as_json,
    )
