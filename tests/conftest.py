"""No test touches the repository's data and results, and none draws a bar."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # side by side, threads only get in each other's way

import pytest

from ecglib import publish


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side, tests of a file stay together, and so do all that share the book.

    Those with the book come first, then Ray's: what takes longest must not begin last.
    """

    def group(item: pytest.Item) -> str:
        return "book" if "book" in getattr(item, "fixturenames", ()) else item.path.stem

    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    first = ("book", "test_hypertune")
    items.sort(key=lambda item: first.index(group(item)) if group(item) in first else len(first))


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data and results of a test lie in its own folder."""
    monkeypatch.setenv("ECGLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ECGLIB_OUTS", str(tmp_path / "outs"))
    monkeypatch.delenv("ECGLIB_MIRROR", raising=False)


@dataclass(frozen=True)
class Book:
    """The whole book, run with the profile `test` on synthetic recordings."""

    html: Path  # the site
    outs: Path  # what the pages wrote: outs/demo/exercise_03, outs/demo/book, …


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    folder = tmp_path_factory.mktemp("book")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGLIB_DATA", str(folder / "data"))
        patch.setenv("ECGLIB_OUTS", str(folder / "outs"))
        patch.delenv("ECGLIB_MIRROR", raising=False)
        html = publish.build("test", build_folder=folder / "_build", progress=False)
    yield Book(html=html, outs=folder / "outs")


@pytest.fixture(scope="module")
def nodes() -> Iterator[object]:
    """A cluster of two machines with a processor each, as far as Ray can tell."""
    from ray.cluster_utils import Cluster

    from ecglib import cluster

    node = {"num_cpus": 1, "object_store_memory": 10**8}
    with cluster.light():
        made = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
        made.add_node(**node)
        yield made
        made.shutdown()
