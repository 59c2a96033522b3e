"""Exercise 05's results as tables: a protocol for ``metrics.json``, and the published form.

Chapter: exercise 05, "Evaluation".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ecglib.datasets import Windows

from .scores import COMMITTEE, METRIC, committee, decided, plain_scores, scores
from .trials import PUBLISHED

if TYPE_CHECKING:
    from ecglib.runs import Run

N_INITS = 3
NINE = "logreg on 9 values"


def protocol_entry(
    by_name: Mapping[str, Sequence[Run]],
    sets: Mapping[str, Windows],
    *,
    hows: Sequence[str] = ("mean log p",),
) -> dict:
    """A protocol for ``metrics.json``: sizes of the split, and the scores of each network.

    Of several fusions the first keeps the network's name, the others are named behind it
    (``rhythm_net, vote``). Behind every network of several seeds stands what three of them decide
    together (``rhythm_net x3``). Sizes are those of the first network's windows.
    """
    first = next(iter(by_name.values()))
    same = [run for run in first if run.config.train.seed == first[0].config.train.seed]
    predicted = pd.concat([run.predictions for run in same]).drop_duplicates(["row", "split"])
    sizes = {
        name: {"patients": int(part["patient"].nunique()), "windows": len(part)}
        for name, part in predicted.groupby("split")
    }
    models = {}
    for name, found in by_name.items():
        n_seeds = len({run.config.train.seed for run in found})
        for number, how in enumerate(hows):
            behind = f", {how}" if number else ""
            one = decided(found, sets, how=how)
            n_parameters = found[0].n_parameters
            models[name + behind] = model_entry(one, n_parameters=n_parameters)
            if n_seeds > 1:
                voted = decided(found, sets, how=how, together=True)
                models[committee(name, found) + behind] = model_entry(
                    voted, n_parameters=n_parameters * min(n_seeds, COMMITTEE)
                )
    return {"split": sizes, "models": models}


def joint(
    name: str,
    found: Sequence[Run],
    sets: Mapping[str, Windows],
    *,
    how: str,
    opinions: Sequence[pd.DataFrame],
    n_others: int = 0,
    n_trees: int = 0,
) -> dict[str, tuple[pd.DataFrame, dict]]:
    """What networks decide with further opinions, and its entry for ``metrics.json``, by name.

    Seed by seed under `name`; behind it, of several seeds, three of them together.

    Parameters
    ----------
    found, sets, how, opinions : as for `scores.decided`
    n_others : int, parameters of the other networks, of one seed
    n_trees : int, numbers in trees, which are the same for all seeds
    """
    out = {}
    n_seeds = len({run.config.train.seed for run in found})
    for title, n in {name: 1, committee(name, found): min(n_seeds, COMMITTEE)}.items():
        one = decided(found, sets, how=how, opinions=opinions, together=n > 1)
        size = n * (found[0].n_parameters + n_others) + n_trees
        out[title] = one, model_entry(one, n_parameters=size)
    return out


def model_entry(decisions: pd.DataFrame, *, n_parameters: int = 0) -> dict:
    """What ``metrics.json`` says of one network or yardstick; sets that it lacks are left out."""
    there = set(decisions["split"])
    return {
        "parameters": n_parameters,
        "seeds": int(decisions["seed"].nunique()),
        **{
            split: plain_scores(decisions, split=split)
            for split in ("train", "validation")
            if split in there
        },
        "test": scores(decisions),
    }


def results_table(
    by_name: Mapping[str, Sequence[Run]],
    sets: Mapping[str, Windows],
    *,
    how: str = "learned",
    n: int = 1000,
) -> pd.DataFrame:
    """Test F1 in the form in which it was published, with the published figures and the budget.

    Parameters
    ----------
    by_name : runs of one protocol by network; several are seeds, in the order of their numbers
    how : learned, as published, or another fusion for all columns
    n : int, resamples for the intervals

    Returns
    -------
    DataFrame, a row a network
        ``Rand Init 1`` to ``3`` and ``logreg on 9 values`` (missing unless there are just three
        seeds; networks whose fusion is not learned are averaged); `mean` over the seeds with `low`
        and `high`; ``low on 9 values``, ``high on 9 values``; ``published 1`` to ``3``,
        ``published mean``, ``published on 9 values``; and `parameters`, `epochs`,
        ``windows seen`` and `seconds` of one network.
    """
    rows = {}
    for name, found in by_name.items():
        found = sorted(found, key=lambda run: run.config.train.seed)
        one = decided(found, sets, how=how)
        reached = [plain_scores(part)[METRIC] for _, part in one.groupby("seed")]
        row = {f"Rand Init {i + 1}": _at(reached, i) for i in range(N_INITS)}
        nine = dict.fromkeys(("value", "low", "high"), np.nan)
        if len(reached) == N_INITS:
            nine = scores(decided(found, sets, how=how, together=True), n=n)[METRIC]
        mine = scores(one, n=n)[METRIC]
        row |= {NINE: nine["value"], "mean": mine["value"], "low": mine["low"]}
        row |= {"high": mine["high"], "low on 9 values": nine["low"]}
        row |= {"high on 9 values": nine["high"]}
        known = PUBLISHED.get(name)
        inits = known.inits if known else ()
        row |= {f"published {i + 1}": _at(inits, i) for i in range(N_INITS)}
        row["published mean"] = float(np.mean(inits)) if inits else np.nan
        row["published on 9 values"] = known.nine if known else np.nan
        rows[name] = row | budget(found)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def budget(found: Sequence[Run]) -> dict[str, float]:
    """What one network cost: parameters; epochs and windows seen, the mean over several; seconds.

    Of the seconds the median, since what else a machine does now and then slows a training.
    """
    epochs = [len(run.history) for run in found]
    size = [run.config.train.epoch_windows or len(run.of("train")) for run in found]
    seen = [a * b for a, b in zip(epochs, size, strict=True)]
    return {
        "parameters": found[0].n_parameters,
        "epochs": float(np.mean(epochs)),
        "windows seen": round(float(np.mean(seen))),
        "seconds": float(np.median([run.history["seconds"].sum() for run in found])),
    }


def _at(values: Sequence[float], number: int) -> float:
    return float(values[number]) if number < len(values) else np.nan
