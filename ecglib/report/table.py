"""The table of changed hyper-parameters: a base row, then rows that show only what they change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

import pandas as pd

from ecglib.chapter import listed

SCORES = {"macro_recall": "macro recall", "macro_f1": "macro F1"}
NEEDED = ("group", "base", "n_parameters", *SCORES)
READING = (
    "What was varied. An empty cell is as in the base row. Macro recall and macro F1 in per cent "
    "of the test beats with 95 % intervals, the best in bold; parameters in thousands."
)
MOST_COLUMNS = 6  # hyper-parameters beyond these are named in a last column
MOST_ROWS = 24  # more are thinned out
LONGEST = 24  # characters of a cell
MOST_OTHER = 34  # and of the last column
NAMES = {"lr": "learning rate", "networks": "networks voting"}


def table(rows: pd.DataFrame) -> dict:
    """What the template sets: heads, and for each row its cells and whether a group starts.

    Parameters
    ----------
    rows : DataFrame
        group (name of the question a row belongs to), base (True for one row), hyper-parameters
        in any further columns (missing: as in the base row), n_parameters, and macro_recall and
        macro_f1 as dicts of value, low, high (shares, 0 to 1). Columns whose names start with an
        underscore are left out.

    Returns
    -------
    dict: columns, scores, other (whether the last column is used), rows, reading (the caption)

    Raises
    ------
    ValueError
        If a column is missing, there is not exactly one base row, or there are no rows beside it.
    """
    everything = checked(rows)
    rows = thinned(everything)
    base, groups = base_row(rows), letters(rows)
    names = hyper_parameters(rows)
    changed = {i: changes(rows.loc[i], base, names) for i in rows.index}
    columns = chosen_columns(changed, names)
    best = {score: max(_value(cell) for cell in rows[score]) for score in SCORES}
    out, last = [], None
    for i, row in rows.iterrows():
        is_base = bool(row["base"])
        filled = {name: row[name] for name in columns} if is_base else changed[i]
        group = "base" if is_base else f"({groups[row['group']]})"
        out.append(
            {
                "group": group if group != last else "",
                "starts": group != last and bool(out),
                "base": is_base,
                "cells": [cell(filled[name]) if name in filled else "" for name in columns],
                "other": _other(changed[i], columns),
                "parameters": f"{row['n_parameters'] / 1000:,.0f}",
                "scores": [_score(row[score], best[score]) for score in SCORES],
            }
        )
        last = group
    more = len(everything) - len(rows)
    return {
        "columns": [plain(name) for name in columns],
        "scores": list(SCORES.values()),
        "other": any(row["other"] for row in out),
        "rows": out,
        "reading": READING + (f" {more} further rows are left out." if more else ""),
    }


def chosen_columns(changed: Mapping[int, Mapping[str, object]], names: Sequence[str]) -> list[str]:
    """The hyper-parameters that get a column of their own.

    Another network has other arguments throughout, which its name stands for: what it changes
    counts only where no other row does.
    """
    same = [found for found in changed.values() if "model" not in found]
    use = {n: sum(n in found for found in changed.values()) for n in names}
    weight = {n: (n == "model", sum(n in found for found in same), use[n]) for n in names}
    varied = [name for name in names if use[name]]
    columns = sorted(varied, key=lambda name: weight[name], reverse=True)[:MOST_COLUMNS]
    return [name for name in varied if name in columns]


def thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """At most `MOST_ROWS`: of the largest groups the rows that differ least from the base go."""
    is_base = rows["base"].astype(bool)
    base = float(rows.loc[is_base, "macro_recall"].iloc[0]["value"] or 0)
    value = pd.Series([score["value"] for score in rows["macro_recall"]], rows.index, dtype=float)
    differs = (value - base).abs().fillna(-1.0)  # what has no score goes first
    while len(rows) > MOST_ROWS:
        largest = rows.loc[~is_base[rows.index], "group"].value_counts().idxmax()
        group = rows.index[(rows["group"] == largest) & ~is_base[rows.index]]
        rows = rows.drop(index=differs[group].idxmin())
    return rows.reset_index(drop=True)


def checked(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the base row first and groups together, or ValueError."""
    if missing := [name for name in NEEDED if name not in rows]:
        raise ValueError(f"need the columns {listed(NEEDED)}, {listed(missing)} missing")
    is_base = rows["base"].astype(bool)
    if is_base.sum() != 1:
        raise ValueError(f"need one base row, got {int(is_base.sum())}")
    if len(rows) < 2:
        raise ValueError("need rows of changes beside the base row, got none")
    order = list(dict.fromkeys(rows.loc[~is_base, "group"]))
    rank = rows["group"].map({name: number for number, name in enumerate(order)})
    return rows.assign(group=rows["group"].astype(str), _rank=rank.where(~is_base, -1)).sort_values(
        "_rank", kind="stable", ignore_index=True
    )


def base_row(rows: pd.DataFrame) -> pd.Series:
    """The row that the others are changes of."""
    return rows[rows["base"].astype(bool)].iloc[0]


def letters(rows: pd.DataFrame) -> dict[str, str]:
    """A letter for every group of changes, in the order of the table."""
    names = dict.fromkeys(rows.loc[~rows["base"].astype(bool), "group"])
    return dict(zip(names, ascii_uppercase, strict=False))


def hyper_parameters(rows: pd.DataFrame) -> list[str]:
    """The columns that are neither scores nor about the row."""
    return [name for name in rows if name not in NEEDED and not str(name).startswith("_")]


def changes(row: pd.Series, base: pd.Series, names: Sequence[str]) -> dict[str, object]:
    """The hyper-parameters of `row` that are there and differ from the base row's."""
    return {
        name: row[name]
        for name in names
        if not _missing(row[name]) and cell(row[name]) != cell(base[name])
    }


def plain(name: str) -> str:
    """``arguments.kernel_size`` is ``kernel size``."""
    last = str(name).rsplit(".", 1)[-1]
    return NAMES.get(last, last.replace("_", " "))


def cell(value: object) -> str:
    """A value as a reader wants it: short, without quotes."""
    if _missing(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{plain(k)} {cell(v)}" for k, v in value.items()) or "none"
    if hasattr(value, "item"):
        return cell(value.item())
    if isinstance(value, float):
        return f"{value:.3g}"
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _other(changed: Mapping[str, object], columns: Sequence[str]) -> str:
    """The changes without a column, of another network none: its name stands for them."""
    if "model" in changed:
        return ""
    said = ""
    for name, value in changed.items():
        if name in columns:
            continue
        one = f"{plain(name)} {cell(value)}"
        if said and len(said) + len(one) > MOST_OTHER:
            return said + ", …"
        said += f"{', ' if said else ''}{one}"
    return said


def _missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _value(score: dict | None) -> float:
    value = (score or {}).get("value")
    return -1.0 if _missing(value) else float(value)


def _score(score: dict, best: float) -> dict:
    known = _value(score) >= 0
    ends = [(score or {}).get(end) for end in ("low", "high")]
    shown = "–".join(f"{100 * end:.1f}" for end in ends) if not any(map(_missing, ends)) else ""
    return {
        "value": f"{100 * _value(score):.1f}" if known else "–",
        "range": shown,
        "best": known and round(_value(score), 3) == round(best, 3),
    }
