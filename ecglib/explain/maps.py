"""Grad-CAM, integrated gradients and occlusion, over time.

All explain the logit of the target, for networks in one or two dimensions, with or without
recurrent layers. Chapter: exercise 06, "Look inside".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Occlusion
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from ecglib.train.inputs import checked_signals

from .given import at_rest, flat, n_numbers, targets
from .places import layer_of, to_time

Maps = NDArray[np.float32]  # (n, n_samples)
AT_ONCE = 256  # windows in the network at a time


def grad_cam(
    model: nn.Module,
    x: ArrayLike,
    *,
    target: int | ArrayLike,
    layer: nn.Module | None = None,
    signed: bool = False,
) -> Maps:
    """Where the last convolutions found what raises the target (Selvaraju 2017).

    Each channel is weighed by the average of the target's gradient over time; the weighed sum is
    brought back to the samples by the strides and padding before the layer. As coarse as the
    layer's steps, and blind to what passes the layer by.

    Parameters
    ----------
    x : array, shape (n, n_leads, n_samples), millivolt
    target : int, or one for each window
    layer : by default `layer_of(model)`
    signed : bool
        Keep what speaks against the target, too; as published it is cut off at 0.

    Returns
    -------
    array, float32, shape (n, n_samples)

    Raises
    ------
    ValueError
        No convolution, a target that is no class, or signals of a wrong shape.
    """
    layer = layer_of(model) if layer is None else layer
    method = LayerGradCam(model, layer)

    def one(signals: Tensor, chosen: Tensor) -> Tensor:
        # Asking for a gradient here makes it reach networks whose weights are frozen.
        found = method.attribute(signals.requires_grad_(), chosen, relu_attributions=not signed)
        return to_time(found.detach()[:, 0], model, layer=layer, x=signals)

    return _in_batches(one, model, x, target=target, size=AT_ONCE)


def integrated_gradients(
    model: nn.Module,
    x: ArrayLike,
    *,
    target: int | ArrayLike,
    baseline: str = "zero",
    steps: int = 32,
) -> Maps:
    """How much each sample adds on the way from a baseline to the window (Sundararajan 2017).

    The map, summed over time, and `numbers` together make up the change of the target's logit.
    Leads are summed.

    Parameters
    ----------
    x, target : as for `grad_cam`
    baseline : {"zero", "mean"}
        A flat line at 0 or at the mean of each lead. Padding behind a recording stays padding.
    steps : int, points along the way

    Returns
    -------
    array, float32, shape (n, n_samples)
    """
    found = _integrated(model, x, target=target, baseline=baseline, steps=steps)
    n = n_numbers(model)
    return found[:, : found.shape[1] - n].sum(axis=1)


def numbers(
    model: nn.Module,
    x: ArrayLike,
    *,
    target: int | ArrayLike,
    baseline: str = "zero",
    steps: int = 32,
) -> NDArray[np.float32]:
    """What the numbers beside the signal add, by integrated gradients from 0, where unknown is.

    Arguments as for `integrated_gradients`.

    Returns
    -------
    array, float32, shape (n, n_features)

    Raises
    ------
    ValueError
        If the model has no numbers beside the signal.
    """
    n = n_numbers(model)
    if not n:
        raise ValueError(f"need a network with n_features > 0, {type(model).__name__} has none")
    found = _integrated(model, x, target=target, baseline=baseline, steps=steps)
    return found[:, -n:].sum(axis=2)


def occlusion(
    model: nn.Module,
    x: ArrayLike,
    *,
    target: int | ArrayLike,
    fs: float,
    width_s: float = 0.2,
    stride_s: float | None = None,
    baseline: str = "mean",
) -> Maps:
    """How far the target falls when a stretch of all leads is made flat (Zeiler 2014).

    Each sample has the average over the stretches that cover it. Numbers beside the signal stay.

    Parameters
    ----------
    x, target : as for `grad_cam`
    fs : float, hertz
    width_s, stride_s : float, second
        Length of the stretch and the way to the next, by default half the length.
    baseline : {"zero", "mean"}
        What a stretch is replaced by. Exact zeros at the end may pass for padding.

    Returns
    -------
    array, float32, shape (n, n_samples)

    Raises
    ------
    ValueError
        Also when a stretch is longer than the window, or strides leave samples out.
    """
    stride_s = width_s / 2 if stride_s is None else stride_s
    n_samples, hidden = np.shape(x)[-1], n_numbers(model)
    width, stride = max(1, round(width_s * fs)), max(1, round(stride_s * fs))
    if not (width_s > 0 and 0 < stride_s and stride <= width <= n_samples):
        raise ValueError(
            f"need 0 < stride_s <= width_s <= {n_samples / fs:g} s, got {width_s=} {stride_s=}"
        )

    def one(signals: Tensor, chosen: Tensor) -> Tensor:
        n_signals = signals.shape[1] - hidden
        shown, beside = signals[:, :n_signals], signals[:, n_signals:]
        found = Occlusion(lambda part, rest: model(torch.cat([part, rest], dim=1))).attribute(
            shown,
            sliding_window_shapes=(n_signals, width),
            strides=(n_signals, stride),
            baselines=flat(shown, baseline),
            target=chosen,
            additional_forward_args=(beside,),
            perturbations_per_eval=max(1, AT_ONCE // len(shown)),
        )
        return found[:, 0].cpu()  # all leads were flat at once

    return _in_batches(one, model, x, target=target, size=32)


METHODS: dict[str, Callable[..., Maps]] = {
    "grad_cam": grad_cam,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
}


def explain(
    model: nn.Module,
    x: ArrayLike,
    *,
    method: str,
    target: int | ArrayLike,
    fs: float,
    **options: object,
) -> Maps:
    """The maps of one method, by name.

    Parameters
    ----------
    x, target : as for `grad_cam`
    method : a key of `METHODS`
    fs : float, hertz
    **options
        Keywords of that method.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}, expected one of {', '.join(METHODS)}")
    if method == "occlusion":
        options["fs"] = fs
    return METHODS[method](model, x, target=target, **options)


def _integrated(
    model: nn.Module, x: ArrayLike, *, target: int | ArrayLike, baseline: str, steps: int
) -> NDArray[np.float32]:
    """Integrated gradients of every input, numbers included: (n, n_leads, n_samples)."""
    if steps < 1:
        raise ValueError(f"need at least one step, got {steps=}")
    n = n_numbers(model)
    method = IntegratedGradients(model)

    def one(signals: Tensor, chosen: Tensor) -> Tensor:
        start = torch.zeros_like(signals)
        start[:, : signals.shape[1] - n] = flat(signals[:, : signals.shape[1] - n], baseline)
        return method.attribute(signals, start, target=chosen, n_steps=steps).detach().cpu()

    return _in_batches(one, model, x, target=target, size=max(1, AT_ONCE // steps))


def _in_batches(
    one: Callable[[Tensor, Tensor], Tensor],
    model: nn.Module,
    x: ArrayLike,
    *,
    target: int | ArrayLike,
    size: int,
) -> NDArray[np.float32]:
    signals = checked_signals(x, name="x")
    chosen = targets(model, signals, target)
    batches = list(zip(signals.split(size), chosen.split(size), strict=True))
    with at_rest(model) as device:
        found = [
            one(batch.clone().to(device), wanted.to(device)).float()
            for batch, wanted in tqdm(batches, desc="maps", mininterval=2, delay=2, leave=False)
        ]
    return torch.cat(found).numpy()
