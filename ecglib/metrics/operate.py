"""Where to operate with several classes: what each class's probability is multiplied by.

Chapter: exercise 04, "Evaluation".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .classes import class_bootstrap, numbers, rates

AIMS = ("balanced", "recall")
_ALPHAS = np.linspace(-1, 1.25, 46)  # below 0 for a network that was taught to favour the rare
_STEPS = np.array([-0.8, -0.4, -0.2, -0.1, 0.1, 0.2, 0.4, 0.8])  # in log weight
_ROUNDS = 3
_NEIGHBOURS, _SPREAD = 24, 0.4  # scored with each choice; standard deviation in log weight
_F1_WORTH = 0.1  # with the aim "recall": among equal recalls the higher F1 wins
CARRIERS = 1.5  # patients, in effect, that a class needs to have a say in the weights
_PENALTY = 20.0  # for each point of macro F1 below the floor


def tilt(logits: ArrayLike, *, weights: ArrayLike) -> NDArray[np.intp]:
    """Predict the class with the highest log probability plus log weight.

    A weight of 3 calls a class wherever it is at least a third as likely as any other. Weights of
    one over the class shares undo the shares seen in training: Saerens et al., Neural Computation
    2002, 14:21.

    Parameters
    ----------
    logits : array, shape (n_windows, n_classes)
    weights : array, shape (n_classes,), above 0

    Returns
    -------
    array, shape (n_windows,), class numbers

    >>> tilt([[2.0, 0.0], [0.5, 0.0]], weights=[1, 3])
    array([0, 1])
    """
    z, w = np.asarray(logits, dtype=float), np.asarray(weights, dtype=float)
    if z.ndim != 2 or w.shape != z.shape[1:] or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError(
            f"need logits (n_windows, n_classes) and a weight above 0 for each class, "
            f"got shape {z.shape} and weights {w.tolist()}"
        )
    if not np.isfinite(z).all():
        raise ValueError("need finite logits, got nan or infinity")
    return np.argmax(z + np.log(w), axis=1)


def choose_weights(
    y: ArrayLike,
    logits: ArrayLike,
    *,
    aim: str = "balanced",
    floor: float | None = None,
    margin: float = 1.0,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Choose the class weights for `tilt`; to be called with the validation set only.

    First a family with one number, class shares to the power of minus alpha; then each class for
    itself, in steps. Rare classes have a few dozen beats, and the best weights for those very beats
    sit on a spike of chance; so a choice is worth the mean over its neighbours (weights that differ
    by about half), and wins only where the country round it is high.

    Parameters
    ----------
    y : array, shape (n_windows,), class numbers
    logits : array, shape (n_windows, n_classes)
    aim : "balanced", the lesser of macro recall and macro F1; or "recall", macro recall, with a
        tenth of macro F1 to tell equal recalls apart
    floor : float, the macro F1 to keep, with the aim "recall"
        Where no weights keep it, those that come nearest are returned.
    margin : float, by how many standard errors macro F1 has to lie above the floor
        Without it the floor is missed on every second new set.
    groups : array, shape (n_windows,), what the standard error takes as independent: patients;
        windows, if not given. A class that in effect one of them has (fewer than `CARRIERS`) has
        no say and keeps the weight of the first family: what suits that person says nothing.

    Returns
    -------
    array, shape (n_classes,), 1 for the first class; a class without a window keeps the weight of
    the commonest

    Raises
    ------
    ValueError
        If the aim is unknown, there is only one class, or logits are not finite.
    """
    if aim not in AIMS:
        raise ValueError(f"need an aim of {', '.join(AIMS)}, got {aim!r}")
    if floor is not None and (aim != "recall" or not 0 <= floor <= 1):
        raise ValueError(f"a floor from 0 to 1 goes with the aim recall, got {floor=} {aim=}")
    z = np.asarray(logits, dtype=float)
    if z.ndim != 2 or np.shape(y) != z.shape[:1] or not np.isfinite(z).all():
        raise ValueError(
            f"need finite logits (n_windows, n_classes) and one class each, "
            f"got shapes {z.shape}, {np.shape(y)}"
        )
    y = numbers(y, n_classes=z.shape[1])
    count = np.bincount(y, minlength=z.shape[1])
    if (count > 0).sum() < 2:
        raise ValueError(f"weights need two classes or more, got only class {int(y[0])}")
    rarity = np.where(
        count > 0, np.log(count.max() / np.maximum(count, 1)), 0
    )  # commonest class: 0
    there = judged(y, groups, n_classes=z.shape[1])
    family = _ALPHAS[:, None] * rarity  # (n_alphas, n_classes), log weights
    trial = _Trial.of(y, z, there=there, reach=family.max(), seed=seed)

    def worth(w: NDArray, even: bool = False) -> float:
        return trial.worth(w, aim=aim, floor=floor, even=even)

    def climbed(best: NDArray, even: bool = False) -> NDArray:
        for _ in range(_ROUNDS):
            start = best
            for c in np.flatnonzero(rarity * there):
                steps = best + np.r_[0, _STEPS][:, None] * (np.arange(z.shape[1]) == c)
                best = max(steps, key=lambda w: worth(w, even))
            if np.array_equal(best, start):
                break
        return best

    if aim == "balanced":
        # The lesser of two scores has many small peaks: climb from the best of the family, and
        # from where the mean of both is highest, which a biased training may have moved far away.
        starts = max(family, key=lambda w: worth(w, True)), climbed(max(family, key=worth))
        best = max((climbed(start, True) for start in starts), key=lambda w: worth(w, True))
        return np.exp(best - best[0])
    best = max(family, key=worth)
    if floor is not None and margin > 0:
        codes = np.arange(len(y)) if groups is None else groups
        floor += margin * _f1_error(y, tilt(z, weights=np.exp(best)), codes, n_classes=z.shape[1])
        best = max(family, key=worth)
    best = climbed(best)
    return np.exp(best - best[0])


