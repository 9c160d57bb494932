"""The videos of an index as a data set of samples, and what happens to those that cannot be decoded."""

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

#: A training video that cannot be decoded is replaced at most this many times in a row.
_MAX_REPLACEMENTS = 20


class VideoDataset(Dataset[list[Sample]]):
    """Videos of an index as samples.

    An item is a list: for a test, the video's one sample, decoded or failed. For training (`replace_failed`), a video
    that cannot be decoded is followed by another drawn at random, so that batches keep their size; the failed one stays
    in the list, so that nothing is replaced silently.

    What is random is a function of the seed, the epoch and the video's position, and for a replacement of how many
    went before it: which worker of which process loads the video, and what was loaded before, make no difference.

    Args:
        records: the videos.
        plan: which views are taken.
        decoder: one of `videogn.video.decoders.decode.DECODERS`.
        seed: of what is random.
        replace_failed: as said above.
        opener: what decodes: in this process, in one that can be killed, or from memory.
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
        """The sample of a video, in epoch 0 where only its position is given; after failed ones where it failed.

        Raises:
            ValueError: too many videos in a row cannot be decoded.
        """
        draw = Draw(0, key) if isinstance(key, int) else key
        samples = [self._load(draw.position, np.random.default_rng([self.seed, *draw]))]
        while self.replace_failed and samples[-1].error is not None:
            if len(samples) > _MAX_REPLACEMENTS:
                raise ValueError(
                    f"{len(samples)} training videos in a row cannot be decoded, "
                    f"the last is {samples[-1].path}: {samples[-1].error}"
                )
            rng = np.random.default_rng([self.seed, *draw, len(samples)])
            samples.append(self._load(int(rng.integers(len(self.records))), rng))
        return samples

    def _load(self, position: int, rng: np.random.Generator) -> Sample:
        record = self.records[position]
        return load_sample(record, position, self.plan, decoder=self.decoder, rng=rng, opener=self.opener)


def collate(items: Sequence[list[Sample]]) -> Batch:
    """Join items of a VideoDataset, the failed videos apart from the decoded ones."""
    samples = [sample for item in items for sample in item]
    return Batch(
        samples=[sample for sample in samples if sample.error is None],
        failed=[sample for sample in samples if sample.error is not None],
    )
