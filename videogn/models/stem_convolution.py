"""Convolutions of few channels, those of stems, on a GPU: as 2D convolutions whose channels are those of some frames.

cuDNN has no kernels for 3D convolutions of three channels that use all of the GPU: in bfloat16 that of `i3d_r50` takes
longer than all others of the network together (docs/computing.md).
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Number of input channels below which a convolution is one of few channels.
_FEW = 8
#: The number of channels of the 2D convolution is a multiple of it: 16 bytes of 16-bit numbers, cuDNN's alignment.
_MULTIPLE = 8


def fold_time(net: nn.Module, device: torch.device, precision: str) -> None:
    """Let the convolutions of few channels of a network be 2D ones on CUDA in 16 bits. Elsewhere nothing is done.

    Args:
        net: Network. Its weights, and their names, stay; the numbers are the same up to rounding.
        device: Device that it runs on.
        precision: Number format of its convolutions, such as 32, bf16 or 16-mixed. In 32 bits 2D is slower.
    """
    if device.type != "cuda" or "16" not in precision:
        return
    for module in net.modules():
        if isinstance(module, nn.Conv3d) and module.in_channels < _FEW and _is_foldable(module):
            # Where every subclass of Conv3d comes by with the weights that it computes with.
            module._conv_forward = partial(convolve_folded, module)  # type: ignore[method-assign]


def convolve_folded(conv: nn.Conv3d, clips: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute a 3D convolution as a 2D one of the frames that its kernel sees, side by side as channels.

    Args:
        conv: The convolution, for its stride and padding.
        clips: Input, (B, C, T, H, W).
        weight: Weights, (O, C, t, h, w).
        bias: Bias, (O,), or None.

    Returns:
        Output, (B, O, T', H', W'), in the layout of the clips.
    """
    layout = torch.contiguous_format if clips.is_contiguous() else torch.channels_last_3d
    assert not isinstance(conv.padding, str)  # as `fold_time` has seen
    kernel, stride, padding = weight.shape[2], conv.stride, conv.padding
    kind = clips.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):  # before there are more of them
        clips = clips.to(torch.get_autocast_dtype(kind))
    frames = F.pad(clips, (0, 0, 0, 0, padding[0], padding[0])).unfold(2, kernel, stride[0])  # (B, C, T', H, W, t)
    images = frames.permute(0, 2, 3, 4, 5, 1).flatten(4, 5).flatten(0, 1)  # (B T', H, W, t C)
    filters = weight.transpose(1, 2).flatten(1, 2)  # (O, t C, h, w)
    filling = -images.shape[3] % _MULTIPLE
    images, filters = F.pad(images, (0, filling)), F.pad(filters, (0, 0, 0, 0, 0, filling))
    output = F.conv2d(images.permute(0, 3, 1, 2), filters, bias, stride[1:], padding[1:])
    return output.unflatten(0, (len(clips), -1)).transpose(1, 2).contiguous(memory_format=layout)


def _is_foldable(conv: nn.Conv3d) -> bool:
    plain = conv.groups == 1 and set(conv.dilation) == {1} and conv.padding_mode == "zeros"
    return plain and not isinstance(conv.padding, str)
