"""Render executed pages into the static site with jupyter-book.

Chapter: "How to run".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
import yaml

from ecglib import pages, paths

RENDERED_WITH = ("jupyter-book", "sphinx", "myst-nb", "sphinx-book-theme")


class SiteError(RuntimeError):
    """jupyter-book complained; the message holds every warning of the one pass."""


def contents() -> list[str]:
    """Files of the table of contents, in order, without ending, such as ``book/intro``."""
    toc = yaml.safe_load((paths.root() / "_toc.yml").read_text(encoding="utf-8"))

    def walk(node: object) -> list[str]:
        if isinstance(node, list):
            return [name for item in node for name in walk(item)]
        if not isinstance(node, dict):
            return []
        own = [node[key] for key in ("root", "file") if key in node]
        return own + [n for k in ("parts", "chapters", "sections") for n in walk(node.get(k))]

    return walk(toc)


def notebooks() -> list[str]:
    """Pages that are run, in the order of the table of contents: ``exercise_03/01_task``."""
    files = [(name, paths.root() / name) for name in contents()]
    return [n.removeprefix("book/") for n, f in files if not f.with_suffix(".md").exists()]


def executed_folder(*, published: bool) -> Path:
    """Where executed pages lie: the published edition's in ``outs/book``, all others apart."""
    return paths.outs() / "book" if published else paths.demo("book")


def render_published(*, build_folder: Path | None = None, progress: bool = True) -> Path:
    """Render the published edition; no page is run, one that was never run says so."""
    folder = executed_folder(published=True)
    executed = {name: folder / f"{name}.ipynb" for name in notebooks()}
    return render(executed, build_folder=build_folder, progress=progress)


def render(
    executed: dict[str, Path], *, build_folder: Path | None = None, progress: bool = True
) -> Path:
    """Render the book into ``_build/html``, unless it is there already as it would become.

    Parameters
    ----------
    executed : executed notebook by page name; the bare one stands in for what does not exist
    build_folder : ``_build`` in the root by default

    Returns
    -------
    folder of the site

    Raises
    ------
    SiteError
        On any warning or missing page; the last good site stays.
    """
    build = build_folder or paths.root() / "_build"
    tree, html = build / "site", build / "html"
    shutil.rmtree(tree, ignore_errors=True)
    digest = stage(executed, tree)
    mark = html / ".digest"
    if mark.exists() and mark.read_text() == digest:
        return html
    if progress:
        print("rendering the site", flush=True)
    _jupyter_book(tree)
    made = tree / "_build" / "html"
    missing = [name for name in contents() if not (made / f"{name}.html").exists()]
    if missing or not (made / "index.html").exists():
        raise SiteError(f"jupyter-book left out {', '.join(missing) or 'index.html'}")
    (made / ".digest").write_text(digest)
    _swap(made, html)
    return html


def stage(executed: dict[str, Path], tree: Path) -> str:
    """Lay out what jupyter-book reads; return a digest of it and of the renderer's versions."""
    root = paths.root()
    tree.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(root / name, tree / name)
    keep = shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints", "profiles.yml")
    shutil.copytree(root / "book", tree / "book", ignore=keep)
    for name, file in executed.items():
        bare = root / "book" / f"{name}.ipynb"
        page = nbformat.read(file if file.exists() else bare, as_version=4)
        show = pages.one_figure_a_cell if file.exists() else pages.marked_as_not_run
        target = tree / "book" / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(show(page), target)
    total = hashlib.sha256(json.dumps([version(name) for name in RENDERED_WITH]).encode())
    for file in sorted(p for p in tree.rglob("*") if p.is_file()):
        total.update(str(file.relative_to(tree)).encode() + file.read_bytes())
    return total.hexdigest()


def _jupyter_book(tree: Path) -> None:
    """Build with warnings as errors, all of them shown in one pass."""
    main = "from jupyter_book.cli.main import main; main()"
    options = ["-W", "--keep-going", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", main, "build", str(tree), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "PYTHONHASHSEED": "0"},
    )
    if done.returncode == 0:
        return
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    complaints = [s for s in said.splitlines() if re.search(r"WARNING|ERROR|Error:", s)]
    text = "\n".join(dict.fromkeys(complaints)) or said[-2000:]
    raise SiteError(f"jupyter-book did not build the site:\n{text}".replace(f"{tree}{os.sep}", ""))


def _swap(new: Path, old: Path) -> None:
    """Put the new site in the old one's place."""
    aside = old.with_name(f"{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        os.replace(old, aside)
    os.replace(new, old)
    shutil.rmtree(aside, ignore_errors=True)
