"""An exponential moving average of the weights, which is what is validated, tested and exported."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

_log = logging.getLogger(__name__)
#: Precisions that keep weights in 16 bits.
_SHORT = ("bf16-true", "16-true")


class WeightAverage(WeightAveraging):
    """Keeps an exponential moving average of the weights beside a training run.

    After the first optimiser step the average is the weights; after every other one it is decay * average + (1 - decay)
    * weights. Running statistics are averaged in the same way, integers such as counts of batches are copied. A
    validation sees the average, including callbacks that measure statistics, and the module holds it at the end of the
    fit. A checkpoint has it as its "state_dict", which test, predict, export and init_from read, and the weights that
    training goes on with as "current_model_state".

    Lightning's own puts the average into the weights before the last checkpoint is written, and exchanges the two in a
    checkpoint that is written during a validation; a run could not go on from either.

    Args:
        decay: Decay of the average, between 0 and 1.

    Raises:
        ValueError: In `setup`, where the weights are kept in 16 bits: a step moves the average by less than they tell
            apart, so that it would stay where it began.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=_moving_average(decay))
        self.decay = decay
        self._swapped = False  # the module holds the average, and the average model the weights

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the module is not there yet
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            if trainer.precision in _SHORT:
                mixed = str(trainer.precision).replace("true", "mixed")
                raise ValueError(f"ema must be null with precision {trainer.precision}; {mixed} keeps an average")
            # The module is converted after this, and both must be of one type.
            trainer.precision_plugin.convert_module(self._average_model)  # in place, as modules are
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()  # read in every step

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            _log.info("%s", _describe(self.decay, trainer.estimated_stepping_batches))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._swap(pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do nothing: precise statistics are measured here, maybe by a callback that comes first."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do nothing: other callbacks still look at what was validated."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._swap(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do nothing: the last checkpoint comes after this, and holds both."""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._average_model is not None:
            self._copy_average_to_current(pl_module)
        self._average_model = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Store the average in the place of the weights, and the weights beside it."""
        if self._average_model is None:
            return
        kept = self._average_model.state_dict()
        weights, average = checkpoint["state_dict"], {name: kept[f"module.{name}"] for name in checkpoint["state_dict"]}
        if self._swapped:
            weights, average = average, weights
        checkpoint["state_dict"], checkpoint["current_model_state"] = average, weights
        checkpoint["averaging_state"] = {"n_averaged": kept["n_averaged"]}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on with the weights and with the average; from a checkpoint without one, the average begins."""
        if self._average_model is None:
            return
        self._average_model.module.load_state_dict(checkpoint["state_dict"])
        if "current_model_state" in checkpoint:
            self._average_model.n_averaged.copy_(checkpoint["averaging_state"]["n_averaged"])
            pl_module.load_state_dict(checkpoint["current_model_state"])

    def _swap(self, pl_module: LightningModule) -> None:
        if self._average_model is not None:
            self._swap_models(pl_module)
            self._swapped = not self._swapped


def _moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Make the update of the average of several tensors of one type."""
    of_numbers = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], count: Tensor) -> None:
        if averages[0].is_floating_point():
            of_numbers(averages, values, count)
            return
        for average, value in zip(averages, values, strict=True):
            average.copy_(value)

    return update


def _describe(decay: float, steps: float) -> str:
    span = 1 / (1 - decay)
    line = f"EMA of the weights, decay {decay:g}, over about {span:.0f} steps: validation, test and export use it"
    if 2 * span > steps > 20:  # its beginning would still count at the end
        line += f"; long for a run of {steps:.0f} steps, try {1 - 10 / steps:.4g}"
    return line
