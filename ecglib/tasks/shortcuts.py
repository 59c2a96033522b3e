"""A small lesson: networks taught with few windows, with nonsense, or with a planted shortcut.

Chapter: exercise 06, "What did the network look at?".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecglib import explain

from .exhibits import Exhibit

if TYPE_CHECKING:
    from torch import nn

SIDES = ("as it is", "in the shockable", "in the other class")


def _pulse(x: ArrayLike, *, fs: float, seed: int) -> NDArray[np.float32]:
    return explain.mark(x, fs=fs, seed=seed)[0]


def _burst(x: ArrayLike, *, fs: float, seed: int) -> NDArray[np.float32]:
    return explain.burst(x, fs=fs, seed=seed)[0]


def _hum(x: ArrayLike, *, fs: float, seed: int) -> NDArray[np.float32]:
    return explain.hum(x, fs=fs, seed=seed)


PLANTS: dict[str, Callable[..., NDArray[np.float32]]] = {
    "pulse": _pulse,
    "burst": _burst,
    "hum": _hum,
}


@dataclass(frozen=True)
class Lesson:
    """Windows that a small network learns from, of each class as many."""

    model: str
    x: NDArray[np.float32]  # (n, n_leads, n_samples), millivolt
    label: NDArray[np.int64]
    fs: float  # hertz

    def shuffled(self, seed: int = 0) -> NDArray[np.int64]:
        """The labels dealt out at random: as many of each class, and no sense in them."""
        return np.random.default_rng(seed).permutation(self.label)

    def plant(self, name: str, *, seed: int = 1) -> NDArray[np.float32]:
        """The windows with a shortcut of `PLANTS` in the last class, the shockable."""
        return planted(self.x, self.label == self.label.max(), plant=name, fs=self.fs, seed=seed)

    def learn(
        self,
        label: ArrayLike | None = None,
        *,
        x: ArrayLike | None = None,
        epochs: int = 8,
        seed: int = 0,
    ) -> nn.Module:
        """A network taught with these windows; with other labels or windows in place of them."""
        return explain.learn(
            self.model,
            self.x if x is None else x,
            self.label if label is None else label,
            fs=self.fs,
            epochs=epochs,
            seed=seed,
        )

    @staticmethod
    def accuracy(network: nn.Module, x: ArrayLike, label: ArrayLike) -> float:
        """Share of right answers at a probability of one half, each class counted alike."""
        right = (explain.answers(network, x) >= 0.5) == np.asarray(label)
        return float(np.mean([right[label == number].mean() for number in np.unique(label)]))


def lesson(shown: Exhibit, *, n: int = 300, seed: int = 0) -> Lesson:
    """Up to `n` training windows of each class of an exhibit, drawn at random."""
    seen = shown.run.of("train")
    seen = seen[seen["label"] >= 0].sample(frac=1, random_state=seed).groupby("label").head(n)
    return Lesson(
        model=shown.run.config.model,
        x=np.ascontiguousarray(shown.windows.signal[seen["row"].to_numpy()]),
        label=seen["label"].to_numpy(np.int64),
        fs=shown.windows.fs,
    )


def planted(
    x: ArrayLike, where: ArrayLike, *, plant: str, fs: float, seed: int = 0
) -> NDArray[np.float32]:
    """Windows with a shortcut in some of them.

    Raises
    ------
    ValueError
        If there is no such shortcut.
    """
    if plant not in PLANTS:
        raise ValueError(f"need a shortcut of {', '.join(PLANTS)}, got {plant!r}")
    x = np.asarray(x, np.float32)
    with_it = PLANTS[plant](x, fs=fs, seed=seed)
    return np.where(np.asarray(where)[:, None, None], with_it, x)


def tried(network: nn.Module, test: Exhibit, *, plant: str, seed: int = 2) -> dict[str, float]:
    """Balanced accuracy without the shortcut, with it where it was learnt, and in the other class.

    Keys: those of `SIDES`.
    """
    last = test.label == test.label.max()
    where = (np.zeros_like(last), last, ~last)
    return {
        side: Lesson.accuracy(
            network,
            planted(test.x, these, plant=plant, fs=test.windows.fs, seed=seed),
            test.label,
        )
        for side, these in zip(SIDES, where, strict=True)
    }


def likeness(
    honest: nn.Module, others: Mapping[str, nn.Module], test: Exhibit, *, methods: Sequence[str]
) -> pd.DataFrame:
    """How alike the maps of a network are to those of others, and of other windows.

    Returns
    -------
    DataFrame: method, what (another window, and the names of the others), value (rank correlation,
    signed), low, high, n
    """
    rows = []
    about = {"x": test.x, "target": test.label, "groups": test.patient}
    for method in methods:
        for name, other in others.items():
            found = explain.label_randomisation(
                honest, other, method=method, **about, **test.options(method)
            )
            found = found[found["measure"] == "signed"]
            if not any(row["method"] == method for row in rows):
                yardstick = found.iloc[0].to_dict()
                rows.append({"method": method, "what": "another window"} | _value(yardstick))
            rows.append({"method": method, "what": name} | _value(found.iloc[-1].to_dict()))
    return pd.DataFrame(rows)


def deleted(
    networks: Mapping[str, nn.Module],
    windows: Mapping[str, NDArray],
    test: Exhibit,
    *,
    steps: int = 20,
    target: int = 1,
) -> pd.DataFrame:
    """Deletion by the map less random order, for networks that learnt a shortcut.

    Parameters
    ----------
    networks, windows : by the name of the shortcut; windows are those of `test` with it

    Returns
    -------
    DataFrame: plant, method, value (area less that of random order), low, high, n
    """
    rows = []
    for name, network in networks.items():
        for method in explain.METHODS:
            maps = test.maps_of(network, windows[name], method=method, target=target)
            areas = explain.curves(
                network, windows[name], maps, target=target, steps=steps, n_random=2,
                groups=test.patient,
            ).areas.set_index(["kind", "order"])  # fmt: skip
            less = areas.loc[("deletion", "difference")].to_dict()
            rows.append({"plant": name, "method": method} | _value(less))
    return pd.DataFrame(rows)


def _value(row: Mapping) -> dict[str, float]:
    return {name: row[name] for name in ("value", "low", "high", "n")}
