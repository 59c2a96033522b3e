"""From what a network says of windows to one decision a recording.

Chapter: exercise 05, "Evaluation".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedGroupKFold

from ecglib.datasets import Windows

from .challenge import challenge_f1, require_classes

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from ecglib.runs import Run

FUSIONS = ("mean p", "mean log p", "vote", "prior-corrected", "learned", "learned, honest")
FITTED_ON = {"prior-corrected": "validation", "learned": "train", "learned, honest": "validation"}
HEARING = ("mean log p", "prior-corrected")  # that can hear further opinions
KINDS = ("mean_p", "log_p", "vote")  # what is known of a record's windows, a column a class
ALPHAS = np.linspace(0, 1.5, 31)  # how far the prior is taken out
N_PARTS = 5  # of the validation records, each decided as the others ask for
MOST = 0.95  # of the training records, on which each opinion has to say something
NEAR = 2  # neighbours to either side whose F1 counts when alpha is chosen
ABOUT = ["record", "patient", "split", "label"]


def record_features(run: Run, windows: Windows) -> pd.DataFrame:
    """What a run says of each recording, a row each in the order of their first window.

    Parameters
    ----------
    run : predictions of windows, of whatever sets it has
    windows : those that the run was made of

    Returns
    -------
    DataFrame
        record, patient, split, label, n_windows, and for each class i `mean_p_i` (mean
        probability), `log_p_i` (mean of its logarithm) and `vote_i` (share of windows in which it
        is the likeliest).

    Raises
    ------
    ValueError
        If the windows are not those of the run, or a record has two labels or is in two sets.
    """
    if run.config.data != windows.hash:
        raise ValueError(f"need windows {run.config.data} for run {run.id}, got {windows.hash}")
    seen = run.predictions[run.predictions["label"] >= 0]
    logits = seen.filter(regex=r"^logit_\d+$").to_numpy(np.float64)
    log_p, likeliest = log_softmax(logits, axis=1), logits.argmax(axis=1)
    voted = np.eye(logits.shape[1])[likeliest]
    values = dict(zip(KINDS, (np.exp(log_p), log_p, voted), strict=True))
    frame = pd.DataFrame({
        "record": windows.table["record"].to_numpy()[seen["row"]],
        **{name: seen[name].to_numpy() for name in ("patient", "split", "label")},
        **{f"{kind}_{i}": one for kind, v in values.items() for i, one in enumerate(v.T)},
    })  # fmt: skip
    records = frame.groupby("record", sort=False)
    for name in ("label", "split"):
        if (found := records[name].nunique()).gt(1).any():
            raise ValueError(f"need one {name} a record, got several of {found.idxmax()}")
    about = records[["patient", "split", "label"]].first()
    means = records[[c for c in frame if c not in ABOUT]].mean()
    return about.assign(n_windows=records.size()).join(means).reset_index()


def decide(
    features: pd.DataFrame | Sequence[pd.DataFrame], how: str = "mean log p"
) -> pd.DataFrame:
    """One decision a recording.

    Parameters
    ----------
    features : what `record_features` returns, or several of them over the same records
        Of several networks the means are taken, or, where the fusion is learned, their values
        are laid side by side (nine of three networks).
    how : one of `FUSIONS`
        mean p, mean log p: the class with the highest mean. vote: the likeliest class of most
        windows; equal votes are decided by the mean probability. prior-corrected: exp(mean log p)
        divided by the class's share of the training records to the power of alpha, which is
        chosen on validation records (`choose_alpha`). learned: multinomial logistic regression
        without intercept on exp(mean log p), fitted on training records, as the published networks
        were; a network is surer of these than of any others. learned, honest: the same fitted on
        validation records. What is fitted on validation records decides these themselves by
        fifths, each as the other four ask for (`fifths`), so that their scores do not flatter.

    Returns
    -------
    DataFrame
        record, patient, split, label, pred, and `p_i`: how probable each class was held to be

    Raises
    ------
    ValueError
        If the fusion is unknown, the runs are over different records, or a set to fit on lacks a
        class.
    """
    if how not in FUSIONS:
        raise ValueError(f"need a fusion of {', '.join(FUSIONS)}, got {how!r}")
    members = [features] if isinstance(features, pd.DataFrame) else list(features)
    members = same_records(members)
    about = members[0][ABOUT]
    if how.startswith("learned"):
        x = np.concatenate([np.exp(of(m, "log_p")) for m in members], axis=1)
        p = fit(x, about, split=FITTED_ON[how]).predict_proba(x)
        for others, part in fifths(about) if FITTED_ON[how] == "validation" else ():
            model = fit(x[others], about.iloc[others], split="validation")
            p[part] = model.predict_proba(x[part])
    elif how == "prior-corrected":
        p = softmax(tilted(members)[0], axis=1)
    elif how == "mean log p":
        p = softmax(mean(members, "log_p"), axis=1)
    else:
        p = mean(members, "mean_p")
        p = mean(members, "vote") + 1e-6 * p if how == "vote" else p
        p = p / p.sum(axis=1, keepdims=True)
    columns = {f"p_{i}": one for i, one in enumerate(p.T)}
    return about.assign(pred=p.argmax(axis=1), **columns).reset_index(drop=True)


def joined(features: Sequence[pd.DataFrame], *others: pd.DataFrame) -> pd.DataFrame:
    """Networks and further opinions as one: the mean of log probabilities, each with equal say.

    Parameters
    ----------
    features : what `record_features` returns of one network, or of several that are one opinion
    others : record, split and `p_i`, such as `yardsticks.boosted` returns of the same protocol
        Training records on which one of them says nothing, at most a twentieth, are left out.

    Returns
    -------
    DataFrame as of `record_features`, with `log_p_i` only

    Raises
    ------
    ValueError
        If an opinion lacks a record of validation or test, more of training or a class, or has
        learnt from other records.
    """
    members = same_records(features)
    about = members[0][[*ABOUT, "n_windows"]]
    said = [mean(members, "log_p")]
    for other in others:
        asked = about[["record", "split"]].merge(
            other, on="record", how="left", suffixes=("", "_there")
        )
        elsewhere = asked["split_there"].notna() & (asked["split_there"] != asked["split"])
        if elsewhere.any():
            one = asked[elsewhere].iloc[0]
            raise ValueError(
                f"need an opinion of the same split, got record {one['record']} in "
                f"{one['split']} here and in {one['split_there']} there"
            )
        p = of(asked, "p")
        known, learnt = ~np.isnan(p).any(axis=1), (asked["split"] == "train").to_numpy()
        enough = known[~learnt].all() and known[learnt].mean() >= MOST
        if p.shape != said[0].shape or not enough:
            raise ValueError(
                f"need an opinion on {len(about)} records and {said[0].shape[1]} classes, got "
                f"{len(other)} records and {of(other, 'p').shape[1]} classes"
            )
        said.append(np.log(np.maximum(p, 1e-9)))
    log_p = np.mean(said, axis=0)
    out = about.assign(**{f"log_p_{i}": one for i, one in enumerate(log_p.T)})
    return out[~np.isnan(log_p).any(axis=1)].reset_index(drop=True)


def tilted(members: Sequence[pd.DataFrame]) -> tuple[NDArray[np.float64], float]:
    """Mean log p with the prior taken out, shape (n_records, n_classes), and the alpha of it.

    Alpha is what all validation records ask for; in these themselves it is that of `fifths`.
    """
    log_p, log_prior = with_prior(members)
    label = members[0]["label"].to_numpy()
    seen = (members[0]["split"] == "validation").to_numpy()
    alpha = choose_alpha(label[seen], log_p[seen], log_prior)
    out = log_p - alpha * log_prior
    for others, part in fifths(members[0]):
        out[part] -= (choose_alpha(label[others], log_p[others], log_prior) - alpha) * log_prior
    return out, alpha


def fifths(about: pd.DataFrame) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows of four fifths of the validation records and of the last, five times.

    Drawn by patient, with an equal share of every class, whatever the order of the rows. With
    fewer than five records of a class there is nothing to draw, and nothing is returned.
    """
    seen = np.flatnonzero((about["split"] == "validation").to_numpy())
    seen = seen[np.argsort(about["record"].to_numpy(str)[seen])]
    label, patient = (about[name].to_numpy()[seen] for name in ("label", "patient"))
    if not len(seen) or np.bincount(label)[np.unique(label)].min() < N_PARTS:
        return
    folds = StratifiedGroupKFold(N_PARTS, shuffle=True, random_state=0)
    for others, part in folds.split(label, label, patient):
        yield seen[others], seen[part]


