"""Buffers of a network after its last optimiser step."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class StepBuffers:
    """Keeps copies of running statistics, which every forward pass changes, for checkpoints that undo batches."""

    def __init__(self) -> None:
        self._copies: dict[str, Tensor] = {}

    def keep(self, module: nn.Module) -> None:
        """Copy the current buffers."""
        for name, buffer in module.named_buffers():
            if name in self._copies:
                self._copies[name].copy_(buffer)
            else:
                self._copies[name] = buffer.detach().clone()

    def put_into(self, state_dict: dict[str, Any]) -> None:
        """Replace the buffers of a state dict by the copies."""
        state_dict.update({name: copy.clone() for name, copy in self._copies.items() if name in state_dict})
