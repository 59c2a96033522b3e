"""Settings as a person writes them, ``name=value``: read, and refused with the nearest name.

Chapter: exercise 06, "From raw files to a trained model".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

import yaml

NO = (None, "", "none")  # what empties a list


def parsed(pairs: Iterable[str], *, what: str = "a setting") -> dict[str, object]:
    """``epochs=3`` to ``{"epochs": 3}``; values are read as YAML, as papermill's are.

    Raises
    ------
    ValueError
        If a pair is none, a name comes twice, or a value is no YAML.
    """
    found: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise ValueError(f"need {what} as name=value, got {pair!r}")
        if name in found:
            raise ValueError(f"need {name} once, got {pair!r} after {name}={found[name]!r}")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ValueError(f"need a value as YAML has it, got {pair!r}") from None
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """``: did you mean 'epochs'?`` where a known name is near, else an empty text."""
    near = difflib.get_close_matches(str(word).lower(), list(known), n=1, cutoff=0.6)
    return f": did you mean {near[0]!r}?" if near else ""


def deal(
    given: Mapping[str, object], groups: Sequence[Mapping[str, object]]
) -> list[dict[str, object]]:
    """Each given setting to the first group that knows it, as the type of its default.

    Parameters
    ----------
    given : values by name, as `parsed` reads them
    groups : names and defaults of each group

    Returns
    -------
    list of dicts, one a group

    Raises
    ------
    ValueError
        If no group knows a name (the nearest one is told), or a value is of another type.
    """
    out: list[dict[str, object]] = [{} for _ in groups]
    for name, value in given.items():
        for own, known in zip(out, groups, strict=True):
            if name in known:
                own[name] = typed(name, value, known[name])
                break
        else:
            names = sorted({n for known in groups for n in known})
            near = nearest(name, names) or f": there are {', '.join(names)}"
            raise ValueError(f"unknown setting {name!r}{near}")
    return out


def typed(name: str, value: object, default: object) -> object:
    """`value` as the type of `default`, as far as nothing is lost; ValueError otherwise."""
    if isinstance(default, tuple):
        if value in NO:
            return ()
        parts = value.split(",") if isinstance(value, str) else value
        parts = parts if isinstance(parts, list | tuple) else [parts]
        return tuple(part.strip() if isinstance(part, str) else part for part in parts)
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise ValueError(f"need {name} as true or false, got {value!r}")
    if isinstance(default, int | float):
        number = _number(value)
        if number is None:
            raise ValueError(f"need {name} as a number, got {value!r}")
        if isinstance(default, float):
            return number
        if number != int(number):
            raise ValueError(f"need {name} as a whole number, got {value!r}")
        return int(number)
    if isinstance(default, str):
        return "" if value is None else str(value)
    return value


def _number(value: object) -> float | None:
    """A finite number, also of ``1e-3``, which YAML takes for a word; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
