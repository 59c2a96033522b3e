"""An executed notebook on its way to the reader: nothing of the machine, alt text on figures.

Chapter: "How to run".
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ecglib import paths

NOT_RUN = (
    "```{note}\nThis page has not been run in this edition: it shows the code and no results.\n```"
)
HIDDEN = "# goes on"  # myst-nb leaves out a cell without code, and its figures with it


def tidy(executed: NotebookNode, source: NotebookNode) -> NotebookNode:
    """The executed notebook as it is published: the same twice, and naming no machine.

    Text comes from `source`, so that a changed sentence needs no run. Times, paths, addresses,
    widgets and what was written to the error stream are left out.
    """
    outputs, injected = [], None
    for cell in executed.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            injected = nbformat.v4.new_code_cell(cell.source, id="injected-parameters")
            injected.metadata["tags"] = ["injected-parameters"]
        elif cell.cell_type == "code":
            outputs.append((cell.outputs, cell.execution_count))
    page = nbformat.from_dict(json.loads(json.dumps(source)))
    cells = []
    for cell in page.cells:
        cells.append(cell)
        if cell.cell_type != "code":
            continue
        found, cell.execution_count = outputs.pop(0)
        cell.outputs = [_tidy_output(output) for output in found if _is_shown(output)]
        if injected is not None and "parameters" in cell.metadata.get("tags", []):
            cells.append(injected)
    page.cells = cells
    page.metadata = {"kernelspec": page.metadata["kernelspec"], "language_info": _PYTHON}
    return page


def error_stream(executed: NotebookNode) -> str:
    """The first line that the page wrote to its error stream, or nothing."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    said = "".join(output.text for output in outputs if output.get("name") == "stderr")
    return next(iter(said.strip().splitlines()), "")


_PYTHON = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}


def _is_shown(output: dict) -> bool:
    widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    return not widget and output.get("name") != "stderr"


def _tidy_output(output: dict) -> NotebookNode:
    output = nbformat.from_dict(json.loads(json.dumps(output)))
    if "text" in output:
        output.text = _tidy_text(output.text)
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(content, str):
            output.data[kind] = _tidy_text(content)
    return output


def _tidy_text(text: str) -> str:
    for path, short in ((paths.root(), "."), (paths.outs(), "outs"), (Path.home(), "~")):
        text = re.sub(re.escape(str(path)) + r"(?![\w-])", short, text)
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def one_figure_a_cell(page: NotebookNode) -> NotebookNode:
    """Give every figure its alt text in the way myst-nb reads it: on the cell, one figure each.

    A cell with several figures is followed by cells that show the rest and hide their code.
    """
    cells = []
    for cell in page.cells:
        cells.append(cell)
        outputs = cell.get("outputs", [])
        if not any(_alt(output) for output in outputs):
            continue
        cell.outputs, first = [], cell
        for output in outputs:
            if _alt(output) and any(_alt(earlier) for earlier in cells[-1].outputs):
                more = nbformat.v4.new_code_cell(HIDDEN, id=f"{first.id}-{len(cells)}"[-64:])
                more.metadata["tags"] = ["remove-input"]
                cells.append(more)
            cells[-1].outputs.append(output)
            if _alt(output):
                cells[-1].metadata["mystnb"] = {"image": {"alt": _alt(output)}}
    page.cells = cells
    return page


def _alt(output: dict) -> str:
    return output.get("metadata", {}).get("image/png", {}).get("alt", "")


def marked_as_not_run(page: NotebookNode) -> NotebookNode:
    """Say on the page, below its heading, that it was not run."""
    page.cells.insert(1, nbformat.v4.new_markdown_cell(NOT_RUN, id="not-run"))
    return page
