"""Run the pages of the book with papermill, skip what is up to date, hand over to the site.

Chapter: "How to run".
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from tqdm.auto import tqdm

from ecglib import chapter, fetch, pages, paths, site

# Modules that no page calls: a change in them makes no page run again.
NOT_IN_PAGES = {
    "__main__.py",
    "bench.py",
    "cli.py",
    "data_cards.py",
    "model_cards.py",
    "pages.py",
    "publish.py",
    "readme.py",
    "site.py",
}
LAST = ("exercise_06",)  # its pages work with what the other exercises trained


class PublishError(RuntimeError):
    """Pages failed; the message names file, cell and error, a line for each."""


@dataclass(frozen=True)
class Page:
    """A notebook of the book with what it is run with."""

    name: str  # exercise_03/04_training
    file: Path  # the notebook with its outputs stripped
    parameters: dict = field(default_factory=dict)
    source: str = "synthetic"  # what the parameter `source` comes to
    published: bool = False

    @property
    def exercise(self) -> str:
        return self.name.split("/")[0]

    @property
    def executed(self) -> Path:
        """Where the page goes when it has been run."""
        return site.executed_folder(published=self.published) / f"{self.name}.ipynb"


def build(
    profile: str = "demo",
    *,
    chapters: Sequence[str] = (),
    parameters: dict | None = None,
    force: bool = False,
    jobs: int = 0,
    build_folder: Path | None = None,
    progress: bool = True,
) -> Path:
    """Run what is not up to date and render the site.

    The pages of an exercise run one after the other, exercises side by side, those of `LAST` when
    the others are done.

    Parameters
    ----------
    profile : name of a profile in ``book/profiles.yml``
    chapters : exercises or pages to run, such as ``exercise_03`` or ``exercise_03/04_training``;
        all if empty
    parameters : handed to the pages above what the profile says
    force : run pages that are up to date, too
    jobs : exercises side by side; 0: as many as there are cores
    build_folder : ``_build`` in the root by default

    Returns
    -------
    folder of the site

    Raises
    ------
    ValueError
        If profile, chapter or parameter is unknown, or a notebook has no cell tagged
        `parameters`: before any page is run.
    PublishError
        If a page failed. Its notebook is kept with the outputs it had; the pages after it in the
        same exercise are left out; the last good site stays.
    """
    folder = build_folder or paths.root() / "_build"
    book = plan(profile, parameters=parameters)
    chosen = _choose(book, chapters)
    stage = folder / "stage" / profile
    exercises = {page.exercise: [p for p in book if p.exercise == page.exercise] for page in book}
    n_jobs = min(jobs or os.cpu_count() or 1, len(exercises))
    bar = tqdm(total=len(book), desc="pages", unit="page", disable=not progress)

    def run_exercise(name: str, before: str = "") -> tuple[str, str]:
        """Run its pages in their order; the last one's fingerprint and what failed, or nothing."""
        mark = before
        for page in exercises[name]:
            mark = fingerprint(page, before=mark)
            if page.name in chosen:
                try:
                    _bring_up_to_date(page, mark, folder=stage, force=force)
                except PublishError as error:
                    return mark, str(error)
            bar.update()
        return mark, ""

    with bar, _this_interpreter(folder, n_jobs=n_jobs), ThreadPoolExecutor(n_jobs) as pool:
        done = list(pool.map(run_exercise, [name for name in exercises if name not in LAST]))
        marks = "".join(mark for mark, _ in done)
        done += [run_exercise(name, marks) for name in exercises if name in LAST]
    failed = [said for _, said in done if said]
    if failed:
        raise PublishError("\n".join(failed))
    return site.render({p.name: p.executed for p in book}, build_folder=folder, progress=progress)


def _bring_up_to_date(page: Page, mark: str, *, folder: Path, force: bool) -> None:
    """Run a page unless the note beside it says that it was run with all that `mark` stands for."""
    note = folder / f"{page.name}.json"
    if not force and _up_to_date(page, note, mark):
        executed = nbformat.read(page.executed, as_version=4)
    else:
        executed = run(page, folder=folder)
    _publish(page, executed, note, mark)


def plan(profile: str, *, parameters: dict | None = None) -> list[Page]:
    """Every notebook of the table of contents with its parameters, checked."""
    root = paths.root()
    profiles = yaml.safe_load((root / "book" / "profiles.yml").read_text(encoding="utf-8"))
    if profile not in profiles:
        choices = chapter.listed(sorted(profiles), last="or")
        raise ValueError(f"need a profile of book/profiles.yml ({choices}), got {profile!r}")
    groups = {key: value or {} for key, value in (profiles[profile] or {}).items()}
    groups["all"] = {**groups.get("all", {}), **(parameters or {})}
    files = {name: root / "book" / f"{name}.ipynb" for name in site.notebooks()}
    known = {name: _known_parameters(file) for name, file in files.items()}
    used: set[tuple[str, str]] = set()
    found = []
    for name, file in files.items():
        chosen = {"profile": profile}
        for group in ("all", name.split("/")[0], name):
            fitting = {k: v for k, v in groups.get(group, {}).items() if k in known[name]}
            used |= {(group, key) for key in fitting}
            chosen |= fitting
        if parameters:  # what was asked for wins over the page's own line in the profile
            chosen |= {k: v for k, v in parameters.items() if k in known[name]}
        if missing := [key for key in ("profile", "source") if key not in known[name]]:
            raise ValueError(f"{_short(file)}: needs the parameter {chapter.listed(missing)}")
        source = chapter.resolve(name.split("/")[0], chosen.get("source", "auto"))
        published = chapter.is_published(profile, source)
        found.append(Page(name, file, chosen, source, published))
    for group, values in groups.items():
        if unknown := [key for key in values if (group, key) not in used]:
            where = "any page" if group == "all" else group
            raise ValueError(
                f"profile {profile!r}: parameter {chapter.listed(unknown)} unknown to {where}"
            )
    return found


