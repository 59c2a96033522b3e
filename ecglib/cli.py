"""The command line: thin, each command one call into the library.

Chapter: "How to run".
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

app = typer.Typer(
    help="Run the book, render it, fetch its data.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


@app.command()
def book(
    profile: Annotated[str, typer.Option(help="A profile of book/profiles.yml.")] = "demo",
    chapter: Annotated[
        list[str] | None, typer.Option("--chapter", "-c", help="Exercise or page to run; repeat.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name=value; repeat.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Run pages that are up to date, too.")] = False,
    quiet: Quiet = False,
) -> None:
    """Run the pages that changed and render the site."""
    from ecglib import publish

    index = publish.build(
        profile,
        chapters=chapter or (),
        parameters=_parameters(parameter or ()),
        force=force,
        progress=not quiet,
    )
    typer.echo(f"read it at {(index / 'index.html').as_uri()}")


@app.command()
def site(quiet: Quiet = False) -> None:
    """Render the published edition; nothing is run."""
    from ecglib import site

    index = site.render_published(progress=not quiet)
    typer.echo(f"read it at {(index / 'index.html').as_uri()}")


@app.command()
def data(
    names: Annotated[list[str] | None, typer.Argument(help="Databases; all by default.")] = None,
    mirror: Annotated[
        str | None, typer.Option(help="Folder or address laid out as PhysioNet is.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fetch the public databases; what is there is left alone."""
    from ecglib import fetch

    for name in names or fetch.DATABASES:
        typer.echo(fetch.fetch(name, mirror=mirror, progress=not quiet))


@app.command()
def prepare(
    source: Annotated[str, typer.Option(help="auto, real, course or synthetic.")] = "auto",
    quiet: Quiet = False,
) -> None:
    """Cut the recordings into windows and keep them as Parquet."""
    from ecglib import datasets

    windows = datasets.shock_windows(source=source, progress=not quiet)
    patients = windows.table["patient"].nunique()
    typer.echo(f"{windows.source}: {len(windows)} windows of {patients} patients")


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
    quiet: Quiet = False,
) -> None:
    """Search for a better network for heartbeats; a killed search goes on where it was."""
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
    hypertune.write(table, chapter.out / "trials.parquet")
    best = hypertune.ranked(table, asked).iloc[0]
    value = f"{asked.metric} {best[asked.metric]:.4f}"
    typer.echo(f"best of {len(table)} trials: {best['model']}, run {best['run']}, {value}")


@app.command()
def bench() -> None:
    """Print how fast things are on this machine."""
    from ecglib import bench

    typer.echo(bench.table())


@app.command()
def readme(
    check: Annotated[bool, typer.Option(help="Only tell whether it is in step.")] = False,
) -> None:
    """Write the headline results of metrics.json into README.md."""
    from ecglib import readme

    if check and not readme.in_step():
        raise ValueError("README.md is not in step with metrics.json: run `ecglib readme`")
    if not check:
        readme.write()


def _parameters(pairs: list[str] | tuple) -> dict:
    """``epochs=3`` to a dict; values are read as YAML, as papermill's are."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise ValueError(f"need a parameter as name=value, got {pair!r}")
        found[name] = yaml.safe_load(value)
    return found


def main() -> None:
    """Run a command; what goes wrong is told in a line, with exit status 1."""
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"ecglib: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
