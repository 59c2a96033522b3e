"""A model that others may use: its weights, all it takes to use them, and a card, in one folder.

The digests tell a file that was changed, by accident or by hand, from the one that was published;
they are no signature. Weights are read through safetensors, nothing is unpickled. Chapter:
exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

import ecglib
from ecglib import cards, datasets, paths
from ecglib.chapter import plain
from ecglib.runs import Run, RunConfig, read_config

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1  # of the folder; raised when an older library could no longer read it
WEIGHTS, CONFIG, CARD = FILES = ("model.safetensors", "config.json", "card.md")
COUNTS = ("dropped", "padded")  # what the windows' parameters only report
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Published:
    """A published model: what it is, what it is shown, how it decides."""

    name: str
    folder: Path
    config: RunConfig
    fs: float  # hertz, of the windows
    n_leads: int  # that the network is shown, numbers beside the signal included
    n_samples: int
    classes: tuple[str, ...]
    weights: tuple[float, ...]  # times the probabilities, before the largest decides
    preparation: dict  # how windows were cut: task, form, rules, unit, data, …
    about: str = ""  # a sentence for people
    results: dict = field(default_factory=dict)  # numbers of the card
    digest: str = ""  # SHA-256 of the weights' file

    def network(self) -> nn.Module:
        """The network on the CPU, ready to predict.

        Raises
        ------
        ValueError
            If the weights are missing, not those that were published, or of another network.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        from ecglib import models

        network = models.build(
            self.config.model,
            n_leads=self.n_leads,
            n_classes=len(self.classes),
            n_samples=self.n_samples,
            seed=self.config.train.seed,
            **self.config.arguments,
        )
        path = self.folder / WEIGHTS
        content = _checked_weights(path, self.digest)
        try:
            network.load_state_dict(load(content))
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(f"{path}: need the weights of {self.config.model} ({error})") from None
        return network.eval()

    def decide(self, probability: ArrayLike) -> NDArray[np.int64]:
        """Class numbers from probabilities: (n, n_classes) to (n,), at the operating point."""
        return (np.asarray(probability) * self.weights).argmax(axis=-1)


