"""Says how many videos PyAV decodes in the place of another decoder."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from videogn.axes import Batch
from videogn.data.fallbacks import Fallbacks
from videogn.system.ranks import of_all_processes
from videogn.video.decoders.readers import AUTO

_log = logging.getLogger(__name__)


class FallbackNotice(Callback):
    """Counts the videos on which `--data.decoder` is not exact, over all processes, and says it once.

    The line comes at the end of the first epoch of training, and of the first pass of validation or testing, in which
    there are such videos.
    """

    def __init__(self) -> None:
        self._decoder = AUTO
        self._passes: dict[str, Fallbacks] = {}
        self._said: set[str] = set()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Ask the data module for the decoder."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._decoder = getattr(data, "decoder", AUTO)
        # A training run that is resumed in the middle of an epoch has no start of that epoch.
        self._passes = {which: Fallbacks(self._decoder) for which in ("training", "evaluation")}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._passes["training"] = Fallbacks(self._decoder)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        self._count("training", batch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._say(trainer, "training")

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._passes["evaluation"] = Fallbacks(self._decoder)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._count("evaluation", batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._say(trainer, "evaluation")

    on_test_epoch_start = on_validation_epoch_start
    on_test_batch_start = on_validation_batch_start
    on_test_epoch_end = on_validation_epoch_end

    def _count(self, which: str, batch: Batch) -> None:
        for sample in batch.samples:
            self._passes[which].add(sample.path, sample.fallback)

    def _say(self, trainer: Trainer, which: str) -> None:
        if self._decoder in ("auto", AUTO) or which in self._said:
            return
        own, *others = of_all_processes(self._passes[which])  # the same processes take part: they said the same so far
        if (line := own.join(others).message()) is None:
            return
        self._said.add(which)
        if trainer.is_global_zero:
            _log.warning("%s", line)
