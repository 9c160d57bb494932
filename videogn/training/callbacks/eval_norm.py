"""Evaluation of BatchNorm with statistics that each clip has a share in."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

from lightning.pytorch import Callback, Trainer

from videogn.norm.evaluation_mix import mixed_statistics
from videogn.norm.precise_statistics import clips_of_statistics
from videogn.system.sizes import counted
from videogn.training.callbacks.batches import updating_layers

_log = logging.getLogger(__name__)


class EvalNorm(Callback):
    """Gives each clip a share in the statistics that normalise it in validations and tests (EvalNorm).

    See `videogn.norm.evaluation_mix` for the formulas. Training and what is stored do not change, and precise
    statistics, where they are asked for too, are what the clip's own are mixed with.

    Args:
        share: Share of the clip's own statistics, 0 to 1. Default: 1 / B for training batches of B clips a device (of
            n for norms over sub-batches of n clips), with `--data.batch_size` as it was in training.

    Raises:
        ValueError: If the share is not in [0, 1]; at a test or validation without a share or a data module.
    """

    def __init__(self, share: float | None = None) -> None:
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"share must be from 0 to 1, got {share}")
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
        share = self._share(trainer, layers) if layers else 0.0
        self._mixing.enter_context(mixed_statistics(layers, share))
        if not self._told:
            self._told = True
            count = counted(len(layers), "layer")
            told = f"{share:.4g} of each clip's own statistics in {count}" if layers else "no running statistics to mix"
            _log.info("EvalNorm: %s", told)

    def _share(self, trainer: Trainer, layers: Any) -> float:
        if self.share is not None:
            return self.share
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise ValueError("EvalNorm needs a share, or a data module that knows the training batch")
        return 1 / clips_of_statistics(layers.values(), data.batch_size)
