"""How long a training is, and how far it is: in optimiser steps, or by the clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer


def course(trainer: Trainer) -> tuple[float, Callable[[int], float]]:
    """The length of a training, and where on it an optimiser step is.

    Args:
        trainer: with max_epochs or max_steps; or else with max_time, which counts seconds, validations included.

    Returns:
        Steps of the whole training, or its seconds; and step -> steps, or seconds, gone at it.

    Raises:
        ValueError: the trainer has no end.
    """
    total_steps = trainer.estimated_stepping_batches
    if not math.isinf(total_steps):
        return int(total_steps), float
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    timers = [
        callback for callback in callbacks if isinstance(callback, Timer) and callback.time_remaining() is not None
    ]
    if not timers:
        raise ValueError(
            "the schedule needs to know the end of the training: set --trainer.max_epochs, max_steps or max_time"
        )
    timer = timers[0]  # its state travels with the checkpoint: a resumed training goes on at the second where it was

    def seconds(step: int) -> float:
        return float(trainer.strategy.broadcast(timer.time_elapsed()))  # clocks of processes differ, rates must not

    return timer.time_elapsed() + (timer.time_remaining() or 0.0), seconds
