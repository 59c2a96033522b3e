"""Exercise 04's experiments: which runs there are, page by page, and what makes each of them.

Every page asks for its runs by the function that bears its name; `full_configs` lists those of all
pages, so that they can be trained ahead of them. Scoring: `ecglib.beat_scores`. Chapter: exercise
04, "Training", "Evaluation" and "Feedback loops".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ecglib import datasets, runs
from ecglib.beat_rows import summary_rows as summary_rows  # where page 08 looks for it
from ecglib.beat_sets import versions as versions
from ecglib.beat_trials import (
    AUGMENT,
    CHANGES,
    COURSE,
    EPOCH_BEATS,
    FAMILIES,
    HAND,
    HOW,
    INTER,
    INTER_CHANGES,
    LADDER,
    LINEAR,
    MODEL,
    NUMBERS,
    PREVIOUS,
    PTB,
    SHAPE,
    USUAL,
)
from ecglib.datasets import Windows
from ecglib.runs import Run, RunConfig
from ecglib.train import TrainConfig

N_FOLDS = 5


def config(
    windows: Windows,
    model: str = MODEL,
    *,
    seed: int = 0,
    protocol: str = "intra",
    arguments: dict | None = None,
    inputs: str = "signal",
    start: str = "",
    split_seed: int = 0,
    **train: object,
) -> RunConfig:
    """One run of this exercise; further keywords go to `TrainConfig`.

    The model's arguments are written out, so that a changed default makes another run. The
    course's start models are trained as the course does. Of a large table `EPOCH_BEATS` are drawn
    for an epoch, the rare classes more often.
    """
    from ecglib import models

    n_samples = windows.signal.shape[-1]
    usual = USUAL | {"augment": AUGMENT.get(n_samples, ())}
    usual |= INTER if protocol == "inter" else PTB if windows.task == "ptb" else {}
    usual |= NUMBERS if model == LINEAR else {}
    if model in PREVIOUS:
        usual = COURSE
    n_features = datasets.N_FEATURES[inputs]
    drawn = EPOCH_BEATS if len(windows) > 2 * EPOCH_BEATS else 0
    about = {"fs": windows.fs, "seed": seed, "n_features": n_features, "epoch_windows": drawn}
    train = about | usual | train
    train["epoch_windows"] = min(train["epoch_windows"], drawn)
    arguments = SHAPE.get(n_samples, {}).get(model, {}) | (arguments or {})
    return RunConfig(
        model=model,
        data=windows.hash,
        task=windows.task,
        labels=windows.parameters["labels"],
        protocol=protocol,
        inputs=inputs,
        start=start,
        split_seed=split_seed,
        arguments=models.arguments(model) | {"n_features": n_features} | arguments,
        train=TrainConfig(**train),
    )


def chosen(models: str, *, model: str = MODEL) -> tuple[str, ...]:
    """Names out of ``"all"`` or ``"course_2d, transformer"`` in the book's order, and `model`.

    Raises
    ------
    ValueError
        If a name is none of `FAMILIES`.
    """
    asked = {name.strip() for name in models.split(",")} - {""}
    asked = (set(FAMILIES) if asked == {"all"} else asked) | {model}
    if unknown := asked - set(FAMILIES):
        raise ValueError(
            f"need models of {', '.join(FAMILIES)} or all, got {', '.join(sorted(unknown))}"
        )
    return tuple(name for name in FAMILIES if name in asked)


def training_configs(
    sets: Mapping[str, Windows],
    *,
    experiments: str = "all",
    seeds: Sequence[int] = (0,),
    epochs: int = 6,
    batch_size: int = 256,
) -> dict[str, list[RunConfig]]:
    """The runs of the manual exploration, by name of the trial, one for each seed.

    `experiments` is ``"all"`` or names of `HAND`; what each is compared with comes along.
    """
    wanted = [name.strip() for name in experiments.split(",") if name.strip()]
    wanted = list(HAND) if wanted == ["all"] else wanted
    if unknown := [name for name in wanted if name not in HAND]:
        raise ValueError(f"need experiments of {', '.join(HAND)} or all, got {', '.join(unknown)}")
    for name in wanted:  # the list grows while it is read
        if HAND[name].against not in {"", *wanted}:
            wanted.append(HAND[name].against)
    train = {"epochs": epochs, "batch_size": batch_size}
    return {
        name: [config(sets["kachuee"], seed=s, **(train | HAND[name].change)) for s in seeds]
        for name in HAND
        if name in wanted
    }


def evaluation_configs(
    sets: Mapping[str, Windows],
    *,
    models: str = "",
    model: str = MODEL,
    seeds: Sequence[int] = (0,),
    inter_seeds: Sequence[int] = (0,),
    epochs: int = 6,
    long_epochs: int = 6,
    inter_epochs: int = 6,
    ptb_epochs: int = 20,
    batch_size: int = 256,
) -> dict[str, list[RunConfig]]:
    """The runs of the page on evaluation, by section.

    `model` is trained once for each seed, the other networks once; with R-R intervals, and with
    all that surrounds the beat, it is trained for `long_epochs`. Between patients each of
    `inter_seeds` has another part of the first half validate, and a linear model is trained
    beside. Sections: `intra`, those of `LADDER`, `inter`, and for each way in `HOW` the folds of
    the PTB table (if it is there), with the first seed.
    """
    names = chosen(models, model=model)
    once = list(seeds)[:1]
    train = {"epochs": epochs, "batch_size": batch_size}
    rows = sets["kachuee"]
    mine = [config(rows, model, seed=seed, **train) for seed in seeds]
    others = [config(rows, n, seed=s, **train) for n in names if n != model for s in once]
    train["epochs"] = long_epochs
    informed = [config(rows, model, seed=s, inputs="rr", **train) for s in seeds]
    around = sets["around"]
    informed += [config(around, model, seed=s, inputs="rr+template", **train) for s in seeds]
    out = {"intra": [*others, *mine, *informed]}
    train["epochs"] = inter_epochs
    for step, (form, protocol, inputs) in LADDER.items():
        about = {"protocol": protocol, "inputs": inputs, **train}
        out[step] = [config(sets[form], model, seed=s, split_seed=s, **about) for s in inter_seeds]
    about = {"protocol": "inter", **train}
    own = [n for n in names if n not in (model, *PREVIOUS)]
    tried = [(n, s, "rr+template") for n in own for s in list(inter_seeds)[:1]]
    tried += [(LINEAR, s, kind) for kind in ("rr+template", "rr+late") for s in inter_seeds]
    others = [
        config(sets["context"], n, seed=s, split_seed=s, inputs=kind, **about)
        for n, s, kind in tried
    ]
    out["inter"] = [*others, *out["and the typical beat"], *out["typical are late beats"]]
    if "ptb" not in sets:
        return out
    ways = {
        "from scratch": lambda seed: {},
        "frozen": lambda seed: {"start": mine[seed].id, "freeze": True, "lr": 5e-3},
        "fine-tuned": lambda seed: {"start": mine[seed].id},
    }
    train = {"epochs": ptb_epochs, "batch_size": min(batch_size, PTB["batch_size"])}
    for how in HOW:
        about = train | ways[how](0)
        out[how] = [
            config(sets["ptb"], model, seed=s, protocol=fold, **about)
            for fold in folds()
            for s in once
        ]
    return out


def feedback_configs(
    sets: Mapping[str, Windows],
    *,
    changes: str = "all",
    model: str = MODEL,
    seeds: Sequence[int] = (0,),
    epochs: int = 6,
    batch_size: int = 256,
) -> dict[str, dict[str, list[RunConfig]]]:
    """The runs of the page on feedback loops: protocol, change, a run for each seed.

    `changes` is ``"all"`` or names out of `CHANGES` and `INTER_CHANGES`; one that `model` has no
    argument for, or that changes nothing here, is left out.
    """
    about = {
        "intra": (sets["kachuee"], CHANGES, {"protocol": "intra"}),
        "inter": (sets["context"], INTER_CHANGES, {"protocol": "inter", "inputs": "rr+template"}),
    }
    known = {name for _, table, _ in about.values() for name in table}
    wanted = known if changes == "all" else {n.strip() for n in changes.split(",")} - {""}
    if unknown := sorted(wanted - known):
        raise ValueError(f"need changes of {', '.join(sorted(known))}, got {', '.join(unknown)}")
    out = {}
    for protocol, (windows, table, usual) in about.items():
        tried = {"as it is": {}} | {name: c for name, c in table.items() if name in wanted}
        usual = usual | {"epochs": epochs, "batch_size": batch_size}
        made: dict[str, list[RunConfig]] = {}
        for name, change in tried.items():
            if set(change.get("arguments", {})) <= _arguments(model):
                group = [config(windows, model, **{**usual, "seed": s, **change}) for s in seeds]
                if group not in made.values():  # the change changes something
                    made[name] = group
        out[protocol] = made
    return out


def folds() -> list[str]:
    """The protocols that together test every beat of the PTB table once."""
    return [f"beat_fold{number}" for number in range(N_FOLDS)]


def full_configs(
    sets: Mapping[str, Windows], pages: Mapping[str, Mapping[str, object]]
) -> list[RunConfig]:
    """Every run of the pages, each once, in an order in which they can be trained.

    Parameters
    ----------
    sets : what `versions` returns
    pages : {page: its parameters}
        Of ``04_training``, ``05_evaluation`` and ``06_feedback_loops``, whatever stands before the
        last slash; what a page's function does not know is left aside.
    """
    found: list[RunConfig] = []
    given = {name.split("/")[-1]: parameters for name, parameters in pages.items()}
    for name, function in PAGES.items():
        known = set(inspect.signature(function).parameters)
        asked = {key: value for key, value in given.get(name, {}).items() if key in known}
        found += _leaves(function(sets, **asked))
    return list({made.id: made for made in found}.values())


def train_all(
    configs: Iterable[RunConfig],
    sets: Mapping[str, Windows],
    *,
    folder: Path,
    jobs: int = 1,
    progress: bool = True,
) -> dict[str, Run]:
    """Load or train runs on any of the sets; those that others start from come first.

    Returns the runs by id, in the order asked for.
    """
    configs = list(configs)
    by_hash = {windows.hash: windows for windows in sets.values()}
    found: dict[str, Run] = {}
    for later in (False, True):
        for data, windows in by_hash.items():
            part = [c for c in configs if c.data == data and bool(c.start) is later]
            found |= runs.run_all(
                part,
                folder=folder,
                windows={windows.parameters["labels"]: windows},
                jobs=jobs,
                progress=progress and bool(part),
            )
    return {made.id: found[made.id] for made in configs}


PAGES: dict[str, Callable] = {
    "04_training": training_configs,
    "05_evaluation": evaluation_configs,
    "06_feedback_loops": feedback_configs,
}


def _leaves(tree: object) -> list[RunConfig]:
    if isinstance(tree, RunConfig):
        return [tree]
    return [
        leaf
        for part in (tree.values() if isinstance(tree, dict) else tree)
        for leaf in _leaves(part)
    ]


def _arguments(model: str) -> set[str]:
    from ecglib import models

    return set(models.arguments(model))
