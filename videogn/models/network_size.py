"""How large a network is, counted on tensors that have shapes and no numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from videogn.models.shapes_only import shapes_only


def network_size(build: Callable[[], nn.Module], clip: tuple[int, int, int]) -> tuple[int, int]:
    """Count the parameters of a network, and the multiply-adds of its forward pass of one clip.

    Args:
        build: Function that makes the network.
        clip: Size (T, H, W) of the clip.

    Returns:
        Number of parameters; number of multiply-adds in convolutions, matrix products and attention, as papers count.

    Raises:
        ValueError: The network does not take such clips.

    Example:
        >>> from videogn.models import i3d_r50
        >>> network_size(i3d_r50, (32, 224, 224))
        (28043472, 32829964288)
    """
    with shapes_only():
        network = build().eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, *clip, device="meta"))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() // 2
