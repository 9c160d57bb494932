"""uint8 frames to the input of the model, for all views at once, on tensors of any device."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from videogn.axes import Sample


def views_of(*samples: Sample) -> Tensor:
    """Cut the views out of the frames of decoded videos: gather, crop and mirror, in one operation each.

    Args:
        samples: Decoded videos with the same number of crops, and views of one size; their tensors on one device.

    Returns:
        Views, uint8 (V, C, T, H, W), a copy: video by video, then clip by clip, then crop by crop. The memory layout is
        (V, T, H, W, C).
    """
    places = {tuple(crop._replace(flip=False) for crop in sample.crops) for sample in samples}
    if len(places) > 1:  # only equal places can be cut from all videos at once
        return torch.cat([views_of(sample) for sample in samples])
    frames, clips = _joined(samples)
    # index_select copies whole frames as blocks of memory: on a CPU it takes a tenth of the time of frames[clips].
    parts = [place.cut(frames).index_select(0, clips.flatten()) for place in places.pop()]
    parts = [part.unflatten(0, clips.shape) for part in parts]  # crops x (clips, T, H, W, C)
    views = parts[0][:, None] if len(parts) == 1 else torch.stack(parts, dim=1)  # (clips, crops, T, H, W, C)
    mirrored = [[crop.flip for crop in sample.crops] for sample in samples for _ in _clips(sample)]
    if any(map(any, mirrored)):
        mask = torch.tensor(mirrored).to(views.device, non_blocking=True)[..., None, None, None, None]
        views = torch.where(mask, views.flip(-2), views)
    return views.flatten(0, 1).permute(0, 4, 1, 2, 3)


def view_chunks(sample: Sample, at_once: int) -> Iterator[Tensor]:
    """Cut the views out of the frames of a video some at a time, so that only those are copied.

    Args:
        sample: Decoded video.
        at_once: Largest number of views at a time; > 0.

    Yields:
        Views, uint8 (v, C, T, H, W), v <= `at_once`, in the order of `views_of`.
    """
    # Whole clips if all crops of a clip fit, else some crops of one clip.
    for clips in _clips(sample).split(max(at_once // len(sample.crops), 1)):
        for first in range(0, len(sample.crops), at_once):
            yield views_of(dataclasses.replace(sample, clips=clips, crops=sample.crops[first : first + at_once]))


def normalise(
    clips: Tensor,
    mean: Tensor | Sequence[float],
    std: Tensor | Sequence[float],
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Tensor:
    """Normalise clips channel by channel: (x / 255 - mean) / std.

    Args:
        clips: uint8 (B, C, T, H, W), in any memory layout.
        mean: Mean of each of the C channels, as a fraction of the full range. A tensor on the device of the clips is
            used without a transfer.
        std: Standard deviation of each of the C channels, as a fraction of the full range.
        memory_format: Memory layout of the result. Default: contiguous.

    Returns:
        float32 (B, C, T, H, W).
    """
    shape = (1, -1, 1, 1, 1)
    offset = torch.as_tensor(mean, dtype=torch.float32, device=clips.device).view(shape)
    scale = torch.as_tensor(std, dtype=torch.float32, device=clips.device).view(shape)
    # One new tensor, changed in place: a batch of clips is hundreds of megabytes.
    values = clips.to(torch.float32, memory_format=memory_format)
    return values.div_(255).sub_(offset).div_(scale)


def _joined(samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """The frames of all videos, uint8 (N, H, W, 3), and their clips, int64 (clips, T), as indices into these."""
    frames = [_frames(sample) for sample in samples]
    if len(samples) == 1:
        return frames[0], _clips(samples[0])
    clips = []
    first = 0
    for sample, own in zip(samples, frames, strict=True):
        clips.append(_clips(sample) + first)
        first += len(own)
    return torch.cat(frames), torch.cat(clips)


def _frames(sample: Sample) -> Tensor:
    assert sample.frames is not None
    return sample.frames


def _clips(sample: Sample) -> Tensor:
    assert sample.clips is not None
    return sample.clips
