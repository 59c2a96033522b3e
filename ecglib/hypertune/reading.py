"""What the table of a search tells: which settings matter, and how far its winner flatters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ecglib import metrics, runs

from .settings import Settings


def ranked(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The trials that were trained to the end, the best first."""
    seen = table[table["status"] == "completed"]
    return seen.sort_values(settings.metric, ascending=settings.mode == "min")


def importance(
    table: pd.DataFrame,
    columns: Sequence[str],
    *,
    value: str = "validation_macro_recall",
    repeats: int = 10,
    seed: int = 0,
) -> tuple[pd.DataFrame, float]:
    """How much a random forest that predicts `value` loses when a column is shuffled.

    Parameters
    ----------
    table : a row a trial; names are coded as numbers, what a trial does not have as -1
    columns : of the settings that were searched
    repeats : shuffles of each column

    Returns
    -------
    DataFrame: setting, importance (mean loss of R²), low, high (95 % of the shuffles), highest
        first; and the R² of the forest on trials that its trees did not see. Near or below 0 the
        forest knows nothing and its importances mean nothing.

    Source: Breiman 2001, Machine Learning 45:5.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    seen = table[table[value].notna()]
    columns = [name for name in columns if seen[name].nunique(dropna=False) > 1]
    if len(seen) < 4 or not columns:
        return pd.DataFrame(columns=["setting", "importance", "low", "high"]), float("nan")
    x = np.column_stack([_coded(seen[name]) for name in columns])
    forest = RandomForestRegressor(
        100, oob_score=True, min_samples_leaf=2, random_state=seed, n_jobs=1
    )
    forest.fit(x, seen[value])
    found = permutation_importance(
        forest, x, seen[value], n_repeats=repeats, random_state=seed, n_jobs=1
    )
    low, high = np.percentile(found.importances, [2.5, 97.5], axis=1)
    out = {"setting": columns, "importance": found.importances_mean, "low": low, "high": high}
    out = pd.DataFrame(out).sort_values("importance", ascending=False, ignore_index=True)
    return out, float(forest.oob_score_)


def histories(table: pd.DataFrame, folder: Path) -> dict[int, pd.DataFrame]:
    """The history of each trial that learnt, up to its stop, from the ledger of the search."""
    out = {}
    for row in table[table["epochs"] > 0].itertuples():
        out[row.trial] = runs.load(folder / row.run).history.head(int(row.epochs))
    return out


def tested(table: pd.DataFrame, folder: Path, *, classes: Sequence[str]) -> pd.Series:
    """Macro recall on test rows of the completed trials, from the ledger, by trial."""
    out = {}
    for row in table[table["status"] == "completed"].itertuples():
        seen = runs.load(folder / row.run).of("test")
        logits = seen[[f"logit_{number}" for number in range(len(classes))]].to_numpy()
        scores = metrics.class_scores(seen["label"], logits.argmax(1), classes)
        out[row.trial] = scores["macro_recall"]
    return pd.Series(out, name="test_macro_recall", dtype=float)


def best_of(
    validation: ArrayLike,
    test: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """What the winner by validation of n trials has on validation and on test, on average.

    Of the trials n are drawn without repetition, many times, for each n up to all of them. The
    winner's validation value rises with n by luck alone; its test value has no such luck.

    Returns
    -------
    DataFrame: n, validation, test
    """
    v, t = np.asarray(validation, dtype=float), np.asarray(test, dtype=float)
    if len(v) != len(t) or not len(v):
        raise ValueError(f"need as many test as validation values, got {len(t)} and {len(v)}")
    order = np.argsort(np.random.default_rng(seed).random((draws, len(v))), axis=1)
    # Along each drawn order: which of the trials so far has the highest validation value.
    highest = np.maximum.accumulate(v[order], axis=1)
    new = np.where(v[order] >= highest, np.arange(len(v)), 0)
    winner = np.take_along_axis(order, np.maximum.accumulate(new, axis=1), axis=1)
    rows = {"n": np.arange(1, len(v) + 1), "validation": v[winner].mean(axis=0)}
    return pd.DataFrame(rows | {"test": t[winner].mean(axis=0)})


def _coded(column: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().sum() < column.notna().sum():  # some are names
        return pd.factorize(column, sort=True)[0].astype(float)
    return numbers.to_numpy(float, na_value=-1.0)
