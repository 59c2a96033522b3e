"""Performance goals for automated defibrillators, and the exact limits they are held against."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import beta


@dataclass(frozen=True)
class Goal:
    """A performance goal for one rhythm: Kerber et al., Circulation 1997, 95:1677."""

    shock: bool  # what is counted as a hit: a shock advised (True) or not (False)
    goal: float = np.nan  # the observed rate has to exceed it
    limit: float = np.nan  # its one-sided 90 % lower limit has to reach it
    windows: int = 25  # fewer than these say too little


_OTHER = Goal(shock=False, goal=0.95, limit=0.88, windows=30)
AHA_GOALS = {
    "coarse VF": Goal(shock=True, goal=0.90, limit=0.87, windows=200),
    "rapid VT": Goal(shock=True, goal=0.75, limit=0.67, windows=50),
    "NSR": Goal(shock=False, goal=0.99, limit=0.97, windows=100),
    "AF": _OTHER,
    "SVT": _OTHER,
    "bradycardia": _OTHER,
    "block": _OTHER,
    "idioventricular": _OTHER,
    "PVC": _OTHER,
    "other non-shockable": _OTHER,
    "asystole": Goal(shock=False, goal=0.95, limit=0.92, windows=100),
    "fine VF": Goal(shock=True),
    "other VT": Goal(shock=True),
}


def clopper_pearson_lower(hits: float, n: float, *, confidence: float = 0.90) -> float:
    """Exact one-sided lower limit of a rate: Clopper and Pearson, Biometrika 1934, 26:404.

    `hits` and `n` may be fractions, as they are once divided by a design effect.

    >>> round(clopper_pearson_lower(100, 100), 4)
    0.9772
    """
    if not 0 <= hits <= n or n <= 0:
        raise ValueError(f"need 0 <= hits <= n and n > 0, got {hits=} {n=}")
    return float(beta.ppf(1 - confidence, hits, n - hits + 1)) if hits > 0 else 0.0


def design_effect(hits_by_patient: ArrayLike, n_by_patient: ArrayLike) -> float:
    """How many times fewer independent windows these are worth: Rao and Scott, Biometrics 1992.

    Variance of the rate between patients over that of independent windows, at least 1. A rate of
    exactly 0 or 1 shows no variance: 1 (Korn and Graubard 1998). A single patient cannot show how
    patients differ: its windows count as one.

    Parameters
    ----------
    hits_by_patient, n_by_patient : arrays, shape (n_patients,), counts of windows
    """
    hits, n = np.asarray(hits_by_patient, dtype=float), np.asarray(n_by_patient, dtype=float)
    if hits.shape != n.shape or (hits > n).any() or (n <= 0).any():
        raise ValueError("each patient needs 0 <= hits <= n and n > 0")
    k, total, rate = len(n), n.sum(), hits.sum() / n.sum()
    if k == 1:
        return float(total)
    if rate in (0, 1):
        return 1.0
    between = k / (k - 1) * ((hits - rate * n) ** 2).sum() / total**2
    return float(max(1.0, between / (rate * (1 - rate) / total)))


def aha_table(y_pred: ArrayLike, table: pd.DataFrame) -> pd.DataFrame:
    """Hold predictions against the performance goals for automated defibrillators, by rhythm.

    Parameters
    ----------
    y_pred : array, shape (n_windows,), 1 where a shock is advised
    table : DataFrame with `aha`, a name in `AHA_GOALS` or missing (left out), and `patient`

    Returns
    -------
    DataFrame, one row a goal: rhythm, windows, patients, hits, value, low, goal, limit, verdict.
    `low` is the exact one-sided 90 % limit of an effective number of windows, those there are
    divided by their design effect. The verdict is "pass", "fail", "too few" (windows below the
    minimum, or one patient only) or "report only" (`value` is then how often a shock is advised).
    """
    y_pred = np.asarray(y_pred)
    if y_pred.shape != (len(table),) or not np.isin(y_pred, (0, 1)).all():
        raise ValueError(
            f"y_pred needs 0 or 1 for each of {len(table)} windows, got {y_pred.shape}"
        )
    unknown = set(table["aha"].dropna()) - set(AHA_GOALS)
    if unknown:
        raise ValueError(f"unknown names in `aha`: {sorted(unknown)}; known: {list(AHA_GOALS)}")
    rows = []
    for rhythm, goal in AHA_GOALS.items():
        chosen = (table["aha"] == rhythm).to_numpy()
        hit = pd.Series(y_pred[chosen] == goal.shock)
        by_patient = hit.groupby(table["patient"].to_numpy()[chosen]).agg(["sum", "count"])
        n, hits, patients = len(hit), int(hit.sum()), len(by_patient)
        value = low = np.nan
        if n:
            effective = n / design_effect(by_patient["sum"], by_patient["count"])
            value = hits / n
            low = clopper_pearson_lower(value * effective, effective)
        if np.isnan(goal.goal):
            verdict = "report only"
        elif n < goal.windows or patients < 2:
            verdict = "too few"
        else:
            verdict = "pass" if value > goal.goal and low >= goal.limit else "fail"
        rows.append((rhythm, n, patients, hits, value, low, goal.goal, goal.limit, verdict))
    names = ["rhythm", "windows", "patients", "hits", "value", "low", "goal", "limit", "verdict"]
    return pd.DataFrame(rows, columns=names)