@dataclass(frozen=True)
class _Trial:
    """Validation windows made ready for many weights: most are so clear that none changes them."""

    fixed: NDArray[np.float64]  # (C, C), confusion counts of the clear windows
    y: NDArray[np.int64]  # (n_open,), the others
    z: NDArray[np.float64]  # (n_open, C)
    there: NDArray[np.bool_]  # (C,), the classes that have a say
    neighbours: NDArray[np.float64]  # (n_neighbours, C), away from a choice, in log weight

    @classmethod
    def of(cls, y: NDArray, z: NDArray, *, there: NDArray, reach: float, seed: int) -> "_Trial":
        shape = (_NEIGHBOURS, z.shape[1])
        neighbours = np.random.default_rng(seed).normal(0, _SPREAD, shape)
        reach = reach + 2 * (_ROUNDS * _STEPS.max() + np.abs(neighbours).max())
        second, first = np.sort(z, axis=1)[:, -2:].T
        clear = first - second > reach
        fixed = _confusion(y[clear], np.argmax(z[clear], axis=1), n_classes=z.shape[1])
        return cls(fixed, y[~clear], z[~clear], there, neighbours)

    def worth(
        self, log_weights: NDArray, *, aim: str, floor: float | None, even: bool = False
    ) -> float:
        """What `aim` makes of these weights, as the mean over their neighbours."""
        n_classes = self.z.shape[1]
        around = [np.argmax(self.z + w, axis=1) for w in log_weights + self.neighbours]
        counts = [self.fixed + _confusion(self.y, pred, n_classes=n_classes) for pred in around]
        scores = rates(np.array(counts), range(n_classes), there=self.there)
        recall, f1 = scores["macro_recall"].mean(), scores["macro_f1"].mean()
        if aim == "balanced":
            return float(min(recall, f1) if even else (recall + f1) / 2)
        below = max(0.0, floor - f1) if floor is not None else 0.0
        return float(recall + _F1_WORTH * f1 - _PENALTY * below)


def judged(y: ArrayLike, groups: ArrayLike | None, *, n_classes: int) -> NDArray[np.bool_]:
    """Which classes can be judged: that have windows, from `CARRIERS` groups or more in effect.

    A class that comes evenly from several counts as coming from so many, one that a single group
    has nearly all of as coming from one. Where fewer than two classes are left, all are judged.

    Parameters
    ----------
    y : array, shape (n_windows,), class numbers
    groups : array, shape (n_windows,), or None, which judges all that have windows
    """
    y = numbers(y, n_classes=n_classes)
    there = np.bincount(y, minlength=n_classes) > 0
    if groups is None:
        return there
    enough = there & (_carriers(y, groups, n_classes=n_classes) >= CARRIERS)
    return enough if enough.sum() > 1 else there


def _carriers(y: NDArray, groups: ArrayLike, *, n_classes: int) -> NDArray[np.float64]:
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    count = np.zeros((n_classes, code.max() + 1))
    np.add.at(count, (y, code), 1)
    return count.sum(axis=1) ** 2 / np.maximum((count**2).sum(axis=1), 1)


def _confusion(y: NDArray, pred: NDArray, *, n_classes: int) -> NDArray[np.float64]:
    cells = np.bincount(y * n_classes + pred, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes).astype(float)


def _f1_error(y: NDArray, pred: NDArray, groups: ArrayLike, *, n_classes: int) -> float:
    """Standard error of macro F1."""
    classes = [str(c) for c in range(n_classes)]
    interval = class_bootstrap(y, pred, groups, classes, n=300)["macro_f1"]
    return float(np.nan_to_num((interval["high"] - interval["low"]) / (2 * 1.96)))
