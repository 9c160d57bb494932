"""Schedules of the learning rate: functions of the elapsed share of a training run, with a warm-up in front."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from videogn.checks import check_choice

#: Elapsed share of the training run, in [0, 1) -> factor on the learning rate.
Schedule = Callable[[float], float]


def step_schedule(milestones: Sequence[float], gamma: float) -> Schedule:
    """Multiply the rate by `gamma` at each of `milestones`, given as shares of the training run."""
    return lambda elapsed: gamma ** sum(elapsed >= milestone for milestone in milestones)


def cosine_schedule(milestones: Sequence[float], gamma: float) -> Schedule:
    """Lower the rate along half a cosine from 1 to 0 (Loshchilov & Hutter 2017, equation 5 with one period)."""
    return lambda elapsed: 0.5 * (1 + math.cos(math.pi * elapsed))


#: Name -> (milestones, gamma) -> schedule.
SCHEDULES: dict[str, Callable[[Sequence[float], float], Schedule]] = {
    "step": step_schedule,
    "cosine": cosine_schedule,
}


def make_schedule(
    name: str, *, total_steps: float, warmup: float, milestones: Sequence[float], gamma: float
) -> Callable[[float], float]:
    """Make a schedule by name, with a linear warm-up in front.

    Args:
        name: A key of SCHEDULES.
        total_steps: Optimiser steps of the whole training run, or its seconds where it ends by the clock.
        warmup: Share of the training run, in [0, 1), in which the rate rises linearly, in equal steps from nearly 0.
        milestones: Milestones of the step schedule as shares of the training run, in (0, 1).
        gamma: Factor of the step schedule at each milestone.

    Returns:
        Optimiser step, or second -> factor on the learning rate, for `LambdaLR`.

    Raises:
        ValueError: If the name is unknown or a number is out of range.
    """
    check_choice("schedule", name, SCHEDULES)
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup is a share of the training run and must be in [0, 1), got {warmup}")
    if any(not 0 < milestone < 1 for milestone in milestones):
        raise ValueError(f"milestones are shares of the training run and must be in (0, 1), got {list(milestones)}")
    schedule = SCHEDULES[name](milestones, gamma)

    def factor(step: float) -> float:
        elapsed = min(step / max(total_steps, 1), 1.0)
        if elapsed < warmup:
            return (step + 1) / (warmup * total_steps + 1)
        # The cosine runs over what is left after the warm-up; milestones count from the start of the training run.
        return schedule((elapsed - warmup) / (1 - warmup)) if name == "cosine" else schedule(elapsed)

    return factor
