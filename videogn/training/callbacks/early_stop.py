"""The end of a training run whose validations no longer get better."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from videogn.system.sizes import counted

_log = logging.getLogger(__name__)


class EarlyStop(EarlyStopping):
    """Ends a training run after some validations without a better value of a metric.

    Lightning's counts after the last checkpoint of an epoch is written, and takes the patience of the checkpoint that
    it resumes. This one counts before, so that a run that goes on stops where it would have, and takes its own.

    Args:
        patience: Number of validations without a better value, one after the other.
        metric: Name of the metric, a share that is to rise.
    """

    def __init__(self, patience: int, metric: str) -> None:
        super().__init__(metric, mode="max", patience=patience, check_on_train_epoch_end=False)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to wait for validations that never come.

        Raises:
            ValueError: If there are none.
        """
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.enable_validation or (data is not None and "val" not in data.splits):
            raise ValueError(f"early_stopping {self.patience} looks at validations, and this training run has none")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do not go on with a run that was stopped, unless there is more patience now."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True
            self._say(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if self.wait_count >= self.patience and not trainer.sanity_checking:
            self._say(trainer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})

    def _say(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            _log.info(
                "early stopping at step %d: %s was not better than %.1f %% in the last %s",
                *(
                    trainer.global_step,
                    self.monitor,
                    100 * float(self.best_score),
                    counted(self.wait_count, "validation"),
                ),
            )
