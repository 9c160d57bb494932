"""Layout of clips, activations and weights in memory: channels outermost (contiguous) or innermost (channels last).

The numbers are the same up to rounding, but for GroupNorm on a CPU of values far from 0 compared with their spread
(docs/computing.md). Which is faster depends on the processor, its library of convolutions and the norm, so `auto` goes
by what was measured.
"""

from __future__ import annotations

from typing import get_args

import torch
from torch import nn

from videogn.checks import check_choice
from videogn.choices import GroupNormName, LayoutName, MemoryFormatName

#: Where channels last was faster: (kind of device, whether in 16 bits, whether it trains, norm). Source: the tables of
#: docs/computing.md, in whose other rows it was not. Elsewhere nothing was measured.
CHANNELS_LAST = frozenset(
    [
        ("cpu", True, True, "bn"),
        ("cpu", True, False, "bn"),
        ("cpu", True, False, "gn"),
        *(("cuda", short, training, "bn") for short in (False, True) for training in (False, True)),
    ]
)
#: The same of compiled networks, which need no operation to change the layout.
CHANNELS_LAST_COMPILED = frozenset(
    ("cuda", True, training, norm) for training in (False, True) for norm in ("bn", "gn")
)
#: Layout -> number of axes of a tensor -> its format.
_FORMATS = {
    "contiguous": {4: torch.contiguous_format, 5: torch.contiguous_format},
    "channels_last": {4: torch.channels_last, 5: torch.channels_last_3d},
}


def layout_for(
    name: MemoryFormatName,
    device: torch.device,
    precision: str,
    norm: str,
    *,
    training: bool,
    compiled: bool = False,
    group_norm: GroupNormName = "pytorch",
) -> LayoutName:
    """Decide on a layout.

    Args:
        name: "contiguous", "channels_last", or "auto": the one that was faster where it was measured.
        device: Device of the network.
        precision: Number format of its convolutions, such as 32, bf16 or 16-mixed.
        norm: Name of its norm.
        training: Whether gradients are computed.
        compiled: Whether torch.compile compiles it. Default: False.
        group_norm: What computes its GroupNorm; "triton" takes channels last. Default: "pytorch".

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
    if group_norm == "triton":
        return "channels_last"
    faster = CHANNELS_LAST | CHANNELS_LAST_COMPILED if compiled else CHANNELS_LAST
    return "channels_last" if (device.type, "16" in precision, training, norm) in faster else "contiguous"


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
