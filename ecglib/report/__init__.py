"""The summary of an exercise: exactly two A4 pages that a client can follow, set with typst.

Words and numbers come from the results (`words`, `table`); ``summary.typ`` sets them as large as
both pages allow, with the fonts that typst brings along. Chapter: exercise 04, "Summary".
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from ecglib.chapter import Chapter, made_with, write_bytes

from .findings import by_theme
from .phrases import RECALL_FIRST, classes_of, model_of
from .table import table
from .words import texts

TEMPLATE = Path(__file__).parents[1] / "summary.typ"
N_PAGES = 2
FIGURES = (2, 3)  # fewest and most

__all__ = [
    "RECALL_FIRST",
    "by_theme",
    "classes_of",
    "count_pages",
    "model_of",
    "pictures",
    "summary",
    "table",
    "texts",
]


def summary(
    out: Path,
    *,
    chapter: Chapter,
    rows: pd.DataFrame,
    figures: Mapping[str, str],
    metrics: Mapping,
    **more: object,
) -> dict:
    """Write the summary as ``out``, whole or not at all.

    Parameters
    ----------
    out : file to write, ending in .pdf
    chapter : whose results these are; its folder holds the figures
    rows : DataFrame
        The table: see `table.table`.
    figures : {name: caption}
        Two or three, ``<name>.png`` in `chapter.out`; the first goes to page one.
    metrics : the exercise's ``metrics.json`` with the protocol intra, and inter and ptb if known
    more : what is said if it is known
        chosen, {protocol: model} (by default see `model_of`); previous, the model to compare
        with on intra; search, DataFrame of trials; price, what `metrics.price` says of sick against
        well by 1,000 beats; why, {group of rows: reason}.

    Returns
    -------
    dict: pages, size (of the text, in points), filled (share of each page's height that is used)

    Raises
    ------
    FileNotFoundError
        If a figure is missing.
    ValueError
        If there are too few or too many figures or rows, or all does not fit in two pages.
    """
    if out.suffix != ".pdf":
        raise ValueError(f"need a file that ends in .pdf, got {out.name}")
    if not FIGURES[0] <= len(figures) <= FIGURES[1]:
        raise ValueError(f"need {FIGURES[0]} or {FIGURES[1]} figures, got {len(figures)}")
    files = {name: chapter.out / f"{name}.png" for name in figures}
    if missing := [file.name for file in files.values() if not file.exists()]:
        raise FileNotFoundError(f"{chapter.out}: figure {', '.join(missing)} is missing")
    said = texts(chapter, metrics, rows=rows, **more) | {"table": table(rows)}
    shown = [
        {"file": files[name].name, "caption": text, "number": number, "aspect": aspect(files[name])}
        for number, (name, text) in enumerate(figures.items(), 1)
    ]
    said |= {"figures": [shown[:1], shown[1:]], "footer": _footer(chapter)}
    with _folder(TEMPLATE, *files.values()) as folder:
        pdf = _typst("compile", folder, said=said)
        fits = [found["value"] for found in json.loads(_typst("query", folder, said=said))]
    if (n := count_pages(pdf)) != N_PAGES:
        raise ValueError(f"{out.name}: need {N_PAGES} pages, got {n}")
    write_bytes(out, pdf)
    return {"pages": n, "size": fits[0]["size"], "filled": [fit["filled"] for fit in fits]}


def count_pages(pdf: bytes) -> int:
    """Number of pages of a PDF that typst made; ValueError if these bytes are none."""
    if not pdf.startswith(b"%PDF") or not (
        found := re.findall(rb"/Type\s*/Pages\s*/Count (\d+)", pdf)
    ):
        raise ValueError(f"need a PDF made with typst, got {len(pdf)} bytes of something else")
    return max(map(int, found))


def pictures(pdf: Path, *, ppi: float = 100) -> list[bytes]:
    """The pages of a PDF as PNG images, drawn from the file itself."""
    import typst

    out = []
    for number in range(1, count_pages(pdf.read_bytes()) + 1):
        show = (
            "#set page(width: 21cm, height: 29.7cm, margin: 0pt)\n"
            f'#image("{pdf.name}", page: {number}, width: 100%)'
        )
        page = typst.compile(show.encode(), root=str(pdf.parent), format="png", ppi=ppi)
        out.append(_fewer_colours(page))
    return out


def aspect(png: Path) -> float:
    """Width over height of a PNG."""
    from PIL import Image

    with Image.open(png) as picture:
        return picture.width / picture.height


def _fewer_colours(png: bytes) -> bytes:
    """The picture with a palette, a third of the size: the page that shows it stays small."""
    from PIL import Image

    buffer = io.BytesIO()
    page = Image.open(io.BytesIO(png)).convert("RGB")
    few = page.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


@contextmanager
def _folder(*files: Path):
    """A folder with copies of `files`: typst reads nothing outside one."""
    with tempfile.TemporaryDirectory() as name:
        for file in files:
            shutil.copy(file, name)
        yield Path(name)


def _typst(how: str, folder: Path, *, said: Mapping) -> bytes | str:
    """Compile the template in `folder`, or query how it fits."""
    import typst

    options = {
        "root": str(folder),
        "ignore_system_fonts": True,  # the same pages on every machine
        "sys_inputs": {"data": json.dumps(said)},
    }
    file = str(folder / TEMPLATE.name)
    try:
        if how == "query":
            return typst.query(file, "<fit>", **options)
        return typst.compile(file, **options)
    except typst.TypstError as error:
        if "too much for two pages" in error.message:
            raise ValueError(
                f"too much for {N_PAGES} pages: {len(said['table']['rows'])} rows, "
                f"{len(said['added'])} groups; leave some out"
            ) from None
        raise ValueError(f"{TEMPLATE.name}: {error.message}") from None


def _footer(chapter: Chapter) -> str:
    return (
        f"{chapter.exercise}, profile {chapter.profile}, {chapter.source} recordings, "
        f"torch {made_with()['torch']}. Every number is computed from the results."
    )