def with_prior(
    members: Sequence[pd.DataFrame],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean log p, shape (n_records, n_classes), and the log share of each class in training."""
    log_p = mean(members, "log_p")
    learnt = members[0].loc[members[0]["split"] == "train", "label"].to_numpy()
    require_classes(learnt, where="train", n_classes=log_p.shape[1])
    return log_p, np.log(np.bincount(learnt, minlength=log_p.shape[1]) / len(learnt))


def choose_alpha(label: NDArray, log_p: NDArray, log_prior: NDArray) -> float:
    """The power of the prior that the challenge's F1 of these records asks for, 0 to 1.5.

    One record more or less moves the F1 of a small set; so each alpha is judged by the mean over
    itself and its nearest neighbours, and of several alike the smallest is taken.

    Parameters
    ----------
    label : array, shape (n_records,), class numbers
    log_p : array, shape (n_records, n_classes)
    log_prior : array, shape (n_classes,)
    """
    require_classes(label, where="validation")
    f1 = [challenge_f1(label, (log_p - a * log_prior).argmax(axis=1)) for a in ALPHAS]
    padded = np.pad(f1, NEAR, mode="edge")
    steady = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAR + 1).mean(axis=1)
    return float(ALPHAS[np.argmax(np.round(steady, 9))])


def fit(x: NDArray, about: pd.DataFrame, *, split: str) -> LogisticRegression:
    """Multinomial logistic regression without intercept on the records of one set."""
    from sklearn.linear_model import LogisticRegression

    inside = (about["split"] == split).to_numpy()
    label = about["label"].to_numpy()
    n_classes = max(int(label.max()) + 1, 3)
    require_classes(label[inside], where=split, n_classes=n_classes)
    return LogisticRegression(fit_intercept=False, max_iter=1000).fit(x[inside], label[inside])


def same_records(members: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The members in the order of the first; ValueError unless all are over the same records."""
    if not members:
        raise ValueError("need the features of at least one run, got none")
    first = members[0]
    out = [first]
    for other in members[1:]:
        both = other.set_index("record").reindex(first["record"]).reset_index()
        if len(other) != len(first) or not both[ABOUT].equals(first[ABOUT]):
            differs = (both[ABOUT].to_numpy() != first[ABOUT].to_numpy()).any(axis=1)
            record = f", {first['record'].to_numpy()[differs][0]} differs" if differs.any() else ""
            raise ValueError(
                "need runs over the same records, sets and labels, got "
                f"{len(first)} and {len(other)} records{record}"
            )
        if of(other, "log_p").shape != of(first, "log_p").shape:
            raise ValueError("need runs over the same classes")
        out.append(both)
    return out


def of(features: pd.DataFrame, kind: str) -> NDArray[np.float64]:
    """The columns of one kind, shape (n_records, n_classes)."""
    return features.filter(regex=rf"^{kind}_\d+$").to_numpy(np.float64)


def mean(members: Sequence[pd.DataFrame], kind: str) -> NDArray[np.float64]:
    """The mean over networks of one kind of columns, shape (n_records, n_classes)."""
    return np.mean([of(m, kind) for m in members], axis=0)
