"""Copies of a network's buffers, for steps that are undone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class StepBuffers:
    """Copies of a network's buffers after its last optimiser step.

    Every forward pass changes running statistics, also one whose step is not made.
    """

    def __init__(self) -> None:
        self._copies: dict[str, Tensor] = {}

    def keep(self, module: nn.Module) -> None:
        """Copy the current buffers."""
        for name, buffer in module.named_buffers():
            if name in self._copies:
                self._copies[name].copy_(buffer)
            else:
                self._copies[name] = buffer.detach().clone()

    def put_back(self, module: nn.Module) -> None:
        """Give the buffers the values of the copies."""
        for name, buffer in module.named_buffers():
            if name in self._copies:
                buffer.copy_(self._copies[name])

    def put_into(self, state_dict: dict[str, Any]) -> None:
        """Replace the buffers of a state dict by the copies."""
        state_dict.update({name: copy.clone() for name, copy in self._copies.items() if name in state_dict})
