"""One record to one sample: each needed frame is decoded once, and the part that the views show is resized once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videogn.axes import Sample, VideoRecord
from videogn.data.handover import shareable, shareable_empty
from videogn.data.plans import ViewPlan
from videogn.video.crops import around
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import CHUNK_BYTES, FrameSource, Opener
from videogn.video.errors import VideoDecodeError
from videogn.video.timeline import clip_times, make_timeline
from videogn.video.window import Resizing, resized_size


def load_sample(
    record: VideoRecord,
    position: int,
    plan: ViewPlan,
    *,
    decoder: str,
    rng: np.random.Generator,
    opener: Opener = open_video,
    timed: bool = False,
) -> Sample:
    """Decode the frames of a video that a plan needs, each once, and resize the part that its crops show.

    Args:
        record: The video.
        position: Position of the video in its index.
        plan: Plan of the views.
        decoder: One of `videogn.choices.DecoderName`.
        rng: Random generator for the plan.
        opener: Function that opens a video: in this process, in one that can be killed, or from memory.
        timed: Whether the sample says when its clips and frames are. Default: False.

    Returns:
        The sample. If the video cannot be decoded, its `error` says why.
    """
    label = -1 if record.label is None else record.label
    if record.error is not None:
        return Sample(position, record.name, label, error=record.error)
    try:
        with opener(record.path, decoder) as video:
            info = video.info
            timeline = make_timeline(video, record, plan.fps)
            indices = timeline[plan.clips(len(timeline), rng, info.fps)]  # (clips, T)
            times = clip_times(video, indices) if timed else ()
            resized = resized_size(info.height, info.width, plan.short_side(rng))
            crops = plan.crops(*resized, rng)
            region = around(crops)
            wanted, clips = np.unique(indices, return_inverse=True)  # (N,), (clips * T,) or (clips, T)
            frame_times = tuple(video.times()[wanted].tolist()) if timed else ()
            frames = _decode(video, wanted, Resizing(info.stored_size, resized, region, antialias=plan.antialias))
    except VideoDecodeError as error:
        return Sample(position, record.name, label, error=error.reason)
    return Sample(
        position,
        record.name,
        label,
        frames=frames,
        clips=shareable(torch.from_numpy(clips.reshape(indices.shape))),
        crops=tuple(crop._replace(top=crop.top - region.top, left=crop.left - region.left) for crop in crops),
        starts=tuple(indices[:, 0].tolist()),
        times=times,
        frame_times=frame_times,
        num_frames=len(timeline),
        fallback=video.fallback,
    )


def _decode(video: FrameSource, wanted: np.ndarray, resizing: Resizing) -> Tensor:
    """Frames int64 (N,) of a video, resized some at a time: uint8 (N, H, W, 3), a copy."""
    window, region = resizing.window, resizing.region
    frames = shareable_empty(len(wanted), region.height, region.width, 3)
    step = max(CHUNK_BYTES // (window.height * window.width * 3), 1)
    for first in range(0, len(wanted), step):
        part = frames[first : first + step]
        if resizing.changes_nothing:
            video.pixels(wanted[first : first + step], window, part.numpy())
        else:
            part.copy_(resizing(torch.from_numpy(video.pixels(wanted[first : first + step], window))))
    return frames
