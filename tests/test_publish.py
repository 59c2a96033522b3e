import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest

from ecglib import fetch, pages, paths, publish, site

CONFIG = "title: Small\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
TOC = """format: jb-book
root: book/intro
chapters:
  - file: book/exercise_03/01_one
  - file: book/exercise_03/02_two
  - file: book/exercise_05/01_other
"""
PROFILES = """demo:
  all: {source: synthetic}
  exercise_03: {epochs: 2}
  exercise_03/02_two: {epochs: 3}
full:
  all: {source: real}
"""
PARAMETERS = 'profile = "demo"\nsource = "auto"\nepochs = 1'


def notebook(*code: str, heading: str = "# A page", tags=("parameters",)) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_markdown_cell(heading, id="heading")]
    for i, source in enumerate(code):
        cells.append(nbformat.v4.new_code_cell(source, id=f"c{i}"))
    cells[1].metadata["tags"] = list(tags)
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A small book of three pages in two exercises."""
    root = tmp_path / "root"
    for name in ("exercise_03/01_one", "exercise_03/02_two", "exercise_05/01_other"):
        file = root / "book" / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook(PARAMETERS, "print(epochs)"), file)
    (root / "_toc.yml").write_text(TOC)
    (root / "_config.yml").write_text(CONFIG)
    (root / "book" / "intro.md").write_text("# Intro\n")
    (root / "book" / "profiles.yml").write_text(PROFILES)
    monkeypatch.setattr(paths, "root", lambda: root)
    return root


@pytest.fixture
def ran(root, monkeypatch) -> list[str]:
    """Pages are not run but noted, and no site is rendered."""
    names = []

    def run(page, *, folder):
        names.append(page.name)
        executed = nbformat.read(page.file, as_version=4)
        for cell in executed.cells[1:]:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="done\n")]
        return executed

    monkeypatch.setattr(publish, "run", run)
    monkeypatch.setattr(site, "render", lambda *_, **__: paths.root() / "_build" / "html")
    return names


def edit(root: Path, name: str, *code: str, heading: str = "# A page") -> None:
    nbformat.write(notebook(*code, heading=heading), root / "book" / f"{name}.ipynb")


def build(**arguments):
    return publish.build("demo", progress=False, **arguments)


def test_every_page_gets_what_its_profile_says_the_special_before_the_general(root):
    found = {page.name: page.parameters for page in publish.plan("demo")}
    assert found["exercise_03/01_one"]["epochs"] == 2
    assert found["exercise_03/02_two"]["epochs"] == 3
    assert "epochs" not in found["exercise_05/01_other"]
    assert all(values["profile"] == "demo" for values in found.values())


def test_a_parameter_that_is_asked_for_wins(root):
    found = {page.name: page.parameters for page in publish.plan("demo", parameters={"epochs": 9})}
    assert {values["epochs"] for values in found.values()} == {9}


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("all: {epoch: 1}", "any page"),
        ("exercise_03: {epoch: 1}", "exercise_03"),
        ("exercise_03/02_two: {epoch: 1}", "exercise_03/02_two"),
        ("exercise_77: {epochs: 1}", "exercise_77"),
    ],
)
def test_an_unknown_parameter_is_an_error_that_names_it(root, ran, line, where):
    (root / "book" / "profiles.yml").write_text(f"demo:\n  {line}\n")
    with pytest.raises(ValueError, match=rf"epochs? unknown to {where}"):
        build()
    assert ran == []


def test_a_notebook_without_a_parameters_cell_is_an_error_that_names_it(root, ran):
    file = root / "book" / "exercise_03" / "02_two.ipynb"
    nbformat.write(notebook(PARAMETERS, tags=()), file)
    with pytest.raises(ValueError, match=r"02_two\.ipynb.*tagged `parameters`"):
        build()
    assert ran == []


def test_a_page_must_take_profile_and_source(root):
    edit(root, "exercise_03/01_one", "epochs = 1")
    with pytest.raises(ValueError, match=r"01_one\.ipynb.*profile and source"):
        publish.plan("demo")


def test_an_unknown_profile_or_chapter_is_refused_with_the_choices(root, ran):
    with pytest.raises(ValueError, match=r"demo or full.*got 'quick'"):
        publish.plan("quick")
    with pytest.raises(ValueError, match=r"exercise_03/01_one.*got exercise_33"):
        build(chapters=["exercise_33"])


def test_a_page_missing_from_the_book_is_named(root):
    (root / "book" / "exercise_03" / "02_two.ipynb").unlink()
    with pytest.raises(ValueError, match=r"02_two\.ipynb: named in _toc\.yml, not found"):
        publish.plan("demo")


def test_nothing_runs_again_when_nothing_changed(ran):
    build()
    assert len(ran) == 3
    build()
    assert len(ran) == 3


def test_a_changed_cell_runs_its_page_and_those_after_it_in_the_exercise(root, ran):
    build()
    ran.clear()
    edit(root, "exercise_03/01_one", PARAMETERS, "print(epochs + 1)")
    build()
    assert ran == ["exercise_03/01_one", "exercise_03/02_two"]


def test_a_changed_sentence_reaches_the_page_without_a_run(root, ran):
    build()
    ran.clear()
    edit(root, "exercise_03/01_one", PARAMETERS, "print(epochs)", heading="# Said better")
    build()
    executed = nbformat.read(paths.demo("book") / "exercise_03" / "01_one.ipynb", as_version=4)
    assert ran == []
    assert executed.cells[0].source == "# Said better"
    assert executed.cells[2].outputs[0].text == "done\n"


def test_changed_parameters_packages_or_results_run_pages_again(root, ran):
    build()
    ran.clear()
    build(parameters={"epochs": 7})
    assert len(ran) == 3
    (root / "requirements.txt").write_text("numpy==0\n")
    build(parameters={"epochs": 7})
    assert len(ran) == 6
    (paths.demo("book") / "exercise_05" / "01_other.ipynb").unlink()
    build(parameters={"epochs": 7})
    assert ran[6:] == ["exercise_05/01_other"]


def test_new_recordings_run_pages_again(ran, root, monkeypatch):
    (root / "book" / "profiles.yml").write_text("demo:\n  all: {source: auto}\n")
    build()
    ran.clear()
    monkeypatch.setattr(fetch, "available", lambda name: name == "challenge-2017")
    monkeypatch.setattr(fetch, "digest", lambda name: "one")
    build()
    assert ran == ["exercise_05/01_other"]
    monkeypatch.setattr(fetch, "digest", lambda name: "two")
    build()
    assert ran == ["exercise_05/01_other"] * 2


def test_a_change_in_the_library_counts_and_one_in_the_command_line_does_not(
    root, tmp_path, monkeypatch
):
    library = tmp_path / "ecglib"
    library.mkdir()
    for name in ("publish.py", "cli.py", "signals.py"):
        (library / name).write_text("")
    monkeypatch.setattr(publish, "__file__", str(library / "publish.py"))
    page = publish.plan("demo")[0]
    before = publish.fingerprint(page)
    (library / "cli.py").write_text("1")
    assert publish.fingerprint(page) == before
    (library / "signals.py").write_text("1")
    assert publish.fingerprint(page) != before


def test_one_exercise_or_one_page_can_be_run_alone(ran):
    build(chapters=["exercise_05"])
    assert ran == ["exercise_05/01_other"]
    build(chapters=["exercise_03/02_two"])
    assert ran == ["exercise_05/01_other", "exercise_03/02_two"]


def test_exercises_run_side_by_side_and_their_pages_in_order(root, monkeypatch):
    order, together = [], threading.Barrier(2, timeout=20)

    def run(page, *, folder):
        if page.name.endswith(("01_one", "01_other")):
            together.wait()  # for the other exercise
        order.append(page.name)
        return nbformat.read(page.file, as_version=4)

    monkeypatch.setattr(publish, "run", run)
    monkeypatch.setattr(site, "render", lambda *_, **__: None)
    build(jobs=2)
    assert sorted(order) == sorted(page.name for page in publish.plan("demo"))
    assert order.index("exercise_03/01_one") < order.index("exercise_03/02_two")


def test_the_last_exercise_waits_for_the_others_and_runs_again_when_they_change(root, ran):
    file = root / "book" / "exercise_06" / "01_last.ipynb"
    file.parent.mkdir()
    nbformat.write(notebook(PARAMETERS, "print(epochs)"), file)
    toc = TOC.replace("chapters:\n", "chapters:\n  - file: book/exercise_06/01_last\n")
    (root / "_toc.yml").write_text(toc)
    build()
    assert ran[-1] == "exercise_06/01_last" and len(ran) == 4
    edit(root, "exercise_05/01_other", PARAMETERS, "print(2 * epochs)")
    build()
    assert ran[4:] == ["exercise_05/01_other", "exercise_06/01_last"]


def test_force_runs_what_is_up_to_date(ran):
    build()
    build(force=True)
    assert len(ran) == 6


def test_only_full_runs_on_real_recordings_go_to_the_published_pages(root, ran, monkeypatch):
    build()
    assert not (paths.outs() / "book").exists()
    monkeypatch.setattr(fetch, "available", lambda name: True)
    monkeypatch.setattr(fetch, "digest", lambda name: "one")
    publish.build("full", progress=False)
    assert len(list((paths.outs() / "book").rglob("*.ipynb"))) == 3


def test_full_without_recordings_says_how_to_get_them_and_runs_nothing(root, ran):
    with pytest.raises(FileNotFoundError, match="make data"):
        publish.build("full", progress=False)
    assert ran == []


def test_a_page_runs_in_this_interpreter_from_the_root(root, monkeypatch):
    code = "import sys, os\nprint(sys.executable, os.getcwd(), epochs)"
    edit(root, "exercise_05/01_other", PARAMETERS, code)
    monkeypatch.setattr(site, "render", lambda *_, **__: root)
    monkeypatch.setattr(paths, "outs", lambda: root / "elsewhere")
    build(chapters=["exercise_05"], parameters={"epochs": 4})
    file = root / "elsewhere" / "demo" / "book" / "exercise_05" / "01_other.ipynb"
    executed = nbformat.read(file, as_version=4)
    said = executed.cells[-1].outputs[0].text
    assert said.split()[0].endswith(Path(sys.executable).name)
    assert said.split()[1:] == [".", "4"]
    assert "JUPYTER_PATH" not in os.environ
    assert "papermill" not in file.read_text()


def test_a_failed_page_is_named_and_kept_and_the_other_exercises_go_on(root, monkeypatch):
    monkeypatch.setattr(site, "render", lambda *_, **__: pytest.fail("rendered"))
    edit(root, "exercise_03/01_one", PARAMETERS, "print('so far')", "1 / 0", "print('never')")
    with pytest.raises(publish.PublishError) as error:
        build()
    kept = root / "_build" / "stage" / "demo" / "exercise_03" / "01_one.failed.ipynb"
    said = str(error.value)
    assert "book/exercise_03/01_one.ipynb, cell [4] `1 / 0`: ZeroDivisionError" in said
    assert str(kept.relative_to(root)) in said
    assert "so far" in kept.read_text()
    executed = sorted(p.stem for p in paths.demo("book").rglob("*.ipynb"))
    assert executed == ["01_other"], "the page after the failed one is left out"


def test_a_published_page_names_no_machine_and_holds_no_widget(root):
    source = notebook(PARAMETERS, "show()")
    executed = nbformat.from_dict(json.loads(json.dumps(source)))
    executed.metadata["widgets"] = {"state": {}}
    executed.metadata["papermill"] = {"duration": 3.2}
    executed.cells[2].metadata["papermill"] = {"start_time": "now"}
    executed.cells[2].outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="a warning\nof two lines"),
        nbformat.v4.new_output("stream", name="stdout", text=f"{root}/outs <Axes at 0x7f12ab>"),
        nbformat.v4.new_output(
            "display_data", data={"application/vnd.jupyter.widget-view+json": {}}
        ),
        nbformat.v4.new_output("display_data", data={"image/png": f"{Path.home()}abc"}),
    ]
    page = pages.tidy(executed, source)
    assert page.cells[2].outputs[0].text == "./outs <Axes>"
    assert page.cells[2].outputs[1].data == {"image/png": f"{Path.home()}abc"}
    assert len(page.cells[2].outputs) == 2
    assert set(page.metadata) == {"kernelspec", "language_info"}
    assert page.cells[2].metadata == {}
    assert pages.error_stream(executed) == "a warning"


def test_each_figure_gets_its_own_cell_and_alt_text(root):
    page = notebook(PARAMETERS, "two figures")
    for alt in ("first", "second"):
        output = nbformat.v4.new_output("display_data", data={"image/png": ""})
        output.metadata["image/png"] = {"alt": alt}
        page.cells[2].outputs += [output, nbformat.v4.new_output("stream", text="x")]
    cells = pages.one_figure_a_cell(page).cells
    assert [c.metadata["mystnb"]["image"]["alt"] for c in cells[2:]] == ["first", "second"]
    assert [len(c.outputs) for c in cells[2:]] == [2, 2]
    assert cells[3].metadata["tags"] == ["remove-input"]
    nbformat.validate(page)


def test_a_warning_of_jupyter_book_is_an_error_that_shows_it_and_the_last_site_stays(root):
    good = root / "_build" / "html" / "index.html"
    good.parent.mkdir(parents=True)
    good.write_text("the last good site")
    (root / "book" / "intro.md").write_text("# Intro\n\n{doc}`no_such_page`\n\n![x](no.png)\n")
    with pytest.raises(site.SiteError) as error:
        site.render_published(progress=False)
    assert "book/intro.md" in str(error.value)
    assert "no_such_page" in str(error.value)
    assert "no.png" in str(error.value)
    assert good.read_text() == "the last good site"


def test_the_published_edition_renders_without_a_run_and_marks_what_was_not_run(root, monkeypatch):
    monkeypatch.setattr(publish, "run", lambda *_, **__: pytest.fail("ran"))
    executed = notebook(PARAMETERS, "print(epochs)")
    executed.cells[2].outputs = [nbformat.v4.new_output("stream", text="the published result")]
    file = paths.outs() / "book" / "exercise_03" / "01_one.ipynb"
    file.parent.mkdir(parents=True)
    nbformat.write(executed, file)
    html = site.render_published(progress=False) / "book" / "exercise_03"
    assert "the published result" in (html / "01_one.html").read_text()
    assert "has not been run" not in (html / "01_one.html").read_text()
    assert "has not been run" in (html / "02_two.html").read_text()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("rendered again"))
    site.render_published(progress=False)
