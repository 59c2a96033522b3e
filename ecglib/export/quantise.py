"""Networks in eight bits, and what is lost by it."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from ecglib.metrics import class_bootstrap, class_difference

from .files import Exported, card_of, checked_path, write, write_card
from .runtime import about, predict

if TYPE_CHECKING:
    from ecglib.datasets import Windows

LAYERS = ("Conv", "Gemm", "MatMul")  # what is done in eight bits; the rest costs little
BATCH = 64


def int8(
    source: str | Path,
    path: str | Path,
    *,
    x: ArrayLike | None = None,
    test: Windows | None = None,
) -> Exported:
    """Write an exported network again with weights of eight bits.

    With windows to calibrate on, convolutions and dense layers calculate in eight bits, with the
    ranges seen on these. Without, dense and recurrent layers do, each window with its own range,
    which a GRU and a convolution have no form for: those stay as they are.

    Parameters
    ----------
    source, path : the ONNX file to read and that to write
    x : array, shape (n, n_leads, n_samples)
        Windows of the training set, a few hundred, as the network is shown them.
    test : Windows
        Labelled ones, to tell in the card what was lost.

    Returns
    -------
    Exported, its `difference` taken on `x`, or on noise

    Raises
    ------
    ValueError
        If `source` is no ONNX file of this library, or nothing in it can be done in eight bits;
        nothing is written.
    """
    import onnx

    source, path = Path(source), checked_path(path)
    told = about(source)
    shape = (told["n_leads"], told["n_samples"])
    given = None if x is None else np.asarray(x, dtype=np.float32)
    if given is not None and (given.shape[1:] != shape or not len(given)):
        raise ValueError(f"{source}: need windows (n, {shape[0]}, {shape[1]}), got {given.shape}")
    with tempfile.TemporaryDirectory() as aside:
        made = Path(aside) / "int8.onnx"
        _quantise(source, made, given)
        proto = onnx.load(made)
    if not any(node.op_type.endswith(("QuantizeLinear", "Integer", "LSTM"))
               for node in proto.graph.node):  # fmt: skip
        raise ValueError(f"{source}: need layers that can be done in eight bits, found none")
    trial = np.random.default_rng(0).normal(size=(16, *shape)) if given is None else given
    content = proto.SerializeToString()
    difference = float(np.abs(predict(content, trial) - predict(source, trial)).max())
    lost = None if test is None else loss(source, content, test, weights=told.get("weights"))
    n_bytes, card = write(proto, path, about=told | {"form": "int8"}, short=True), None
    if card_of(source).is_file():
        text = card_of(source).read_text(encoding="utf-8")
        card = write_card(path, text, lines=_told(path, n_bytes, given, lost))
    return Exported(path, n_bytes, difference, card)


def loss(
    before: str | Path | bytes,
    after: str | Path | bytes,
    windows: Windows,
    *,
    weights: Sequence[float] | None = None,
    n: int = 1000,
    seed: int = 0,
) -> dict:
    """What answers are worth before and after, on the same labelled windows.

    Parameters
    ----------
    before, after : two ONNX files of the same network
    windows : as the network is shown them; those without a label are left out
    weights : of the classes, at the operating point; by default the most probable class decides
    n, seed : of the resamples of whole patients that make the intervals

    Returns
    -------
    dict
        accuracy and macro_recall, each with ``before``, ``after`` and ``lost``, which are
        {value, low, high}; agreement, the share of windows with the same answer; difference, the
        largest of a probability; windows, how many.
    """
    rows = np.flatnonzero(windows.label >= 0)
    if not len(rows):
        raise ValueError("need labelled windows to measure a loss, got none")
    part = windows.take(rows)
    weights = np.ones(len(part.classes)) if weights is None else np.asarray(weights, float)
    scores = [softmax(predict(m, part.signal).astype(float), axis=1) for m in (before, after)]
    answers = [(score * weights).argmax(axis=1) for score in scores]
    # A patient's number is the database's own, so people are told apart within each.
    groups = part.table["database"].astype(str) + "/" + part.table["patient"].astype(str)
    how = {"n": n, "seed": seed}
    each = [class_bootstrap(part.label, a, groups, part.classes, **how) for a in answers]
    found: dict = {
        metric: {
            "before": each[0][metric],
            "after": each[1][metric],
            "lost": class_difference(
                part.label, *answers, groups, part.classes, metric=metric, **how
            ),
        }
        for metric in ("accuracy", "macro_recall")
    }
    found["agreement"] = float((answers[0] == answers[1]).mean())
    found["difference"] = float(np.abs(scores[0] - scores[1]).max())
    found["windows"] = len(part)
    return found


def _quantise(source: Path, made: Path, x: NDArray[np.float32] | None) -> None:
    """Write `source` in eight bits to `made`, silently."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ready = made.with_name("ready.onnx")
            quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            if x is None:
                plain = onnx.load(ready)
                del plain.graph.value_info[:]  # shapes that no longer hold once layers are turned
                quantization.quantize_dynamic(
                    plain,
                    str(made),
                    op_types_to_quantize=["MatMul", "Gemm", "LSTM"],
                    weight_type=quantization.QuantType.QInt8,
                    per_channel=True,
                )
                return
            quantization.quantize_static(
                str(ready),
                str(made),
                _Reader(x),
                op_types_to_quantize=list(LAYERS),
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
    finally:
        logging.disable(before)


class _Reader:
    """Calibration windows batch by batch, as onnxruntime asks for them."""

    def __init__(self, x: NDArray[np.float32]) -> None:
        self._batches = iter([x[i : i + BATCH] for i in range(0, len(x), BATCH)])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"signal": np.ascontiguousarray(batch)}


def _told(path: Path, n_bytes: int, x: NDArray[np.float32] | None, lost: dict | None) -> list[str]:
    """Lines for the card."""
    ranges = "the range of each window" if x is None else f"ranges seen on {len(x):,} windows"
    lines = [f"`{path.name}`: ONNX with weights of eight bits, {ranges}, {n_bytes / 1000:,.0f} kB."]
    if lost is None:
        return [*lines, "What was lost by it was not measured."]
    gap = lost["macro_recall"]["lost"]
    limits = "" if not np.isfinite(gap["low"]) else f" ({gap['low']:.4f} to {gap['high']:.4f})"
    return [
        *lines,
        f"Lost by it on {lost['windows']:,} windows: {gap['value']:.4f}{limits} of the mean "
        f"recall; {lost['agreement']:.2%} of the answers are the same.",
    ]
