"""Distance between batch and running statistics, and its effect on accuracy."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.trainer.states import TrainerFn

from videogn.axes import Batch
from videogn.checks import require_positive
from videogn.evaluation import clip_probabilities
from videogn.norm.precise_statistics import Statistics, batch_statistics, running_statistics
from videogn.training.callbacks.batches import StatisticsCallback, logits_and_labels, updating_layers


def distances(batch: Statistics, running: Statistics, eps: float) -> tuple[float, float]:
    """Compute the distance between a batch's statistics and the running ones, in units of the latter.

    With m and s the mean and sqrt(variance + eps) of a channel, the index B for those of the batch, and averages over
    channels (Batch Renorm, Ioffe 2017, section 3: its d and log r before clipping):

        mean distance = average of |m_B - m| / s
        std distance  = average of |log(s_B / s)|

    Args:
        batch: Statistics of one batch, with unbiased variance like the running one.
        running: Running statistics of the same layer.
        eps: Epsilon of the layer.

    Returns:
        Both distances, 0 if the statistics are equal.
    """
    std = (running.var + eps).sqrt()
    batch_std = (batch.var + eps).sqrt()
    mean_distance = ((batch.mean - running.mean).abs() / std).mean()
    return float(mean_distance), float((batch_std / std).log().abs().mean())


class BatchNormDiagnosis(StatisticsCallback):
    """Logs the distance between batch and running statistics on training clips after a validation.

    Per layer with running statistics: `bn/<layer>/mean_distance` and `bn/<layer>/std_distance` (see `distances`),
    averaged over the batches. Over all layers: `bn/mean_distance`, `bn/mean_distance_max`, `bn/std_distance` and
    `bn/std_distance_max`. Top-1 of the same clips: `bn/top1_batch_statistics` as in training,
    `bn/top1_running_statistics` as in evaluation, and their difference `bn/top1_gap`; dropout is off in both. The clips
    are the same at every epoch, and no statistics change. A norm that trains with moving estimates (bcn) is measured
    with the batch's own statistics in their place, one that trains with those of several batches (mabn) with them.

    Args:
        every_n_epochs: Number of epochs between two diagnoses. A validation outside a training run is always diagnosed.
        num_batches: Number of training batches in each process.

    Raises:
        ValueError: If a number is not positive; at a validation if there are no training videos.
    """

    def __init__(self, every_n_epochs: int = 1, num_batches: int = 4) -> None:
        super().__init__("BN diagnosis", num_batches)
        require_positive("every_n_epochs", every_n_epochs)
        self.every_n_epochs = every_n_epochs

    # At the end, so that precise statistics are what is diagnosed, whichever callback comes first in the list.
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        fitting = trainer.state.fn == TrainerFn.FITTING
        if trainer.sanity_checking or (fitting and (trainer.current_epoch + 1) % self.every_n_epochs):
            return
        if not self.layers(pl_module):
            return
        if pl_module.labelling.several:
            raise ValueError("the BN diagnosis compares top-1 accuracies, and these videos have several labels")
        values: dict[str, list[float]] = defaultdict(list)
        for batch in self.batches(trainer, draw=0):
            for name, value in _diagnose(trainer, pl_module, batch).items():
                values[name].append(value)
        means = {name: sum(of_batches) / len(of_batches) for name, of_batches in values.items()}
        pl_module.log_dict(means | _over_layers(means), sync_dist=True, batch_size=1)


@torch.no_grad()
def _diagnose(trainer: Trainer, pl_module: Any, batch: Batch) -> dict[str, float]:
    """Compute the values of one batch for every layer."""
    layers = updating_layers(pl_module)
    running = running_statistics(layers)
    evaluated = _top1(trainer, pl_module, batch)
    with batch_statistics(layers) as take:
        trained = _top1(trainer, pl_module, batch)
        of_batch = take()
    found = {
        "bn/top1_batch_statistics": trained,
        "bn/top1_running_statistics": evaluated,
        "bn/top1_gap": trained - evaluated,
    }
    for name, layer in layers.items():
        mean, std = distances(of_batch[name], running[name], float(getattr(layer, "eps", 1e-5)))
        found |= {f"bn/{name}/mean_distance": mean, f"bn/{name}/std_distance": std}
    return found


def _top1(trainer: Trainer, pl_module: Any, batch: Batch) -> float:
    logits, labels = logits_and_labels(trainer, pl_module, batch)
    return float((clip_probabilities(logits).argmax(dim=1) == labels).double().mean())


def _over_layers(values: dict[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for distance in ("mean_distance", "std_distance"):
        of_layers = [value for name, value in values.items() if name.endswith(f"/{distance}")]
        found |= {f"bn/{distance}": sum(of_layers) / len(of_layers), f"bn/{distance}_max": max(of_layers)}
    return found
