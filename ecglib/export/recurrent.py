"""Recurrent layers as one ONNX operation each, however many steps they take."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Gates as PyTorch stacks them, in the order that ONNX wants: update, reset, new of a GRU; input,
# output, forget, cell of an LSTM.
ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}


class Recurrent(nn.Module):
    """Stands for a recurrent layer while it is traced: (batch, steps, n_in) to (…, width).

    Step by step, as PyTorch would trace it, takes the longer the more steps there are.
    """

    def __init__(self, cell: nn.RNNBase) -> None:
        super().__init__()
        self.operation, self.hidden = cell.mode, cell.hidden_size
        self.directions = 2 if cell.bidirectional else 1
        self.depth = cell.num_layers
        for layer in range(self.depth):
            ends = ("", "_reverse")[: self.directions]
            for kind in ("weight_ih", "weight_hh"):
                given = [getattr(cell, f"{kind}_l{layer}{end}") for end in ends]
                stacked = torch.stack([self._ordered(w) for w in given])
                self.register_buffer(f"{kind}_{layer}", stacked.detach().clone())
            biases = [
                torch.cat([self._ordered(getattr(cell, f"{kind}_l{layer}{end}"))
                           for kind in ("bias_ih", "bias_hh")])
                for end in ends
            ]  # fmt: skip
            self.register_buffer(f"bias_{layer}", torch.stack(biases).detach().clone())

    def _ordered(self, w: Tensor) -> Tensor:
        gates = w.split(self.hidden)
        return torch.cat([gates[i] for i in ORDER[self.operation]])

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        attributes: dict = {"hidden_size": self.hidden}
        attributes["direction"] = "bidirectional" if self.directions == 2 else "forward"
        if self.operation == "GRU":
            attributes["linear_before_reset"] = 1
        x = x.transpose(0, 1)  # (steps, batch, n_in)
        for layer in range(self.depth):
            parts = [
                getattr(self, f"{kind}_{layer}") for kind in ("weight_ih", "weight_hh", "bias")
            ]
            shape = (x.shape[0], self.directions, x.shape[1], self.hidden)
            (y,) = torch.onnx.ops.symbolic_multi_out(
                self.operation, (x, *parts), attributes, dtypes=(x.dtype,), shapes=(shape,)
            )
            x = y.transpose(1, 2).flatten(2)  # (steps, batch, width)
        return x.transpose(0, 1), None


def replace(network: nn.Module) -> None:
    """Put a `Recurrent` in the place of every recurrent layer of a network."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.RNNBase) and child.mode in ORDER and child.batch_first:
                setattr(module, name, Recurrent(child))
