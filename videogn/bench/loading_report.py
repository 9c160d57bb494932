"""All measurements of loading a data set, one after the other, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from videogn.axes import Sample
from videogn.bench.advice import suggestions
from videogn.bench.memory import MemoryGrowth, measure_memory
from videogn.bench.resizing import ResizeGain, measure_resizing
from videogn.bench.stages import StageTimes, Variant, measure_stages
from videogn.bench.throughput import Throughput, Transfer, measure_throughput, measure_transfer, threads
from videogn.bench.workload import Workload
from videogn.video.decoders.guard import VideoGuard

#: Called with what is being measured, how much of it is done and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Scope:
    """How much is measured.

    Attributes:
        decoders: which decoders; the first is the one that guarding, resizing and memory are measured with.
        workers: numbers of loader processes.
        repeats: of every time, of which the median counts.
        memory_videos: videos over which the memory is followed; 0 leaves that out.
        short_side: of a resized copy, pixels.
        resized_videos: how many videos are re-encoded to see what that brings; 0 leaves that out.
        device: where the network would be.
    """

    decoders: tuple[str, ...]
    workers: tuple[int, ...]
    repeats: int
    memory_videos: int
    short_side: int
    resized_videos: int
    device: torch.device


@dataclass(frozen=True)
class Failure:
    """A video that could not be measured, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class GuardCost:
    """Seconds per video decoded in the loader's process and in one that can be killed."""

    unguarded_s: float
    guarded_s: float
    ratio: float


@dataclass(frozen=True)
class Memory:
    """A worker's memory, decoding in its own process and in one that can be killed."""

    unguarded: MemoryGrowth
    guarded: MemoryGrowth


@dataclass(frozen=True)
class LoadingReport:
    """What was measured.

    Attributes:
        expected: videos asked for.
        measured: videos that decode, with the first of the decoders.
        failed: the others.
        decoders: decoder -> seconds of each stage.
        transfer: of one video.
        throughput: for each decoder and number of workers.
        memory: growth over many videos; None where it was left out or the system does not tell.
        guard: what a process that can be killed costs.
        resizing: what re-encoding the set would bring; None where that was left out.
        suggestions: what follows, in words.
    """

    expected: int
    measured: int
    failed: tuple[Failure, ...]
    decoders: dict[str, StageTimes]
    transfer: Transfer
    throughput: tuple[Throughput, ...]
    memory: Memory | None
    guard: GuardCost
    resizing: ResizeGain | None
    suggestions: tuple[str, ...]


def measure_loading(workload: Workload, scope: Scope, progress: Progress) -> LoadingReport:
    """Measure how fast videos are loaded, and on what the time goes.

    Videos that fail are named and left out of the rest.

    Args:
        workload: the videos and views; its decoder is replaced by the scope's first.
        scope: how much is measured.
        progress: told what is going on.

    Returns:
        The report.

    Raises:
        ValueError: no video decodes.
    """
    expected = len(workload.records)
    workload, failed, sample = _decodable(replace(workload, decoder=scope.decoders[0]), progress)
    variants = {decoder: Variant(decoder) for decoder in scope.decoders}
    guard = VideoGuard(workload.limit)
    guarded = f"{workload.decoder}, guarded"
    with threads(1):
        stages = measure_stages(
            workload,
            variants | {guarded: Variant(workload.decoder, guard.open)},
            repeats=scope.repeats,
            progress=lambda done, total: progress("Stages", done, total),
        )
        guard.close()
        cost = _guard_cost(stages[workload.decoder], stages.pop(guarded))
        resizing = _resizing(workload, scope, progress)
    throughput = _throughput(workload, [name for name in stages if stages[name].measured], scope, progress)
    memory = _memory(workload, scope, progress)
    return LoadingReport(
        expected=expected,
        measured=len(workload.records),
        failed=failed,
        decoders=stages,
        transfer=measure_transfer(sample, scope.device),
        throughput=throughput,
        memory=memory,
        guard=cost,
        resizing=resizing,
        suggestions=suggestions(throughput, resizing, None if memory is None else memory.unguarded),
    )


def _decodable(workload: Workload, progress: Progress) -> tuple[Workload, tuple[Failure, ...], Sample]:
    """The workload without the videos that fail, these, and a sample of one that does not."""
    good, failed, example = [], [], None
    guard = VideoGuard(workload.limit)
    for number, record in enumerate(workload.records):
        progress("Opening", number + 1, len(workload.records))
        try:
            sample = workload.load(number, opener=guard.open)
        except ValueError as error:  # a crop that does not fit a tiny video, say
            sample = Sample(number, record.path, -1, error=str(error))
        if sample.error is None:
            good.append(record)
            example = example or sample
        else:
            failed.append(Failure(record.path, sample.error))
    guard.close()
    if example is None:
        count = len(workload.records)
        first = f"{failed[0].path}: {failed[0].reason}"
        raise ValueError(first if count == 1 else f"none of the {count} videos can be decoded; the first is {first}")
    return replace(workload, records=tuple(good)), tuple(failed), example


def _guard_cost(unguarded: StageTimes, guarded: StageTimes) -> GuardCost:
    return GuardCost(unguarded.total_s, guarded.total_s, guarded.total_s / unguarded.total_s)


def _resizing(workload: Workload, scope: Scope, progress: Progress) -> ResizeGain | None:
    if not scope.resized_videos:
        return None
    progress("Resizing a few videos", 0, 1)
    return measure_resizing(workload, scope.short_side, scope.resized_videos, scope.repeats)


def _throughput(
    workload: Workload, decoders: Sequence[str], scope: Scope, progress: Progress
) -> tuple[Throughput, ...]:
    settings = [(decoder, workers) for decoder in decoders for workers in scope.workers]
    found: list[Throughput] = []
    for decoder, workers in settings:
        progress("Workers", len(found), len(settings))
        found.append(measure_throughput(workload, decoder, workers))
    return tuple(found)


def _memory(workload: Workload, scope: Scope, progress: Progress) -> Memory | None:
    if not scope.memory_videos:
        return None
    growths = []
    for name, guarded in (("Memory", False), ("Memory, guarded", True)):

        def advance(done: int, total: int, name: str = name) -> None:
            progress(name, done, total)

        growths.append(measure_memory(workload, scope.memory_videos, guarded=guarded, progress=advance))
    unguarded, guarded_ = growths
    return None if unguarded is None or guarded_ is None else Memory(unguarded, guarded_)
