"""Times, memory and part of the roofline of training steps and of inference, side by side: one row a case."""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from videogn.bench.clocks import clock_of
from videogn.bench.step_cases import StepCase, WarmCase
from videogn.bench.step_plans import Part, Plan, Planner
from videogn.bench.turns import Entry, take_turns

#: Seconds of a training step, and of inference.
Seconds = tuple[float, float]
Row = dict[str, Any]


def measure_steps(
    cases: Sequence[StepCase],
    *,
    device: torch.device,
    rounds: int,
    baselines: Sequence[int] | None = None,
    seconds: float = math.inf,
    least_rounds: int = 0,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> Iterator[list[Row]]:
    """Measure training steps and inference side by side.

    Each case is warmed up, its memory is measured in a step of its own, and then all take turns. One that cannot run
    has a row with its reason.

    Args:
        cases: Networks, inputs and forms.
        device: Device that they run on, cpu or cuda.
        rounds: Number of turns of each case, over which medians are taken.
        baselines: For each case the index of the one that it is compared with. Default: the first one for all.
        seconds: Time for all, see `videogn.bench.turns.take_turns`. Default: any.
        least_rounds: Number of rounds that are measured whatever the time. Default: 0.
        progress: Called with (name of the part, done, total).

    Yields:
        Rows, one a case, in their order: what is known after each case that was warmed up, and after each round.
    """
    baselines = [0] * len(cases) if baselines is None else baselines
    clock = clock_of(device, torch.get_num_threads())
    planner = Planner(device, clock)
    plans: list[Plan | None] = [None] * len(cases)

    def open_case(number: int) -> WarmCase:
        case = cases[number]
        plan = plans[number] = planner.plan(case.setting, case.batch_size)
        planner.check_room(plan)
        return WarmCase(case, device, clock)

    def release() -> None:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()

    facts: Row = {"device": device.type, "machine": _machine(device), "torch": torch.__version__}
    facts |= {"threads": torch.get_num_threads(), "clock": clock.name}
    openers = [lambda number=number: open_case(number) for number in range(len(cases))]
    with _every_case_compiled() if any(case.compile for case in cases) else nullcontext():
        for entries in take_turns(
            openers, rounds=rounds, seconds=seconds, least_rounds=least_rounds, progress=progress, released=release
        ):
            yield [
                {**_words(case), **facts, **_found(plan, entry, entries[baseline].turns)}
                for case, plan, entry, baseline in zip(cases, plans, entries, baselines, strict=True)
            ]


@contextmanager
def _every_case_compiled() -> Iterator[None]:
    """Compile every case for its own shape, and forget it at the end.

    All are one function to torch, which it would stop compiling, unsaid, after the eighth; of a second batch size it
    would make code for any, which no program has that has one size.
    """
    import torch._dynamo  # here, as it takes seconds

    with torch._dynamo.config.patch(
        recompile_limit=10_000,
        accumulated_recompile_limit=100_000,
        fail_on_recompile_limit_hit=True,
        automatic_dynamic_shapes=False,
    ):
        yield
    torch._dynamo.reset()


def _words(case: StepCase) -> Row:
    setting = case.setting
    return {
        "arch": setting.model,
        "norm": setting.norm,
        "clip_length": setting.clip_length,
        "crop": setting.crop,
        "batch_size": case.batch_size,
        "precision": setting.precision,
        "memory_mode": setting.memory_mode,
        "memory_format": case.memory_format,
        "compile": case.compile,
        "group_norm": case.group_norm,
    }


def _found(plan: Plan | None, entry: Entry[Seconds], baseline: Sequence[Seconds]) -> Row:
    """What is known of a case: None what is not."""
    runner: Any = entry.runner
    parts = (None, None) if plan is None else (plan.training, plan.inference)
    peaks = (None, None) if runner is None else (runner.step_peak_bytes, runner.inference_peak_bytes)
    times = [([turn[place] for turn in entry.turns], [turn[place] for turn in baseline]) for place in range(2)]
    rates = {} if plan is None else vars(plan.rates)
    return {
        **_part("step", "", parts[0], peaks[0], *times[0]),
        **_part("inference", "inference_", parts[1], peaks[1], *times[1]),
        "multiply_adds_per_second": rates.get("multiply_adds"),
        "bytes_per_second": rates.get("bytes"),
        "rounds": len(entry.turns),
        "error": entry.error,
    }


def _part(
    name: str, prefix: str, part: Part | None, peak: int | None, own: Sequence[float], baseline: Sequence[float]
) -> Row:
    middle = statistics.median(own) if own else None
    ratios = [one / other for one, other in zip(own, baseline, strict=False)]  # rounds that both had
    return {
        f"{name}_seconds": middle,
        f"{name}_quartiles": np.quantile(own, (0.25, 0.75)).tolist() if own else None,
        f"{name}_ratio": statistics.median(ratios) if ratios else None,
        f"{prefix}peak_bytes": peak,
        f"{prefix}planned_bytes": None if part is None else part.planned_bytes,
        f"{prefix}multiply_adds": None if part is None else part.work.multiply_adds,
        f"{prefix}least_bytes": None if part is None else part.work.bytes,
        f"{prefix}least_seconds": None if part is None else part.least_seconds,
        f"{prefix}of_roofline": None if part is None or middle is None else part.least_seconds / middle,
    }


def _machine(device: torch.device) -> str:
    """Name of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:  # another system than Linux
        names = []
    return next(iter(names), "CPU")
