"""A line after the first steps of a training run: how long the rest will take."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer

from videogn.system.durations import format_duration
from videogn.system.sizes import counted

_log = logging.getLogger(__name__)
#: The first batches are left out: they wait for loader processes, and for the device to choose its kernels.
_WARM_UP = 3
#: Number of batches and of seconds that are measured before an estimate is made within an epoch.
_BATCHES, _SECONDS = 10, 20.0
#: Seconds of a run that are worth a line.
_WORTH = 60.0
#: Share of a training clip's time that a clip of a validation takes: a third where the network takes the time, since
#: it runs forward only; all of it where decoding does.
_VALIDATION = 0.5


class ExpectedTime(Callback):
    """Logs once how long the rest of a training run will take, with its validations.

    The estimate is made of measured batches: of the first epoch with its validation, or in a long epoch as soon as
    some have been seen. Nothing is said of what is over within a minute, or of a run that only the clock ends.
    """

    def __init__(self) -> None:
        self._said = False
        self._batches = 0  # in this process
        self._mark = 0.0  # when the batches that count began
        self._epoch: tuple[float, int] | None = None  # beginning of an epoch that is seen as a whole, batches before
        self._validation: float | None = None  # seconds of the last one
        self._validating = 0.0  # seconds since the mark
        self._begun = 0.0  # the last validation

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure an epoch that begins at its beginning; a resumed one may not."""
        whole = trainer.fit_loop.epoch_loop.batch_progress.current.ready == 0
        self._epoch = (time.monotonic(), self._batches) if whole else None
        self._validating = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch; in a long epoch, say what follows from those so far."""
        self._batches += 1
        now = time.monotonic()
        if self._batches == _WARM_UP:
            self._mark, self._validating = now, 0.0
        measured, seconds = self._batches - _WARM_UP, now - self._mark - self._validating
        if not self._said and measured >= _BATCHES and seconds >= _SECONDS:
            self._say(trainer, seconds / measured)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begun = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:  # a few batches before the first epoch
            self._validation = time.monotonic() - self._begun
            self._validating += self._validation

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what follows from a whole epoch."""
        if not self._said and self._epoch is not None and self._batches > self._epoch[1]:
            begun, before = self._epoch
            seconds = time.monotonic() - begun - self._validating
            self._say(trainer, seconds / (self._batches - before))

    def _say(self, trainer: Trainer, per_batch: float) -> None:
        """Log the line, unless the run has no end or is nearly over."""
        self._said = True
        batches = _batches_left(trainer)
        if math.isinf(batches) or not trainer.is_global_zero:
            return
        validations = _validations(trainer, batches)
        each = _guess(trainer, per_batch) if self._validation is None else self._validation
        left = batches * per_batch + validations * each
        if left < _WORTH:
            return
        tests = f", {counted(validations, 'validation')} of {format_duration(each)}" if validations else ""
        batch = f"{counted(round(batches), 'batch')} of {format_duration(per_batch)}"
        end = _end_by_the_clock(trainer)
        if end is not None and end < left:
            share = f"after about {100 * end / left:.0f} % of it"
            _log.info(
                "%s left: %s%s; max_time ends it in %s, %s",
                *(format_duration(left), batch, tests, format_duration(end), share),
            )
        else:
            _log.info("about %s left: %s%s", format_duration(left), batch, tests)


def _batches_left(trainer: Any) -> float:
    per_epoch, epochs = trainer.num_training_batches, trainer.max_epochs
    total = math.inf if epochs in (None, -1) else per_epoch * epochs
    if trainer.max_steps > 0:
        total = min(total, trainer.max_steps * trainer.accumulate_grad_batches)
    return max(total - trainer.fit_loop.epoch_loop.batch_progress.total.completed, 0)


def _validations(trainer: Any, batches: float) -> int:
    """Number of validations in so many batches."""
    if not trainer.enable_validation or not sum(trainer.num_val_batches):
        return 0
    epochs = batches / trainer.num_training_batches / (trainer.check_val_every_n_epoch or 1)
    every = (
        trainer.val_check_batch or math.inf
    )  # None where validations come by the clock, which does not tell how many
    return math.ceil(epochs * max(trainer.num_training_batches / every, 1))


def _guess(trainer: Any, per_batch: float) -> float:
    """Seconds of a validation, from those of a batch in training."""
    loaders = trainer.val_dataloaders
    clips = 0 if loaders is None else sum(trainer.num_val_batches) * loaders.clips
    return _VALIDATION * per_batch * clips / trainer.train_dataloader.clips


def _end_by_the_clock(trainer: Any) -> float | None:
    timers = (callback.time_remaining() for callback in trainer.callbacks if isinstance(callback, Timer))
    return min((seconds for seconds in timers if seconds is not None), default=None)
