"""Videos that cannot be decoded: each is named and counted, and too many of them end the run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import distributed

from videogn.axes import Batch, Sample
from videogn.data.failures import FILE_NAME, Failures
from videogn.system.displayable import displayable
from videogn.system.ranks import exchange_due, of_all_processes, world_size

_log = logging.getLogger(__name__)


class FailurePolicy(Callback):
    """Names every failed video once, counts them over all processes and enforces `max_failures` of the data module.

    In training another video replaces a failed one. When more than `max_failures` of an epoch's videos have failed, the
    training run ends with a list of them. In evaluation a failed video is not replaced: the evaluation completes, and
    `exceeded` tells whether too many failed. It logs `train/failed`, `val/failed` and `val/evaluated`, which it adds up
    itself: a progress bar, which only process 0 has, would wait for the others to add up what Lightning synchronises.

    Attributes:
        exceeded: Whether a validation or test outside a training run lost more videos than allowed.
    """

    def __init__(self) -> None:
        self.exceeded = False
        self._train: Failures | None = None
        self._pending: list[tuple[str, str]] = []  # of this process, not yet exchanged
        self._replaced = 0  # in this process and epoch
        self._evaluation: Failures | None = None
        self._failed: list[tuple[str, str]] = []
        self._evaluated = 0

    @property
    def failed(self) -> int:
        """Training videos that have failed in this epoch, as far as all processes have said."""
        return 0 if self._train is None else len(self._train.reasons)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Get the numbers of videos and of allowed failures from the data module."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            return
        self._train = data.failures("train") if stage == "fit" else None
        self._evaluation = data.failures("test" if stage == "test" else "val")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._replaced = 0
        if self._train is not None:
            self._train.start_epoch()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Count failures before the batch is trained; with several processes, only if an exchange follows the step.

        A checkpoint between two steps is written after such a step, so that it contains all failures.

        Raises:
            ValueError: If too many videos failed; in all processes at once.
        """
        self._pending += _pairs(batch.failed)
        self._replaced += len(batch.failed)
        if exchange_due(trainer.global_step + 1):
            self._count_training(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._count_training(trainer, pl_module)
        pl_module.log("train/failed", _summed(self._replaced, pl_module), rank_zero_only=True)

    def _count_training(self, trainer: Trainer, pl_module: LightningModule) -> None:
        failed, self._pending = self._pending, []
        if self._train is None:
            return
        if world_size() > 1:  # names are exchanged only if there are any
            failed = _joined(failed) if _summed(len(failed), pl_module) else []
        for path, reason in self._train.add(dict(failed)).items():
            _say(trainer, "%s: %s; another video takes its place", displayable(path), reason)
        if failed and self._train.over_budget:
            for path, reason in self._train.reasons.items():  # all together; each was named before
                _say(trainer, "failed: %s: %s", displayable(path), reason)
            raise ValueError(self._last_line(trainer, self._train))

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._count_training(trainer, pl_module)  # checkpoints are written at its end
        self._failed, self._evaluated = [], 0

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._failed += _pairs(batch.failed)
        self._evaluated += len(batch.samples)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self._evaluation is None:
            return
        failed = self._count_evaluation(trainer)
        pl_module.log("val/failed", float(len(failed)), rank_zero_only=True)
        pl_module.log("val/evaluated", _summed(self._evaluated, pl_module), rank_zero_only=True)

    on_test_epoch_start = on_validation_epoch_start
    on_test_batch_start = on_validation_batch_start

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._evaluation is not None:
            self._count_evaluation(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return the failures of the current epoch, the same in all processes."""
        return {} if self._train is None else self._train.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the failures of that epoch."""
        if self._train is not None and state:
            self._train.load_state_dict(state)

    def _count_evaluation(self, trainer: Trainer) -> list[tuple[str, str]]:
        """Count once per pass, since processes need not have the same number of batches."""
        assert self._evaluation is not None
        failed = _joined(self._failed)
        self._evaluation.start_epoch()
        for path, reason in self._evaluation.add(dict(failed)).items():
            _say(trainer, "%s: %s", displayable(path), reason)
        if self._evaluation.over_budget:
            self.exceeded |= trainer.state.fn != TrainerFn.FITTING
            _say(trainer, "%s", self._last_line(trainer, self._evaluation))
        return failed

    @staticmethod
    def _last_line(trainer: Trainer, failures: Failures) -> str:
        """Write the list, and return the line that names its file."""
        folder = trainer.log_dir or trainer.default_root_dir  # every process must ask for it
        if trainer.is_global_zero:
            failures.write(folder)
        return f"{failures.message()}; they are listed in {Path(folder) / FILE_NAME}"


def _pairs(failed: list[Sample]) -> list[tuple[str, str]]:
    return [(sample.path, sample.error or "") for sample in failed]


def _summed(count: int, pl_module: LightningModule) -> float:
    """Add up a number over all processes."""
    total = torch.tensor(count, device=pl_module.device)
    if world_size() > 1:
        distributed.all_reduce(total)
    return float(total)


def _joined(failed: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for part in of_all_processes(failed) for pair in part]


def _say(trainer: Trainer, *line: object) -> None:
    if trainer.is_global_zero:
        _log.warning(*line)
