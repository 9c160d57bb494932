"""A learning-rate range test: steps at growing rates, and the rate at which the loss falls fastest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor

from videogn.training.parameter_groups import LR_SCALE

#: Steps of a test, and the rates of its first and last one.
STEPS = 100
LOWEST, HIGHEST = 1e-6, 10.0
#: A test ends where the smoothed loss is this many times the lowest.
_DIVERGED = 4.0
#: Width of the smoothing of losses, as a share of the steps of a test.
_WIDTH = 0.04


class Suggestion(NamedTuple):
    """What a range test says.

    Attributes:
        smooth: Losses without their noise, (steps,).
        steepest: Step at which the smoothed loss falls fastest, or None where it does not fall.
        lowest: Step of the lowest smoothed loss.
    """

    smooth: NDArray[np.float64]
    steepest: int | None
    lowest: int


class RateFinder(Callback):
    """Trains at a rate that grows by one factor from step to step, until the loss diverges (Smith 2017, section 3.3).

    Where parts of the network have rates of their own (layer decay), their ratios stay.

    Attributes:
        rates: Learning rate of each optimiser step, that of the head.
        losses: Loss of each step, the mean of its accumulated batches.
    """

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._parts: list[Tensor] = []
        self._smooth = self._weight = 0.0
        self._least = math.inf

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        rate = LOWEST * (HIGHEST / LOWEST) ** (trainer.global_step / (STEPS - 1))
        for group in trainer.optimizers[0].param_groups:  # its schedule has set another one
            group["lr"] = rate * group.get(LR_SCALE, 1.0)
        if len(self.rates) == trainer.global_step:
            self.rates.append(rate)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._parts.append(loss.detach())  # divided by the number of accumulated batches

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step < len(self.rates):
            return
        # The last step of an epoch may have fewer batches, whose losses are divided alike.
        loss = float(sum(self._parts)) * trainer.accumulate_grad_batches / len(self._parts)
        self._parts = []
        self.losses.append(loss)
        self._smooth, self._weight = 0.9 * self._smooth + 0.1 * loss, 0.9 * self._weight + 0.1
        self._least = min(self._least, self._smooth / self._weight)
        if not self._smooth / self._weight <= _DIVERGED * self._least:
            trainer.should_stop = True


def suggest_rate(rates: Sequence[float], losses: Sequence[float]) -> Suggestion:
    """Find where the loss falls fastest over the logarithm of the rate, before it is lowest.

    Args:
        rates: Learning rate of each step, growing.
        losses: Loss of each step; those that are not finite end the test.

    Raises:
        ValueError: There are fewer than 10 steps.
    """
    finite = np.isfinite(losses)
    steps = len(finite) if finite.all() else int(finite.argmin())
    if steps < 10:
        raise ValueError(f"a range test of learning rates needs at least 10 steps with a finite loss, got {steps}")
    values = np.asarray(losses[:steps], dtype=np.float64)
    # A loss that has diverged would show in the average of the steps before it.
    smooth = _smoothed(np.minimum(values, 2 * values[:10].mean()), _WIDTH * STEPS)
    lowest = int(smooth.argmin())
    slopes = np.gradient(smooth, np.log(rates[:steps]))[: lowest + 1]
    noise = float(np.std(values[: lowest + 1] - smooth[: lowest + 1]))
    fell = smooth[0] - smooth[lowest] > 2 * noise / math.sqrt(_WIDTH * STEPS) and bool(slopes.min() < 0)
    return Suggestion(smooth, int(slopes.argmin()) if fell else None, lowest)


def _smoothed(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Average with a bell curve, in which what lies outside counts for nothing."""
    distances = np.arange(len(values))[:, None] - np.arange(len(values))
    weights = np.exp(-0.5 * (distances / width) ** 2)
    return weights @ values / weights.sum(axis=1)
