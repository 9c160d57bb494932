"""The videos of an index as a data set of samples, and the replacement of those that cannot be decoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from videogn.axes import Batch, Sample, VideoRecord
from videogn.data.plans import ViewPlan
from videogn.data.sample import load_sample
from videogn.data.sampler import Draw
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import Opener

#: Largest number of replacements in a row for a training video that cannot be decoded.
_MAX_REPLACEMENTS = 20


class VideoDataset(Dataset[list[Sample]]):
    """Videos of an index as samples.

    An item is a list. For testing, it is the video's one sample, decoded or failed. For training (`replace_failed`), a
    video that cannot be decoded is followed by another one drawn at random, so that batches keep their size. The failed
    one stays in the list, so that nothing is replaced silently.

    All randomness is a function of the seed, the epoch, the position of the video, how often it was drawn before in the
    epoch and, for a replacement, the number of failed ones before it. It depends neither on the worker or process that
    loads the video, nor on earlier loads.

    Args:
        records: Videos.
        plan: Plan of the views.
        decoder: One of `videogn.choices.DecoderName`. Default: "auto".
        seed: Seed of all randomness. Default: 0.
        replace_failed: Whether failed videos are followed by others. Default: False.
        opener: Function that opens a video: in this process, in one that can be killed, or from memory.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        plan: ViewPlan,
        *,
        decoder: str = "auto",
        seed: int = 0,
        replace_failed: bool = False,
        opener: Opener = open_video,
    ) -> None:
        self.records = records
        self.plan = plan
        self.decoder = decoder
        self.seed = seed
        self.replace_failed = replace_failed
        self.opener = opener

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: Draw | int) -> list[Sample]:
        """Load the sample of a video, preceded by failed ones if it is a replacement.

        Args:
            key: Draw of a sampler, or the position of a video for a draw in epoch 0.

        Raises:
            ValueError: If too many videos in a row cannot be decoded.
        """
        return self.load(Draw(0, key) if isinstance(key, int) else key, self.plan)

    def load(self, draw: Draw, plan: ViewPlan) -> list[Sample]:
        """Load an item by a plan; see `__getitem__`."""
        samples = [self._load(draw.position, plan, self._generator(draw))]
        while self.replace_failed and samples[-1].error is not None:
            if len(samples) > _MAX_REPLACEMENTS:
                raise ValueError(
                    f"{len(samples)} training videos in a row cannot be decoded, "
                    f"the last is {samples[-1].path}: {samples[-1].error}"
                )
            rng = self._generator(draw, len(samples))
            samples.append(self._load(int(rng.integers(len(self.records))), plan, rng))
        return samples

    def _generator(self, draw: Draw, failed: int = 0) -> np.random.Generator:
        rare = (failed, draw.before) if draw.before else (failed,) if failed else ()
        return np.random.default_rng([self.seed, draw.epoch, draw.position, *rare])

    def _load(self, position: int, plan: ViewPlan, rng: np.random.Generator) -> Sample:
        record = self.records[position]
        return load_sample(record, position, plan, decoder=self.decoder, rng=rng, opener=self.opener)


def collate(items: Sequence[list[Sample]]) -> Batch:
    """Join items of a VideoDataset; failed videos are separated from decoded ones."""
    samples = [sample for item in items for sample in item]
    return Batch(
        samples=[sample for sample in samples if sample.error is None],
        failed=[sample for sample in samples if sample.error is not None],
    )
