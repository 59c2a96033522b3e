"""A network as an ONNX file that takes any number of windows at once."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from ecglib import train
from ecglib.published import CARD, Published

from . import recurrent
from .files import KEY, Exported, checked_path, write, write_card
from .runtime import predict

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
TOLERANCE = 1e-4  # of logits, in units of the largest one where that is above 1
SIGNAL, LOGITS = "signal", "logits"  # names of input and output
BATCH = 3  # of the windows that are traced; others are tried afterwards


def onnx(model: Published | nn.Module, path: str | Path, *, x: ArrayLike | None = None) -> Exported:
    """Write a network as ONNX, tried under onnxruntime before it is kept.

    Input ``signal`` (batch, n_leads, n_samples) float32, output ``logits`` (batch, n_classes);
    the batch may have any size. The file tells rate, classes, weights and preparation among its
    properties (`about`), and beside that of a published model lies its card.

    Parameters
    ----------
    model : a published model, or a network of `ecglib.models`
    path : of the file, ending in .onnx
    x : array, shape (n, n_leads, n_samples)
        Windows to compare answers on, besides noise, short recordings padded with zeros, and a
        lost electrode.

    Returns
    -------
    Exported

    Raises
    ------
    ValueError
        If there is no ONNX form, or answers differ by more than `TOLERANCE`; nothing is written.
    """
    path = checked_path(path)
    published = model if isinstance(model, Published) else None
    network = copy.deepcopy(published.network() if published else model).cpu().eval()
    name = published.name if published else type(network).__name__
    if missing := [k for k in ("n_leads", "n_samples") if not hasattr(network, k)]:
        raise ValueError(f"{name}: need a network of ecglib.models, it has no {missing[0]}")
    shape = (network.n_leads, network.n_samples)
    proto = _traced(network, shape, name=name)
    difference = _largest_difference(network, proto.SerializeToString(), _trials(shape, x))
    if not difference <= TOLERANCE:
        raise ValueError(
            f"{name}: need answers of the ONNX form within {TOLERANCE:g}, got {difference:.2g}"
        )
    about = {"form": "onnx", "name": name, "n_leads": shape[0], "n_samples": shape[1]}
    if published:
        about |= {
            "fs": published.fs,
            "classes": published.classes,
            "weights": published.weights,
            "preparation": published.preparation,
            "digest": published.digest,
        }
    n_bytes, card = write(proto, path, about=about), None
    if published:
        lines = [
            f"`{path.name}`: ONNX, opset {OPSET}, {n_bytes / 1000:,.0f} kB.",
            f"Input `{SIGNAL}` (batch, {shape[0]}, {shape[1]}) float32; output `{LOGITS}` (batch, "
            f"{len(published.classes)}), the softmax of which are the probabilities.",
            f"Largest difference from the network, under onnxruntime: {difference:.1g}.",
            "How windows are cut (`preparation`), their rate, the classes and their weights: "
            f"`json.loads(session.get_modelmeta().custom_metadata_map[{KEY!r}])` of an "
            "`onnxruntime.InferenceSession`.",
        ]
        card = write_card(path, (published.folder / CARD).read_text(encoding="utf-8"), lines=lines)
    return Exported(path, n_bytes, difference, card)


def _traced(network: nn.Module, shape: tuple[int, int], *, name: str) -> ModelProto:
    """The network as ONNX, its weights within."""
    network = copy.deepcopy(network)
    recurrent.replace(network)
    generator = torch.Generator().manual_seed(0)
    example = torch.randn(BATCH, *shape, generator=generator)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                (example,),
                input_names=[SIGNAL],
                output_names=[LOGITS],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        told = next(iter(str(error.__cause__ or error).split("\n")), "")
        raise ValueError(f"{name}: has no ONNX form ({told})") from None
    return program.model_proto


def _trials(shape: tuple[int, int], x: ArrayLike | None) -> list[NDArray[np.float32]]:
    """Batches of several sizes, some windows in them short, empty or large."""
    rng = np.random.default_rng(0)
    trials = [rng.normal(size=(n, *shape)).astype(np.float32) for n in (1, 2, 7)]
    trials[1][1, :, shape[1] // 2 :] = 0
    trials[2][1] = 0
    trials[2][2, :, shape[1] // 4 + 1 :] = 0
    trials[2][3, :, 1:] = 0
    trials[2][4] *= 10
    return trials if x is None else [*trials, np.asarray(x, dtype=np.float32)]


def _largest_difference(
    network: nn.Module, content: bytes, trials: list[NDArray[np.float32]]
) -> float:
    """Of logits, in units of the largest one of a batch where that is above 1."""
    found = []
    for x in trials:
        wanted = train.predict(network, x)
        got = predict(content, x, batch_size=len(x))
        found.append(float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max())))
    return max(found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's words on packages that are not needed here."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    children = [logging.getLogger(n) for n in list(logging.root.manager.loggerDict)
                if n.startswith(("torch.onnx.", "onnxscript", "onnx_ir"))]  # fmt: skip
    levels = [child.level for child in children]
    for child in children:
        child.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
        for child, level in zip(children, levels, strict=True):
            child.setLevel(level)
