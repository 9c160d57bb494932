"""Seconds of work on a device, once it is warm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time

import torch

#: Work is repeated until it takes so many seconds, but not more often than that: clocks have a resolution.
_LEAST_SECONDS, _MOST_TIMES = 0.05, 20
#: Work is warm when so many turns in a row were no quicker than this part of the quickest before.
_IN_A_ROW, _AS_QUICK = 2, 0.9
#: Turns after which it is taken to be warm in any case.
_MOST_TURNS = 12


@dataclass(frozen=True)
class Clock:
    """A clock.

    Attributes:
        name: "processor" (time of all threads of this process), "wall" or "cuda" (events on the stream).
        seconds: Function from work and a number of times to the seconds that it took once, on average.
    """

    name: str
    seconds: Callable[[Callable[[], object], int], float]


def clock_of(device: torch.device, threads: int) -> Clock:
    """Choose the clock for a device.

    Args:
        device: Device that works.
        threads: Number of threads of torch. With one on a CPU, the processor's time counts, which other programs do not
            lengthen; with several it would be their sum.
    """
    if device.type == "cuda":
        return Clock("cuda", _cuda_seconds)
    now = process_time if threads == 1 else perf_counter
    return Clock("processor" if threads == 1 else "wall", lambda work, times: _seconds(now, work, times))


def _seconds(now: Callable[[], float], work: Callable[[], object], times: int) -> float:
    started = now()
    for _ in range(times):
        work()
    return (now() - started) / times


def _cuda_seconds(work: Callable[[], object], times: int) -> float:
    """Between two events, after a run that is not counted: it gets back the memory that others had meanwhile."""
    work()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(times):
        work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000 / times


def warm_up(seconds: Callable[[], float]) -> float:
    """Run work until it gets no quicker: what is compiled or tuned for it is then done.

    Args:
        seconds: Function that runs it and returns its seconds.

    Returns:
        Seconds of the quickest turn.
    """
    quickest, warm = seconds(), 0
    for _ in range(_MOST_TURNS - 1):
        this = seconds()
        warm = warm + 1 if this >= _AS_QUICK * quickest else 0
        quickest = min(quickest, this)
        if warm == _IN_A_ROW:
            break
    return quickest


def times_of(seconds: float) -> int:
    """How many times work of so many seconds is repeated in a turn."""
    return min(max(math.ceil(_LEAST_SECONDS / max(seconds, 1e-9)), 1), _MOST_TIMES)
