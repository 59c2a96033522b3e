"""Answers of an ONNX file under onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .files import KEY

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def session(model: str | Path | bytes, *, threads: int = 1) -> InferenceSession:
    """An ONNX file, or its content, made ready on the CPU.

    Raises
    ------
    ValueError
        Naming the file, if it is missing or no network in ONNX.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    given = model if isinstance(model, bytes) else str(model)
    where = "the model" if isinstance(model, bytes) else given
    if given is not model and not Path(given).is_file():
        raise ValueError(f"{where}: need an ONNX file, there is none")
    try:
        return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base class
        told = str(error).splitlines()[0][:200]
        raise ValueError(f"{where}: need a network in ONNX ({told})") from None


def about(path: str | Path) -> dict:
    """What a file tells of itself: form, name, rate, classes, weights, preparation."""
    found = session(path).get_modelmeta().custom_metadata_map.get(KEY)
    if found is None:
        raise ValueError(f"{path}: need an ONNX file written by ecglib")
    return json.loads(found)


def predict(
    model: str | Path | bytes | InferenceSession,
    x: ArrayLike,
    *,
    batch_size: int = 512,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Logits of an ONNX network for each window.

    Parameters
    ----------
    model : a file, its content, or a `session`
    x : array, shape (n, n_leads, n_samples), millivolt

    Returns
    -------
    array, float32, shape (n, n_classes)

    Raises
    ------
    ValueError
        If the windows have another shape than the network takes.
    """
    ready = session(model, threads=threads) if isinstance(model, str | Path | bytes) else model
    signal = ready.get_inputs()[0]
    x, shape = np.asarray(x), tuple(signal.shape[1:])
    if x.ndim != 3 or not len(x) or x.shape[1:] != shape:
        raise ValueError(f"need windows (n, {', '.join(map(str, shape))}), got {x.shape}")
    batches = (x[i : i + batch_size] for i in range(0, len(x), batch_size))
    answers = [
        ready.run(None, {signal.name: np.ascontiguousarray(batch, dtype=np.float32)})[0]
        for batch in batches
    ]
    return np.concatenate(answers)
