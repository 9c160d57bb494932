"""Record + clips + decode -> sample. What differs between training, validation and test is passed in as functions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from videogn.axes import Batch, Sample, VideoRecord
from videogn.data.plans import ViewPlan
from videogn.processes import rank
from videogn.video.cache import FrameCache
from videogn.video.decode import VideoDecodeError, open_video
from videogn.video.transforms import resize_short_side

_log = logging.getLogger(__name__)

#: Frames are decoded and resized this many at a time: 32 of 720p are 88 MB, a whole video of them would be gigabytes.
_FRAMES_AT_ONCE = 32
#: A training video that cannot be decoded is replaced at most this many times in a row.
_MAX_REPLACEMENTS = 20


def load_sample(
    record: VideoRecord,
    position: int,
    plan: ViewPlan,
    *,
    decoder: str,
    rng: np.random.Generator,
    cache: FrameCache | None = None,
) -> Sample:
    """Decode the frames that a plan needs of one video, each once, and resize them.

    Args:
        record: the video.
        position: where it stands in its index.
        plan: which views.
        decoder: "auto", "decord" or "pyav".
        rng: source of whatever is random in the plan.
        cache: takes the frames from here instead of decoding them again.

    Returns:
        The sample; where the video cannot be decoded, one whose `error` says why.
    """
    label = -1 if record.label is None else record.label
    try:
        with (open_video if cache is None else cache.open)(record.path, decoder) as video:
            num_frames = video.info.frames
            indices = plan.clips(num_frames, rng)  # (clips, T)
            short_side = plan.short_side(rng)
            wanted, clips = np.unique(indices, return_inverse=True)  # (N,), (clips * T,) or (clips, T)
            parts = [
                resize_short_side(torch.from_numpy(video.frames(wanted[first : first + _FRAMES_AT_ONCE])), short_side)
                for first in range(0, len(wanted), _FRAMES_AT_ONCE)
            ]
    except VideoDecodeError as error:
        return Sample(position, record.path, label, error=error.reason)
    frames = torch.cat(parts)  # (N, H, W, 3)
    return Sample(
        position,
        record.path,
        label,
        frames=frames,
        clips=torch.from_numpy(clips.reshape(indices.shape)),
        crops=plan.crops(frames.shape[1], frames.shape[2], rng),
        starts=tuple(indices[:, 0].tolist()),
        num_frames=num_frames,
    )


class VideoDataset(Dataset[list[Sample]]):
    """Videos of an index as samples.

    An item is a list: for a test, the video's one sample, decoded or failed. For training (`replace_failed`), a video
    that cannot be decoded is followed by another drawn at random, so that batches keep their size; the failed one stays
    in the list and is logged, so that nothing is replaced silently.

    Args:
        records: the videos.
        plan: which views are taken.
        decoder: "auto", "decord" or "pyav".
        seed: makes what is random in a plan the same for a video at every epoch; None draws anew every time from
            torch's generator, which differs between workers and epochs and is seeded by `seed_everything`.
        replace_failed: as said above.
        cache: keep decoded videos in memory.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        plan: ViewPlan,
        *,
        decoder: str = "auto",
        seed: int | None = None,
        replace_failed: bool = False,
        cache: bool = False,
    ) -> None:
        self.records = records
        self.plan = plan
        self.decoder = decoder
        self.seed = seed
        self.replace_failed = replace_failed
        self.cache = FrameCache() if cache else None

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, position: int) -> list[Sample]:
        samples = [self._load(position)]
        while self.replace_failed and samples[-1].error is not None:
            _log.warning("%s: %s; another video takes its place", samples[-1].path, samples[-1].error)
            if len(samples) > _MAX_REPLACEMENTS:
                raise ValueError(
                    f"{len(samples)} training videos in a row cannot be decoded, "
                    f"the last is {samples[-1].path}: {samples[-1].error}"
                )
            samples.append(self._load(int(torch.randint(len(self.records), ()))))
        return samples

    def _load(self, position: int) -> Sample:
        # Processes that train together are seeded alike and must not all cut their videos alike.
        entropy = [self.seed, position] if self.seed is not None else [int(torch.randint(2**63 - 1, ())), rank()]
        rng = np.random.default_rng(entropy)
        return load_sample(self.records[position], position, self.plan, decoder=self.decoder, rng=rng, cache=self.cache)


def collate(items: Sequence[list[Sample]]) -> Batch:
    """Join items of a VideoDataset, the failed videos apart from the decoded ones."""
    samples = [sample for item in items for sample in item]
    return Batch(
        samples=[sample for sample in samples if sample.error is None],
        failed=[sample for sample in samples if sample.error is not None],
    )
