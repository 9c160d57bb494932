"""Videos to measure, and the views taken from each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from videogn.axes import Sample, VideoRecord
from videogn.checks import expanded
from videogn.data.plans import ViewPlan
from videogn.data.records import Records
from videogn.data.sample import load_sample
from videogn.data.sources import read_index
from videogn.data.video_files import VIDEO_SUFFIXES, find_videos
from videogn.video.clips import Indices
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import Opener


@dataclass(frozen=True)
class Workload:
    """Videos and the views taken from each; random views are the same at every repeat.

    Attributes:
        records: Videos.
        plan: Plan of the views.
    """

    records: Sequence[VideoRecord]
    plan: ViewPlan

    def load(self, number: int, decoder: str = "auto", opener: Opener = open_video) -> Sample:
        """Load one video as a loader process does.

        Args:
            number: Number of the record; after the last comes the first again.
            decoder: Name of the decoder. Default: "auto".
            opener: Opener of the video. Default: `open_video`, which decodes in this process.

        Returns:
            The sample, or a failed one.
        """
        place = number % len(self.records)
        return load_sample(self.records[place], place, self.plan, decoder=decoder, rng=_rng(place), opener=opener)

    def clips(self, number: int, num_frames: int, fps: float) -> Indices:
        """Compute the frame indices of a video's clips, for loading the same frames in another way.

        Args:
            number: Number of the record.
            num_frames: Number of frames in the video.
            fps: Frames per second of the video.

        Returns:
            Frame indices (V, T), int64.
        """
        return self.plan.clips(num_frames, _rng(number % len(self.records)), fps)


def _rng(place: int) -> np.random.Generator:
    return np.random.default_rng([0, place])


def spread(records: Sequence[VideoRecord], count: int) -> tuple[VideoRecord, ...]:
    """Choose at most `count` records, evenly spaced over all."""
    number = min(count, len(records))
    return tuple(records[len(records) * place // number] for place in range(number))


def find_records(paths: Iterable[str], root: str | None = None) -> Records:
    """List the videos that some paths stand for.

    Args:
        paths: Videos, folders of videos, lists, Kinetics CSVs or Parquet indices. A path that does not exist is taken
            for a video, which fails when it is opened.
        root: Folder of the videos that lists name. Default: that of the list.

    Returns:
        The videos in order, each once.

    Raises:
        ValueError: If a folder holds no videos, or a list cannot be read.
        FileNotFoundError: If `root` does not exist.
    """
    found = pa.concat_tables([_records(path, root).table for path in paths])
    # Of a million videos a few are measured: none of the others becomes an object.
    rows = pa.table({"path": found["path"], "row": np.arange(len(found))})
    first = rows.group_by("path").aggregate([("row", "min")])["row_min"].combine_chunks()
    return Records(found).take(np.sort(first))


def _records(path: str, root: str | None) -> Records:
    place = expanded(path)
    if place.is_dir():
        videos = find_videos(place)
        return Records.of_columns(videos, [None] * len(videos))
    if place.suffix.lower() in VIDEO_SUFFIXES or not place.is_file():
        return Records.of_columns([str(place) if place.exists() else path], [None])
    return read_index(place, root=root).records
