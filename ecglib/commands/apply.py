"""Use a model: score recordings, export it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common import (
    Json,
    Lead,
    Ledger,
    Quiet,
    Rate,
    SettingsFile,
    Unit,
    about_data,
    app,
    place,
    show,
)

if TYPE_CHECKING:
    import pandas as pd

    from ecglib.own import Settings
    from ecglib.published import Published

MOST_LINES = 40  # of episodes, or of recordings, that are printed


@app.command()
def score(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="Files, or folders of them.")
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Name or folder of a published one, or a run.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Keep every window: *.parquet.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the timeline of one recording: a PNG.")
    ] = None,
    settings: SettingsFile = None, rate: Rate = None, unit: Unit = None, lead: Lead = None,
    stride_s: Annotated[
        float | None, typer.Option(help="Seconds between windows; default half a window.")
    ] = None,
    gate: Annotated[bool, typer.Option(help="Be silent where the signal is too poor.")] = True,
    cpus: Annotated[
        int | None, typer.Option(min=1, help="Work side by side, through Ray.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster to work on.")] = None,
    ledger: Ledger = None, as_json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Score whole recordings: what was decided when, and where nothing can be told.

    More than 64 recordings are scored through Ray. One that cannot be scored is named and keeps
    no other from it; the exit status is then 1.

    \b
    Examples:
      ecglib score holter.edf --model shock-cnn -o holter.parquet --picture holter.png
      ecglib score my_folder --model last -o scores.parquet --cpus 8
      ecglib score one.csv two.csv --model last --rate 250 --unit uV --json
    """
    for path, ending in ((out, ".parquet"), (picture, ".png")):
        if path is not None:
            place(path, ending)
    given = about_data(rate=rate, unit=unit, lead=lead, labels=None, patient=None)
    from ecglib.tasks import models, scored

    files = scored.files_of(recordings)
    if picture is not None and len(files) > 1:
        raise typer.BadParameter(f"--picture is for one recording, got {len(files)}")
    ray = cpus is not None or address is not None or len(files) > scored.MANY
    if ray and (out is None or picture is not None):
        raise typer.BadParameter("through Ray give --out, and no --picture")
    how = {"stride_s": stride_s, "gate": gate}
    with models.opened(model, ledger=ledger) as found:
        read = scored.settings_for(found, settings, given)
        if not ray:
            _few(files, found, read, out, picture, how, as_json=as_json, quiet=quiet)
            return
        from ecglib import score
        from ecglib.chapter import plural

        done = score.fleet(
            files, found, out=out, settings=read, address=address, cpus=cpus, progress=not quiet,
            **how,
        )  # fmt: skip
    about = {"model": found.name, "table": str(done.file)}
    about["recordings"] = done.recordings.drop(columns="node").to_dict("records")
    failed = dict(done.failed[["file", "error"]].itertuples(index=False))
    n = len(done.recordings) - len(failed)
    windows = int(done.recordings["n_windows"].sum())
    text = f"{plural(n, 'recording')}, {plural(windows, 'window')}; written: {done.file}"
    show(about, text, as_json=as_json)
    _refuse(failed)


def _few(
    files: list[Path], model: Published, settings: Settings, out: Path | None,
    picture: Path | None, how: dict, *, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Score recordings one after the other."""
    import pandas as pd

    from ecglib import score
    from ecglib.tasks import scored

    tables, about, lines, failed = [], [], [], {}
    for file, record, table, error in scored.one_by_one(
        files, model, settings=settings, progress=not quiet, **how
    ):
        if error:
            failed[str(file)] = error
            continue
        tables.append(table)
        told = scored.seconds(table)
        about.append({"file": str(file), "record": record.record, "seconds": told})
        if len(files) == 1:
            about[-1]["episodes"] = scored.episodes(table)
        parts = ", ".join(f"{name} {_clock(s)}" for name, s in told.items())
        lines.append(f"{record.record}: {parts}")
    if not tables:
        raise ValueError(f"no recording could be scored: {next(iter(failed.values()))}")
    if picture is not None:
        score.picture(tables[0], record, picture)
    if out is not None:
        score.write(tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True), out)
    if len(files) == 1:
        lines += _episodes(tables[0])
    more = len(lines) - MOST_LINES
    lines = lines[:MOST_LINES] + ([f"and {more} more lines"] if more > 0 else [])
    written = [str(path) for path in (out, picture) if path is not None]
    lines += [f"written: {', '.join(written)}"] if written else []
    whole = {"model": model.name, "recordings": about, "written": written}
    whole["failed"] = [{"file": file, "error": error} for file, error in failed.items()]
    show(whole, "\n".join(lines), as_json=as_json)
    _refuse(failed)


def _episodes(table: pd.DataFrame) -> list[str]:
    from ecglib import score
    from ecglib.tasks import scored

    return [
        f"  {_clock(row['start_s'])} to {_clock(row['end_s'])}  {row['decision']}"
        + (f" ({score.REASONS.get(row['reason'], row['reason'])})" if row["reason"] else "")
        for row in scored.episodes(table)
    ]


def _refuse(failed: dict[str, str]) -> None:
    for file, error in failed.items():
        line = error if error.startswith(file) else f"{file}: {error}"
        typer.echo(f"ecglib: {line}", err=True)
    if failed:
        raise typer.Exit(1)


def _clock(seconds: float) -> str:
    tenths = round(10 * seconds)
    return f"{tenths // 36000}:{tenths // 600 % 60:02d}:{tenths % 600 / 10:04.1f}"


@app.command()
def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name or folder of a published one, or a run.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file, *.onnx.")],
    int8: Annotated[bool, typer.Option("--int8", help="Weights of eight bits.")] = False,
    ledger: Ledger = None,
    as_json: Json = False,
) -> None:
    """Write a model as ONNX for other programs, tried against the network, with its card.

    \b
    Examples:
      ecglib export shock-cnn -o shock.onnx
      ecglib export last -o small.onnx --int8
    """
    place(out, ".onnx")
    from ecglib.tasks import models

    with models.opened(model, ledger=ledger) as found:
        made = models.export(found, out, small=int8)
    about = {"file": str(made.path), "bytes": made.n_bytes, "difference": made.difference}
    about |= {"card": str(made.card) if made.card else None, "int8": int8}
    card = f", card {made.card}" if made.card else ""
    text = f"{made.path}: {made.n_bytes / 1000:,.0f} kB, logits within {made.difference:.1g}{card}"
    show(about, text, as_json=as_json)
