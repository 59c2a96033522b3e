"""Hygiene of the pages in git."""

import ast
import re

import nbformat
import pytest

from ecglib import paths, site

MOST_LINES = 25
FILES = sorted((paths.root() / "book").rglob("*.ipynb"))
FILES = [file for file in FILES if ".ipynb_checkpoints" not in file.parts]


@pytest.fixture(params=FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def notebook(request):
    found = nbformat.read(request.param, as_version=4)
    nbformat.validate(found)
    return found


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_every_notebook_is_in_the_table_of_contents():
    names = {str(f.relative_to(paths.root() / "book").with_suffix("")) for f in FILES}
    assert names == set(site.notebooks())


def test_outputs_are_stripped(notebook):
    assert all(not cell.outputs and cell.execution_count is None for cell in code(notebook))
    assert "widgets" not in notebook.metadata
    assert "papermill" not in notebook.metadata
    assert not any("papermill" in cell.metadata for cell in notebook.cells)


def test_the_first_code_cell_holds_the_parameters_as_literals_each_with_a_comment(notebook):
    first, *others = code(notebook)
    assert "parameters" in first.metadata.get("tags", [])
    assert not any("parameters" in cell.metadata.get("tags", []) for cell in others)
    names = []
    for node in ast.parse(first.source).body:
        assert isinstance(node, ast.Assign), f"no plain literal: {ast.unparse(node)}"
        ast.literal_eval(node.value)
        names += [target.id for target in node.targets]
        line = first.source.splitlines()[node.end_lineno - 1]
        assert "#" in line, f"needs a comment: {line}"
    assert {"profile", "source"} <= set(names)


def test_a_kernel_is_named(notebook):
    assert notebook.metadata["kernelspec"]["name"] == "python3"


def test_cells_are_short(notebook):
    assert max(len(cell.source.splitlines()) for cell in code(notebook)) <= MOST_LINES


def test_cells_name_no_path_of_a_machine_or_relative_to_a_folder(notebook):
    said = "\n".join(cell.source for cell in code(notebook))
    for path in (r"[\"']\.{1,2}/", r"[\"'](outs|data|book|_build)/", r"[\"']/(home|work|tmp|root)"):
        assert not re.search(path, said), f"a path in a cell: {re.search(path, said).group()}"


def test_a_page_starts_with_its_heading_and_tells_what_it_was_run_with(notebook):
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert any(".banner(" in cell.source for cell in code(notebook))


def test_no_measured_percentage_is_typed_into_a_heading(notebook):
    headings = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("#")
    ]
    assert not any(re.search(r"\d\s?%", line) for line in headings)


def test_published_pages_are_small_and_name_no_machine():
    for file in sorted((paths.root() / "outs" / "book").rglob("*.ipynb")):
        text = file.read_text(encoding="utf-8")
        assert len(text) < 1e6, f"{file}: 1 MB or more"
        assert "papermill" not in nbformat.reads(text, as_version=4).metadata
        shown = re.sub(r'"image/png": "[^"]*"', "", text)
        assert not re.search(r"/(home|work|root|Users)/\w", shown), f"{file}: a machine's path"
