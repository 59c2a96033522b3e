"""How a network is trained on a task if nothing else is said.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace

from ecglib.datasets import INPUTS, Windows
from ecglib.given import deal, nearest
from ecglib.runs import RunConfig
from ecglib.train import TrainConfig

from .sets import choices

MODELS = {"shock": "cnn", "heartbeats": "se_resnet", "rhythms": "rhythm_net", "own": "cnn"}
RUN = {"protocol": "", "inputs": "signal", "split_seed": 0}  # of the run, not of the training
FIXED = ("fs", "seed", "n_features")  # of the training, but set by the windows or for themselves
OWN = {  # for a folder nobody has seen: careful, and in no need of many windows
    "epochs": 40,
    "batch_size": 32,
    "class_weights": "balanced",
    "label_smoothing": 0.05,
    "average": 0.9,
    "augment": ("scale", "shift", "baseline_wander", "noise"),
}


def settings_of(
    task: str, model: str, given: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """What is given, for the windows and for the run: two dicts.

    Raises
    ------
    ValueError
        If the model or a name is unknown (the nearest one is told), or a value of another type.
    """
    known = (choices(task), RUN, _train(), _arguments(model))
    shape, run, train, arguments = deal(given, known)
    return shape, {"run": run, "train": train, "arguments": arguments}


def config(
    windows: Windows, model: str, *, seed: int = 0, given: Mapping[str, dict] | None = None
) -> RunConfig:
    """The run of a model on windows of any task, trained as usual there.

    Parameters
    ----------
    windows : of one of `TASKS`
    model : a name in `models.MODELS`
    seed : of the weights, the order of windows and the augmentation
    given : what differs, as `settings_of` returns it for the run

    Raises
    ------
    ValueError
        If a value is out of range, or the windows have not the inputs.
    """
    changes = {"run": {}, "train": {}, "arguments": {}} | dict(given or {})
    run = dict(changes["run"])
    split_seed, inputs = run.pop("split_seed", 0), run.pop("inputs", "signal")
    protocol = run.pop("protocol", "") or _protocol(windows)
    possible = INPUTS if windows.task == "heartbeats" else INPUTS[:1]
    if inputs not in possible:
        raise ValueError(f"need inputs {', '.join(possible)} on {windows.task}, got {inputs!r}")
    about = {"seed": seed, "protocol": protocol, "arguments": changes["arguments"]}
    about |= changes["train"]
    if windows.task == "heartbeats":
        from ecglib import beat_study

        return beat_study.config(windows, model, inputs=inputs, split_seed=split_seed, **about)
    if windows.task == "shock":
        from ecglib import study

        made = study.config(windows, model, **about)
    elif windows.task == "rhythms":
        from ecglib.rhythms import study as rhythm_study

        made = rhythm_study.config(windows, model, **about)
    else:
        made = _own(windows, model, **about)
    return replace(made, split_seed=split_seed, inputs=inputs)


def _own(
    windows: Windows, model: str, *, seed: int, protocol: str, arguments: dict, **train: object
) -> RunConfig:
    from ecglib import models

    return RunConfig(
        model=model,
        data=windows.hash,
        task=windows.task,
        labels=windows.parameters["labels"],
        protocol=protocol,
        arguments=models.arguments(model) | arguments,
        train=TrainConfig(**({"fs": windows.fs, "seed": seed} | OWN | train)),
    )


def _protocol(windows: Windows) -> str:
    """The split that keeps people apart, where it is known who they are."""
    table = windows.table
    if windows.task == "rhythms":
        return "published"
    if windows.task == "heartbeats":
        return "inter" if "ds" in table and {"DS1", "DS2"} <= set(table["ds"]) else "intra"
    return "patient"


def _train() -> dict[str, object]:
    defaults = asdict(TrainConfig())
    return {f.name: defaults[f.name] for f in fields(TrainConfig) if f.name not in FIXED}


def _arguments(model: str) -> dict[str, object]:
    from ecglib import models

    if model not in models.MODELS:
        near = nearest(model, models.MODELS) or f": there are {', '.join(models.MODELS)}"
        raise ValueError(f"unknown model {model!r}{near}")
    return {n: value for n, value in models.arguments(model).items() if n != "n_features"}


def told(config: RunConfig, windows: Windows) -> tuple[dict[str, object], str]:
    """Every setting of a run and its windows with its value: as a dict, and as lines to read.

    The names are those that `settings_of` takes.
    """
    shape = {n: windows.parameters.get(n, usual) for n, usual in choices(windows.task).items()}
    if windows.task == "own":
        shape = dict(windows.parameters["settings"])
    train = {n: getattr(config.train, n) for n in _train()}
    arguments = {n: v for n, v in config.arguments.items() if n != "n_features"}
    parts = {
        "windows": shape,
        "run": {n: getattr(config, n) for n in RUN},
        "training": train,
        "model": arguments,
    }
    lines = [f"{config.model} on {windows.task}, run {config.id} (seed {config.train.seed})"]
    for title, part in parts.items():
        lines += [f"{title}:", *(f"  {n}={_written(v)}" for n, v in part.items())]
    about = {"id": config.id, "model_name": config.model, "seed": config.train.seed}
    return about | {n: dict(part) for n, part in parts.items()}, "\n".join(lines)


def _written(value: object) -> str:
    """A value as ``--set`` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return "null" if value is None else str(value)
