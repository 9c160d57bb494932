"""The buffers of a network as they were after its last optimiser step."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class StepBuffers:
    """Keeps copies of running statistics, which every forward pass changes, for checkpoints that take batches back."""

    def __init__(self) -> None:
        self._copies: dict[str, Tensor] = {}

    def keep(self, module: nn.Module) -> None:
        """Copy the buffers as they are now; nothing for a network without any."""
        for name, buffer in module.named_buffers():
            if name in self._copies:
                self._copies[name].copy_(buffer)
            else:
                self._copies[name] = buffer.detach().clone()

    def put_into(self, state_dict: dict[str, Any]) -> None:
        """Let a state dict hold the copies in the place of what the batches since have made of them."""
        state_dict.update({name: copy.clone() for name, copy in self._copies.items() if name in state_dict})
