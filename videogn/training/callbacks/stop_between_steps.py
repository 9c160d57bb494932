"""A training run that is asked to end, and ends between two steps: so that its checkpoint is that of a step."""

from __future__ import annotations

from typing import Any

import torch
from lightning.fabric.plugins.environments import SLURMEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer

from videogn.system.stopping import LaterStop


class StopBetweenSteps(Callback):
    """Ends a training run, by way of Lightning's own end on SIGTERM, after the batch in which it is asked to end.

    Lightning then has logged the step, and does not begin the next one or, in a validation, the next batch; its
    checkpoint callbacks write what was trained. With several processes all end after the same batch, whichever of them
    was asked. Before the first step there is nothing to keep, and the run ends at once. A batch that takes too long, or
    a second request, is left in its middle, and the checkpoint is that of the step before; but a step that has begun to
    change the weights, or a validation whose checkpoint is about to be written, comes first.

    Within a job that Lightning requeues, its signal does so too.

    Args:
        later: The request.
    """

    def __init__(self, later: LaterStop) -> None:
        self._later = later

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        launcher = trainer.strategy.launcher
        if launcher is not None:
            self._later.tell(lambda number: launcher.kill(number))  # the other processes of this machine

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._later.waits = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._later.held = False

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        self._later.held = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.world_size > 1:
            asked = torch.tensor(float(self._later.number or 0), device=trainer.strategy.root_device)
            self._later.number = int(trainer.strategy.reduce(asked, reduce_op="max")) or None
        self._end(trainer)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.world_size == 1:  # processes may have different numbers of batches
            self._end(trainer)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._later.held = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._later.held = False

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let the checkpoint be written; have the job requeued."""
        self._later.calm()
        self._later.held = False
        slurm: Any = trainer._accelerator_connector.cluster_environment
        requeued = isinstance(slurm, SLURMEnvironment) and slurm.auto_requeue
        if requeued and self._later.number == slurm.requeue_signal and trainer.global_step:
            trainer._signal_connector._slurm_sigusr_handler_fn(self._later.number, None)  # type: ignore[arg-type]

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._later.waits = False

    def _end(self, trainer: Trainer) -> None:
        if self._later.number is not None:
            trainer._signal_connector.received_sigterm = True
