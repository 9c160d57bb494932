"""A stream of videos, decoded ahead in worker processes while the network runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from videogn.axes import Sample
from videogn.choices import EvaluationViews
from videogn.data.handover import check_space
from videogn.data.plans import ViewPlan
from videogn.data.sample import load_sample
from videogn.inference.videos import Order, Video, order_of
from videogn.system.cores import available_cores
from videogn.video.decoders.guard import video_opener

#: Number of workers that memory has room for: each has a decoder's process beside it.
_MOST_WORKERS = 16
#: Videos that each worker may be ahead of the network.
_AHEAD = 2


class VideoDecoding(Dataset[Sample]):
    """The samples of records; a worker gets each record with the order to decode it, and never sees the others.

    Args:
        plan: Plan of the views.
        decoder: One of `videogn.choices.DecoderName`.
        time_limit: Seconds that a small video may take, in a process that can be killed; 0 decodes in this process.
        frame_rate: Frames per second of folders of images and of bare arrays.
        use_truncated: Whether of a video that fails the frames are used that decode.

    Attributes:
        plan: Plan of the views.
    """

    def __init__(
        self, plan: ViewPlan, decoder: str, time_limit: float, *, frame_rate: float, use_truncated: bool
    ) -> None:
        self.plan = plan
        self._decoder = decoder
        self._time_limit = time_limit
        self._opener = video_opener(time_limit, frame_rate)
        self._frame_rate = frame_rate
        self._use_truncated = use_truncated

    def order(self, video: Video) -> Order:
        """Say how a video is decoded; see `order_of`."""
        return order_of(video, self._frame_rate)

    def __getitem__(self, numbered: tuple[int, Order]) -> Sample:
        """Decode a video, given with its number."""
        number, order = numbered
        return load_sample(
            order.record,
            number,
            self.plan,
            decoder=self._decoder,
            rng=np.random.default_rng(0),  # nothing in an evaluation is random
            opener=order.opener or self._opener,
            timed=True,
            use_truncated=self._use_truncated,
        )

    def sliding(self, video: Video, views: EvaluationViews, *, stride: float, clips: int) -> Iterator[Sample]:
        """Decode a long video forward, some of its sliding clips at a time; see `sliding_samples`."""
        from videogn.data.sliding_samples import sliding_samples  # what only long videos need

        order = self.order(video)
        # An opener of its own: a guard has one video open at a time, and timelines may be advanced by turns.
        opener = order.opener or video_opener(self._time_limit, self._frame_rate)
        return sliding_samples(order.record, views, stride=stride, clips=clips, decoder=self._decoder, opener=opener)


def decoded(
    videos: Iterable[Video], decoding: VideoDecoding, *, workers: int | None, device: torch.device
) -> Iterator[Sample]:
    """Decode videos in order, on one set of worker processes.

    Args:
        videos: Videos; taken in this process as they are needed, at most two for each worker ahead.
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
        sampler=_until_error(enumerate(map(decoding.order, videos)), failure.append),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        pin_memory=device.type == "cuda",
        worker_init_fn=_end_quietly,
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


def _end_quietly(worker: int) -> None:
    """In a worker, whose own errors go another way: say nothing when the main process ends while it takes frames."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, ConnectionError):
            usual(kind, error, trace)

    sys.excepthook = hook


def _until_error(orders: Iterable[Any], note: Callable[[Exception], None]) -> Iterator[Any]:
    """Pass orders on, and note the error that ends them: the loader would drop what its workers are still decoding."""
    try:
        yield from orders
    except Exception as error:
        note(error)
