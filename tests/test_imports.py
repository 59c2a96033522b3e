"""The direction of imports: what each room of the library may use."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ecglib

LIBRARY = Path(ecglib.__file__).parent
DATA = {"paths", "fetch", "records", "review", "shock", "signals", "splits", "synthetic"}
BEATS = {"beats", "tables"}
ROOMS = {  # room: the other rooms it may import
    "paths": set(),
    "signals": set(),
    "splits": set(),
    "metrics": set(),
    "augment": set(),
    "models": set(),
    "download": set(),
    "unpack": {"download"},
    "fetch": {"paths", "download", "unpack"},
    "records": {"signals"},
    "synthetic": {"signals", "records"},
    "review": {"paths", "plots", "records", "signals"},
    "shock": DATA - {"shock"},
    "beats": {"paths", "records", "signals", "synthetic"},
    "tables": {"paths", "beats"},
    "cinc": {"paths", "records", "signals", "splits", "synthetic"},
    "datasets": DATA | BEATS | {"cinc"},
    "own": {"datasets", "records", "signals", "splits", "synthetic"},
    "train": {"augment"},
    "runs": {"train", "models", "datasets", "metrics", "splits", "paths"},
    "study": {"chapter", "datasets", "metrics", "models", "runs", "train"},
    "votes": {"datasets", "runs"},
    "feedback": {"metrics", "models", "runs", "study"},
    "yardsticks": {"datasets", "metrics", "signals", "splits", "study"},
    "beat_sets": {"datasets"},
    "beat_trials": set(),
    "beat_scores": {"beat_trials", "datasets", "metrics", "runs", "train"},
    "beat_rows": {"beat_scores", "chapter", "runs"},
    "beat_study": {"beat_rows", "beat_sets", "beat_trials", "datasets", "models", "runs", "train"},
    "beat_yardsticks": {"datasets", "splits"},
    "rhythms": {
        "beat_study",
        "beat_trials",
        "datasets",
        "metrics",
        "models",
        "runs",
        "signals",
        "splits",
        "train",
    },
    "plots": {"metrics"},
    "chapter": {"paths", "datasets"},
    "pages": {"paths"},
    "site": {"pages", "paths"},
    "publish": {"chapter", "fetch", "pages", "paths", "site"},
    "readme": {"chapter", "paths"},
    "report": {"chapter"},
    "explain": {"metrics", "models", "train"},
    "cards": {"chapter"},
    "published": {"cards", "chapter", "datasets", "models", "paths", "runs"},
    "score": {
        "beats",
        "chapter",
        "cinc",
        "cluster",
        "datasets",
        "own",
        "plots",
        "published",
        "records",
        "shock",
        "signals",
        "train",
    },
    "export": {"cards", "chapter", "metrics", "published", "train"},
    "given": set(),
    "model_cards": {"chapter", "paths"},
    "data_cards": {"beats", "chapter", "fetch", "paths", "review"},
    "terminal": {"cli", "paths"},
    "tasks": {
        "beat_scores",
        "beat_study",
        "beat_trials",
        "datasets",
        "explain",
        "export",
        "given",
        "metrics",
        "models",
        "own",
        "paths",
        "published",
        "records",
        "rhythms",
        "runs",
        "score",
        "shock",
        "signals",
        "splits",
        "study",
        "synthetic",
        "train",
    },
    "cluster": set(),
    "hypertune": {"chapter", "cluster", "datasets", "metrics", "models", "paths", "runs", "train"},
}
ANYTHING = {"cli", "commands", "bench", "__main__"}
HEAVY = {  # package: the rooms that may import it
    "torch": {
        "explain",
        "augment",
        "models",
        "train",
        "runs",
        "bench",
        "hypertune",
        "export",
        "score",
    },
    "ray": {"cluster", "hypertune", "score"},
    "captum": {"explain"},
    "onnx": {"export"},
    "onnxruntime": {"export"},
    "wfdb": {"own", "records", "score", "synthetic", "shock"},
    "edfio": {"own"},
    "pooch": {"fetch", "download"},
    "papermill": {"publish"},
    "matplotlib": {"plots", "chapter", "commands"},
    "seaborn": {"plots"},
    "IPython": {"chapter"},
    "typer": {"cli", "commands"},
    "typst": {"report"},
}


def room(file: Path) -> str:
    return file.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported(file: Path) -> set[str]:
    """Full names of the modules that a file imports, at its top or later, but for types."""
    package = ("ecglib", *file.relative_to(LIBRARY).parts[:-1])
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names = set()
    for node in set(ast.walk(tree)) - for_types:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join((*start, *filter(None, [node.module])))
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(p for p in LIBRARY.rglob("*.py") if p != LIBRARY / "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(LIBRARY)))
def test_a_room_imports_only_what_the_table_allows(file):
    own = room(file)
    names = imported(file)
    assert own in ROOMS or own in ANYTHING, f"say in this table what {own} may import"
    others = {name.split(".")[1] for name in names if name.startswith("ecglib.")} - {own}
    if own in ROOMS:
        assert others <= ROOMS[own]
    for package, rooms in HEAVY.items():
        uses = any(name.split(".")[0] == package for name in names)
        assert not uses or own in rooms, f"{own} must not import {package}"
    assert not any(name.startswith(("book", "tests")) for name in names)


def test_only_what_trains_brings_torch_and_nothing_brings_ray():
    quick = sorted(set(ROOMS) - HEAVY["torch"] - {
        "beat_study", "feedback", "published", "study", "votes", "yardsticks"
    })  # fmt: skip
    code = (
        f"import sys, importlib, ecglib\n"
        f"for name in {quick!r} + ['cli']: importlib.import_module('ecglib.' + name)\n"
        f"print(sorted({{'torch', 'ray', 'captum'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
