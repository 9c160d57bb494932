"""A training step on real tensors: memory handed out by the allocator, and time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch.profiler import ProfilerActivity, profile

from videogn.checks import check_choice
from videogn.choices import DeviceName
from videogn.memory.step import StepSetting, TrainingStep


@dataclass(frozen=True)
class MeasuredStep:
    """Memory and time of a step.

    Attributes:
        peak_bytes: Largest number of bytes handed out by PyTorch's allocator at one moment, including temporaries
            inside kernels.
        seconds: Time of the shortest step: processor time on a CPU, wall time on a GPU.
    """

    peak_bytes: int
    seconds: float


def measure_step(setting: StepSetting, batch_size: int, *, device: str = "cpu", repeats: int = 3) -> MeasuredStep:
    """Run a training step and measure it.

    Args:
        setting: Network, input and optimiser.
        batch_size: Number of clips B.
        device: cpu or cuda. Default: "cpu".
        repeats: Number of timed steps, after one to warm up; 0 for memory alone. Default: 3.

    Returns:
        Memory and time; the time is NaN without repeats.

    Raises:
        ValueError: A name or number is wrong.
    """
    check_choice("device", device, get_args(DeviceName))
    step, peak = _cuda_peak(setting, batch_size) if device == "cuda" else _cpu_peak(setting, batch_size)
    seconds = [_seconds(step) for _ in range(repeats)]
    return MeasuredStep(peak, min(seconds, default=float("nan")))


def time_step(setting: StepSetting, batch_size: int, *, device: str = "cpu", repeats: int = 2) -> float:
    """Run a training step and measure its time alone.

    Args:
        setting: Network, input and optimiser.
        batch_size: Number of clips B.
        device: cpu or cuda. Default: "cpu".
        repeats: Number of timed steps, after one to warm up. Default: 2.

    Returns:
        Seconds of the shortest step, measured as in `measure_step`.

    Raises:
        ValueError: A name or number is wrong.
    """
    check_choice("device", device, get_args(DeviceName))
    step = TrainingStep(setting, batch_size, device, foreach=device == "cuda")
    _take(step)
    return min(_seconds(step) for _ in range(repeats))


def _take(step: TrainingStep) -> None:
    step.backward(step.forward())
    step.update()


def _seconds(step: TrainingStep) -> float:
    if step.device.type == "cuda":
        torch.cuda.synchronize()
        start = time.perf_counter()
        _take(step)
        torch.cuda.synchronize()
        return time.perf_counter() - start
    start = time.process_time()  # wall time would include other processes
    _take(step)
    return time.process_time() - start


def _cuda_peak(setting: StepSetting, batch_size: int) -> tuple[TrainingStep, int]:
    before = torch.cuda.memory_allocated()
    step = TrainingStep(setting, batch_size, "cuda", foreach=True)
    torch.cuda.reset_peak_memory_stats()
    _take(step)
    torch.cuda.synchronize()
    return step, torch.cuda.max_memory_allocated() - before


def _cpu_peak(setting: StepSetting, batch_size: int) -> tuple[TrainingStep, int]:
    """Measure by the profiler, since the CPU's allocator counts nothing.

    The profiler misses frees of earlier allocations, so it has to be there from the start.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step = TrainingStep(setting, batch_size)
        _take(step)
    # `record.events()` leaves out what is allocated within an operation.
    tree = record.profiler.kineto_results.experimental_event_tree()
    changes = [size for _, size in sorted(_changes(tree), key=lambda change: change[0])]
    return step, max(itertools.accumulate(changes))


def _changes(events: Any) -> Iterator[tuple[int, int]]:
    """Yield (time, bytes) of every allocation and, with negative bytes, of every free."""
    pending = list(events)
    while pending:
        event = pending.pop()
        pending += event.children
        tag, fields = event.typed
        if tag.name == "Allocation":
            yield event.start_time_ns, fields.alloc_size
