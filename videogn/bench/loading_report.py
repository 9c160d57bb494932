"""All measurements of loading a data set, one after the other, and the advice that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import torch

from videogn.axes import Sample
from videogn.bench.advice import advice
from videogn.bench.stages import StageTimes, measure_stages
from videogn.bench.throughput import Throughput, Transfer, measure_throughput, measure_transfer, threads
from videogn.bench.workload import Workload
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import Opener
from videogn.video.decoders.guard import VideoGuard

#: Called with (name of the measurement, steps done, steps).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Failure:
    """A video that could not be measured, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class LoadingReport:
    """Measurements of loading a data set.

    Attributes:
        expected: Number of videos asked for.
        measured: Number of videos that decode with the first decoder.
        failed: The other videos.
        decoders: Times of the stages by decoder.
        transfer: Time to hand one video over.
        throughput: Rates for each decoder and number of workers.
        suggestions: Advice, as sentences.
    """

    expected: int
    measured: int
    failed: tuple[Failure, ...]
    decoders: dict[str, StageTimes]
    transfer: Transfer
    throughput: tuple[Throughput, ...]
    suggestions: tuple[str, ...]


def measure_loading(
    workload: Workload,
    *,
    decoders: Sequence[str],
    workers: Sequence[int],
    repeats: int,
    time_limit: float,
    device: torch.device,
    progress: Progress,
) -> LoadingReport:
    """Measure the time of loading videos, stage by stage and with several loader processes.

    Videos that fail are named and left out of the measurements.

    Args:
        workload: Videos and views.
        decoders: Names of the decoders, the usual one first.
        workers: Numbers of loader processes.
        repeats: Number of counted passes over the videos.
        time_limit: Seconds after which a video counts as failed.
        device: Device of the network.
        progress: Called before and during each measurement.

    Returns:
        The measurements.

    Raises:
        ValueError: If no video decodes.
    """
    expected = len(workload.records)
    with closing(VideoGuard(time_limit)) as guard:
        workload, failed, sample = _decodable(workload, decoders[0], guard.open, progress)
    with threads(1):
        stages = measure_stages(
            workload,
            {decoder: (decoder, open_video) for decoder in decoders},
            repeats=repeats,
            progress=lambda done, total: progress("Stages", done, total),
        )
    settings = [(decoder, number) for decoder in decoders if stages[decoder].measured for number in workers]
    throughput: list[Throughput] = []
    for decoder, number in settings:
        progress("Workers", len(throughput), len(settings))
        throughput.append(measure_throughput(workload, decoder, number, VideoGuard(time_limit).open))
    return LoadingReport(
        expected=expected,
        measured=len(workload.records),
        failed=failed,
        decoders=stages,
        transfer=measure_transfer(sample, device),
        throughput=tuple(throughput),
        suggestions=advice(throughput),
    )


def _decodable(
    workload: Workload, decoder: str, opener: Opener, progress: Progress
) -> tuple[Workload, tuple[Failure, ...], Sample]:
    """The workload without the videos that fail, these, and a sample of one that does not."""
    good, failed, example = [], [], None
    for number, record in enumerate(workload.records):
        progress("Opening", number + 1, len(workload.records))
        try:
            sample = workload.load(number, decoder, opener)
        except ValueError as error:  # a crop that does not fit a tiny video, say
            sample = Sample(number, record.path, -1, error=str(error))
        if sample.error is None:
            good.append(record)
            example = example or sample
        else:
            failed.append(Failure(record.path, sample.error))
    if example is None:
        count = len(workload.records)
        first = f"{failed[0].path}: {failed[0].reason}"
        raise ValueError(first if count == 1 else f"none of the {count} videos can be decoded; the first is {first}")
    return replace(workload, records=tuple(good)), tuple(failed), example
