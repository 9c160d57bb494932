"""What is measured: some videos, and the views taken from each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from videogn.axes import Sample, VideoRecord
from videogn.data.plans import ViewPlan
from videogn.data.sample import load_sample
from videogn.video.clips import Indices
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import Opener


@dataclass(frozen=True)
class Workload:
    """Videos and the views taken from each; what is random is the same at every repeat.

    Attributes:
        records: the videos.
        plan: which views.
        decoder: what decodes them, by default; one of `videogn.video.decoders.decode.DECODERS`.
        limit: seconds for a video where it is decoded in a process that can be killed.
    """

    records: tuple[VideoRecord, ...]
    plan: ViewPlan
    decoder: str = "auto"
    limit: float = 60.0

    def load(self, number: int, *, decoder: str | None = None, opener: Opener = open_video) -> Sample:
        """Load one video as a worker does.

        Args:
            number: of the record; it starts again from the first after the last.
            decoder: another one than the workload's.
            opener: what decodes.

        Returns:
            The sample, failed or not.
        """
        position = number % len(self.records)
        return load_sample(
            self.records[position],
            position,
            self.plan,
            decoder=decoder or self.decoder,
            rng=_random(position),
            opener=opener,
        )

    def clips(self, number: int, num_frames: int) -> Indices:
        """The frames of each clip of a video, for whoever wants to load the same in another way.

        Args:
            number: of the record.
            num_frames: how many frames it has.

        Returns:
            int64 (V, T).
        """
        return self.plan.clips(num_frames, _random(number % len(self.records)))


def _random(position: int) -> np.random.Generator:
    return np.random.default_rng([0, position])


def spread(records: Sequence[VideoRecord], count: int) -> tuple[VideoRecord, ...]:
    """Choose at most `count` records, evenly spaced over all."""
    number = min(count, len(records))
    return tuple(records[len(records) * place // number] for place in range(number))
