"""One record to one sample: each needed frame is decoded once, and the part that the views show is resized once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from videogn.axes import Sample, VideoRecord
from videogn.data.handover import shareable
from videogn.data.plans import ViewPlan
from videogn.data.resized_frames import ResizedFrames
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import FrameSource, Opener
from videogn.video.errors import VideoDecodeError
from videogn.video.timeline import clip_times, make_timeline


def load_sample(
    record: VideoRecord,
    position: int,
    plan: ViewPlan,
    *,
    decoder: str,
    rng: np.random.Generator,
    opener: Opener = open_video,
    timed: bool = False,
    use_truncated: bool = False,
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
        use_truncated: Whether of a video that fails the frames are used that decode. The views then end with the last
            of them, and those lost before it are replaced by the nearest that decodes. Default: False.

    Returns:
        The sample. If the video cannot be decoded, its `error` says why.
    """
    label = -1 if record.label is None else record.label
    failed = Sample(position, record.name, label, error=record.error, labels=record.labels)
    if record.error is not None:
        return failed
    loading = partial(_load, failed, record, plan=plan, rng=rng, timed=timed)
    try:
        with opener(record.path, decoder) as video:
            return loading(video)
    except VideoDecodeError as error:
        failed = replace(failed, error=error.reason)
    if not use_truncated:
        return failed
    with suppress(VideoDecodeError), opener(record.path, "auto") as video:  # others pass over damage silently
        intact = video.intact()
        # Where time stamps do not tell frames apart, no decoder gets past the damage.
        for kept in filter(len, (intact, _before_damage(intact))):
            with suppress(VideoDecodeError):
                found = loading(video, kept=kept)
                return replace(found, truncated=f"{len(kept)} of {video.info.frames} frames decode: {failed.error}")
    return failed


def _load(
    empty: Sample,
    record: VideoRecord,
    video: FrameSource,
    *,
    plan: ViewPlan,
    rng: np.random.Generator,
    timed: bool,
    kept: np.ndarray | None = None,
) -> Sample:
    """Fill a sample from an open video; `kept` are the frames that may be used, increasing, by default all."""
    info = video.info
    if kept is not None:
        count = int(kept[-1]) + 1
        record = replace(record, frames=count if record.frames is None else min(count, record.frames))
    timeline = make_timeline(video, record, plan.fps)
    indices = timeline[plan.clips(len(timeline), rng, info.fps)]  # (clips, T)
    if kept is not None:
        indices = kept[np.searchsorted((kept[1:] + kept[:-1]) / 2, indices)]  # the nearest
    times = clip_times(video, indices) if timed else ()
    source = ResizedFrames(video, plan, rng)
    wanted, clips = np.unique(indices, return_inverse=True)  # (N,), (clips * T,) or (clips, T)
    return replace(
        empty,
        error=None,
        frames=source.decode(wanted),
        clips=shareable(torch.from_numpy(clips.reshape(indices.shape))),
        crops=source.crops,
        starts=tuple(indices[:, 0].tolist()),
        times=times,
        frame_times=tuple(video.times()[wanted].tolist()) if timed else (),
        num_frames=len(timeline),
        fallback=video.fallback,
    )


def _before_damage(intact: np.ndarray) -> np.ndarray:
    """The frames 0, 1, 2, ... up to the first that is not intact."""
    return intact[intact == np.arange(len(intact))]
