"""Videos per second of several loader processes, and the time to hand a video over to the training process."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from videogn.axes import Sample
from videogn.bench.workload import Workload
from videogn.data.dataset import VideoDataset
from videogn.data.handover import check_space, shareable
from videogn.data.loader import video_loader
from videogn.data.sampler import VideoSampler
from videogn.video.decoders.frame_source import Opener

#: Least number of videos of one measurement, and number per worker.
_LEAST = 8
#: Number of times that one video is handed over.
_HANDOVERS = 12


@dataclass(frozen=True)
class Throughput:
    """Rate at which a number of workers delivers to the training process.

    Attributes:
        decoder: Name of the decoder.
        workers: Number of loader processes; 0 decodes in the training process.
        videos_per_s: Videos per second.
        frames_per_s: Distinct frames per second.
    """

    decoder: str
    workers: int
    videos_per_s: float
    frames_per_s: float


@dataclass(frozen=True)
class Transfer:
    """Time to hand one video's frames over.

    Attributes:
        worker_to_main_s: Seconds from a worker to the training process, by shared memory.
        host_to_device_s: Seconds on to the device, from page-locked memory; None if the device is the CPU.
        bytes: Size of the frames.
    """

    worker_to_main_s: float
    host_to_device_s: float | None
    bytes: int


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Limit torch to `count` threads: loader processes have one each, and so must everything compared with them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure_throughput(workload: Workload, decoder: str, workers: int, opener: Opener) -> Throughput:
    """Load videos with the loader of training; nothing counts until all its processes have started.

    Args:
        workload: Videos, all of which decode, and views.
        decoder: Name of the decoder.
        workers: Number of loader processes.
        opener: Opener of the videos.

    Returns:
        Videos and frames per second.
    """
    check_space(workers)
    skipped = 2 * workers + 1
    counted = max(_LEAST, _LEAST * workers, len(workload.records))
    # The same videos over and over.
    records = [workload.records[number % len(workload.records)] for number in range(skipped + counted)]
    dataset = VideoDataset(records, workload.plan, decoder=decoder, opener=opener)
    loader = video_loader(dataset, VideoSampler(len(records), shuffle=False), batch_size=1, num_workers=workers)
    frames = 0
    started = 0.0
    with threads(1):
        for number, batch in enumerate(loader):
            if number >= skipped:
                frames += sum(len(sample.frames) for sample in batch.samples if sample.frames is not None)
            elif number == skipped - 1:
                started = perf_counter()
        seconds = perf_counter() - started
    return Throughput(decoder, workers, counted / seconds, frames / seconds)


def measure_transfer(sample: Sample, device: torch.device) -> Transfer:
    """Hand one video's frames over, several times.

    Args:
        sample: A decoded video.
        device: Device of the network.

    Returns:
        Medians.
    """
    assert sample.frames is not None
    seconds = []
    check_space(1)
    loader: DataLoader[Any] = DataLoader(_Copies(sample), batch_size=None, num_workers=1, prefetch_factor=1)
    started = perf_counter()
    for _, copying in loader:
        seconds.append(perf_counter() - started - copying)
        started = perf_counter()
    # The first one waits for the worker to start.
    handover = max(statistics.median(seconds[1:]), 0.0)
    return Transfer(handover, _to_device(sample.frames, device), sample.frames.nbytes)


class _Copies(Dataset[Any]):
    """One decoded video over and over, each time in fresh memory, with the seconds that the copy took."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    def __len__(self) -> int:
        return _HANDOVERS + 1

    def __getitem__(self, number: int) -> tuple[Sample, float]:
        assert self._sample.frames is not None
        started = perf_counter()
        copy = replace(self._sample, frames=shareable(self._sample.frames))
        return copy, perf_counter() - started


def _to_device(frames: torch.Tensor, device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    pinned = frames.pin_memory()
    seconds = []
    for _ in range(_HANDOVERS + 1):
        torch.cuda.synchronize(device)
        started = perf_counter()
        pinned.to(device, non_blocking=True)
        torch.cuda.synchronize(device)
        seconds.append(perf_counter() - started)
    return statistics.median(seconds[1:])
