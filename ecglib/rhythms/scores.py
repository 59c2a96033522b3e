"""Exercise 05's scores: decisions of several runs as one table, and what they reach.

Everything is counted over recordings, the whole set at once. Several seeds are scored apart and
averaged; their intervals come from drawing recordings, the same for all seeds. Chapter: exercise
05, "Evaluation".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from ecglib import metrics
from ecglib.datasets import Windows
from ecglib.metrics.classes import by_patient, rates, resampled
from ecglib.metrics.intervals import interval

from . import fusion
from .challenge import CLASSES, names, require_classes
from .trials import title

if TYPE_CHECKING:
    from ecglib.runs import Run

METRIC = "macro_f1"  # over N, O and A: the score of the challenge
COMMITTEE = 3  # networks that decide together, as the published ones did
Rates = dict[str, NDArray[np.float64]]


def by_title(found: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by the name of their network; several are seeds, or folds."""
    out: dict[str, list[Run]] = {}
    for run in found:
        out.setdefault(title(run.config), []).append(run)
    return out


def committee(name: str, found: Sequence[Run]) -> str:
    """What several seeds of a network are called where they decide together: ``c1dct x3``."""
    n_seeds = len({run.config.train.seed for run in found})
    return f"{name} x{min(n_seeds, COMMITTEE)}" if n_seeds > 1 else name


