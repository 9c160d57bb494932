"""Checkpoints of which a killed run loses a few minutes at most."""

from __future__ import annotations

import errno
import os
import shutil
import time
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from videogn.system.files import replacing
from videogn.system.ranks import exchange_due
from videogn.training.callbacks.step_buffers import StepBuffers
from videogn.video.storage import is_url


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which also writes `last.ckpt` in the middle of an epoch, every few minutes.

    It does so between two optimiser steps of an epoch, where a resumed training goes on exactly as this one would:
    gradients accumulated for the next step are in no checkpoint, nor is a validation that has not run yet. A checkpoint
    takes the place of the last one at once, whole, wherever the process is killed.

    Args:
        minutes: from one `last.ckpt` to the next at least; 0 writes it with the other checkpoints only.
        options: of ModelCheckpoint.

    Raises:
        ValueError: `minutes` is negative.
    """

    def __init__(self, minutes: float = 10.0, **options: Any) -> None:
        if minutes < 0:
            raise ValueError(f"minutes between checkpoints must be >= 0, got {minutes}")
        super().__init__(**options)
        self.minutes = minutes
        self._saved_at = time.monotonic()
        self._unwritten_logs = False
        self._buffers = StepBuffers()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        # Only the plain one: whoever asked for another knows why.
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeFiles()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._saved_at = time.monotonic()
        self._buffers.keep(pl_module)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        # The row of the step that was saved is logged after the checkpoint.
        if self._unwritten_logs:
            self._write_logs(trainer)
        self._unwritten_logs = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.fit_loop._should_accumulate():
            self._buffers.keep(pl_module)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        wanted = self.minutes > 0 and self.save_last is True and not self._should_skip_saving_checkpoint(trainer)
        if wanted and exchange_due(trainer.global_step) and _trains_on(trainer):
            due = time.monotonic() - self._saved_at >= 60 * self.minutes
            if trainer.strategy.broadcast(due):  # clocks differ, and all processes take part
                step = self._last_global_step_saved
                self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))
                # A validation that comes before the next step must not find its own checkpoint done.
                self._last_global_step_saved = step

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end, which may lie in the middle of an epoch (max_steps, max_time) or between two validations."""
        super().on_train_end(trainer, pl_module)
        if self.save_last is True and not self._should_skip_saving_checkpoint(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let a resumed training begin after the last optimiser step, and a validation from its first video.

        An exception comes in the middle of a batch, and it or a validation between two steps.
        """
        loops = checkpoint["loops"]["fit_loop"]
        if trainer.validating:
            _begin_validation_again(loops["epoch_loop.val_loop.batch_progress"])
        progress = loops["epoch_loop.batch_progress"]
        current, total = progress["current"], progress["total"]
        in_hand = current["ready"] != current["processed"]
        if not in_hand and not trainer.fit_loop._should_accumulate():
            return
        undone = current["processed"] % trainer.accumulate_grad_batches
        if undone or in_hand:
            self._buffers.put_into(checkpoint["state_dict"])
        for counts in (current, total):
            counts.update(dict.fromkeys(counts, counts["processed"] - undone))

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        super()._save_checkpoint(trainer, filepath)
        self._saved_at = time.monotonic()
        self._unwritten_logs = True
        self._write_logs(trainer)

    def _should_save_on_train_epoch_end(self, trainer: Trainer) -> bool:
        """After the validation, where there is one: from before it, Lightning goes on wrongly with max_steps."""
        if self._save_on_train_epoch_end is None and sum(trainer.num_val_batches) > 0:
            return False
        return super()._should_save_on_train_epoch_end(trainer)

    @staticmethod
    def _write_logs(trainer: Trainer) -> None:
        """A logger holds rows back; those of before a checkpoint are written by no resumed run."""
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()


#: Free bytes below which a failure to write is taken for a full disk.
_ROOM = 1 << 20


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it.

    Lightning writes it in the temporary folder, and moving it from there copies it where that is another disk's: a kill
    would leave half of it.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        if is_url(str(path)):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        with replacing(path) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:  # all that torch says of a full disk
                full = shutil.disk_usage(temporary.parent).free < temporary.stat().st_size + _ROOM
                reason = os.strerror(errno.ENOSPC) if full else str(error).splitlines()[0]
                raise OSError(f"{path}: the checkpoint cannot be written ({reason})") from error


def _begin_validation_again(progress: dict[str, Any]) -> None:
    """Unless it is complete, let it be one that Lightning finishes, with nothing of it done."""
    current = progress["current"]
    if progress["is_last_batch"] and current["completed"] == current["ready"]:
        return
    current.update(dict.fromkeys(current, 0))
    progress["total"].update(ready=1, started=1, processed=0, completed=0)
    progress["is_last_batch"] = False


def _trains_on(trainer: Trainer) -> bool:
    """Whether an optimiser step has just been done and the next thing is another batch of the same epoch."""
    loop = trainer.fit_loop.epoch_loop
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None
    return not (loop._should_accumulate() or loop._num_ready_batches_reached() or loop._should_check_val_fx(fetcher))
