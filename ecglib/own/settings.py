"""What has to be said about a folder of recordings, from a YAML file or in words.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from ecglib.records import MILLIVOLT

FOLDERS = "folders"  # labels are the names of the sub-folders
ALL_LEADS = "all"


@dataclass(frozen=True)
class Settings:
    """What the files do not say themselves, and how windows are cut from them.

    Raises
    ------
    ValueError
        Naming the setting, what it needs and what it got.
    """

    rate: float | None = None  # hertz; None: as each file says
    unit: str | float | None = None  # mV, uV, V, or how many of a file's numbers are a millivolt
    lead: str | int | None = None  # name, number from 1, or "all"; None: the only one there is
    labels: str | None = None  # a CSV in the folder with file (or record) and label, or "folders"
    patient: str | None = None  # column of the labels, or expression on file names with one group
    classes: tuple[str, ...] = ()  # labels in this order, others left out; empty: all of them
    window_s: float = 4.0
    stride_s: float | None = None  # between the starts of windows; None: window_s
    window_rate: float | None = None  # hertz of the windows; None: that of the recordings

    def __post_init__(self) -> None:
        for name in ("rate", "window_s", "stride_s", "window_rate"):
            value = getattr(self, name)
            if value is None and name != "window_s":
                continue
            object.__setattr__(self, name, _positive(name, value))
        if self.unit is not None:
            object.__setattr__(self, "unit", _unit(self.unit))
        if isinstance(self.lead, bool) or not isinstance(self.lead, str | int | None):
            raise ValueError(f"need lead as a name or a number from 1, got {self.lead!r}")
        if isinstance(self.lead, int) and self.lead < 1:
            raise ValueError(f"need lead as a name or a number from 1, got {self.lead}")
        for name in ("labels", "patient"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value):
                raise ValueError(f"need {name} as text, got {value!r}")
        names = self.classes
        if isinstance(names, str) or not all(isinstance(n, str) and n for n in names):
            raise ValueError(f"need classes as a list of labels, got {names!r}")
        if len(set(names)) != len(names) or len(names) == 1:
            raise ValueError(f"need at least two classes, each once, got {list(names)}")
        object.__setattr__(self, "classes", tuple(names))

    @property
    def stride(self) -> float:
        """Seconds between the starts of windows."""
        return self.stride_s or self.window_s

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self) | {"classes": list(self.classes)}


def read_settings(path: str | Path | None = None, **changes: object) -> Settings:
    """Settings from a YAML file, with what is given in words in place of the file's.

    Parameters
    ----------
    path : file with a line for each setting, as ``rate: 250``; None for the defaults
    changes : settings by name; None leaves the file's value

    Raises
    ------
    ValueError
        Naming the file, if it cannot be read or has a setting that there is not.
    """
    found: dict[str, Any] = {}
    if path is not None:
        try:
            found = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            where = "" if line is None else f", line {line + 1}"
            raise ValueError(f"{path}: need a file of settings in YAML{where}") from None
        if not isinstance(found, dict):
            raise ValueError(f"{path}: need settings as `name: value`, got {found!r:.40}")
    known = [field.name for field in fields(Settings)]
    for source, names in ((f"{path}: ", found), ("", changes)):
        if unknown := sorted(str(name) for name in names if name not in known):
            raise ValueError(f"{source}need settings out of {', '.join(known)}, got {unknown[0]!r}")
    found = {name: value for name, value in found.items() if value is not None}
    if not isinstance(found.get("classes", []), list):
        raise ValueError(f"{path}: need classes as a list of labels, got {found['classes']!r}")
    try:
        settings = Settings(**found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return replace(settings, **{k: v for k, v in changes.items() if v is not None})


def per_millivolt(unit: str | float) -> float:
    """How many of a file's numbers make a millivolt."""
    return 1 / MILLIVOLT[unit.lower()] if isinstance(unit, str) else float(unit)


def _positive(name: str, value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (math.isfinite(value) and value > 0):
        raise ValueError(f"need {name} as a number above 0, got {value!r}")
    return float(value)


def _unit(unit: object) -> str | float:
    if isinstance(unit, str) and unit.lower() in MILLIVOLT:
        return unit
    try:
        gain = float(unit)  # from a command line it comes as text
    except (TypeError, ValueError):
        gain = -1.0
    if isinstance(unit, bool) or not (math.isfinite(gain) and gain > 0):
        raise ValueError(f"need unit mV, uV, V or the numbers that make a millivolt, got {unit!r}")
    return gain
