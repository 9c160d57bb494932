"""Layout of clips, activations and weights in memory: channels outermost (contiguous) or innermost (channels last).

The numbers are the same up to rounding. Which is faster depends on the processor, its library of convolutions and the
norm, so `auto` goes by what was measured.
"""

from __future__ import annotations

from typing import get_args

import torch
from torch import nn

from videogn.checks import check_choice
from videogn.choices import LayoutName, MemoryFormatName

#: Where channels last was faster in 16 bits: (kind of device, whether it trains, norm). In 32 bits it was not, and
#: elsewhere nothing was measured: `auto` is contiguous there. Source: the table of docs/speed.md.
CHANNELS_LAST_IN_16_BITS = frozenset({("cpu", True, "bn"), ("cpu", False, "bn"), ("cpu", False, "gn")})
#: Layout -> number of axes of a tensor -> its format.
_FORMATS = {
    "contiguous": {4: torch.contiguous_format, 5: torch.contiguous_format},
    "channels_last": {4: torch.channels_last, 5: torch.channels_last_3d},
}


def layout_for(
    name: MemoryFormatName, device: torch.device, precision: str, norm: str, *, training: bool
) -> LayoutName:
    """Decide on a layout.

    Args:
        name: "contiguous", "channels_last", or "auto": the one that was faster where it was measured.
        device: Device of the network.
        precision: Number format of its convolutions, such as 32, bf16 or 16-mixed.
        norm: Name of its norm.
        training: Whether gradients are computed.

    Returns:
        "contiguous" or "channels_last".

    Raises:
        ValueError: The name is unknown.

    Example:
        >>> import torch
        >>> from videogn.models.memory_format import layout_for
        >>> layout_for("auto", torch.device("cpu"), "bf16-mixed", "bn", training=True)
        'channels_last'
    """
    check_choice("memory_format", name, get_args(MemoryFormatName))
    if name != "auto":
        return name
    measured = "16" in precision and (device.type, training, norm) in CHANNELS_LAST_IN_16_BITS
    return "channels_last" if measured else "contiguous"


def format_of_clips(layout: LayoutName) -> torch.memory_format:
    """Return torch's name of a layout, for clips (B, C, T, H, W)."""
    return _FORMATS[layout][5]


def lay_out(net: nn.Module, layout: LayoutName) -> None:
    """Give the convolutions of a network a layout, which its activations take over from the clips and them.

    Args:
        net: Network; its weights are changed in place, so that optimisers go on with them.
        layout: "contiguous" or "channels_last".
    """
    formats = _FORMATS[layout]
    for parameter in net.parameters():
        if parameter.ndim in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])