def keep(
    run: Run,
    windows: datasets.Windows,
    folder: Path,
    *,
    name: str,
    weights: Sequence[float],
    results: dict | None = None,
    about: str = "",
) -> Path:
    """Publish a run as ``folder/name``, whole or not at all; one of that name is replaced.

    Parameters
    ----------
    run, windows : what was trained, and the windows as prepared
    folder : of all published models
    name : for the folder, such as ``shock-cnn``
    weights : of each class
        What its probability is multiplied by before the largest decides; a threshold t on the
        last of two classes is (1 - it, it) turned round: ``(t, 1 - t)``.
    results : for the card
        A number or {value, low, high} by name, or such a dict for each set of windows.
    about : one sentence on what the model is for

    Returns
    -------
    Path, the folder of this model

    Raises
    ------
    ValueError
        If the windows are not those of the run, the name is no plain one, or the weights do not
        fit the classes.
    """
    from ecglib.models import n_parameters
    from ecglib.runs.parts import shown

    if not NAME.fullmatch(name):
        raise ValueError(f"need a name of letters, digits, dots, - and _, got {name!r}")
    if run.config.data != windows.hash:
        raise ValueError(f"need windows {run.config.data} of run {run.id}, got {windows.hash}")
    network = run.model(windows)  # which checks that weights and network belong together
    seen = shown(windows, run.config.inputs)
    content = (run.folder / WEIGHTS).read_bytes()
    config = {
        "format": FORMAT,
        "ecglib": ecglib.__version__,
        "name": name,
        "about": " ".join(about.split()),
        "run": {"id": run.id, "config": json.loads(run.config.json())},
        "fs": float(windows.fs),
        "n_leads": seen.signal.shape[1],
        "n_samples": seen.signal.shape[2],
        "any_length": bool(getattr(network, "any_length", False)),
        "classes": list(windows.classes),
        "weights": _checked_factors(weights, windows.classes),
        "preparation": preparation(windows),
        "results": plain(results or {}),
        "n_parameters": n_parameters(network),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    text = json.dumps(config | {"digest": _digest(config)}, indent=1, ensure_ascii=False)
    files = {
        WEIGHTS: content,
        CONFIG: text.encode(),
        CARD: cards.card(config, run.predictions, windows.table).encode(),
    }
    return _write(folder / name, files)


def load(folder: str | Path) -> Published:
    """Read a published model; its weights are checked now and read by `Published.network`.

    Raises
    ------
    ValueError
        Of one line: a file is missing or damaged, was changed after it was published, or was
        made by a newer version.
    """
    folder = Path(folder)
    for name in FILES:
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: need {', '.join(FILES)}, {name} is missing")
    path = folder / CONFIG
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version, digest = found["format"], found.pop("digest")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path}: need the configuration of a published model") from None
    if version != FORMAT:
        raise ValueError(
            f"{path}: need format {FORMAT}, got {version!r}: made by another version of ecglib "
            f"({found.get('ecglib', 'unknown')}, this is {ecglib.__version__})"
        )
    if digest != _digest(found):
        raise ValueError(f"{path}: was changed after it was published (its digest differs)")
    _checked_weights(folder / WEIGHTS, found["sha256"])
    try:
        config = read_config(json.dumps(found["run"]["config"]))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path}: {error}: made by another version of ecglib ({found['ecglib']}, this is "
            f"{ecglib.__version__})"
        ) from None
    return Published(
        name=found["name"],
        folder=folder,
        config=config,
        fs=found["fs"],
        n_leads=found["n_leads"],
        n_samples=found["n_samples"],
        classes=tuple(found["classes"]),
        weights=tuple(found["weights"]),
        preparation=found["preparation"],
        about=found["about"],
        results=found["results"],
        digest=found["sha256"],
    )


def available(root: Path | None = None) -> dict[str, Path]:
    """Folders of the models by name: of the published edition, and of one's own beside it.

    By default those in ``outs/exercise_06/models`` and, under other names, in
    ``outs/demo/models``.
    """
    edition, own = paths.published("exercise_06") / "models", paths.demo("models")
    roots = [own, edition] if root is None else [Path(root)]
    found = {p.name: p for r in roots for p in r.glob("[!.]*") if (p / CONFIG).is_file()}
    return dict(sorted(found.items()))


def preparation(windows: datasets.Windows) -> dict:
    """What shaped the windows, so that others can be cut alike."""
    kept = {k: v for k, v in windows.parameters.items() if k not in COUNTS}
    scaled = kept.get("rules", {}).get("scaled_by")
    return plain({"task": windows.task, **kept, "unit": f"{scaled}" if scaled else "mV"})


def _write(final: Path, files: dict[str, bytes]) -> Path:
    """A folder with these files, written aside and renamed."""
    aside, old = (final.with_name(f".{final.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        aside.mkdir(parents=True)
        for name, content in files.items():
            (aside / name).write_bytes(content)
        if final.exists():
            os.rename(final, old)
        os.rename(aside, final)
    except OSError:
        if old.exists() and not final.exists():
            os.rename(old, final)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return final


def _digest(config: dict) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _checked_weights(path: Path, digest: str) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path}: need the weights, the file is missing")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path}: was changed after it was published (its digest differs)")
    return content


def _checked_factors(weights: Sequence[float], classes: Sequence[str]) -> list[float]:
    found = [float(w) for w in weights]
    fits = len(found) == len(classes) and all(math.isfinite(w) and w >= 0 for w in found)
    if not fits or not any(found):
        raise ValueError(
            f"need a weight of 0 or more for each of {', '.join(classes)}, got {list(weights)}"
        )
    return found
