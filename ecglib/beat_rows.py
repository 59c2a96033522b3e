"""What the pages of exercise 04 hand on to the two-page summary: a row for each network.

Chapter: exercise 04, "Summary".
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ecglib.beat_scores import scores, stack
from ecglib.chapter import Chapter, write_bytes

if TYPE_CHECKING:
    from ecglib.runs import Run

ROWS = "rows.csv"
SCORES = ("macro_recall", "macro_f1")
ENDS = ("value", "low", "high")
# What no reader of a table asks for, or what belongs to another column.
SKIPPED = ("fs", "seed", "device", "n_features", "patience", "augment_probability", "focal_gamma")


def keep_rows(
    chapter: Chapter,
    group: str,
    by_name: Mapping[str, Sequence[Run]],
    classes: Sequence[str],
    *,
    base: str = "",
    aim: str = "balanced",
) -> pd.DataFrame:
    """Write what a group of runs was and reached into ``rows.csv``, in place of that group's rows.

    Parameters
    ----------
    group : what the rows have in common, such as ``other networks``
    by_name : runs by name; several are seeds and scored together
    base : the name of the run that all rows are changes of, if it is among these

    Returns
    -------
    DataFrame, a row for each name
        group, name, base, the hyper-parameters, networks (how many vote), n_parameters, seconds,
        and of the test beats ``macro_recall_value``, ``macro_recall_low``, ``macro_recall_high``
        and the same for macro F1
    """
    rows = []
    for name, found in by_name.items():
        first, reached = found[0], scores(stack(found, aim=aim), classes)
        voting = int(name.rpartition(" x")[2]) if " x" in name else 1
        row = {"group": group, "name": name, "base": name == base, **flat(first)}
        row |= {"networks": voting, "n_parameters": first.n_parameters}
        row["seconds"] = sum(run.history["seconds"].sum() for run in found) / len(found)
        row |= {f"{score}_{end}": reached[score][end] for score in SCORES for end in ENDS}
        rows.append(row)
    new = pd.DataFrame(rows)
    old = _read(chapter)
    both = new if old is None else pd.concat([old[old["group"] != group], new])
    write_bytes(chapter.out / ROWS, both.to_csv(index=False).encode())
    return new


def summary_rows(chapter: Chapter) -> pd.DataFrame:
    """The rows of the two-page summary, the base first; what never varies is left out.

    Returns
    -------
    DataFrame: group, base, hyper-parameters (missing: as in the base row), n_parameters,
    macro_recall and macro_f1 as {"value", "low", "high"}, and _name and _seconds

    Raises
    ------
    ValueError
        If the pages that write them have yet to be run.
    """
    found = _read(chapter)
    if found is None or found["base"].sum() != 1:
        raise ValueError(
            f"need {ROWS} with one base row in {chapter.out.name}: run 05_evaluation and "
            "06_feedback_loops first"
        )
    found = found.sort_values("base", ascending=False, kind="stable", ignore_index=True)
    for score in SCORES:
        ends = [f"{score}_{end}" for end in ENDS]
        found[score] = [dict(zip(ENDS, values, strict=True)) for values in found[ends].to_numpy()]
        found = found.drop(columns=ends)
    found = found.rename(columns={"name": "_name", "seconds": "_seconds"})
    kept = {"group", "base", "n_parameters", "model", *SCORES, "_name", "_seconds"}
    fixed = [c for c in found if c not in kept and found[c].nunique() < 2]
    return found.drop(columns=fixed)


def flat(run: Run) -> dict[str, object]:
    """The hyper-parameters of a run in one level; the model's own behind those of training."""
    train = {k: v for k, v in vars(run.config.train).items() if k not in SKIPPED}
    train["augment"] = ", ".join(train["augment"]) or "none"
    arguments = {k: v for k, v in run.config.arguments.items() if k not in SKIPPED}
    return {"model": run.config.model, "inputs": run.config.inputs} | train | arguments


def ranges(tried: Mapping[str, Sequence[Run]], merits: Mapping[str, float]) -> pd.DataFrame:
    """Where a search should start: for each hyper-parameter that was varied, values worth trying.

    Parameters
    ----------
    tried : runs of one network by name of the trial
    merits : what each trial reached, higher is better

    Returns
    -------
    DataFrame by hyper-parameter: tried, best (the value of the best trial that had it), search
        A number is searched from the neighbour tried below the best to the one tried above; where
        there is none, from a third of the best or up to three times it. Of other values all that
        were tried are kept.
    """
    table = pd.DataFrame({name: flat(found[0]) for name, found in tried.items()}).T
    table = table.assign(merit=pd.Series(merits))
    rows = {}
    for column in table.columns.drop("merit"):
        reached = table.groupby(column)["merit"].max()
        if len(reached) < 2:
            continue
        values, best = list(reached.index), reached.idxmax()
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            place = values.index(best)
            low = values[place - 1] if place else best / 3
            high = values[place + 1] if place + 1 < len(values) else best * 3
            search = f"{low:.3g} to {high:.3g}"
        else:
            search = " or ".join(map(str, values))
        shown = ", ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in values)
        rows[column] = {"tried": shown, "best": best, "search": search}
    out = pd.DataFrame.from_dict(rows, orient="index", columns=["tried", "best", "search"])
    return out.rename_axis("hyper-parameter")


def _read(chapter: Chapter) -> pd.DataFrame | None:
    file = chapter.out / ROWS
    return pd.read_csv(io.BytesIO(file.read_bytes())) if file.exists() else None
