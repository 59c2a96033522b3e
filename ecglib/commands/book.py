"""Run and render the book."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import Quiet, app


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
    jobs: Annotated[int, typer.Option(min=0, help="Exercises side by side; 0: one a core.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Run the pages that changed and render the site.

    \b
    Examples:
      ecglib book
      ecglib book --chapter exercise_03/04_training --parameter epochs=2
    """
    from ecglib import publish
    from ecglib.given import parsed

    index = publish.build(
        profile,
        chapters=chapter or (),
        parameters=parsed(parameter or (), what="a parameter"),
        force=force,
        jobs=jobs,
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
def bench() -> None:
    """Print how fast things are on this machine."""
    from ecglib import bench

    typer.echo(bench.table())


@app.command()
def readme(
    check: Annotated[bool, typer.Option(help="Only tell whether it is in step.")] = False,
) -> None:
    """Write the headline results into README.md, and the cards into the appendix."""
    from ecglib import data_cards, model_cards, readme

    if check and not readme.in_step():
        raise ValueError("README.md is not in step with metrics.json: run `ecglib readme`")
    for cards in (data_cards, model_cards):
        if check and not cards.in_step():
            raise ValueError(f"{cards.PAGE} is not in step with the cards: run `ecglib readme`")
    if not check:
        readme.write()
        data_cards.write()
        model_cards.write()
