"""What a search tries, how long, and by what it judges: one frozen dataclass, read from YAML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import yaml

from ecglib import datasets, paths
from ecglib.runs import RunConfig
from ecglib.train import TrainConfig

if TYPE_CHECKING:
    from optuna import Trial

METRICS = {"validation_macro_recall": "max", "validation_loss": "min"}
RANGE = {"low", "high", "log", "step"}
Value = bool | int | float | str


@dataclass(frozen=True)
class Settings:
    """What a search tries, how long, and by what it judges.

    An entry of `train` and of a model is one value, a list to choose from, or a range
    ``{low: 0.001, high: 0.01, log: true}``, in whole numbers if both ends are.
    """

    models: dict[str, dict]  # name in `MODELS`: its arguments
    train: dict = field(default_factory=dict)  # fields of `TrainConfig`, for every model
    trials: int = 64
    epochs: int = 12  # of a trial that is never stopped
    grace: int = 3  # epochs before a trial may be stopped
    reduction: int = 3  # of so many trials that come as far, one goes on
    random: int = 10  # trials drawn at random before the search learns from those it has seen
    first: tuple[dict, ...] = ()  # settings tried first: those found by hand, say
    cpus: float = 1  # for each trial; its torch threads
    gpus: float = 0
    concurrent: int = 2  # trials side by side
    seed: int = 0
    metric: str = "validation_macro_recall"
    protocol: str = "intra"  # a name that `splits.protocol` knows
    split_seed: int = 0
    inputs: str = "signal"  # see `datasets.with_inputs`

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", tuple(self.first))
        if self.metric not in METRICS:
            raise ValueError(f"need a metric of {', '.join(METRICS)}, got {self.metric!r}")
        least = {"trials": 1, "epochs": 1, "grace": 1, "concurrent": 1, "reduction": 2, "random": 0}
        for name, n in least.items():
            value = getattr(self, name)
            _need(type(value) is int and value >= n, f"{name} as a whole number from {n}", value)
        for name, fine in (("cpus", _number(self.cpus, above=0)), ("gpus", _number(self.gpus))):
            _need(fine, f"{name} as a number of processors", getattr(self, name))
        _need(self.grace <= self.epochs, f"grace within {self.epochs} epochs", self.grace)
        _need(bool(self.models), "at least one model", "none")
        self._check_names()
        for name, entry in self._entries():
            _check_range(name, entry)
        for point in self.first:
            self._names_of(point)

    @property
    def mode(self) -> str:
        """Whether the metric is to be high (max) or low (min)."""
        return METRICS[self.metric]

    def draw(self, trial: Trial) -> None:
        """Ask an Optuna trial for a model, then for what is open of that model and its training."""
        model = trial.suggest_categorical("model", list(self.models))
        for name, entry in self._entries():
            if name.split("/")[0] in ("train", model):
                _suggest(trial, name, entry)

    def points(self) -> list[dict[str, Value]]:
        """`first` as Optuna takes it: a value by name; what is missing is drawn."""
        return [self._names_of(point) for point in self.first]

    def config(self, windows: datasets.Windows, point: Mapping[str, object]) -> RunConfig:
        """The run of a drawn point: ``{"model", "train": {…}, <model>: {…}}``; the rest as usual.

        The model's arguments are written out, so that a changed default makes another run.
        """
        from ecglib import models

        model = point["model"]
        train = _fixed(self.train) | dict(point.get("train", {}))
        if "augment" in train:
            train["augment"] = tuple(n.strip() for n in train["augment"].split(",") if n.strip())
        if 2 * train.get("epoch_windows", 0) > len(windows):
            train["epoch_windows"] = 0  # of so few each is seen once
        arguments = models.arguments(model) | _fixed(self.models[model])
        arguments |= dict(point.get(model, {}))
        if self.inputs != "signal":
            arguments["n_features"] = train["n_features"] = datasets.N_FEATURES[self.inputs]
        return RunConfig(
            model=model,
            data=windows.hash,
            task=windows.task,
            labels=windows.parameters["labels"],
            protocol=self.protocol,
            split_seed=self.split_seed,
            inputs=self.inputs,
            arguments=arguments,
            train=TrainConfig(fs=windows.fs, epochs=self.epochs, seed=self.seed, **train),
        )

    def varied(self, config: RunConfig) -> dict[str, Value]:
        """What the search chose in a run, as `runs.table` names it: ``lr``, ``model.width``."""
        found: dict[str, Value] = {"model": config.model}
        for name, entry in self._entries():
            part, key = name.split("/")
            if not _is_open(entry) or part not in ("train", config.model):
                continue
            value = getattr(config.train, key) if part == "train" else config.arguments[key]
            value = ", ".join(value) if isinstance(value, tuple) else value
            found[key if part == "train" else f"model.{key}"] = value
        return found

    def only(self, models: str, **train: object) -> Settings:
        """These settings for some models, ``"all"`` or ``"se_resnet, transformer"``.

        Further keywords are fixed in `train`; points of `first` that no longer fit are left out.
        """
        names = [name.strip() for name in models.split(",") if name.strip()]
        names = list(self.models) if names == ["all"] else names
        if not names or set(names) - set(self.models):
            raise ValueError(f"need models of {', '.join(self.models)} or all, got {models!r}")
        points = []
        for point in self.first:
            given = {k: v for k, v in point.get("train", {}).items() if k not in train}
            points += [{**point, "train": given}] if point["model"] in names else []
        kept = {name: self.models[name] for name in self.models if name in names}
        return replace(self, models=kept, train=self.train | train, first=tuple(points))

    def described(self) -> pd.DataFrame:
        """What is tried, in words, a row a setting: part, setting, tried."""
        rows = []
        for name, entry in self._entries():
            if not _is_open(entry):
                words = f"{entry}, fixed"
            elif isinstance(entry, list):
                words = " / ".join(str(value) or "none" for value in entry)
            else:
                words = f"{entry['low']} to {entry['high']}" + ", log" * bool(entry.get("log"))
            rows.append((*name.split("/"), words))
        return pd.DataFrame(rows, columns=["part", "setting", "tried"])

    def _entries(self) -> Iterator[tuple[str, object]]:
        for part, entries in {"train": self.train, **self.models}.items():
            for key, entry in entries.items():
                yield f"{part}/{key}", entry

    def _check_names(self) -> None:
        from ecglib import models

        own = {"fs", "epochs", "seed", "n_features"}  # given by windows and settings
        known = {"train": {f.name for f in fields(TrainConfig)} - own}
        known |= {name: set(models.arguments(name)) - {"n_features"} for name in self.models}
        for part, entries in {"train": self.train, **self.models}.items():
            if not isinstance(entries, Mapping):
                raise ValueError(f"need names and values under {part}, got {entries!r}")
            if unknown := sorted(set(entries) - known[part]):
                raise ValueError(
                    f"need entries of {part} out of {', '.join(sorted(known[part]))}, "
                    f"got {', '.join(map(str, unknown))}"
                )

    def _names_of(self, point: Mapping[str, object]) -> dict[str, Value]:
        """A point of `first` by the names that `draw` asks for; ValueError if it is outside."""
        unknown = set(point) - {"model", "train", "arguments"}
        if unknown or point.get("model") not in self.models:
            raise ValueError(
                f"need first: with model (of {', '.join(self.models)}), train and arguments, "
                f"got {dict(point)}"
            )
        given = {f"train/{k}": v for k, v in point.get("train", {}).items()}
        given |= {f"{point['model']}/{k}": v for k, v in point.get("arguments", {}).items()}
        entries = dict(self._entries())
        for name, value in given.items():
            if not (name in entries and _within(value, entries[name])):
                raise ValueError(
                    f"need {name} of first: within what is tried, {entries.get(name)}, got {value}"
                )
        return {"model": point["model"]} | {k: v for k, v in given.items() if _is_open(entries[k])}


def read_settings(path: Path | None = None, **changes: object) -> Settings:
    """Settings from a YAML file, by default the book's, with some of them changed.

    Raises
    ------
    ValueError
        Naming the file, if it is no YAML, has an unknown entry, or one that cannot be searched.
    """
    path = Path(path or paths.root() / "book" / "exercise_04" / "search.yml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: need the settings of a search ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())
        raise ValueError(f"{path}: need the settings of a search as YAML ({what})") from None
    known = [f.name for f in fields(Settings)]
    if not isinstance(content, dict) or "models" not in content or set(content) - set(known):
        got = sorted(map(str, content)) if isinstance(content, dict) else content
        raise ValueError(f"{path}: need models and any of {', '.join(known[1:])}, got {got}")
    try:
        return Settings(**(content | changes))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _need(fine: bool, what: str, got: object) -> None:
    if not fine:
        raise ValueError(f"need {what}, got {got}")


def _number(value: object, *, above: float = -1) -> bool:
    return isinstance(value, int | float) and above < value < math.inf and value >= 0


def _is_open(entry: object) -> bool:
    return isinstance(entry, list | Mapping)


def _fixed(entries: Mapping[str, object]) -> dict[str, object]:
    return {name: entry for name, entry in entries.items() if not _is_open(entry)}


def _is_whole(entry: Mapping[str, object]) -> bool:
    return all(type(entry[end]) is int for end in ("low", "high"))


def _check_range(name: str, entry: object) -> None:
    if isinstance(entry, list):
        fine = bool(entry) and all(isinstance(value, Value) for value in entry)
        _need(fine, f"a list of values for {name}", entry)
    elif isinstance(entry, Mapping):
        numbers = [entry.get(end) for end in ("low", "high")]
        fine = set(entry) <= RANGE and all(
            isinstance(n, int | float) and math.isfinite(n) for n in numbers
        )
        fine = fine and numbers[0] < numbers[1] and (numbers[0] > 0 or not entry.get("log"))
        fine = fine and not (entry.get("log") and entry.get("step"))
        _need(fine, f"low < high, and log (above 0) or step, for {name}", dict(entry))
    else:
        _need(isinstance(entry, Value), f"a value, a list or a range for {name}", entry)


def _within(value: object, entry: object) -> bool:
    if isinstance(entry, Mapping):
        return isinstance(value, int | float) and entry["low"] <= value <= entry["high"]
    return value in entry if isinstance(entry, list) else value == entry


def _suggest(trial: Trial, name: str, entry: object) -> None:
    if isinstance(entry, list):
        trial.suggest_categorical(name, entry)
    elif isinstance(entry, Mapping):
        log = bool(entry.get("log"))
        if _is_whole(entry):
            trial.suggest_int(
                name, entry["low"], entry["high"], step=entry.get("step") or 1, log=log
            )
        else:
            trial.suggest_float(name, entry["low"], entry["high"], step=entry.get("step"), log=log)
