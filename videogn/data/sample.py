"""One record to one sample: which frames, each decoded once, and what the views show of them, resized once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from videogn.axes import Crop, Sample, VideoRecord
from videogn.data.plans import ViewPlan
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import CHUNK_BYTES, FrameSource, Opener
from videogn.video.errors import VideoDecodeError
from videogn.video.window import Resizing, resized_size


def load_sample(
    record: VideoRecord,
    position: int,
    plan: ViewPlan,
    *,
    decoder: str,
    rng: np.random.Generator,
    opener: Opener = open_video,
) -> Sample:
    """Decode the frames that a plan needs of one video, each once, and resize what its crops show of them.

    Args:
        record: the video.
        position: where it stands in its index.
        plan: which views.
        decoder: one of `videogn.video.decoders.decode.DECODERS`.
        rng: source of whatever is random in the plan.
        opener: what decodes: in this process, in one that can be killed, or from memory.

    Returns:
        The sample; where the video cannot be decoded, one whose `error` says why.
    """
    label = -1 if record.label is None else record.label
    if record.error is not None:
        return Sample(position, record.path, label, error=record.error)
    try:
        with opener(record.path, decoder) as video:
            info = video.info
            num_frames = info.frames if record.frames is None else min(record.frames, info.frames)
            indices = plan.clips(num_frames, rng)  # (clips, T)
            resized = resized_size(info.height, info.width, plan.short_side(rng))
            crops = plan.crops(*resized, rng)
            region = _around(crops)
            wanted, clips = np.unique(indices, return_inverse=True)  # (N,), (clips * T,) or (clips, T)
            frames = _decode(video, wanted, Resizing((info.height, info.width), resized, region))
    except VideoDecodeError as error:
        return Sample(position, record.path, label, error=error.reason)
    return Sample(
        position,
        record.path,
        label,
        frames=frames,
        clips=torch.from_numpy(clips.reshape(indices.shape)),
        crops=tuple(crop._replace(top=crop.top - region.top, left=crop.left - region.left) for crop in crops),
        starts=tuple(indices[:, 0].tolist()),
        num_frames=num_frames,
    )


def _around(crops: Sequence[Crop]) -> Crop:
    """The smallest rectangle with all crops in it."""
    top, left = min(crop.top for crop in crops), min(crop.left for crop in crops)
    bottom = max(crop.top + crop.height for crop in crops)
    right = max(crop.left + crop.width for crop in crops)
    return Crop(top, left, bottom - top, right - left)


def _decode(video: FrameSource, wanted: np.ndarray, resizing: Resizing) -> Tensor:
    """Frames int64 (N,) of a video, resized a few at a time: uint8 (N, H, W, 3). What comes out is a copy."""
    window, region = resizing.window, resizing.region
    frames = _empty(len(wanted), region.height, region.width, 3)
    step = max(CHUNK_BYTES // (window.height * window.width * 3), 1)
    for first in range(0, len(wanted), step):
        part = frames[first : first + step]
        if resizing.changes_nothing:
            video.frames(wanted[first : first + step], window, part.numpy())
        else:
            part.copy_(resizing(torch.from_numpy(video.frames(wanted[first : first + step], window))))
    return frames


def _empty(*shape: int) -> Tensor:
    """A uint8 tensor; a loader's worker makes it in the memory that it would otherwise be copied to."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    return torch.empty(0, dtype=torch.uint8).set_(torch.UntypedStorage._new_shared(math.prod(shape))).view(shape)
