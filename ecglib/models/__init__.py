"""Networks by name, all with one contract.

Input ``(batch, n_leads, n_samples)`` float32 in millivolt, output logits ``(batch, n_classes)``.
"""

import inspect

import torch
from torch import nn

from .attention import GRUAttention
from .compact import C1DCT
from .convolutional import CNN, MLP, TinyCNN
from .cost import multiply_adds
from .features import Linear
from .images import Course2D, SpectrogramCNN
from .published import (
    BasicCNN,
    IdentityResNet4x2,
    IdentityResNet8x2,
    ResNetLikeX3,
    ResNetLikeX4,
    SmallerResNet4x2,
    SmallerResNet4x3,
)
from .recurrent import CNNGRU, CNNLSTM, GRU, LSTM
from .residual import SEResNet
from .rhythm import RhythmNet
from .transformer import CourseTransformer, Transformer

MODELS: dict[str, type[nn.Module]] = {
    "mlp": MLP,
    "cnn": CNN,
    "lstm": LSTM,
    "gru": GRU,
    "cnn_lstm": CNNLSTM,
    "cnn_gru": CNNGRU,
    "tiny_cnn": TinyCNN,
    "course_2d": Course2D,
    "course_transformer": CourseTransformer,
    "linear": Linear,
    "se_resnet": SEResNet,
    "gru_attention": GRUAttention,
    "transformer": Transformer,
    "spectrogram_cnn": SpectrogramCNN,
    "basic_cnn": BasicCNN,
    "resnet_like_x3": ResNetLikeX3,
    "resnet_like_x4": ResNetLikeX4,
    "smaller_resnet_4x2": SmallerResNet4x2,
    "smaller_resnet_4x3": SmallerResNet4x3,
    "identity_resnet_4x2": IdentityResNet4x2,
    "identity_resnet_8x2": IdentityResNet8x2,
    "c1dct": C1DCT,
    "rhythm_net": RhythmNet,
}
SHAPE = ("n_leads", "n_classes", "n_samples")


def arguments(name: str) -> dict[str, object]:
    """The hyper-parameters of a model and their defaults.

    Raises
    ------
    ValueError
        When no model has that name.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}, expected one of {', '.join(MODELS)}")
    parameters = inspect.signature(MODELS[name]).parameters
    return {key: p.default for key, p in parameters.items() if key not in SHAPE}


def build(
    name: str,
    *,
    n_leads: int,
    n_classes: int,
    n_samples: int,
    seed: int | None = None,
    **kwargs: object,
) -> nn.Module:
    """Make the model called `name`, with fresh weights.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    n_leads, n_classes, n_samples : int
        Shape of the input and of the output.
    seed : int, optional
        Draw the weights from this seed and leave the global generator as it was.
    **kwargs
        Hyper-parameters of that model, see `arguments(name)`.

    Raises
    ------
    ValueError
        Unknown name or hyper-parameter, a value out of range, or a window too short.
    """
    known = arguments(name)
    unknown = sorted(set(kwargs) - set(known))
    if unknown:
        raise ValueError(
            f"model {name!r} has no argument {', '.join(unknown)}; it has {', '.join(known)}"
        )
    shape = {"n_leads": n_leads, "n_classes": n_classes, "n_samples": n_samples}
    if seed is None:
        return MODELS[name](**shape, **kwargs)
    with torch.random.fork_rng(devices=[]):
        # Weights are drawn on the CPU, so only that generator needs a seed.
        torch.default_generator.manual_seed(seed)
        return MODELS[name](**shape, **kwargs)


def n_parameters(model: nn.Module) -> int:
    """How many numbers the model learns."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


__all__ = ["MODELS", "arguments", "build", "multiply_adds", "n_parameters"]
