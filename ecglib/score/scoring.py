"""Apply a published model to a whole recording.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from tqdm.auto import tqdm

from ecglib.records import Record

from . import gate as quality
from .decide import CANNOT_TELL, agreed, decide
from .windows import Cut, windows_of

if TYPE_CHECKING:
    from torch import nn

    from ecglib.published import Published

THREE_OF_FOUR = (3, 4)
BATCH = 256  # windows; larger ones leave the processor's cache
BLOCK = 2048  # windows that are cut at a time: some 8 MB
REACH_S = 1.5  # a beat speaks for no more than this before and after its R peak
OWN_REASONS = {  # besides those of the gate
    "start": "too few windows yet to agree",
    "unsure": "too few of the last windows agree, or can be told",
}
AUTO = "auto"


def score(
    record: Record,
    model: Published,
    *,
    stride_s: float | None = None,
    smooth: tuple[int, int] | str | None = AUTO,
    lead: str | int | None = None,
    gate: bool = True,
    network: nn.Module | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Probabilities and decisions over a whole recording, a row a window (of beats: a beat).

    Windows overlap and are cut as those that the model learnt from. A window whose signal is too
    poor (`gate.REASONS`) is not shown to the network: it has no probabilities, and the decision
    there is "cannot tell".

    Parameters
    ----------
    record : one lead as a rule, millivolt, NaN where samples are missing
    model : as `published.load` gives it, of the tasks shock, rhythms, heartbeats or own
    stride_s : float, seconds between the starts of windows
        By default half a window (2 s for shock advice), 10 s for windows of thirty seconds. Beats
        lie where R peaks are found (`r_peaks`).
    smooth : (needed, of), optional
        A class stands if so many of the last windows say so; where they do not, and could not
        whatever the ones that cannot be told would say, shock advice is the first class,
        non-shockable, and others are undecided. By default three of the last four for shock
        advice, else None: each window decides alone.
    lead : name or number from 1, where the recording has several
    gate : bool
        False shows the network every window, however poor, without missing samples.
    network : as `model.network()` gave it, to load the weights once for many recordings

    Returns
    -------
    DataFrame
        record, lead, start_s and end_s of the window, p_<class> (float32), said (the class that
        the window alone speaks for), sure (0 to 1, see `decide`), decision, reason (why not, a key
        of `REASONS`), from_s and to_s: the stretch that the decision stands for. That is, smoothed,
        from the end of the window before to the end of this one, as a device would know it;
        otherwise around the window's middle. Beats have time_s, of the R peak, too. `attrs` say
        what it was made with.

    Raises
    ------
    ValueError
        As `windows_of` does, naming recording or model; if `smooth` is no majority.
    """
    cut = windows_of(record, model, stride_s=stride_s, lead=lead)
    task = model.preparation.get("task", model.config.task)
    if smooth == AUTO:
        smooth = THREE_OF_FOUR if task == "shock" else None
    reason = _reasons(cut, record.fs, gate=gate)
    probability = np.full((len(reason), len(model.classes)), np.nan, np.float32)
    good = np.flatnonzero(reason == "")
    network = network or model.network()
    for part, logits in _predicted(network, cut, good, progress=progress):
        probability[part] = softmax(logits.astype(np.float64), axis=1)
    said, sure = decide(probability, model.weights)
    decision = said
    if smooth is not None:
        needed, of = smooth
        decision = agreed(
            said, needed=needed, of=of, n_classes=len(model.classes),
            otherwise=0 if task == "shock" else None,
        )  # fmt: skip
        waiting = (decision < 0) & (said >= 0)
        reason[waiting] = np.where(np.flatnonzero(waiting) < of - 1, "start", "unsure")
    from_s, to_s = _spoken_for(cut, smoothed=smooth is not None)
    names = np.array([*model.classes, CANNOT_TELL], dtype=object)  # -1 is the last
    table = pd.DataFrame({
        "record": record.record, "lead": cut.lead, "start_s": cut.start_s, "end_s": cut.end_s,
        **({} if cut.time_s is None else {"time_s": cut.time_s}),
        **{f"p_{name}": column for name, column in zip(model.classes, probability.T, strict=True)},
        "said": names[said], "sure": sure, "decision": names[decision], "reason": reason,
        "from_s": from_s, "to_s": to_s,
    })  # fmt: skip
    table.attrs = {
        "model": model.name,
        "task": task,
        "classes": list(model.classes),
        "weights": list(model.weights),
        "window_s": cut.length_s,
        "smooth": list(smooth) if smooth else None,
    }
    return table


def _reasons(cut: Cut, fs: float, *, gate: bool) -> NDArray:
    """Why a window cannot be judged, or an empty text; without the gate only what is missing."""
    n = cut.raw.shape[-1]
    length = min(round(cut.length_s * fs), n)
    starts = np.clip((cut.start_s * fs).astype(np.intp), 0, n - length)
    if gate:
        return quality.reasons(cut.raw, starts, fs=fs, length=length, band=cut.band)
    invalid = np.flatnonzero(~np.isfinite(cut.raw).all(axis=0))
    count = np.searchsorted(invalid, starts + length) - np.searchsorted(invalid, starts)
    return np.where(count > 0, "missing", "").astype(object)


def _predicted(
    network: nn.Module, cut: Cut, rows: NDArray[np.intp], *, progress: bool
) -> Iterator[tuple[NDArray, NDArray]]:
    """Rows and their logits, block by block, on all processors.

    On a CPU each thread works on blocks of its own: small networks gain more from that than from
    sharing every layer.
    """
    import torch

    from ecglib.train import predict

    blocks = [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]
    device = next(network.parameters()).device.type
    threads = min(torch.get_num_threads(), len(blocks)) if device == "cpu" else 1
    bar = tqdm(total=len(rows), desc="windows", unit="window", mininterval=2, delay=2,
               disable=not progress)  # fmt: skip

    def one(block: NDArray[np.intp]) -> tuple[NDArray, NDArray]:
        logits = predict(network, cut.take(block), batch_size=BATCH)
        bar.update(len(block))
        return block, logits

    if threads < 2:
        with bar:
            yield from map(one, blocks)
        return
    before = torch.get_num_threads()
    try:
        with (
            bar,
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as p,
        ):
            yield from p.map(one, blocks)
    finally:
        torch.set_num_threads(before)


def _spoken_for(cut: Cut, *, smoothed: bool) -> tuple[NDArray, NDArray]:
    """The stretch of time that each row's decision stands for, in seconds."""
    if smoothed:
        return np.concatenate([cut.start_s[:1], cut.end_s[:-1]]), cut.end_s
    middle = (cut.start_s + cut.end_s) / 2 if cut.time_s is None else cut.time_s
    between = (middle[:-1] + middle[1:]) / 2
    from_s = np.concatenate([cut.start_s[:1], between])
    to_s = np.concatenate([between, cut.end_s[-1:]])
    if cut.time_s is None:
        return from_s, to_s
    return np.maximum(from_s, middle - REACH_S), np.minimum(to_s, middle + REACH_S)
