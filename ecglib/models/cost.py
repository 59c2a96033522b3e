"""What a network costs, counted rather than timed. Chapter: exercise 05, "Model"."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

LAYER = torch.ops.aten.mkldnn_rnn_layer  # an LSTM in one direction on a CPU, which torch leaves out


def multiply_adds(model: nn.Module, n_leads: int, n_samples: int) -> int:
    """Multiplications with their additions to judge one window.

    Counts convolutions, dense layers, recurrent layers and attention, which is nearly all of the
    work; activations, norms and pooling are left out. The model is left as it was.
    """
    was_training = model.training
    device = next(model.parameters()).device
    x = torch.ones(1, n_leads, n_samples, device=device)
    counter = FlopCounterMode(display=False, custom_mapping={LAYER: recurrent_flops})
    try:
        # Attention step by step: done at once on a CPU, it would be counted as nothing.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            model.eval()(x)
    finally:
        model.train(was_training)
    return counter.get_total_flops() // 2


def recurrent_flops(
    x: torch.Size, w_input: torch.Size, w_hidden: torch.Size, *_: object, **__: object
) -> int:
    """Operations of one recurrent layer from the shapes (steps, batch, n_in), (gates, …)."""
    return 2 * x[0] * x[1] * w_input[0] * (w_input[1] + w_hidden[1])
