"""Parameter groups and learning-rate schedules, the same for every norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from videogn.checks import check_choice

#: Part of the training done, in [0, 1) -> factor on the learning rate.
Schedule = Callable[[float], float]


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: weights with decay, and everything one-dimensional (norms' gamma and beta, biases) without.

    The rule asks for a parameter's number of dimensions only, so that no norm is treated unlike another (weight decay
    1e-4 on weights and 0 on norms: released code of Wang et al. 2018).

    Args:
        module: whose parameters are trained.
        weight_decay: of the first group.

    Returns:
        Groups for a torch optimiser; parameters that need no gradient are left out.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


#: Rule -> factor on the learning rate for so many times the clips: linear (Goyal et al. 2017, section 2.1), or the
#: square root, which keeps the variance of a step (Krizhevsky 2014, arXiv 1404.5997, section 5).
SCALINGS: dict[str, Callable[[float], float]] = {"linear": lambda ratio: ratio, "sqrt": math.sqrt}


def scaled_learning_rate(lr: float, *, batch: int, base_batch: int | None, scaling: str = "linear") -> float:
    """Scale the learning rate with the batch.

    Args:
        lr: the rate for `base_batch` clips.
        batch: clips an optimiser step: clips per device x devices x accumulated batches.
        base_batch: clips that `lr` is meant for; None leaves `lr` as it is.
        scaling: rule, a key of SCALINGS.

    Returns:
        lr * batch / base_batch, or its square root's multiple.

    Raises:
        ValueError: an unknown rule.
    """
    check_choice("scaling", scaling, SCALINGS)
    return lr if base_batch is None else lr * SCALINGS[scaling](batch / base_batch)


def step_schedule(milestones: Sequence[float], gamma: float) -> Schedule:
    """The rate is multiplied by `gamma` at each of `milestones`, given as parts of the training."""
    return lambda done: gamma ** sum(done >= milestone for milestone in milestones)


def cosine_schedule() -> Schedule:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, equation 5 with one period)."""
    return lambda done: 0.5 * (1 + math.cos(math.pi * done))


def make_schedule(
    name: str, *, total_steps: float, warmup: float, milestones: Sequence[float], gamma: float
) -> Callable[[float], float]:
    """A schedule by name, with a linear warm-up in front.

    Args:
        name: "step" or "cosine".
        total_steps: optimiser steps of the whole training, or its seconds where it ends by the clock.
        warmup: part of the training, in [0, 1), in which the rate rises linearly, in equal steps from nearly 0.
        milestones: of the step schedule, parts of the training, in (0, 1).
        gamma: of the step schedule.

    Returns:
        Optimiser step, or second -> factor on the learning rate, for `LambdaLR`.

    Raises:
        ValueError: an unknown name, or numbers outside their range.
    """
    schedules = {"step": step_schedule(milestones, gamma), "cosine": cosine_schedule()}
    check_choice("schedule", name, schedules)
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup is a part of the training and must be in [0, 1), got {warmup}")
    if any(not 0 < milestone < 1 for milestone in milestones):
        raise ValueError(f"milestones are parts of the training and must be in (0, 1), got {list(milestones)}")
    schedule = schedules[name]

    def factor(step: float) -> float:
        done = min(step / max(total_steps, 1), 1.0)
        if done < warmup:
            return (step + 1) / (warmup * total_steps + 1)
        # The cosine runs over what is left after the warm-up; milestones count from the start of the training.
        return schedule((done - warmup) / (1 - warmup)) if name == "cosine" else schedule(done)

    return factor
