"""A training step on real tensors: memory handed out by the allocator, and time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor
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
    step = TrainingStep(setting, batch_size, device, foreach=device == "cuda")
    peak = step_peak(step)
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
    step.take()
    return min(_seconds(step) for _ in range(repeats))


def step_peak(step: TrainingStep, clips: Tensor | None = None) -> int:
    """Take a step and measure its memory, whatever else there is on the device.

    Args:
        step: The step.
        clips: Its input, see `TrainingStep.forward`. Default: zeros, made within the step.

    Returns:
        The largest number of bytes of the step at one moment, network and input included.
    """
    trained = [parameter for parameter in step.model.parameters() if parameter.grad is not None]
    held = (*step.optimizer_state, *step.averages, *(() if clips is None else (clips,)))
    step.optimizer.zero_grad()

    def take() -> None:
        for parameter in trained:  # here, since the CPU's profiler misses frees of what was allocated before
            parameter.grad = torch.zeros_like(parameter)
        step.take(clips)

    return step.network_bytes + sum(tensor.nbytes for tensor in held) + _peak(step.device, take)


def inference_peak(step: TrainingStep, clips: Tensor) -> int:
    """Run the network of a step without gradients and measure the memory of that.

    Args:
        step: The step, whose network is in evaluation mode.
        clips: Clips (B, 3, T, H, W) on the device.

    Returns:
        The largest number of bytes at one moment, network and clips included.
    """
    with torch.inference_mode():
        return step.network_bytes + clips.nbytes + _peak(step.device, lambda: step.logits(clips))


def _seconds(step: TrainingStep) -> float:
    if step.device.type == "cuda":
        torch.cuda.synchronize()
        start = time.perf_counter()
        step.take()
        torch.cuda.synchronize()
        return time.perf_counter() - start
    start = time.process_time()  # wall time would include other processes
    step.take()
    return time.process_time() - start


def _peak(device: torch.device, work: Callable[[], object]) -> int:
    """Largest number of bytes, beyond what is allocated already, that work takes at one moment."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    # The CPU's allocator counts nothing.
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    # `record.events()` leaves out what is allocated within an operation.
    tree = record.profiler.kineto_results.experimental_event_tree()
    changes = [size for _, size in sorted(_changes(tree), key=lambda change: change[0])]
    return max(itertools.accumulate(changes), default=0)


def _changes(events: Any) -> Iterator[tuple[int, int]]:
    """Yield (time, bytes) of every allocation and, with negative bytes, of every free."""
    pending = list(events)
    while pending:
        event = pending.pop()
        pending += event.children
        tag, fields = event.typed
        if tag.name == "Allocation":
            yield event.start_time_ns, fields.alloc_size
