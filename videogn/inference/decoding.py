"""A stream of videos, decoded ahead in worker processes while the network runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from videogn.axes import Sample, VideoRecord
from videogn.data.handover import check_space
from videogn.data.lists.segments import named_video
from videogn.data.plans import ViewPlan
from videogn.data.sample import load_sample
from videogn.data.stored_paths import opened_path
from videogn.system.cores import available_cores
from videogn.video.decoders.frame_source import Opener

#: A video, or a part of one: its name, or its record in an index.
Video = str | os.PathLike[str] | VideoRecord
#: Number of workers that memory has room for: each has a decoder's process beside it.
_MOST_WORKERS = 16
#: Videos that each worker may be ahead of the network.
_AHEAD = 2


class VideoDecoding(Dataset[Sample]):
    """The samples of records; a worker gets each record with the order to decode it, and never sees the others.

    Args:
        plan: Plan of the views.
        decoder: One of `videogn.choices.DecoderName`.
        opener: Function that opens a video: in this process, or in one that can be killed.
    """

    def __init__(self, plan: ViewPlan, decoder: str, opener: Opener) -> None:
        self._plan = plan
        self._decoder = decoder
        self._opener = opener

    def __getitem__(self, order: tuple[int, VideoRecord]) -> Sample:
        """Decode a record, given with its number."""
        number, record = order
        rng = np.random.default_rng(0)  # nothing in an evaluation is random
        return load_sample(record, number, self._plan, decoder=self._decoder, rng=rng, opener=self._opener, timed=True)


def decoded(
    videos: Iterable[Video], decoding: VideoDecoding, *, workers: int | None, device: torch.device
) -> Iterator[Sample]:
    """Decode videos in order, on one set of worker processes.

    Args:
        videos: Names or records; taken in this process as they are needed, at most two for each worker ahead.
        decoding: What is decoded of a record, and how.
        workers: Number of processes that decode ahead; 0 decodes as samples are asked for; None chooses, see
            `usual_workers`.
        device: Device of the network; for a GPU the frames go to page-locked memory.

    Yields:
        One sample a video, decoded or failed. An error of the iterable itself comes after those before it.
    """
    if workers is None:
        videos = iter(videos)
        first = list(islice(videos, 2))
        videos = chain(first, videos)
        workers = usual_workers(device) if len(first) > 1 else 0
    check_space(workers)
    failure: list[Exception] = []
    loader: DataLoader[Any] = DataLoader(
        decoding,
        batch_size=None,
        sampler=_until_error(enumerate(map(_record, videos)), failure.append),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        pin_memory=device.type == "cuda",
    )
    yield from loader
    if failure:
        raise failure[0]


def usual_workers(device: torch.device, cores: int | None = None) -> int:
    """Choose the number of processes that decode ahead of a network.

    A GPU waits for decoding, which then may have every core. A network on a CPU takes several times the processor time
    of decoding: a quarter of the cores keeps up with it, and more would only disturb its threads.

    Args:
        device: Device of the network.
        cores: Number of cores. Default: those that this process may run on.
    """
    cores = cores or available_cores()
    return min(cores, _MOST_WORKERS) if device.type == "cuda" else max(cores // 4, 1)


def _until_error(orders: Iterable[Any], note: Callable[[Exception], None]) -> Iterator[Any]:
    """Pass orders on, and note the error that ends them: the loader would drop what its workers are still decoding."""
    try:
        yield from orders
    except Exception as error:
        note(error)


def _record(video: Video) -> VideoRecord:
    """The video or part of that name; a part that is wrong fails like a bad file, among the others."""
    if isinstance(video, VideoRecord):
        return video
    name = os.fspath(video)
    try:
        record = named_video(name)
        return replace(record, path=opened_path(record.path))
    except ValueError as error:
        return VideoRecord(name, None, error=str(error).removeprefix(f"{name}: "))
