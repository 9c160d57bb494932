"""Optimiser, learning rate and schedule of a training run, the same for every norm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import nn
from torch.optim import Optimizer

from videogn.checks import check_choice, require_at_least, require_positive
from videogn.choices import MILESTONES, ScalingName, ScheduleName
from videogn.training.parameter_groups import LR_SCALE, parameter_groups
from videogn.training.schedules import make_schedule

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable

#: Rule -> factor on the learning rate for a ratio of batch sizes: linear (Goyal et al. 2017, section 2.1), or the
#: square root, which keeps the variance of a step (Krizhevsky 2014, arXiv 1404.5997, section 5).
SCALINGS: dict[str, Callable[[float], float]] = {"linear": lambda ratio: ratio, "sqrt": math.sqrt}
#: Learning rate and weight decay of the default SGD.
_SGD_LR = 0.01
_SGD_WEIGHT_DECAY = 1e-4


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """Optimiser and schedule of a training run. Without `optimizer`: SGD with Nesterov momentum.

    Args:
        lr: Base learning rate, for `base_batch` clips per optimiser step. Default: 0.01 for SGD, and for `optimizer`
            its own (AdamW: 0.001), which the command line takes as it is, whatever the number of clips.
        base_batch: Number of clips per step that the base learning rate is meant for. The rate is scaled from it to the
            actual number of clips; null leaves it unscaled.
        scaling: Rule that scales the learning rate with the batch: `linear`, or `sqrt`, which suits AdamW and its kind.
        momentum: Momentum of the default SGD.
        weight_decay: Weight decay, of weights only, not of norms and biases. Default: 0.0001 for SGD, and for
            `optimizer` its own (AdamW: 0.01).
        optimizer: Optimiser: a class of `torch.optim` by name or any other by its dotted path, for instance
            --model.optimizer AdamW, with options of its own as --model.optimizer.betas. One that is named on the
            command line takes neither rate nor weight decay from a configuration that is another optimiser's.
        layer_decay: Factor on the learning rate from each part of the network to the one before it, from the head (the
            full rate) to the stem; 0.75 is usual for fine-tuning, 1 is none.
        schedule: Schedule of the learning rate: `step` or `cosine`.
        milestones: Elapsed shares of the training run at which the `step` schedule lowers the rate. The long cycles of
            --data.multigrid end there too, with any schedule.
        lr_gamma: Factor of each lowering.
        warmup: Share of the training run in which the rate rises linearly from nearly 0.
        warmup_epochs: Number of epochs, in place of the share `warmup`, in which the learning rate rises linearly from
            nearly 0; it may be a fraction.
        scheduler: Scheduler in place of `schedule` and `warmup`: a class of `torch.optim.lr_scheduler` by name or any
            other by its dotted path, with options of its own. It is stepped after every optimiser step
            (ReduceLROnPlateau: after every epoch with a validation).
        ema: Decay of an exponential moving average of the weights, taken after every optimiser step and used by
            validation, test, predict and export; for instance 0.999 for runs of several thousand steps. Default: none.
        adaptive_clip: Adaptive gradient clipping: a unit's gradient is at most this share of its weights, by length;
            0.01 is usual, 0 none. Default: what the norm asks for, 0.01 for `nf` and 0 for the others.
        early_stopping: Number of validations, one an epoch as a rule, without a better val/top1 (val/map) after which
            the training run ends. Default: it does not.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
    """

    lr: float | None = None
    base_batch: int | None = 64
    scaling: ScalingName = "linear"
    momentum: float = 0.9
    weight_decay: float | None = None
    optimizer: OptimizerCallable | None = None
    layer_decay: float = 1.0
    schedule: ScheduleName = "step"
    milestones: tuple[float, ...] = MILESTONES
    lr_gamma: float = 0.1
    warmup: float = 0.0
    warmup_epochs: float = 0.0
    scheduler: LRSchedulerCallable | None = None
    ema: float | None = None
    adaptive_clip: float | None = None
    early_stopping: int | None = None

    def __post_init__(self) -> None:
        check_choice("scaling", self.scaling, get_args(ScalingName))
        for name in ("lr", "weight_decay", "adaptive_clip"):
            if (value := getattr(self, name)) is not None:
                require_at_least(name, value, 0)
        if self.base_batch is not None:
            require_positive("base_batch", self.base_batch)
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay must be in (0, 1], 1 for none, got {self.layer_decay}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema is the decay of the average and must be between 0 and 1, got {self.ema}")
        if self.early_stopping is not None:
            require_positive("early_stopping", self.early_stopping)
        self._check_warmup()
        self._factor(1, warmup=self.warmup)

    def make_optimizer(self, module: nn.Module, batch: int) -> Optimizer:
        """Make the optimiser of a network.

        Args:
            module: Network that is trained.
            batch: Number of clips per optimiser step: clips per device x devices x accumulated batches.

        Returns:
            The optimiser, with decay groups and the scaled learning rates.

        Raises:
            ValueError: A weight decay was given, and the optimiser has none.
        """
        optimizer = (self.optimizer or self._sgd)(parameter_groups(module, self.layer_decay))
        if self.weight_decay is not None and "weight_decay" not in optimizer.defaults:
            name = type(optimizer).__name__
            raise ValueError(f"{name} has no weight decay: leave out weight_decay, got {self.weight_decay}")
        for group in optimizer.param_groups:
            if self.weight_decay is not None and any(p.ndim > 1 for p in group["params"]):
                group["weight_decay"] = self.weight_decay
            rate = group["lr"] if self.lr is None else self.lr
            rate = scaled_learning_rate(rate, batch=batch, base_batch=self.base_batch, scaling=self.scaling)
            group["lr"] = rate * group.get(LR_SCALE, 1.0)
        return optimizer

    def make_scheduler(
        self,
        optimizer: Optimizer,
        total: float,
        position: Callable[[int], float],
        epoch: float | None = None,
        multiple: Callable[[int], float] = lambda step: 1.0,
    ) -> dict[str, Any]:
        """Make the scheduler of a training run.

        Args:
            optimizer: Optimiser whose learning rate it changes.
            total: Length of the training run, in optimiser steps or in seconds.
            position: Optimiser step -> elapsed steps or seconds.
            epoch: Length of an epoch in the same unit. Default: unknown.
            multiple: Optimiser step -> further factor on the learning rate. Default: 1.

        Returns:
            Lightning's description of a scheduler.

        Raises:
            ValueError: The warm-up is counted in epochs, and they are unknown or too few.
        """
        if self.scheduler is not None:
            scheduler = self.scheduler(optimizer)
            if monitor := getattr(scheduler, "monitor", None):  # Lightning's ReduceLROnPlateau
                return {"scheduler": scheduler, "monitor": monitor}
            return {"scheduler": scheduler, "interval": "step"}
        factor = self._factor(total, warmup=self._warmup_share(total, epoch))
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(position(step)) * multiple(step))
        return {"scheduler": scheduler, "interval": "step"}

    def describe(self, optimizer: Optimizer, scheduler: object) -> str:
        """Describe optimiser, weight decay and schedule in a line for the log."""
        groups = optimizer.param_groups
        dimensions = [p.ndim for group in groups for p in group["params"]]
        weights = sum(ndim > 1 for ndim in dimensions)
        decay = max(group.get("weight_decay", 0) for group in groups)
        schedule = f"{self.schedule} schedule" if self.scheduler is None else type(scheduler).__name__
        if self.warmup_epochs:
            schedule += f" after {self.warmup_epochs:g} epochs of warm-up"
        clipping = f", adaptive gradient clipping {self.adaptive_clip:g}" if self.adaptive_clip else ""
        return (
            f"{type(optimizer).__name__}, weight decay {decay:g} ({weights} weights, not "
            f"{len(dimensions) - weights} norms and biases){self._layer_rates(groups)}, {schedule}{clipping}"
        )

    def _layer_rates(self, groups: list[dict[str, Any]]) -> str:
        if self.layer_decay == 1:
            return ""
        stem, head = (
            f"{group.get('initial_lr', group['lr']):.3g} in {group['part']}" for group in (groups[-1], groups[0])
        )
        return f", layer decay {self.layer_decay:g} (lr {stem} to {head})"

    def callbacks(self, metric: str) -> list[Callback]:
        """Make what these options add to a training run.

        Args:
            metric: Name of the validation metric that early stopping looks at.
        """
        made: list[Callback] = []  # few runs need them
        if self.ema is not None:
            from videogn.training.callbacks.weight_average import WeightAverage

            made.append(WeightAverage(self.ema))
        if self.adaptive_clip:
            from videogn.training.callbacks.adaptive_clipping import AdaptiveClipping

            made.append(AdaptiveClipping(self.adaptive_clip))
        if self.early_stopping is not None:
            from videogn.training.callbacks.early_stop import EarlyStop

            made.append(EarlyStop(self.early_stopping, metric))
        return made

    def facts(self, optimizer: Optimizer, scheduler: object) -> dict[str, Any]:
        """Return what a resumed training run has to share, see `videogn.training.resuming.check_resumable`."""
        return {
            "optimizer": dotted_path(optimizer),
            "scheduler": dotted_path(scheduler),
            "layer_decay": self.layer_decay,
            "ema": self.ema,
        }

    def _sgd(self, groups: list[dict[str, Any]]) -> Optimizer:
        decay = _SGD_WEIGHT_DECAY if self.weight_decay is None else self.weight_decay
        rate = _SGD_LR if self.lr is None else self.lr
        return torch.optim.SGD(groups, rate, self.momentum, weight_decay=decay, nesterov=self.momentum > 0)

    def _check_warmup(self) -> None:
        require_at_least("warmup_epochs", self.warmup_epochs, 0)
        if self.warmup_epochs and self.warmup:
            raise ValueError(
                f"the warm-up is a share, warmup {self.warmup:g}, or a number of epochs, warmup_epochs "
                f"{self.warmup_epochs:g}: set one of them to 0"
            )
        if self.warmup_epochs and self.scheduler is not None:
            raise ValueError(
                f"scheduler takes the place of schedule and warm-up: leave out warmup_epochs {self.warmup_epochs:g}"
            )

    def _warmup_share(self, total: float, epoch: float | None) -> float:
        if not self.warmup_epochs:
            return self.warmup
        if epoch is None:
            raise ValueError(
                "warmup_epochs needs a training run of a known number of steps; where --trainer.max_time ends it, take "
                "--model.warmup, a share of it"
            )
        if self.warmup_epochs * epoch >= total:
            raise ValueError(
                f"warmup_epochs must be less than the training run's {total / epoch:.3g}, got {self.warmup_epochs:g}"
            )
        return self.warmup_epochs * epoch / total

    def _factor(self, total: float, *, warmup: float) -> Callable[[float], float]:
        return make_schedule(
            self.schedule, total_steps=total, warmup=warmup, milestones=self.milestones, gamma=self.lr_gamma
        )


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
