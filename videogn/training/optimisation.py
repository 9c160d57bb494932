"""Optimiser, learning rate and schedule of a training run, the same for every norm."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import nn
from torch.optim import Optimizer

from videogn.checks import check_choice, require_at_least, require_positive
from videogn.choices import MILESTONES, ScalingName, ScheduleName

if TYPE_CHECKING:
    from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable

#: Elapsed share of the training run, in [0, 1) -> factor on the learning rate.
Schedule = Callable[[float], float]

#: Rule -> factor on the learning rate for a ratio of batch sizes: linear (Goyal et al. 2017, section 2.1), or the
#: square root, which keeps the variance of a step (Krizhevsky 2014, arXiv 1404.5997, section 5).
SCALINGS: dict[str, Callable[[float], float]] = {"linear": lambda ratio: ratio, "sqrt": math.sqrt}


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """Optimiser and schedule of a training run. Without `optimizer`: SGD with Nesterov momentum.

    Args:
        lr: Base learning rate, for `base_batch` clips per optimiser step. On the command line it is also the base
            learning rate of `optimizer`, unless --model.optimizer.lr is given.
        base_batch: Number of clips per step that the base learning rate is meant for. The rate is scaled from it to the
            actual number of clips; null leaves it unscaled.
        scaling: Rule that scales the learning rate with the batch: `linear` or `sqrt`.
        momentum: Momentum of the default SGD.
        weight_decay: Weight decay of the default SGD.
        optimizer: Optimiser: a class of `torch.optim` by name or any other by its dotted path, with options of its own,
            for instance --model.optimizer AdamW --model.optimizer.weight_decay 0.05. Its weight decay applies to
            weights only, not to norms and biases.
        schedule: Schedule of the learning rate: `step` or `cosine`.
        milestones: Elapsed shares of the training run at which the `step` schedule lowers the rate. The long cycles of
            --data.multigrid end there too, with any schedule.
        lr_gamma: Factor of each lowering.
        warmup: Share of the training run in which the rate rises linearly from nearly 0.
        scheduler: Scheduler in place of `schedule` and `warmup`: a class of `torch.optim.lr_scheduler` by name or any
            other by its dotted path, with options of its own. It is stepped after every optimiser step
            (ReduceLROnPlateau: after every epoch with a validation).

    Raises:
        ValueError: If a name is unknown or a number is out of range.
    """

    lr: float = 0.01
    base_batch: int | None = 64
    scaling: ScalingName = "linear"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    optimizer: OptimizerCallable | None = None
    schedule: ScheduleName = "step"
    milestones: tuple[float, ...] = MILESTONES
    lr_gamma: float = 0.1
    warmup: float = 0.0
    scheduler: LRSchedulerCallable | None = None

    def __post_init__(self) -> None:
        check_choice("scaling", self.scaling, get_args(ScalingName))
        require_at_least("lr", self.lr, 0)
        if self.base_batch is not None:
            require_positive("base_batch", self.base_batch)
        self.factor(1)

    def make_optimizer(self, module: nn.Module, batch: int) -> Optimizer:
        """Make the optimiser of a network.

        Args:
            module: Network that is trained.
            batch: Number of clips per optimiser step: clips per device x devices x accumulated batches.

        Returns:
            The optimiser, with decay groups and the scaled learning rate.
        """
        make = self.optimizer or functools.partial(
            torch.optim.SGD,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.momentum > 0,
        )
        optimizer = make(parameter_groups(module))
        for group in optimizer.param_groups:
            group["lr"] = scaled_learning_rate(
                group["lr"], batch=batch, base_batch=self.base_batch, scaling=self.scaling
            )
        return optimizer

    def make_scheduler(
        self,
        optimizer: Optimizer,
        total: float,
        position: Callable[[int], float],
        multiple: Callable[[int], float] = lambda step: 1.0,
    ) -> dict[str, Any]:
        """Make the scheduler of a training run.

        Args:
            optimizer: Optimiser whose learning rate it changes.
            total: Length of the training run, in optimiser steps or in seconds.
            position: Optimiser step -> elapsed steps or seconds.
            multiple: Optimiser step -> further factor on the learning rate. Default: 1.

        Returns:
            Lightning's description of a scheduler.
        """
        if self.scheduler is not None:
            scheduler = self.scheduler(optimizer)
            if monitor := getattr(scheduler, "monitor", None):  # Lightning's ReduceLROnPlateau
                return {"scheduler": scheduler, "monitor": monitor}
            return {"scheduler": scheduler, "interval": "step"}
        factor = self.factor(total)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(position(step)) * multiple(step))
        return {"scheduler": scheduler, "interval": "step"}

    def describe(self, optimizer: Optimizer, scheduler: object) -> str:
        """Describe optimiser, weight decay and schedule in a line for the log."""
        decayed, *plain = optimizer.param_groups  # one from outside may have divided them further
        schedule = f"{self.schedule} schedule" if self.scheduler is None else type(scheduler).__name__
        return (
            f"{type(optimizer).__name__}, weight decay {decayed.get('weight_decay', 0):g} on {len(decayed['params'])} "
            f"weights and none on {sum(len(group['params']) for group in plain)} norms and biases, {schedule}"
        )

    def factor(self, total: float) -> Callable[[float], float]:
        """Make the schedule, see `make_schedule`."""
        return make_schedule(
            self.schedule, total_steps=total, warmup=self.warmup, milestones=self.milestones, gamma=self.lr_gamma
        )


def parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Divide parameters into two groups: weights, and everything one-dimensional (norms' gamma and beta, biases).

    The first group has the weight decay of the optimiser, the second has none. The rule depends on the number of
    dimensions only, so that all norms are treated alike (weight decay 1e-4 on weights and 0 on norms: released code of
    Wang et al. 2018).

    Args:
        module: Module whose parameters are trained. Parameters that need no gradient are left out.

    Returns:
        Groups for a torch optimiser.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1]},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def dotted_path(thing: object) -> str:
    """Return the import path of an object's class, such as "torch.optim.sgd.SGD"."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def scaled_learning_rate(lr: float, *, batch: int, base_batch: int | None, scaling: str = "linear") -> float:
    """Scale the learning rate with the batch.

    Args:
        lr: Learning rate for `base_batch` clips.
        batch: Number of clips per optimiser step.
        base_batch: Number of clips that `lr` is meant for; None leaves `lr` as it is.
        scaling: Rule, a key of SCALINGS.

    Returns:
        lr * batch / base_batch for the linear rule, lr * sqrt(batch / base_batch) for the square root.

    Raises:
        ValueError: If the rule is unknown.
    """
    check_choice("scaling", scaling, SCALINGS)
    return lr if base_batch is None else lr * SCALINGS[scaling](batch / base_batch)


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
