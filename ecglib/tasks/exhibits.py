"""Trained networks of the book to look into: found in the ledger, shown test windows, put to test.

Chapter: exercise 06, "What did the network look at?".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax

from ecglib import explain, train
from ecglib.datasets import Windows
from ecglib.rhythms import yardsticks
from ecglib.runs import Run

from . import catalogue, results
from .catalogue import Entry

if TYPE_CHECKING:
    from torch import nn

ROWS = {"form": "kachuee", "paced": True}
CONTEXT = {"form": "context", "paced": False}
RECORDS = {"form": "records", "reference": "v3 to learn"}
SHOWN = {
    name: Entry(name, exercise, task, model, protocol, "", form=form)
    for name, exercise, task, model, protocol, form in (
        ("shock, cnn", "exercise_03", "shock", "cnn", "patient", {}),
        ("shock, cnn_lstm", "exercise_03", "shock", "cnn_lstm", "patient", {}),
        ("beats, se_resnet", "exercise_04", "heartbeats", "se_resnet", "inter", CONTEXT),
        ("rows, se_resnet", "exercise_04", "heartbeats", "se_resnet", "intra", ROWS),
        ("rows, spectrogram_cnn", "exercise_04", "heartbeats", "spectrogram_cnn", "intra", ROWS),
        ("rows, course_2d", "exercise_04", "heartbeats", "course_2d", "intra", ROWS),
        ("rhythms, rhythm_net", "exercise_05", "rhythms", "rhythm_net", "published", RECORDS),
    )
}
NAMES = {
    "grad_cam": "Grad-CAM",
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
}
WIDTHS_S = {"shock": 0.2, "heartbeats": 0.1, "rhythms": 1.0}  # of a stretch that is hidden
PEAK = {"context": 187, "kachuee": 0}  # sample of the R peak in a beat's window
FOLLOWS = 0.5  # a map whose rank correlation stays above does not follow the weights


@dataclass(frozen=True)
class Exhibit:
    """A trained network and some test windows."""

    name: str  # a key of `SHOWN`
    run: Run
    network: nn.Module
    windows: Windows  # all of the task
    rows: NDArray[np.intp]  # of the test set: of every class as many as there are, or some
    target: NDArray[np.int64]  # what the network decides for each of the rows
    patient: NDArray  # of each of the rows

    @property
    def x(self) -> NDArray[np.float32]:
        """The signals of the rows, (n, n_leads, n_samples)."""
        return np.ascontiguousarray(self.windows.signal[self.rows])

    @property
    def label(self) -> NDArray[np.int64]:
        """The truth of the rows."""
        return self.windows.label[self.rows]

    def some(self, n: int) -> Exhibit:
        """The same with `n` windows of each class, or as many as there are."""
        kept = [np.flatnonzero(self.label == number)[:n] for number in np.unique(self.label)]
        return self._only(np.sort(np.concatenate(kept)))

    def _only(self, kept: NDArray) -> Exhibit:
        parts = {name: getattr(self, name)[kept] for name in ("rows", "target", "patient")}
        return replace(self, **parts)

    def right(self) -> Exhibit:
        """The same with the windows only that were decided well: of each the truth is explained."""
        return self._only(np.flatnonzero(self.target == self.label))

    def of_class(self, number: int) -> Exhibit:
        """The same with the windows of one class only."""
        return self._only(self.label == number)

    def options(self, method: str) -> dict[str, object]:
        """The keywords of `explain.explain` that fit the task: rate, steps, width of a stretch."""
        out: dict[str, object] = {"fs": self.windows.fs}
        if method == "integrated_gradients":
            out["steps"] = 16
        if method == "occlusion":
            out["width_s"] = WIDTHS_S[self.windows.task]
        return out

    def maps(self, method: str) -> NDArray[np.float32]:
        """Maps of the rows for what was decided: (n, n_samples)."""
        return self.maps_of(self.network, self.x, method=method, target=self.target)

    def maps_of(
        self, network: nn.Module, x: NDArray, *, method: str, target: object
    ) -> NDArray[np.float32]:
        """Maps of another network, or of changed windows, made in the same way."""
        return explain.explain(network, x, method=method, target=target, **self.options(method))

    def peaks(self) -> list[NDArray[np.intp]]:
        """Samples of the R peaks of each row: known for beats, else detected."""
        form = self.windows.parameters.get("form")
        if form in PEAK:
            return [np.array([PEAK[form]])] * len(self.rows)
        return [
            yardsticks.r_peaks(one[0, :end], fs=self.windows.fs)
            for one, end in zip(self.x, _ends(self.x), strict=True)
        ]

    def places(self) -> NDArray[np.intp]:
        """The R peaks as one array (n, most), with -1 where a row has fewer."""
        found = self.peaks()
        out = np.full((len(found), max(map(len, found), default=0)), -1, np.intp)
        for line, peaks in zip(out, found, strict=True):
            line[: len(peaks)] = peaks
        return out

    def resolution(self) -> dict[str, object]:
        """Which layer Grad-CAM looks at, and how far apart its steps lie, in milliseconds."""
        layer = explain.layer_of(self.network)
        named = {id(module): name for name, module in self.network.named_modules()}
        fs = self.windows.fs
        try:
            step = 1000 * explain.grid(self.network, layer).step / fs
        except ValueError:  # a picture, not steps in time
            step = float("nan")
        return {
            "network": self.name,
            "layer": named[id(layer)],
            "step (ms)": step,
            "window (s)": self.windows.signal.shape[-1] / fs,
            "parameters": self.run.n_parameters,
        }


@dataclass(frozen=True)
class Tested:
    """What became of the maps of an exhibit under test, by method."""

    name: str
    cascades: dict[str, pd.DataFrame]
    curves: dict[str, explain.Curves]
    agreement: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """All in one: network, test, method, what, value, low, high, n."""
        parts = []
        for method, found in self.cascades.items():
            what = found["layer"] + ", " + found["measure"]
            parts.append(found.assign(test="weights shuffled down to", method=method, what=what))
        for method, found in self.curves.items():
            rows = found.areas
            what = rows["order"].replace({"map": "by the map", "difference": "map less random"})
            parts.append(rows.assign(test=rows["kind"] + " area", method=method, what=what))
        pairs = self.agreement
        parts.append(pairs.assign(test="agreement", method=pairs["a"], what=pairs["b"]))
        columns = ["network", "test", "method", "what", "value", "low", "high", "n"]
        return pd.concat(parts, ignore_index=True).assign(network=self.name)[columns]

    def verdicts(self) -> pd.DataFrame:
        """Method by method: does the map follow the weights, and does the answer follow the map?

        Columns: network, method, weights (correlation of the map's magnitude when all weights are
        shuffled), other window (the yardstick), deletion and insertion (area less that of random
        order), each as a dict with value, low and high; follows weights, follows deletion, follows
        insertion: yes, no or open.
        """
        rows = []
        for method, cascade in self.cascades.items():
            seen = cascade[cascade["measure"] == "absolute"].to_dict("records")
            area = self.curves[method].areas.set_index(["kind", "order"])
            less = {kind: area.loc[(kind, "difference")].to_dict() for kind in explain.KINDS}
            rows.append({
                "network": self.name, "method": method,
                "weights": seen[-1], "other window": seen[0], **less,
                "follows weights": _verdict(_mirrored(seen[-1]), limit=-FOLLOWS),
                "follows deletion": _verdict(_mirrored(less["deletion"])),
                "follows insertion": _verdict(less["insertion"]),
            })  # fmt: skip
        return pd.DataFrame(rows)


def exhibit(folder: Path, name: str, *, n: int = 40) -> Exhibit:
    """A trained network with up to `n` test windows of each class, spread over the patients.

    Parameters
    ----------
    folder : the ledger
    name : a key of `SHOWN`; of several runs that fit, `catalogue.run_of` says which is taken

    Raises
    ------
    ValueError
        If the name is unknown, or the network has not been trained: the exercise that does is told.
    """
    if name not in SHOWN:
        raise ValueError(f"need one of {', '.join(SHOWN)}, got {name!r}")
    run, windows = catalogue.run_of(SHOWN[name], folder)
    seen = run.of("test")
    seen = seen[seen["label"] >= 0].sample(frac=1, random_state=0)
    seen = seen.assign(turn=seen.groupby(["label", "patient"]).cumcount())
    seen = seen.sort_values("turn", kind="stable").groupby("label").head(n)
    rows = seen["row"].to_numpy(np.intp)
    network = run.model(windows)
    logits = train.predict(network, np.ascontiguousarray(windows.signal[rows]))
    return Exhibit(
        name=name,
        run=run,
        network=network,
        windows=windows,
        rows=rows,
        target=logits.argmax(axis=1).astype(np.int64),
        patient=seen["patient"].to_numpy(),
    )


def first_of(folder: Path, names: Sequence[str], *, n: int = 40) -> Exhibit | None:
    """The first of several exhibits that has been trained; None if none has."""
    for name in names:
        try:
            return exhibit(folder, name, n=n)
        except ValueError:
            continue
    return None


def put_to_test(
    shown: Exhibit,
    *,
    methods: Sequence[str] = tuple(explain.METHODS),
    layers: int = 5,
    steps: int = 20,
    n_random: int = 3,
) -> Tested:
    """Shuffle the weights, take away what the maps point at, compare the methods.

    Parameters
    ----------
    layers : at how many layers maps are compared; 0: at all
    steps, n_random : as for `explain.curves`
    """
    about = {"target": shown.target, "groups": shown.patient}
    maps = {method: shown.maps(method) for method in methods}
    cascades = {
        method: explain.randomised(
            shown.network, shown.x, method=method, most=layers, **about, **shown.options(method)
        )
        for method in methods
    }
    curves = {
        method: explain.curves(
            shown.network, shown.x, found, steps=steps, n_random=n_random, **about
        )
        for method, found in maps.items()
    }
    return Tested(shown.name, cascades, curves, explain.agreement(maps, groups=shown.patient))


def beside_peaks(
    shown: Exhibit, method: str, *, within_s: float = 0.05, kept: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """How far the maps near the R peaks lie above the maps elsewhere, mean with its 95 % interval.

    Parameters
    ----------
    within_s : how near
    kept : array, shape (n_windows,), which windows count; by default all

    Returns
    -------
    dict: value, low, high (by patient; in parts of a window's largest), n
    """
    difference = np.full(len(shown.rows), np.nan)
    for i, (one, peaks) in enumerate(zip(shown.maps(method), shown.peaks(), strict=True)):
        time = np.arange(len(one))
        near = (np.abs(time[:, None] - peaks) <= within_s * shown.windows.fs).any(axis=1)
        if near.any() and not near.all() and one.max() > 0:
            difference[i] = (one[near].mean() - one[~near].mean()) / one.max()
    kept = np.ones(len(difference), bool) if kept is None else kept
    return explain.mean_of(difference[kept], shown.patient[kept])


def plainest_errors(run: Run, windows: Windows, *, n: int = 2) -> list[int]:
    """Test windows of different patients that were decided wrongly, the surest first.

    What decides is the operating point of `results.decision_weights`, and how far beyond it an
    answer lies says how sure it is.
    """
    seen = run.of("test")
    seen = seen[seen["label"] >= 0]
    z = log_softmax(seen.filter(regex=r"^logit_\d+$").to_numpy(float), axis=1)
    z += np.log(results.decision_weights(run, windows))
    wrong = seen.assign(pred=z.argmax(axis=1), margin=np.ptp(z, axis=1))
    wrong = wrong[wrong["pred"] != wrong["label"]].sort_values("margin", ascending=False)
    return [int(row) for row in wrong.drop_duplicates("patient")["row"].head(n)]


def _verdict(value: dict, *, limit: float = 0.0) -> str:
    """Whether an interval lies above a limit: yes, no or open."""
    if value["low"] > limit:
        return "yes"
    return "no" if value["high"] < limit else "open"


def _mirrored(value: dict) -> dict[str, float]:
    return {"low": -value["high"], "high": -value["low"]}


def _ends(x: NDArray[np.float32]) -> NDArray[np.intp]:
    """Where each window ends: zeros behind it are padding."""
    behind = (x != 0).any(axis=1)[:, ::-1].argmax(axis=1)
    return x.shape[-1] - behind
