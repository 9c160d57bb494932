"""Training batches for callbacks, independent of those that are trained on."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from videogn.axes import Batch
from videogn.system.files import displayable

_log = logging.getLogger(__name__)


def training_batches(
    trainer: Trainer, num_batches: int, *, draw: int, purpose: str, named: set[str]
) -> Iterator[Batch]:
    """Draw training batches without a change to the training run.

    They come from a loader of their own: the trainer's may be in the middle of an epoch, and iterating over it would
    restart its worker processes. A smaller data set is iterated several times, with other clips each time.

    Args:
        trainer: Trainer with a data module.
        num_batches: Number of batches, in every process.
        draw: Number that selects the clips, together with the seed; each process gets different ones.
        purpose: Purpose of the batches, for messages.
        named: Paths of videos whose failure has been logged. Those that fail now are logged and added.

    Returns:
        Iterator over `num_batches` batches on the network's device.

    Raises:
        ValueError: If there is no data module, or it has no training videos.
    """
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    if data is None:
        raise ValueError(f"{purpose} takes training batches from a data module, but the trainer has none")
    seed = trainer.strategy.broadcast(torch.initial_seed())
    # Unlikely to equal the seed of any training run.
    own_seed = int(np.random.SeedSequence([seed, draw]).generate_state(1, np.uint64)[0])
    try:
        loader = data.training_loader(own_seed)
    except ValueError as error:
        raise ValueError(f"{purpose} needs training videos: {error}") from error
    batches = itertools.islice(_epochs(loader), num_batches)
    return (trainer.strategy.batch_to_device(batch) for batch in _told(batches, purpose, named))


def _told(batches: Iterable[Batch], purpose: str, named: set[str]) -> Iterator[Batch]:
    for batch in batches:
        for failed in batch.failed:
            if failed.path not in named:
                named.add(failed.path)
                _log.warning(
                    "%s: %s: %s; another video takes its place", purpose, displayable(failed.path), failed.error
                )
        yield batch


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


def clips_of_statistics(layers: Iterable[nn.Module], clips: int) -> int:
    """Return how many clips of a device share their statistics.

    Args:
        layers: Layers with running statistics. A layer over sub-batches has their size in its attribute `clips`.
        clips: Number of clips in a batch of a device.

    Returns:
        `clips`, or the smallest sub-batch.
    """
    return min([clips, *(int(getattr(layer, "clips", clips)) for layer in layers)])