def decided(
    found: Iterable[Run],
    sets: Mapping[str, Windows],
    *,
    how: str = "mean log p",
    together: bool = False,
    opinions: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """Decisions of several runs, one below the other.

    Parameters
    ----------
    sets : among which the windows of each run are
    how : one of `fusion.FUSIONS`
    together : bool
        Decide once for each `COMMITTEE` of a protocol, in the order of the seeds, instead of run
        by run: the published regression on nine values if `how` is learned, else the mean over
        networks. Committees are numbered as seeds are; what is left over of several is left out.
    opinions : in the form of this function's own answer, optional
        Each has as much say as the networks, see `fusion.joined`; `how` is then one of
        `fusion.HEARING`. Of an opinion of several seeds a network hears that of its own.

    Returns
    -------
    DataFrame: run, seed, protocol, record, patient, split, label, pred, p_0, p_1, …
    """
    if opinions and how not in fusion.HEARING:
        known = ", ".join(fusion.HEARING)
        raise ValueError(f"need a fusion of {known} with further opinions, got {how!r}")
    by_hash = {windows.hash: windows for windows in sets.values()}
    groups: dict[str, list[Run]] = {}
    for run in sorted(found, key=lambda run: run.config.train.seed) if together else found:
        if run.config.data not in by_hash:
            raise ValueError(f"need windows {run.config.data} for {run.id}, got {[*by_hash]}")
        groups.setdefault(run.config.protocol if together else run.id, []).append(run)
    parts = []
    for several in groups.values():
        full = len(several) // COMMITTEE * COMMITTEE or len(several)
        for number, first in enumerate(range(0, full, COMMITTEE)):
            members = several[first : first + COMMITTEE]
            seen = [fusion.record_features(run, by_hash[run.config.data]) for run in members]
            if opinions:
                heard = [opinion(one, members) for one in opinions]
                seen = [fusion.joined(seen, *heard)]
            about = {"run": "+".join(run.id for run in members)}
            about |= {"protocol": members[0].config.protocol}
            about["seed"] = number if together else members[0].config.train.seed
            one = fusion.decide(seen, how).assign(**about)
            windows = by_hash[members[0].config.data]
            if windows.parameters.get("reference") == "v3 to learn":  # what is scored are labels v2
                learnt = one["split"] == "train"
                scored = relabelled(one[~learnt], windows, reference="v2")
                one = pd.concat([one[learnt], scored], ignore_index=True)
            parts.append(one)
    return pd.concat(parts, ignore_index=True)


def opinion(decisions: pd.DataFrame, members: Sequence[Run]) -> pd.DataFrame:
    """What decisions say to networks of one protocol: record, split and `p_i`, a row a record.

    Of several seeds those of the networks, as the mean of their log probabilities. ValueError if
    nothing was decided for the protocol or a seed.
    """
    protocol = members[0].config.protocol
    found = decisions[decisions["protocol"] == protocol]
    if found.empty:
        raise ValueError(f"need an opinion for {protocol}, got {[*decisions['protocol'].unique()]}")
    if found["seed"].nunique() > 1:
        seeds = {run.config.train.seed for run in members}
        if lacking := sorted(seeds - set(found["seed"])):
            raise ValueError(f"need an opinion for seed {lacking[0]} of {protocol}, got none")
        found = found[found["seed"].isin(seeds)]
    p = found.filter(regex=r"^p_\d+$").clip(lower=1e-9)
    by_record = pd.concat([found[["record", "split"]], np.log(p)], axis=1).groupby(
        ["record", "split"], sort=False
    )
    return np.exp(by_record.mean()).reset_index()


def relabelled(decisions: pd.DataFrame, windows: Windows, *, reference: str) -> pd.DataFrame:
    """The same decisions held against another version of the labels.

    Records that are noise there are left out, if noise is no class of `windows`.

    Parameters
    ----------
    windows : any windows of the records, with the column `reference`
    reference : v2 or v3
    """
    if reference not in windows.table:
        raise ValueError(f"need labels v2 or v3, got {reference!r}")
    known = windows.table.drop_duplicates("record").set_index("record")[reference]
    if lacking := sorted(set(decisions["record"]) - set(known.index)):
        raise ValueError(f"need labels {reference} of every record, got none of {lacking[0]}")
    number = {name: i for i, name in enumerate(windows.classes)}
    label = decisions["record"].map(known).map(number)
    kept = decisions.assign(label=label)[label.notna()]
    return kept.astype({"label": np.int64}).reset_index(drop=True)


def scores(
    decisions: pd.DataFrame, *, split: str = "test", n: int = 1000
) -> dict[str, dict[str, float]]:
    """Every class score of one set, the mean over seeds, with 95 % intervals by record.

    Names are those of `metrics.class_bootstrap`; `macro_f1` and `macro_recall` are means over N,
    O and A also where noise is a fourth class. Records that are copies are drawn together.

    Raises
    ------
    ValueError
        If a class has no record in the set, a seed decides a record twice or lacks one.
    """
    value, draws = rated([decisions], split=split, n=n)
    return {k: interval(value[0][k][0], draws[0].get(k, np.array([]))) for k in value[0]}


def plain_scores(decisions: pd.DataFrame, *, split: str = "test") -> dict[str, float]:
    """Every class score of one set, the mean over seeds, without intervals.

    Training records of several folds are counted as often as they were learnt from.
    """
    seen = decisions[decisions["split"] == split]
    require_classes(seen["label"], where=split)
    classes = names(_n_classes(seen))
    found = []
    for _, part in seen.groupby("seed"):
        one = metrics.class_scores(part["label"], part["pred"], classes)
        found.append(_over_three({k: np.array([v]) for k, v in one.items()}))
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def difference(
    a: pd.DataFrame, b: pd.DataFrame, *, metric: str = METRIC, split: str = "test", n: int = 1000
) -> dict[str, float]:
    """Score of `a` minus score of `b` on the same records, with its 95 % interval.

    Each is the mean over its seeds. An interval that covers zero shows no clear difference.

    Raises
    ------
    ValueError
        As `scores`; also if the two are not over the same records and labels.
    """
    value, draws = rated([a, b], split=split, n=n)
    if metric not in value[0]:
        raise ValueError(f"need a metric of {', '.join(value[0])}, got {metric!r}")
    gap = value[0][metric][0] - value[1][metric][0]
    drawn = draws[0][metric] - draws[1][metric] if draws[0] else np.array([])
    return interval(gap, drawn)


def mcnemar(a: pd.DataFrame, b: pd.DataFrame, *, split: str = "test") -> dict[str, float]:
    """How many records only `a` and only `b` gets right, and McNemar's exact p of such a gap.

    Source: McNemar, Psychometrika 12:153, 1947; exact by the binomial distribution. It compares
    accuracies, not F1, and wants one decision a record, so one seed of each.

    Returns
    -------
    dict: only_a, only_b, p
    """
    truth, _, (one, other) = aligned([a, b], split=split)
    if not len(one) == len(other) == 1:
        raise ValueError(f"need one seed of each, got {len(one)} and {len(other)}")
    right_a, right_b = one[0] == truth, other[0] == truth
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return {"only_a": only_a, "only_b": only_b, "p": float(p)}


def select(by_name: Mapping[str, pd.DataFrame]) -> str:
    """The name whose decisions have the best F1 on validation records; test has no say."""
    reached = {n: plain_scores(d, split="validation")[METRIC] for n, d in by_name.items()}
    return max(reached, key=reached.get)


def surest_errors(decisions: pd.DataFrame, *, n: int = 6, split: str = "test") -> pd.DataFrame:
    """The wrong decisions that are held most probable over the truth, a record each, surest first.

    Returns
    -------
    DataFrame as of `decided`, with `margin`: p of what was said less p of the truth, averaged
    over seeds where several are wrong about a record
    """
    seen = decisions[(decisions["split"] == split) & (decisions["pred"] != decisions["label"])]
    p = fusion.of(seen, "p")
    row = np.arange(len(seen))
    seen = seen.assign(margin=p[row, seen["pred"]] - p[row, seen["label"]])
    mean = seen.groupby("record")["margin"].mean()
    out = seen.drop_duplicates("record").assign(margin=lambda d: d["record"].map(mean))
    return out.sort_values("margin", ascending=False).head(n).reset_index(drop=True)


def _n_classes(decisions: pd.DataFrame) -> int:
    return max(len(CLASSES), int(decisions[["label", "pred"]].to_numpy().max()) + 1)


def _over_three(found: Rates) -> Rates:
    """The same with the macro means over N, O and A."""
    means = {
        f"macro_{kind}": np.mean([found[f"{kind}_{name}"] for name in CLASSES], axis=0)
        for kind in ("recall", "f1")
    }
    return found | means


def aligned(
    stacks: Sequence[pd.DataFrame], *, split: str
) -> tuple[NDArray, NDArray, list[list[NDArray]]]:
    """Truth and patient of each record, and of each stack the decisions of each seed."""
    seen = [s[s["split"] == split] for s in stacks]
    about = seen[0].drop_duplicates("record").set_index("record").sort_index()
    out = []
    for part in seen:
        if (twice := part.duplicated(["record", "seed"])).any():
            name = part.loc[twice, "record"].iloc[0]
            raise ValueError(f"need one decision a record and seed, got several of {name}")
        wide = part.pivot(index="record", columns="seed", values="pred").sort_index()
        truth = part.drop_duplicates("record").set_index("record")["label"].sort_index()
        if wide.isna().any(axis=None) or not truth.equals(about["label"]):
            both = pd.concat([truth, about["label"]], axis=1, keys=["here", "there"]).sort_index()
            lacking = set(wide.index[wide.isna().any(axis=1)])
            differs = (both["here"] != both["there"]) | both.index.isin(lacking)
            raise ValueError(
                f"need decisions over the same records and labels, got {len(about)} and {len(wide)}"
                f" records, {int(wide.isna().sum().sum())} decisions missing; the first that "
                f"differs is {differs.index[differs][0]}"
            )
        out.append([wide[column].to_numpy(np.int64) for column in wide])
    return about["label"].to_numpy(), about["patient"].to_numpy(), out


def rated(
    stacks: Sequence[pd.DataFrame], *, split: str, n: int, seed: int = 0
) -> tuple[list[Rates], list[Rates]]:
    """Of each stack every score, the mean over its seeds: of the set, and of `n` resamples of it.

    All stacks are scored on the same resamples, of which there are none if there is one patient.
    """
    truth, patient, preds = aligned(stacks, split=split)
    require_classes(truth, where=split)
    classes = names(max(_n_classes(s) for s in stacks))
    flat = [one for part in preds for one in part]
    table, n_patients = by_patient(truth, flat, patient, n_classes=len(classes))
    whole, draws = resampled(table, n=n, seed=seed)
    there = whole[0].sum(axis=1) > 0

    def mean(counts: NDArray) -> Rates:  # (k seeds, n, C, C)
        found = [_over_three(rates(one, classes, there=there)) for one in counts]
        return {name: np.mean([f[name] for f in found], axis=0) for name in found[0]}

    value, drawn, start = [], [], 0
    for part in preds:
        mine = slice(start, start + len(part))
        value.append(mean(whole[mine, None]))
        drawn.append(mean(draws[:, mine].swapaxes(0, 1)) if n_patients > 1 else {})
        start += len(part)
    return value, drawn
