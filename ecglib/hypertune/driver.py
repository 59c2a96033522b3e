"""Run a search to its end, wherever it was left, and lay its trials side by side."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ecglib import chapter, datasets, runs
from ecglib.cluster import cluster

from .settings import Settings

if TYPE_CHECKING:
    from ray.tune import ResultGrid, Tuner

NUMBERS = ("n_parameters", "seconds", "overhead_s", "best_epoch")
NUMBERS += ("validation_macro_recall", "validation_loss")


def search(
    settings: Settings,
    windows: datasets.Windows,
    *,
    folder: Path,
    storage: str | Path | None = None,
    address: str | None = None,
    num_cpus: int | None = None,
    dashboard: bool = False,
    progress: bool = True,
    resume: bool = True,
) -> pd.DataFrame:
    """Load the table of this search, or go on with it, or begin it.

    Trials learn from training rows and are judged on validation rows, by the macro recall of the
    weights that are kept. Test rows are predicted after the last trial, for those that were
    trained to the end. Every trial becomes a run of the ledger `folder`, a stopped one with the
    history up to its stop and its validation rows only: give the search a ledger of its own.

    Parameters
    ----------
    storage : folder or address such as ``s3://bucket/search``, optional
        Where Ray keeps the state of the search until its end, a few MB an epoch; the machines of
        a cluster must share it. By default ``.ray`` in the ledger.
    address : of a Ray cluster, optional
        ``host:port``, ``ray://host:port`` or ``auto``; by default `RAY_ADDRESS`, else Ray is
        started here with `num_cpus` processors (all), and ended. The machines of a cluster need
        ecglib installed. In a process that has Ray running, that is used.
    dashboard : bool
        Start Ray's dashboard and print its address; needs the package ``ray[default]``.
    resume : bool
        False begins anew; what Ray has of this search is removed.

    Returns
    -------
    DataFrame, a row a trial, also written to ``search-<id>.parquet`` in the ledger
        trial, run, status (completed, stopped by the scheduler, failed), epochs, the columns of
        `Settings.varied`, and n_parameters, seconds (learning), overhead_s (what the worker spent
        besides: preparation, checkpoints, waiting for Ray), validation_macro_recall and
        validation_loss of the epoch kept (best_epoch), node (numbered), error.

    Raises
    ------
    ValueError, splits.LeakError
        If windows and settings do not fit, or every trial failed.
    ConnectionError
        If there is no cluster at the address.
    RuntimeError
        If the search was interrupted or the disk is full; the same call goes on with it.
    """
    name = f"search-{_name(settings, windows)}"
    file = folder / f"{name}.parquet"
    if resume and file.exists():
        return pd.read_parquet(file)
    _refuse(settings, windows, folder)
    storage = str(folder.resolve() / ".ray") if storage is None else str(storage)
    if "://" not in storage:
        storage = str(Path(storage).resolve())
    about = {"num_cpus": num_cpus, "dashboard": dashboard, "n_bytes": windows.signal.nbytes}
    with cluster(address, need={"CPU": settings.cpus, "GPU": settings.gpus}, **about):
        import ray

        shared = [ray.put(windows)]
        tuner = _tuner(settings, shared, (storage, name), progress=progress, resume=resume)
        with warnings.catch_warnings():  # epochs that a trial did once more after a kill
            warnings.filterwarnings("ignore", message="The reported value is ignored")
            found = tuner.fit()
        table = _table(settings, windows, found)
        _keep(settings, shared, found, table, folder=folder, progress=progress)
    if (table["status"] == "failed").all():
        raise ValueError(f"need a trial that works, all {len(table)} failed: {table['error'][0]}")
    write(table, file)
    _remove(f"{storage}/{name}")  # all of it is in the ledger now
    return table


def _name(settings: Settings, windows: datasets.Windows) -> str:
    """First 12 hex digits of the SHA-256 of settings and windows."""
    content = {"settings": asdict(settings), "data": windows.hash}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _refuse(settings: Settings, windows: datasets.Windows, folder: Path) -> None:
    """Raise here, before Ray starts, what every trial would end in."""
    first = {"model": next(iter(settings.models))}
    runs.prepare(settings.config(windows, first), windows, folder, checkpoint=False)


def _tuner(
    settings: Settings,
    windows: list,
    where: tuple[str, str],
    *,
    progress: bool,
    resume: bool,
) -> Tuner:
    """The search where it was left, or a new one."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    from .trial import Bar, Trial

    storage, name = where
    trial = tune.with_parameters(Trial, settings=settings, windows=windows)
    trial = tune.with_resources(trial, {"cpu": settings.cpus, "gpu": settings.gpus})
    if resume and tune.Tuner.can_restore(f"{storage}/{name}"):
        return tune.Tuner.restore(f"{storage}/{name}", trial, resume_errored=True)
    _remove(f"{storage}/{name}")
    return tune.Tuner(
        trial,
        tune_config=tune.TuneConfig(
            metric=settings.metric,
            mode=settings.mode,
            search_alg=_sampler(settings),
            # Asynchronous successive halving (Li 2020, arXiv:1810.05934).
            scheduler=ASHAScheduler(
                max_t=settings.epochs,
                grace_period=settings.grace,
                reduction_factor=settings.reduction,
            ),
            num_samples=settings.trials,
            max_concurrent_trials=settings.concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=storage,
            verbose=0,
            callbacks=[Bar(settings, progress=progress)],
            # All are kept until the end: one that Ray has removed, but not yet noted as removed
            # when it is killed, would be missed by the trial that goes on from it.
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
            failure_config=tune.FailureConfig(max_failures=3),  # a machine that goes, say
        ),
    )


