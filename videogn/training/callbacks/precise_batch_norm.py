"""Precise batch normalisation before every evaluation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from lightning.pytorch import Trainer
from torch import nn

from videogn.axes import Batch
from videogn.checks import check_choice
from videogn.norm.precise_statistics import VARIANCES, clips_of_statistics, precise_statistics
from videogn.system.sizes import counted
from videogn.training.callbacks.batches import StatisticsCallback, logits_and_labels

_log = logging.getLogger(__name__)


class PreciseBatchNorm(StatisticsCallback):
    """Computes the running statistics again on training batches before each validation and test.

    The released code of the Non-local baseline does this over 200 iterations of every GPU (bn_helper.py,
    ITER_COMPUTE_PRECISE_BN). The new statistics stay, and a checkpoint saved after the validation contains them;
    BatchNorm's training steps do not depend on them. The order of the training videos does not change.

    Args:
        num_batches: Number of training batches in each process. A smaller data set is iterated several times, with
            other clips.
        variance: "population" (the Non-local code) or "batch" (the mean of the batches' variances), see
            `videogn.norm.precise_statistics.precise_statistics`.

    Raises:
        ValueError: If a name or number is wrong; at a test or validation if there are no training videos.
    """

    def __init__(self, num_batches: int = 200, variance: str = "population") -> None:
        super().__init__("precise BN", num_batches)
        check_choice("variance", variance, VARIANCES)
        self.variance = variance

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            self._measure(trainer, pl_module)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, pl_module: Any) -> None:
        if not (layers := self.layers(pl_module)):
            return
        batches = self.batches(trainer, draw=trainer.global_step)  # different clips at every evaluation
        precise_statistics(
            pl_module.net,
            _parts(batches, layers.values()),
            lambda batch: logits_and_labels(trainer, pl_module, batch),
            variance=self.variance,
            layers=layers,
        )
        _log.info(
            "precise BN: running statistics of %s measured on %d training batches x %s",
            *(counted(len(layers), "layer"), self.num_batches, counted(trainer.world_size, "process")),
        )


def _parts(batches: Iterable[Batch], layers: Iterable[nn.Module]) -> Iterator[Batch]:
    """Divide batches into the clips that share statistics, so that every sub-batch counts rather than their average."""
    layers = list(layers)
    for batch in batches:
        size = clips_of_statistics(layers, len(batch.samples))
        for start in range(0, len(batch.samples), size):
            yield Batch(samples=batch.samples[start : start + size], failed=[])