def run(page: Page, *, folder: Path) -> NotebookNode:
    """Run one page from the root and return its notebook; a failed one stays in `folder`.

    Raises
    ------
    PublishError
        Naming the page, the cell, the error and where the notebook is kept.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    kept = folder / f"{page.name}.failed.ipynb"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.unlink(missing_ok=True)
    try:
        executed = papermill.execute_notebook(
            str(page.file),
            str(kept),
            parameters=page.parameters,
            kernel_name="python3",
            cwd=str(paths.root()),
            progress_bar=False,
            log_output=False,
        )
    except PapermillExecutionError as error:
        cell = f"cell [{error.exec_count}] `{error.source.strip().splitlines()[0]}`"
        what = f"{cell}: {error.ename}: {error.evalue}".splitlines()[0]
        raise PublishError(f"{_short(page.file)}, {what} (kept as {_short(kept)})") from None
    except Exception as error:  # a kernel that died or did not start
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise PublishError(f"{_short(page.file)}, {what} (kept as {_short(kept)})") from error
    kept.unlink(missing_ok=True)
    if complaint := pages.error_stream(executed):
        tqdm.write(f"{_short(page.file)} wrote to its error stream: {complaint}", file=sys.stderr)
    return executed


def fingerprint(page: Page, *, before: str = "") -> str:
    """SHA-256 over all that a page's results come from.

    Its code cells, parameters and kind of recordings, the library, the pinned packages, the
    fetched databases, and the pages `before` it, which feed the ledger.
    """
    root, source = paths.root(), page.source
    notebook = nbformat.read(page.file, as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    parts = [before, page.name, code, page.parameters, source, str(paths.outs())]
    library = sorted(p for p in Path(__file__).parent.rglob("*") if p.suffix in _LIBRARY_FILES)
    files = [p for p in library if p.name not in NOT_IN_PAGES]
    files += [root / "requirements.txt", root / "constraints.txt"]
    parts += [hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.exists()]
    if source == "physionet":
        parts += [fetch.digest(name) for name in chapter.DATABASES[page.exercise]]
    if source == "course":
        found = sorted((paths.data() / "ecg").glob("*"))
        parts += [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in found]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


_LIBRARY_FILES = {".py", ".csv", ".mplstyle"}


def _publish(page: Page, executed: NotebookNode, note: Path, mark: str) -> None:
    """Write the page where the site takes it from, then the note that it is up to date."""
    text = nbformat.writes(pages.tidy(executed, nbformat.read(page.file, as_version=4))) + "\n"
    if not page.executed.exists() or page.executed.read_text(encoding="utf-8") != text:
        chapter.write_bytes(page.executed, text.encode())
    about = {"fingerprint": mark, "page": hashlib.sha256(text.encode()).hexdigest()}
    chapter.write_bytes(note, json.dumps(about).encode())


def _up_to_date(page: Page, note: Path, mark: str) -> bool:
    if not (note.exists() and page.executed.exists()):
        return False
    about = json.loads(note.read_text(encoding="utf-8"))
    found = hashlib.sha256(page.executed.read_bytes()).hexdigest()
    return about == {"fingerprint": mark, "page": found}


def _choose(book: list[Page], chapters: Sequence[str]) -> set[str]:
    names = {page.name for page in book}
    known = names | {page.exercise for page in book}
    if unknown := sorted(set(chapters) - known):
        choices = chapter.listed(sorted(known), last="or")
        raise ValueError(f"need chapters of {choices}, got {chapter.listed(unknown)}")
    asked = set(chapters) or known
    return {name for name in names if asked & {name, name.split("/")[0]}}


def _known_parameters(file: Path) -> set[str]:
    import papermill

    if not file.exists():
        raise ValueError(f"{_short(file)}: named in _toc.yml, not found")
    cells = nbformat.read(file, as_version=4).cells
    if not any("parameters" in cell.metadata.get("tags", []) for cell in cells):
        raise ValueError(f"{_short(file)}: needs a code cell tagged `parameters`")
    return set(papermill.inspect_notebook(str(file)))


@contextmanager
def _this_interpreter(folder: Path, *, n_jobs: int) -> Iterator[None]:
    """Let the kernel `python3` be this interpreter, whatever kernels the user has.

    Kernels side by side share the cores among them.
    """
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    file = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
    chapter.write_bytes(file, json.dumps(spec).encode())
    library = str(Path(__file__).resolve().parent.parent)
    new = {
        "JUPYTER_PATH": os.pathsep.join(
            filter(None, [str(folder / "jupyter"), os.environ.get("JUPYTER_PATH")])
        ),
        "PYTHONPATH": os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")])),
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // n_jobs)),
        "TQDM_DISABLE": "1",  # bars would flood the kernel's messages and change from run to run
    }
    old = {key: os.environ.get(key) for key in new}
    os.environ.update(new)
    try:
        yield
    finally:
        for key, value in old.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


def _short(path: Path) -> str:
    root = paths.root()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
