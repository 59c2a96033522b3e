"""Published models as ONNX files, in full and in eight bits: parity, size, time and loss.

Chapter: exercise 06, "Scoring and exporting".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ecglib import export, score
from ecglib.export.network import TOLERANCE

from .models import shown_of

if TYPE_CHECKING:
    from ecglib.datasets import Windows
    from ecglib.published import Published
    from ecglib.records import Record

N_TRIED = 256  # test windows on which answers are compared
LARGEST_TEST = 6000  # labelled test windows, evenly drawn, on which a loss is measured
FORMS = ("torch", "onnx", "int8")


def export_all(
    models: Mapping[str, Published],
    folder: Path,
    *,
    repeats: int = 30,
    progress: bool = True,
) -> tuple[pd.DataFrame, dict[str, dict]]:
    """Write every model as ONNX and in eight bits, and measure what that costs.

    Parameters
    ----------
    folder : of the files, ``<name>.onnx`` and ``<name>.int8.onnx``, a card beside each
    repeats : rounds of the timing

    Returns
    -------
    table : DataFrame
        A row a model and form (`FORMS`): name, form, bytes, latency_ms with low_ms and high_ms,
        batch_ms, windows_per_s (as `export.measure` has them, one thread), difference (largest, of
        logits, from the network), tolerance.
    losses : dict
        By name what eight bits lose on test windows (`export.loss`).

    Raises
    ------
    ValueError
        If the windows of a model are gone, or it has no ONNX form with the same answers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts, losses = [], {}
    bar = tqdm(models.items(), desc="models", disable=not progress, mininterval=2)
    for name, model in bar:
        calibration, test = shown_of(model.config)
        if test is None:
            raise ValueError(f"{name}: need the windows it learnt from, they are not there")
        test = _thinned(test)
        tried = test.signal[:: max(len(test) // N_TRIED, 1)]
        whole, small = folder / f"{name}.onnx", folder / f"{name}.int8.onnx"
        full = export.onnx(model, whole, x=tried)
        eight = export.int8(whole, small, x=calibration, test=test)
        losses[name] = export.loss(whole, small, test, weights=model.weights)
        forms = {"torch": model.network(), "onnx": whole, "int8": small}
        measured = export.measure(forms, tried, repeats=repeats, progress=False)
        difference = {"torch": 0.0, "onnx": full.difference, "int8": eight.difference}
        measured["difference"] = measured["form"].map(difference)
        parts.append(measured.assign(name=name, tolerance=TOLERANCE))
    return pd.concat(parts, ignore_index=True), losses


def loss_table(losses: Mapping[str, dict]) -> pd.DataFrame:
    """A row a model: windows, macro recall before and after, what was lost with its interval."""
    rows = {}
    for name, lost in losses.items():
        gap = lost["macro_recall"]
        rows[name] = {
            "windows": lost["windows"],
            "before": gap["before"]["value"],
            "after": gap["after"]["value"],
            **{f"lost_{end}" if end != "value" else "lost": gap["lost"][end]
               for end in ("value", "low", "high")},
            "agreement": lost["agreement"],
        }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis("model")


def throughput(record: Record, models: Mapping[str, Published]) -> pd.DataFrame:
    """How long a whole recording takes each model, the network loaded, the windows not yet cut.

    Returns
    -------
    DataFrame
        A row each: hours (of the recording), stride_s, windows, seconds, processor_s (of all
        threads together, which other work on the machine leaves as it is), hours_per_s.
    """
    rows = {}
    hours = record.signal.shape[-1] / record.fs / 3600
    for name, model in models.items():
        network = model.network()
        started, worked = time.perf_counter(), time.process_time()
        table = score.score(record, model, network=network, lead=1)
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
        stride_s = float(np.median(np.diff(table["start_s"]))) if len(table) > 1 else np.nan
        rows[name] = {"hours": hours, "stride_s": stride_s, "windows": len(table),
                      "seconds": seconds, "processor_s": worked,
                      "hours_per_s": hours / seconds}  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis("model")


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables of scores say the same: words exactly, numbers to a millionth."""
    one, other = (table.reset_index(drop=True) for table in (one, other))
    if list(one) != list(other) or len(one) != len(other):
        return False
    numbers = one.select_dtypes("number").columns
    words = one.columns.difference(numbers)
    close = np.allclose(one[numbers].astype(float), other[numbers].astype(float), atol=1e-6,
                        equal_nan=True)  # fmt: skip
    return bool(close and one[words].astype(str).equals(other[words].astype(str)))


def _thinned(test: Windows) -> Windows:
    """At most `LARGEST_TEST` labelled windows, evenly drawn."""
    step = -(-len(test) // LARGEST_TEST)
    return test if step <= 1 else test.take(np.arange(0, len(test), step))
