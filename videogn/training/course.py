"""Length of a training run and elapsed part of it, in optimiser steps or by the clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer


def course(trainer: Trainer) -> tuple[float, Callable[[int], float]]:
    """Return the length of a training run, and a function from an optimiser step to the elapsed part.

    Args:
        trainer: Trainer with max_epochs or max_steps, or else with max_time, whose seconds include validations.

    Returns:
        Length in optimiser steps, or in seconds; and optimiser step -> elapsed steps, or seconds.

    Raises:
        ValueError: If the trainer has no end.
    """
    total_steps = trainer.estimated_stepping_batches
    if not math.isinf(total_steps):
        return int(total_steps), float
    timer = _timer(trainer)  # its state is in the checkpoint: a resumed run continues at the same second

    def seconds(step: int) -> float:
        return float(trainer.strategy.broadcast(timer.time_elapsed()))  # clocks of processes differ, rates must not

    return timer.time_elapsed() + (timer.time_remaining() or 0.0), seconds


def elapsed_share(trainer: Trainer) -> float:
    """Return the elapsed part of a training run as a share of it, by the clock of this process where a clock ends it.

    Args:
        trainer: As for `course`.
    """
    total_steps = trainer.estimated_stepping_batches
    if not math.isinf(total_steps):
        return trainer.global_step / max(total_steps, 1)
    timer = _timer(trainer)
    return timer.time_elapsed() / max(timer.time_elapsed() + (timer.time_remaining() or 0.0), 1e-9)


def _timer(trainer: Trainer) -> Timer:
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    timers = [
        callback for callback in callbacks if isinstance(callback, Timer) and callback.time_remaining() is not None
    ]
    if not timers:
        raise ValueError(
            "the schedule needs to know the end of the training run: set --trainer.max_epochs, max_steps or max_time"
        )
    return timers[0]


def epoch_steps(trainer: Trainer) -> int | None:
    """Return the number of optimiser steps of an epoch; None where the training run ends by the clock."""
    if math.isinf(trainer.estimated_stepping_batches) or math.isinf(trainer.num_training_batches):
        return None
    return math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
