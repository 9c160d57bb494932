"""The same step on real tensors: what the allocator really hands out, and how long it takes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from videogn.checks import check_choice
from videogn.memory.step import StepSetting, TrainingStep


@dataclass(frozen=True)
class MeasuredStep:
    """A step that was run.

    Attributes:
        peak_bytes: the most that PyTorch's allocator had handed out at any moment, kernels' own temporaries included.
        seconds: the shortest step; the time of the processor on a CPU, of the clock on a GPU.
    """

    peak_bytes: int
    seconds: float


def measure_step(setting: StepSetting, batch_size: int, *, device: str = "cpu", repeats: int = 3) -> MeasuredStep:
    """Run a training step and measure it.

    Args:
        setting: network and input.
        batch_size: B.
        device: cpu or cuda.
        repeats: steps to take the time of, after one that warms up; 0 for memory alone.

    Returns:
        Memory and time; NaN seconds without repeats.

    Raises:
        ValueError: a name or number is wrong.
    """
    check_choice("device", device, ("cpu", "cuda"))
    step, peak = _cuda_peak(setting, batch_size) if device == "cuda" else _cpu_peak(setting, batch_size)
    seconds = [_seconds(step) for _ in range(repeats)]
    return MeasuredStep(peak, min(seconds, default=float("nan")))


def time_step(setting: StepSetting, batch_size: int, *, device: str = "cpu", repeats: int = 2) -> float:
    """Run a training step and take its time alone.

    Args:
        setting: network and input.
        batch_size: B.
        device: cpu or cuda.
        repeats: steps to take the time of, after one that warms up.

    Returns:
        Seconds of the shortest step, as `measure_step` takes them.

    Raises:
        ValueError: a name or number is wrong.
    """
    check_choice("device", device, ("cpu", "cuda"))
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
    start = time.process_time()  # what other processes do to the clock is not the step's
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
    """The CPU's allocator counts nothing by itself; the profiler hears of every allocation and free.

    Of what was allocated before, it does not hear that it is freed: it has to be there from the start.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step = TrainingStep(setting, batch_size)
        _take(step)
    # `record.events()` leaves out what is allocated within an operation.
    tree = record.profiler.kineto_results.experimental_event_tree()
    changes = [size for _, size in sorted(_changes(tree), key=lambda change: change[0])]
    return step, max(itertools.accumulate(changes))


def _changes(events: Any) -> Iterator[tuple[int, int]]:
    """(time, bytes) of every allocation, and of every free as a negative number."""
    pending = list(events)
    while pending:
        event = pending.pop()
        pending += event.children
        tag, fields = event.typed
        if tag.name == "Allocation":
            yield event.start_time_ns, fields.alloc_size
