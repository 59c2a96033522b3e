"""Show what a network looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import Json, Ledger, Quiet, app, place, show


@app.command()
def explain(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id, its beginning, folder, or last.")],
    window: Annotated[
        list[int] | None,
        typer.Option("--window", "-w", help="Number of a window; repeat. Else a sure one a class."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="grad_cam, integrated_gradients or occlusion.")
    ] = "grad_cam",
    target: Annotated[
        str, typer.Option(help="Class to explain; predicted: what was decided.")
    ] = "predicted",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Name of the PNG; the Parquet lies beside.")
    ] = None,
    ledger: Ledger = None, as_json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Draw what a network looked at in single windows; the numbers go into a Parquet file.

    \b
    Examples:
      ecglib explain last
      ecglib explain 3f2a --window 12 --window 40 --method occlusion -o looked.png
    """
    if out is not None:
        place(out, ".png")
    from ecglib.tasks import looks, sets, shelf

    from . import pictures

    found = shelf.find(run, ledger=ledger)
    picture = out or place(Path(f"explain_{found.id}.png"), ".png")
    table = place(picture.with_suffix(".parquet"), ".parquet")
    looked = looks.look(
        found, sets.windows_of(found.config), window or (), method=method, target=target
    )
    pictures.write_table(looked.table(), table)
    figure = pictures.attributions(looked.signal, looked.maps, looked.titles(), fs=looked.fs)
    pictures.write(figure, picture)
    rows = looked.about.to_dict("records")
    lines = [" ".join(title.split("\n")) for title in looked.titles()]
    lines.append(f"written: {picture}, {table}")
    about = {"run": found.id, "method": method, "windows": rows}
    about |= {"picture": str(picture), "table": str(table)}
    show(about, "\n".join(lines), as_json=as_json)
