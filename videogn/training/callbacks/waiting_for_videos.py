"""A line in a training run whose network waits for its videos, with what to change."""

from __future__ import annotations

import logging
import time
from typing import Any, NamedTuple, Protocol

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from videogn.system.cores import available_cores
from videogn.system.sizes import counted

_log = logging.getLogger(__name__)
#: Share of the time that may be spent waiting.
_MOST = 0.1
#: The first batches of every epoch are left out: loader processes start with nothing decoded.
_WARM_UP = 3
#: Number of batches and of seconds that are judged together.
_BATCHES, _SECONDS = 20, 10.0


class _Clock(Protocol):
    """Marks of the time at which a device has done what it was given."""

    def mark(self) -> Any: ...

    def seconds(self, first: Any, last: Any) -> float: ...


class _HostClock:
    """For devices that do at once what they are given."""

    def mark(self) -> float:
        return time.monotonic()

    def seconds(self, first: float, last: float) -> float:
        return last - first


class _CudaClock:
    """For GPUs, which work while this process already loads: between two marks they wait, or there is no time."""

    def mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, first: torch.cuda.Event, last: torch.cuda.Event) -> float:
        last.synchronize()
        return float(first.elapsed_time(last)) / 1000


class _Step(NamedTuple):
    """Marks of a batch: the step before it is done, it is there, its own step is done."""

    before: Any
    there: Any
    done: Any


class WaitingForVideos(Callback):
    """Warns once where the network waits for its videos for more than a tenth of the time.

    Waiting is the time from the end of a step to the next batch on the device, measured by the device: what is decoded
    while a GPU still works costs nothing. Validations and checkpoints do not count, nor do the first batches of an
    epoch, nor the first epoch where decoded videos are being kept (--data.cache).
    """

    def __init__(self) -> None:
        self._clock: _Clock = _HostClock()
        self._said = False
        self._epochs = 0  # in this process
        self._batches = 0  # of the epoch
        self._before: Any = None  # mark of the end of the last step, unless something else came after it
        self._there: Any = None
        self._steps: list[_Step] = []
        self._begun = 0.0  # the first of them

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if pl_module.device.type == "cuda":
            self._clock = _CudaClock()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._batches, self._before = 0, None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._there = self._clock.mark()

    def on_train_batch_end(
        self, trainer: Any, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch, and judge those so far when they are enough."""
        if self._said or (trainer.datamodule.caches and not self._epochs):
            return
        self._batches += 1
        done = self._clock.mark()
        if self._batches > _WARM_UP and self._before is not None:
            self._begun = self._begun if self._steps else time.monotonic()
            self._steps.append(_Step(self._before, self._there, done))
        self._before = done
        if len(self._steps) >= _BATCHES and time.monotonic() - self._begun >= _SECONDS:
            self._judge(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._before = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: Any) -> None:
        self._before = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epochs += 1

    def _judge(self, trainer: Any) -> None:
        seconds = self._clock.seconds
        waited = sum(seconds(step.before, step.there) for step in self._steps)
        share = waited / sum(seconds(step.before, step.done) for step in self._steps)
        self._steps = []
        if share > _MOST:
            self._said = True
            if trainer.is_global_zero:
                example = trainer.datamodule.splits["train"].example
                _log.warning("waiting for %ss takes %.0f %% of the time: %s", example, 100 * share, _advice(trainer))


def _advice(trainer: Any) -> str:
    """What loads faster: more processes where cores are free, otherwise files that cost less."""
    workers, cores = trainer.train_dataloader.num_workers, available_cores()
    most = cores // trainer.num_devices
    if workers < most:
        return f"try --data.num_workers {most} (now {workers}, on {counted(cores, 'core')})"
    caches = trainer.datamodule.caches
    if trainer.datamodule.splits["train"].example == "image":  # `data resize` and decoders are for videos
        return "try smaller images" if caches else "try smaller images or kept ones (--data.cache)"
    kept = "" if caches else ", kept frames (--data.cache)"
    return f"try smaller copies (`videogn data resize`){kept} or another decoder (`videogn bench data` compares them)"
