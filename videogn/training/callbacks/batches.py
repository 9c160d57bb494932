"""Training batches for a callback, drawn so that the training itself does not notice."""

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
    """Draw batches as the training draws them, without the training noticing.

    They come from a loader of their own: the training's may be in the middle of an epoch, and an iterator of it
    would restart its worker processes. A set with fewer batches is gone through again, with other clips.

    Args:
        trainer: with a data module.
        num_batches: how many; in every process.
        draw: a number that decides, with the seed, which clips are drawn; each process gets others.
        purpose: for messages, what the batches are for.
        named: videos whose failure has been told; those that fail now are told and join them.

    Returns:
        An iterator of `num_batches` batches on the network's device.

    Raises:
        ValueError: there is no data module, or it has no training videos.
    """
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    if data is None:
        raise ValueError(f"{purpose} takes training batches from a data module, but the trainer has none")
    seed = trainer.strategy.broadcast(torch.initial_seed())
    # A number that no training's seed is likely to be.
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
    """Run the task's own clips through its network, in the precision of the training.

    Args:
        trainer: it knows the precision.
        pl_module: a VideoClassifier.
        batch: on the network's device.

    Returns:
        Logits (B, K, T', H', W') and labels (B,).
    """
    with trainer.precision_plugin.forward_context():
        return pl_module.training_logits(batch)


def clips_of_statistics(layers: Iterable[nn.Module], clips: int) -> int:
    """Say how many clips of a device share their statistics.

    Args:
        layers: with running statistics; one over sub-batches says their size in its attribute `clips`.
        clips: in a batch of a device.

    Returns:
        `clips`, or the smallest sub-batch.
    """
    return min([clips, *(int(getattr(layer, "clips", clips)) for layer in layers)])
