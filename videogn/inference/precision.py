"""The arithmetic of a network in prediction: float32, or bfloat16 where the hardware computes in it.

Convolutions and matrix products are in bfloat16 (`torch.autocast`), weights stay in float32, and so does everything
from the softmax on. It pays with the channels innermost in memory, as the frames of a video are anyway, but for norms
on a GPU that PyTorch computes with the channels outermost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from videogn.checks import check_choice
from videogn.choices import PredictPrecisionName

#: CUDA's compute capability from which a GPU multiplies matrices in bfloat16 (Ampere).
_AMPERE = (8, 0)


@dataclass(frozen=True)
class Precision:
    """How a network computes.

    Attributes:
        name: "32" or "bf16".
    """

    name: Literal["32", "bf16"]

    def layout(self, device: torch.device, norm: str, compiled: bool) -> torch.memory_format:
        """Memory layout of the network's input.

        Args:
            device: Device of the network.
            norm: Name of its norm.
            compiled: Whether it is compiled.
        """
        if self.name == "32":
            return torch.contiguous_format
        if device.type != "cuda":  # on CPUs all norms are quicker with the channels innermost
            return torch.channels_last_3d
        from videogn.models.memory_format import format_of_clips, layout_for  # no CPU needs it

        return format_of_clips(layout_for("auto", device, self.name, norm, training=False, compiled=compiled))

    def logits(self, net: nn.Module, clips: Tensor) -> Tensor:
        """Compute the logits (B, K, T', H', W') of clips, float32 (B, C, T, H, W), with a network."""
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=self.name == "bf16"):
            logits: Tensor = net(clips)
        return logits


def precision_named(name: PredictPrecisionName, device: torch.device) -> Precision:
    """Decide how a network computes on a device.

    Args:
        name: "32", "bf16", or "auto": bf16 where the hardware has it, else 32.
        device: Device of the network.

    Returns:
        The precision. "bf16" is taken at its word, on hardware without it too, where it is slow.

    Raises:
        ValueError: The name is unknown.
    """
    check_choice("precision", name, get_args(PredictPrecisionName))
    if name == "auto":
        return Precision("bf16" if computes_in_bf16(device) else "32")
    return Precision(name)


def computes_in_bf16(device: torch.device) -> bool:
    """Return whether the hardware of a device multiplies in bfloat16; others convert to float32 and back, slowly."""
    if device.type == "cuda":
        return torch.version.cuda is not None and torch.cuda.get_device_capability(device) >= _AMPERE
    if device.type == "cpu":
        known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch < 2.11 lacks it
        return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return False
