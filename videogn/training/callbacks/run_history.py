"""The history of a training run, kept in its checkpoints."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from videogn.training.history import History, Stretch, Validation

#: Stretches of an epoch: one for each point of the curve between two validations.
_STRETCHES = 10


class RunHistory(Callback):
    """Collects losses, learning rates and validations, whatever the run logs to.

    They are in the checkpoints, so that a run that goes on in another folder has all of them. The device is waited for
    at the end of each tenth of an epoch.
    """

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []
        self._validations: list[Validation] = []
        self._epoch = 0.0
        self._sum: Any = 0.0  # of the losses of the stretch that is trained, on the device
        self._batches = 0

    @property
    def history(self) -> History:
        """Everything so far."""
        return History(tuple(self._stretches), tuple(self._validations))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # Lightning has divided it, as gradients are averaged.
        self._sum = self._sum + outputs["loss"].detach() * trainer.accumulate_grad_batches
        self._batches += 1
        total, done = int(trainer.num_training_batches), batch_idx + 1
        self._epoch = trainer.current_epoch + done / total
        if done * _STRETCHES // total > batch_idx * _STRETCHES // total:
            self._end_stretch(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        values = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        self._validations = [each for each in self._validations if each.epoch < self._epoch]  # done again after a kill
        self._validations.append(Validation(self._epoch, values))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._batches:
            self._end_stretch(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {
            "stretches": [[each.epoch, each.loss, each.rate] for each in self._stretches],
            "validations": [[each.epoch, each.values] for each in self._validations],
            "epoch": self._epoch,
            "sum": float(self._sum),
            "batches": self._batches,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._stretches = [Stretch(*each) for each in state_dict["stretches"]]
        self._validations = [Validation(*each) for each in state_dict["validations"]]
        self._epoch, self._sum, self._batches = (state_dict[name] for name in ("epoch", "sum", "batches"))

    def _end_stretch(self, trainer: Trainer) -> None:
        rate = max(float(group["lr"]) for group in trainer.optimizers[0].param_groups)
        self._stretches = [each for each in self._stretches if each.epoch < self._epoch]  # trained again after a kill
        self._stretches.append(Stretch(self._epoch, float(self._sum) / self._batches, rate))
        self._sum, self._batches = 0.0, 0
