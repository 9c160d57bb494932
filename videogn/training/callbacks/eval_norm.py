"""Evaluation of BatchNorm with statistics that each clip has a share in."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

from lightning.pytorch import Callback, Trainer

from videogn.norm.evaluation_mix import mixed_statistics, require_share
from videogn.system.sizes import counted
from videogn.training.callbacks.batches import updating_layers

_log = logging.getLogger(__name__)


class EvalNorm(Callback):
    """Gives each clip a share in the statistics that normalise it in validations and tests (EvalNorm).

    See `videogn.norm.evaluation_mix` for the formulas. Training and what is stored do not change, and precise
    statistics, where they are asked for too, are what the clip's own are mixed with.

    Args:
        share: Share of the clip's own statistics, 0 to 1: 1 / B for a network that was trained with B clips a
            normalisation batch.

    Raises:
        ValueError: If the share is not in [0, 1].
    """

    def __init__(self, share: float) -> None:
        require_share(share)
        self.share = share
        self._mixing = ExitStack()
        self._told = False

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._start(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._mixing.close()

    def on_test_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._start(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._mixing.close()

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        self._mixing.close()

    def _start(self, trainer: Trainer, pl_module: Any) -> None:
        layers = updating_layers(pl_module)
        self._mixing.enter_context(mixed_statistics(layers, self.share))
        if not self._told:
            self._told = True
            of = f"each clip has a share of {self.share:.4g} in the statistics of {counted(len(layers), 'layer')}"
            _log.info("EvalNorm: %s", of if layers else "the network updates no running statistics, nothing to do")
