"""Exercise 05's experiments: which runs there are, page by page, and what makes each of them.

Every page asks for its runs by the function that bears its name; `full_configs` lists those of all
pages, so that they can be trained ahead of them. Scoring: `ecglib.rhythms.scores`. Chapter:
exercise 05, "Training", "Evaluation" and "Feedback loops".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

from ecglib import datasets
from ecglib.beat_study import train_all as train_all  # where the pages look for it
from ecglib.datasets import Windows
from ecglib.runs import RunConfig
from ecglib.train import TrainConfig

from .trials import (
    ARGUMENTS,
    ATTENTION,
    CHANGES,
    FAMILY,
    FAMILY_CHANGES,
    FAMILY_MODEL,
    HAND,
    LONGER,
    MODEL,
    OWN,
    REPAIRED,
    SMALL,
    TRAIN,
)

N_FOLDS = 5
SETS = {  # what is scored are the labels v2; v3, corrected ones, are only learnt from
    "windows": {"form": "windows", "reference": "v2"},
    "records": {"form": "records", "reference": "v3 to learn"},
    "records v2": {"form": "records", "reference": "v2"},
}
WAYS = {"windows": TRAIN, "records": OWN}  # how to train, by the form of what is shown
WITH_ATTENTION = ("c1dct", "transformer")
BESIDE = ("c1dct repaired", "transformer")  # networks with attention beside the published ones


def versions(
    source: str, n_records: int = 240, *, names: Sequence[str] = ("windows", "records")
) -> dict[str, Windows]:
    """The sets of this exercise by their name; `n_records` is that of synthetic recordings.

    Parameters
    ----------
    names : some of `SETS`
        windows: five seconds as the published networks saw them, labels v2. records: whole
        recordings, labels v3 where the published split trains and v2 elsewhere. records v2: the
        same with labels v2 throughout, for folds and for comparison.
    """
    if unknown := [name for name in names if name not in SETS]:
        raise ValueError(f"need sets of {', '.join(SETS)}, got {', '.join(unknown)}")
    about = {"source": source, "n_records": n_records, "progress": False}
    return {name: datasets.rhythm_windows(**about, **SETS[name]) for name in names}


def config(
    windows: Windows,
    model: str = MODEL,
    *,
    seed: int = 0,
    protocol: str = "published",
    arguments: dict | None = None,
    **train: object,
) -> RunConfig:
    """One run of this exercise; further keywords go to `TrainConfig`.

    Five-second windows are learnt in small steps (`TRAIN`), whole recordings our way (`OWN`); a
    Transformer takes its time to warm up (`ATTENTION`). The model's arguments are written out, so
    that a changed default makes another run.
    """
    from ecglib import models

    form = windows.parameters["form"]
    usual = WAYS[form] | (ATTENTION if model in WITH_ATTENTION else {})
    own = ARGUMENTS.get((model, form), {})
    return RunConfig(
        model=model,
        data=windows.hash,
        task=windows.task,
        labels=windows.parameters["labels"],
        protocol=protocol,
        arguments=models.arguments(model) | own | (arguments or {}),
        train=TrainConfig(**({"fs": windows.fs, "seed": seed} | usual | train)),
    )


def chosen(models: str) -> tuple[str, ...]:
    """Names out of ``"all"`` or ``"basic_cnn, c1dct"`` in the order of `FAMILY`."""
    asked = {name.strip() for name in models.split(",")} - {""}
    asked = set(FAMILY) if asked == {"all"} else asked
    if unknown := asked - set(FAMILY):
        raise ValueError(
            f"need models of {', '.join(FAMILY)} or all, got {', '.join(sorted(unknown))}"
        )
    return tuple(name for name in FAMILY if name in asked)


def _lengths(models: str, longer: str, epochs: int) -> dict[str, dict]:
    """How long each network that `models` names is to learn: as `LONGER` if `longer` does, too."""
    more = {"epochs": epochs * LONGER["times"], "keep": LONGER["keep"]}
    wanted = chosen(longer)
    return {name: more if name in wanted else {"epochs": epochs} for name in chosen(models)}


def folds() -> list[str]:
    """The protocols that together test every record once."""
    return [f"fold{number}" for number in range(N_FOLDS)]


def training_configs(
    sets: Mapping[str, Windows],
    *,
    experiments: str = "all",
    seeds: Sequence[int] = (0,),
    epochs: int = TRAIN["epochs"],
    own_epochs: int = OWN["epochs"],
    epoch_windows: int = 0,
    batch_size: int = TRAIN["batch_size"],
    own_batch_size: int = OWN["batch_size"],
    half: bool = False,
) -> dict[str, list[RunConfig]]:
    """The runs of the manual exploration, by name of the trial, one for each seed.

    `experiments` is ``"all"`` or names of `HAND`; what each is compared with comes along.
    `epoch_windows` five-second windows are drawn for an epoch; 0 takes all. `own_epochs` and
    `own_batch_size` are those of whole recordings.
    """
    wanted = [name.strip() for name in experiments.split(",") if name.strip()]
    wanted = list(HAND) if wanted == ["all"] else wanted
    if unknown := [name for name in wanted if name not in HAND]:
        raise ValueError(f"need experiments of {', '.join(HAND)} or all, got {', '.join(unknown)}")
    for name in wanted:  # the list grows while it is read
        if HAND[name].against not in {"", *wanted}:
            wanted.append(HAND[name].against)
    usual = {"epochs": epochs, "epoch_windows": epoch_windows, "batch_size": batch_size}
    whole = {"epochs": own_epochs, "batch_size": own_batch_size, "half": half}
    usual["half"] = half
    out = {}
    for name in HAND:
        if name in wanted:
            change = {"set": "windows", "times": 1} | HAND[name].change
            where, times = change.pop("set"), change.pop("times")
            about = (usual if where == "windows" else whole) | change
            about["epochs"] *= times
            out[name] = [config(sets[where], seed=seed, **about) for seed in seeds]
    return out


def curve_configs(
    sets: Mapping[str, Windows],
    *,
    models: str = "all",
    longer: str = "",
    seeds: Sequence[int] = (0,),
    epochs: int = TRAIN["epochs"],
    epoch_windows: int = 0,
    batch_size: int = TRAIN["batch_size"],
    half: bool = False,
) -> dict[str, list[RunConfig]]:
    """One run of each published network that `models` names, by its name: the first seed's.

    Those that `longer` names, too, are trained longer.
    """
    usual = {"epoch_windows": epoch_windows, "batch_size": batch_size, "half": half}
    lengths = _lengths(models, longer, epochs)
    return {
        n: [config(sets["windows"], n, seed=seeds[0], **usual, **length)]
        for n, length in lengths.items()
    }


def evaluation_configs(
    sets: Mapping[str, Windows],
    *,
    models: str = "all",
    longer: str = "",
    beside: str = "all",
    seeds: Sequence[int] = (0, 1, 2),
    beside_seeds: Sequence[int] = (0, 1, 2),
    epochs: int = TRAIN["epochs"],
    attention_epochs: int = TRAIN["epochs"],
    epoch_windows: int = 0,
    batch_size: int = TRAIN["batch_size"],
    own_seeds: Sequence[int] = (0, 1, 2),
    own_epochs: int = OWN["epochs"],
    own_batch_size: int = OWN["batch_size"],
    half: bool = False,
    view_seeds: Sequence[int] = (0,),
    fold_seeds: Sequence[int] = (0,),
    view_fold_seeds: Sequence[int] = (),
) -> dict[str, list[RunConfig]]:
    """The runs of the page on evaluation, by section.

    Sections: `family` (the published networks, or those that `models` names; those that `longer`
    names, too, are trained longer), `repaired` (c1dct) and `transformer` (on five seconds), unless
    `beside` leaves them out, `own` (our network on whole recordings), `near` and `far` (what
    decides together: `FAMILY_MODEL` on five seconds and our network made smaller on whole
    recordings, for `view_seeds`) and `folds` (our network, so that every record is tested once, for
    `fold_seeds`; for `view_fold_seeds` `near` and `far` have folds, too). Networks beside learn
    with all bits whatever `half` says, which is no slower there.

    Raises
    ------
    ValueError
        If a name is unknown, a set for folds is missing, or there are `view_fold_seeds` only.
    """
    usual = {"epochs": epochs, "epoch_windows": epoch_windows, "batch_size": batch_size}
    whole = {"epochs": own_epochs, "batch_size": own_batch_size, "half": half}
    usual["half"] = half
    rows, records = sets["windows"], sets["records"]
    slowly = usual | {"epochs": attention_epochs, "half": False}
    wanted = set(BESIDE) if beside == "all" else {n.strip() for n in beside.split(",")} - {""}
    if unknown := sorted(wanted - set(BESIDE)):
        raise ValueError(f"need beside of {', '.join(BESIDE)} or all, got {', '.join(unknown)}")
    attention = {
        "repaired": [
            config(rows, "c1dct", seed=s, arguments=REPAIRED, **slowly) for s in beside_seeds
        ],
        "transformer": [config(rows, "transformer", seed=s, **slowly) for s in beside_seeds],
    }
    asked = zip(attention.items(), BESIDE, strict=True)
    lengths = _lengths(models, longer, epochs)
    out = {
        "family": [
            config(rows, n, seed=s, **usual | length)
            for n, length in lengths.items()
            for s in seeds
        ]
    }
    out |= {section: group if name in wanted else [] for (section, group), name in asked}
    out["own"] = [config(records, seed=s, **whole) for s in own_seeds]
    apart = sets.get("records v2")  # for folds, which the published split has no part in
    if apart is None and (fold_seeds or view_fold_seeds):
        raise ValueError(f"need the set records v2 for folds, got {', '.join(sets)}")
    if view_fold_seeds and not view_seeds:
        raise ValueError("need view_seeds for view_fold_seeds, got none")
    near = usual | _lengths(FAMILY_MODEL, longer, epochs)[FAMILY_MODEL]
    small = whole | {"arguments": SMALL}
    out["near"] = [config(rows, FAMILY_MODEL, seed=s, **near) for s in view_seeds]
    out["far"] = [config(records, seed=s, **small) for s in view_seeds]
    for s, fold in product(view_fold_seeds, folds()):
        out["near"].append(config(rows, FAMILY_MODEL, seed=s, protocol=fold, **near))
        out["far"].append(config(apart, seed=s, protocol=fold, **small))
    out["folds"] = [
        config(apart, seed=s, protocol=fold, **whole) for s, fold in product(fold_seeds, folds())
    ]
    return out


def feedback_configs(
    sets: Mapping[str, Windows],
    *,
    changes: str = "all",
    model: str = MODEL,
    family_model: str = FAMILY_MODEL,
    seeds: Sequence[int] = (0,),
    epochs: int = TRAIN["epochs"],
    epoch_windows: int = 0,
    batch_size: int = TRAIN["batch_size"],
    own_epochs: int = OWN["epochs"],
    own_batch_size: int = OWN["batch_size"],
    half: bool = False,
) -> dict[str, dict[str, list[RunConfig]]]:
    """The runs of the page on feedback loops: whose, change, a run for each seed.

    `own` are changes of `model` on whole recordings, `family` of `family_model` on five seconds.
    `changes` is ``"all"`` or names out of `CHANGES` and `FAMILY_CHANGES`; one that the network
    has no argument for, that wants a set that is not there, or that changes nothing, is left out.
    """
    from ecglib import models

    usual = {"epochs": epochs, "epoch_windows": epoch_windows, "batch_size": batch_size}
    whole = {"epochs": own_epochs, "batch_size": own_batch_size, "half": half}
    usual["half"] = half
    about = {
        "own": ("records", model, CHANGES, whole),
        "family": ("windows", family_model, FAMILY_CHANGES, usual),
    }
    known = {name for _, _, table, _ in about.values() for name in table}
    wanted = known if changes == "all" else {n.strip() for n in changes.split(",")} - {""}
    if unknown := sorted(wanted - known):
        raise ValueError(f"need changes of {', '.join(sorted(known))}, got {', '.join(unknown)}")
    out = {}
    for whose, (where, name, table, train) in about.items():
        tried = {"as it is": {}} | {title: c for title, c in table.items() if title in wanted}
        made: dict[str, list[RunConfig]] = {}
        for title, change in tried.items():
            change = {"set": where} | change
            shown = change.pop("set")
            if shown not in sets or set(change.get("arguments", {})) - set(models.arguments(name)):
                continue
            group = [config(sets[shown], name, **{**train, "seed": s, **change}) for s in seeds]
            if group not in made.values():  # the change changes something
                made[title] = group
        out[whose] = made
    return out


PAGES: dict[str, tuple[Callable, ...]] = {
    "04_training": (training_configs, curve_configs),
    "05_evaluation": (evaluation_configs,),
    "06_feedback_loops": (feedback_configs,),
}


def full_configs(
    sets: Mapping[str, Windows], pages: Mapping[str, Mapping[str, object]]
) -> list[RunConfig]:
    """Every run of the pages, each once, in an order in which they can be trained.

    Parameters
    ----------
    sets : what `versions` returns, with the set that the folds are made of
    pages : {page: its parameters}
        Of ``04_training``, ``05_evaluation`` and ``06_feedback_loops``, whatever stands before the
        last slash; what a page's function does not know is left aside.
    """
    found: dict[str, RunConfig] = {}
    given = {name.split("/")[-1]: parameters for name, parameters in pages.items()}
    for name, functions in PAGES.items():
        for function in functions:
            known = set(inspect.signature(function).parameters)
            asked = {key: value for key, value in given.get(name, {}).items() if key in known}
            found |= {made.id: made for made in _leaves(function(sets, **asked))}
    return list(found.values())


def _leaves(tree: object) -> Iterator[RunConfig]:
    if isinstance(tree, RunConfig):
        yield tree
        return
    for part in tree.values() if isinstance(tree, dict) else tree:
        yield from _leaves(part)
