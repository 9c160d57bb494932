"""A long video to samples of a few sliding clips each: every frame is decoded once, and those behind are let go."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from videogn.axes import Sample, VideoRecord
from videogn.choices import EvaluationViews
from videogn.data.plans import evaluation_plan
from videogn.data.resized_frames import ResizedFrames
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import Opener
from videogn.video.errors import NotExactError, VideoDecodeError
from videogn.video.sliding import sliding_batches
from videogn.video.timeline import clip_spans, make_timeline


def sliding_samples(
    record: VideoRecord,
    views: EvaluationViews,
    *,
    stride: float,
    clips: int,
    decoder: str = "auto",
    opener: Opener = open_video,
) -> Iterator[Sample]:
    """Decode a video forward, and give the clips that slide over it, some at a time.

    Memory holds the frames of these clips, and the time stamps of the video.

    Args:
        record: The video, or a segment of one.
        views: Clips and crops; their number of clips does not matter.
        stride: Seconds from one clip to the next, > 0.
        clips: Number of clips in a sample, at most.
        decoder: One of `videogn.choices.DecoderName`. Default: "auto".
        opener: Function that opens a video: in this process, or in one that can be killed.

    Yields:
        Samples in the order of time, with the times of their clips. If a frame cannot be decoded, the last sample has
        the clips that end before it.

    Raises:
        VideoDecodeError: The video cannot be opened, or not be decoded to its end; raised after the samples before.
    """
    if record.error is not None:
        raise VideoDecodeError(record.name, record.error)
    plan = evaluation_plan(views)
    with opener(record.path, decoder) as video:
        timeline = make_timeline(video, record, plan.fps)
        times, fps = video.times(), video.info.fps
        ring = _Ring(ResizedFrames(video, plan, np.random.default_rng(0)))  # nothing in an evaluation is random
        for batch in sliding_batches(timeline, times[timeline], views, stride=stride, size=clips, fps=fps):
            failure = ring.advance(int(batch.indices.min()), batch.new)
            whole = batch.indices if failure is None else batch.indices[batch.indices.max(axis=1) <= ring.last]
            if len(whole):
                yield Sample(
                    0,
                    record.name,
                    -1 if record.label is None else record.label,
                    frames=ring.frames,
                    clips=torch.from_numpy(np.searchsorted(ring.numbers, whole)),
                    crops=ring.source.crops,
                    starts=tuple(whole[:, 0].tolist()),
                    times=clip_spans(whole, times, fps),
                    num_frames=len(timeline),
                    fallback=video.fallback,
                )
            if failure is not None:
                raise failure


class _Ring:
    """The frames of the clips at hand.

    Args:
        source: Frames of the video.

    Attributes:
        numbers: Indices of the frames, int64 (N,), increasing.
        frames: The frames, uint8 (N, H, W, 3).
    """

    def __init__(self, source: ResizedFrames) -> None:
        self.source = source
        self.numbers = np.empty(0, np.int64)
        self.frames = torch.empty(0)

    @property
    def last(self) -> int:
        """Index of the last frame; -1 if there is none."""
        return int(self.numbers[-1]) if len(self.numbers) else -1

    def advance(self, first: int, new: np.ndarray) -> VideoDecodeError | None:
        """Let the frames before `first` go, and decode new ones, int64 (n,), up to one that cannot be decoded.

        Returns:
            Why that one cannot be decoded, or None.
        """
        failure = None
        try:
            decoded = [self.source.decode(new)] if len(new) else []
        except NotExactError:  # the decoder hung or crashed, and would again
            raise
        except VideoDecodeError as error:
            decoded, failure = self._before_damage(new), error
        kept = int(np.searchsorted(self.numbers, first))
        held = [self.frames[kept:]] if kept < len(self.numbers) else []
        count = sum(map(len, decoded))
        self.frames = torch.cat([*held, *decoded]) if held or decoded else self.frames
        self.numbers = np.concatenate([self.numbers[kept:], new[:count]])
        return failure

    def _before_damage(self, new: np.ndarray) -> list[Tensor]:
        """Those before the first that cannot be decoded; the decoder goes back for them."""
        decoded: list[Tensor] = []
        for number in new:
            try:
                decoded.append(self.source.decode(np.array([number])))
            except VideoDecodeError:
                break
        return decoded
