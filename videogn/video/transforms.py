"""uint8 frames -> the model's input. Everything here runs on tensors of any device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from videogn.axes import Sample


def resize_short_side(frames: Tensor, short_side: int) -> Tensor:
    """Resize frames so that their shorter side has `short_side` pixels, bilinear and antialiased, staying uint8.

    Args:
        frames: uint8 (N, H, W, 3).
        short_side: pixels; the longer side keeps the ratio, rounded.

    Returns:
        uint8 (N, H', W', 3), contiguous.
    """
    height, width = frames.shape[1:3]
    if min(height, width) == short_side:
        return frames
    scale = short_side / min(height, width)
    size = (max(round(height * scale), short_side), max(round(width * scale), short_side))
    # The permuted view is channels-last, which torch resizes as uint8 without a copy.
    resized = F.interpolate(frames.permute(0, 3, 1, 2), size=size, mode="bilinear", antialias=True)  # (N, 3, H', W')
    return resized.permute(0, 2, 3, 1).contiguous()  # (N, H', W', 3)


def views_of(sample: Sample) -> Iterator[Tensor]:
    """Cut a decoded video's views out of its frames, one at a time, so that only one is copied at once.

    Args:
        sample: a video whose frames are decoded.

    Yields:
        uint8 (C, T, H, W); the crops of a clip one after the other.
    """
    assert sample.frames is not None
    assert sample.clips is not None
    for clip in sample.clips:
        for crop in sample.crops:
            part = sample.frames[:, crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
            view = part[clip].permute(3, 0, 1, 2)  # (C, T, H, W)
            yield view.flip(-1) if crop.flip else view


def normalise(clips: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(x / 255 - mean) / std, channel by channel.

    Args:
        clips: uint8 (B, C, T, H, W).
        mean: C numbers, in units of the full range.
        std: C numbers, likewise.

    Returns:
        float32 (B, C, T, H, W).
    """
    shape = (1, -1, 1, 1, 1)
    offset = torch.tensor(mean, device=clips.device).view(shape)
    scale = torch.tensor(std, device=clips.device).view(shape)
    return (clips.float() / 255 - offset) / scale
