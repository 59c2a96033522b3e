"""Ray, where it runs already, on a cluster, or started here and ended after use.

Chapters: exercise 04, "Search"; exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm.auto import tqdm

QUIET = {  # Ray reads these when it starts and when a search does
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
STARTS = 3  # Ray gives up on its own processes after seconds, too few on a busy machine


@contextmanager
def cluster(
    address: str | None = None,
    *,
    need: dict[str, float],
    num_cpus: int | None = None,
    dashboard: bool = False,
    n_bytes: int = 0,
) -> Iterator[None]:
    """Ray with enough of everything for one trial: the one that runs, one elsewhere, or our own.

    Parameters
    ----------
    address : of a cluster; by default `RAY_ADDRESS`, else Ray is started here
    need : {"CPU": …, "GPU": …} of one trial
    num_cpus : of a Ray started here; all by default
    n_bytes : of what all workers share

    Raises
    ------
    ConnectionError, ValueError, RuntimeError
        If nobody answers, there is too little for one trial, or Ray does not start.
    """
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    with light():
        yield from _ray(address, need, num_cpus=num_cpus, dashboard=dashboard, n_bytes=n_bytes)


def _ray(address: str | None, need: dict[str, float], **local: object) -> Iterator[None]:
    import ray

    ours = not ray.is_initialized()
    if ours:
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        _connect(address, **local)
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what fails is in the table
    try:
        there = ray.cluster_resources()
        for kind, n in need.items():
            if there.get(kind, 0) < n:
                raise ValueError(f"need {n:g} {kind} for a trial, Ray has {there.get(kind, 0):g}")
        yield
    finally:
        if ours:
            ray.shutdown()


def _connect(address: str, *, num_cpus: int | None, dashboard: bool, n_bytes: int) -> None:
    import ray

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address != "local":
        try:
            _knock(address)
            ray.init(address=address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            what = " ".join(str(error).split())[:200]
            raise ConnectionError(f"need a Ray cluster at {address}: {what}") from None
        return
    local = {"num_cpus": num_cpus or os.cpu_count(), "include_dashboard": dashboard}
    local["object_store_memory"] = int(2e8 + 2 * n_bytes)
    for left in reversed(range(STARTS)):
        try:
            context = ray.init(address="local", **local, **quiet)
            break
        except Exception as error:  # Ray raises a bare one
            ray.shutdown()
            if not left:
                what = " ".join(str(error).split())[:200]
                what += " (the dashboard needs ray[default])" if dashboard else ""
                raise RuntimeError(f"need Ray to start on this machine: {what}") from None
    if dashboard:
        tqdm.write(f"dashboard: http://{context.dashboard_url}")


@contextmanager
def light() -> Iterator[None]:
    """Spare Ray's processes a second of start-up each, which on two cores comes to ten.

    All of them import jsonschema, which compiles a grammar for a kind of address that nobody uses
    here if the package rfc3987_syntax is there, as it is where Jupyter is.
    """
    name = "rfc3987_syntax"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{name}.py").write_text("raise ImportError\n")
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = folder + (os.pathsep + before if before else "")
        ours = sys.modules.setdefault(name) is None  # an import of None is an ImportError
        try:
            yield
        finally:
            if ours:
                del sys.modules[name]
            del os.environ["PYTHONPATH"]
            if before is not None:
                os.environ["PYTHONPATH"] = before


def _knock(address: str) -> None:
    """OSError at once if nobody listens; Ray itself would wait a minute."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=5).close()
