"""Training batches for callbacks, independent of those that are trained on."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn

from videogn.axes import Batch
from videogn.checks import require_positive
from videogn.norm.precise_statistics import tracking_layers
from videogn.system.displayable import displayable

_log = logging.getLogger(__name__)


class StatisticsCallback(Callback):
    """Base of callbacks that run training batches through the layers with running statistics.

    Args:
        purpose: Purpose of the batches, for messages.
        num_batches: Number of training batches in each process.

    Raises:
        ValueError: If `num_batches` is not positive.
    """

    def __init__(self, purpose: str, num_batches: int) -> None:
        require_positive("num_batches", num_batches)
        self.purpose = purpose
        self.num_batches = num_batches
        self._idle = False
        self._named: set[str] = set()  # videos whose failure has been logged

    def layers(self, pl_module: Any) -> dict[str, nn.Module]:
        """Find the layers that update running statistics, by name. If there are none, one line of the log says so."""
        layers = updating_layers(pl_module)
        if not layers and not self._idle:
            self._idle = True
            _log.info("%s: the network updates no running statistics, nothing to do", self.purpose)
        return layers

    def batches(self, trainer: Trainer, draw: int) -> Iterator[Batch]:
        """Draw training batches without a change to the training run.

        They come from a loader of their own: the trainer's may be in the middle of an epoch, and iterating over it
        would restart its worker processes. A smaller data set is iterated several times, with other clips each time.

        Args:
            trainer: Trainer with a data module.
            draw: Number that selects the clips, together with the seed; each process gets different ones.

        Returns:
            Iterator over `num_batches` batches on the network's device.

        Raises:
            ValueError: If there is no data module, or it has no training videos.
        """
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise ValueError(f"{self.purpose} takes training batches from a data module, but the trainer has none")
        seed = trainer.strategy.broadcast(torch.initial_seed())
        # Unlikely to equal the seed of any training run.
        own_seed = int(np.random.SeedSequence([seed, draw]).generate_state(1, np.uint64)[0])
        try:
            loader = data.training_loader(own_seed)
        except ValueError as error:
            raise ValueError(f"{self.purpose} needs training videos: {error}") from error
        batches = itertools.islice(_epochs(loader), self.num_batches)
        return (trainer.strategy.batch_to_device(self._logged(batch)) for batch in batches)

    def _logged(self, batch: Batch) -> Batch:
        for failed in batch.failed:
            if failed.path not in self._named:
                self._named.add(failed.path)
                line = "%s: %s: %s; another video takes its place"
                _log.warning(line, self.purpose, displayable(failed.path), failed.error)
        return batch


def updating_layers(pl_module: Any) -> dict[str, nn.Module]:
    """Find the layers of a task whose running statistics training updates: those that are not frozen, by name."""
    frozen = pl_module.freezing.frozen_modules
    return {name: layer for name, layer in tracking_layers(pl_module.net).items() if name not in frozen}


def _epochs(loader: Any) -> Iterator[Batch]:
    for epoch in itertools.count():
        loader.sampler.set_epoch(epoch)
        yield from loader


def logits_and_labels(trainer: Trainer, pl_module: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Run a batch through the network as training does, in its precision.

    Args:
        trainer: Trainer of the run.
        pl_module: The VideoClassifier.
        batch: Batch on the network's device.

    Returns:
        Logits (B, K, T', H', W') and labels (B,).
    """
    with trainer.precision_plugin.forward_context():
        return pl_module.training_logits(batch)