def _sampler(settings: Settings) -> object:
    """A tree-structured Parzen estimator over a space that depends on the model (Bergstra 2011)."""
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=settings.seed,
            n_startup_trials=settings.random,
            multivariate=True,
            group=True,  # arguments of one model apart from those of another
            constant_liar=True,  # what still runs counts as bad, so that it is not drawn again
        )
        return OptunaSearch(
            space=settings.draw,
            metric=settings.metric,
            mode=settings.mode,
            sampler=sampler,
            points_to_evaluate=settings.points() or None,
        )


def _remove(path: str) -> None:
    """Remove a folder, here or in a cloud; nothing happens if there is none."""
    from pyarrow import fs

    system, inside = fs.FileSystem.from_uri(path)
    if system.get_file_info(inside).type == fs.FileType.Directory:
        system.delete_dir(inside)


def _table(settings: Settings, windows: datasets.Windows, found: ResultGrid) -> pd.DataFrame:
    """A row a trial; RuntimeError if some did not end."""
    ended = sum(trial.is_finished() for trial in found._experiment_analysis.trials)
    if ended < settings.trials:
        raise RuntimeError(
            f"the search was interrupted, {ended} of {settings.trials} trials have ended: "
            "the same call goes on with it"
        )
    lost = [str(result.error) for result in found if "OSError" in str(result.error)]
    if lost:
        raise RuntimeError(
            f"{len(lost)} of {settings.trials} trials could not be written "
            f"({lost[0].strip().splitlines()[-1]}): the same call goes on with them"
        )
    heads, chosen, tails, nodes = [], [], [], {}
    for number, result in enumerate(found):
        last = result.metrics or {}
        error = last.get("failed", "") or (str(result.error) if result.error else "")
        made = settings.config(windows, result.config)
        status = "failed" if error else "completed" if last.get("whole") else "stopped"
        heads.append({"trial": number, "run": made.id, "status": status})
        chosen.append(settings.varied(made))
        tail = {"epochs": last.get("epochs", 0)} | {n: last.get(n, np.nan) for n in NUMBERS}
        if error:
            tail |= {"validation_macro_recall": np.nan, "validation_loss": np.nan}
        node = last.get("node")
        tail["node"] = nodes.setdefault(node, len(nodes) + 1) if node else 0
        tails.append(tail | {"error": (error.splitlines() or [""])[-1]})
    return pd.concat([pd.DataFrame(part) for part in (heads, chosen, tails)], axis=1)


def _keep(
    settings: Settings,
    windows: list,
    found: ResultGrid,
    table: pd.DataFrame,
    *,
    folder: Path,
    progress: bool,
) -> None:
    """Make a run of every trial that learnt, the longer one where two are alike."""
    import ray

    from .trial import kept

    task = ray.remote(kept).options(num_cpus=settings.cpus, num_gpus=settings.gpus, max_retries=3)
    todo = {}
    for row in table.sort_values("epochs").itertuples():
        if row.epochs and row.status != "failed" and _longer(row, folder / row.run):
            sets = ("train", "validation", "test") if row.status == "completed" else ("validation",)
            point, checkpoint = found[row.trial].config, found[row.trial].checkpoint
            todo[row.run] = task.remote(settings, windows, point, checkpoint, sets=sets)
    waiting = {reference: run for run, reference in todo.items()}
    bar = tqdm(total=len(waiting), desc="runs", mininterval=2, disable=not progress or not waiting)
    with bar:
        while waiting:
            (done,), _ = ray.wait(list(waiting))
            _put(ray.get(done), folder / waiting.pop(done))
            bar.update()


def _longer(row: object, there: Path) -> bool:
    return not there.is_dir() or len(runs.load(there).history) < row.epochs


def _put(files: dict[str, bytes], final: Path) -> None:
    """Write the files of a run aside and rename, so that the folder is whole."""
    aside = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        aside.mkdir(parents=True)
        for name, content in files.items():
            (aside / name).write_bytes(content)
        if final.is_dir():
            shutil.rmtree(final)
        os.rename(aside, final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write(table: pd.DataFrame, file: Path) -> None:
    """Write the table of a search, whole or not at all."""
    chapter.write_bytes(file, table.to_parquet())
