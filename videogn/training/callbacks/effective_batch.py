"""One line at the start of every fit: how many clips a norm sees, how many a step sees, and the learning rate."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch import Callback, Trainer

from videogn.norm.precise_statistics import tracking_layers
from videogn.training.callbacks.batches import clips_of_statistics

_log = logging.getLogger(__name__)


class EffectiveBatch(Callback):
    """Logs the clips of a normalisation batch, the clips of an optimiser step and the learning rate.

    For instance `effective batch: 4 clips a normalisation batch, 32 an optimiser step (4 clips x 2 devices x 4
    accumulated), lr 0.005`. A warning follows where the two batches differ for another reason than the number of
    devices, which is how the published runs do it: gradients accumulated, or statistics synchronised.
    """

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        loader: Any = trainer.train_dataloader
        clips = int(loader.batch_size)
        devices = trainer.world_size
        accumulated = trainer.accumulate_grad_batches
        step = clips * devices * accumulated
        layers = tracking_layers(pl_module.net).values()
        synchronised = devices > 1 and any(_synchronises(layer) for layer in layers)
        seen = clips_of_statistics(layers, clips) * (devices if synchronised else 1)
        _log.info(
            "effective batch: %d clips a normalisation batch, %d an optimiser step "
            "(%d clips x %d device%s x %d accumulated), %s",
            *(seen, step, clips, devices, "" if devices == 1 else "s", accumulated),
            _learning_rate(trainer),
        )
        if synchronised:
            _log.warning(
                "statistics are of %d x %d clips: they are synchronised over the devices, unlike those of a run on as "
                "many devices without it",
                *(devices, clips),
            )
        if layers and step != seen * (1 if synchronised else devices):
            _log.warning(
                "statistics are of %d clips, steps of %d: compare with a run whose statistics are of %d clips too, "
                "whatever its steps",
                *(seen, step, seen),
            )

        if any(_stores_nothing(module) for module in pl_module.net.modules()):
            _log.warning("the stored statistics are mean 0, variance 1: frozen_bn is meant for weights that bring some")


def _stores_nothing(module: Any) -> bool:
    """Whether a layer uses stored statistics that nobody has stored: it has them, but no momentum to follow with."""
    mean, var = getattr(module, "running_mean", None), getattr(module, "running_var", None)
    if mean is None or var is None or hasattr(module, "momentum"):
        return False
    return bool((mean == 0).all()) and bool((var == 1).all())


def _synchronises(layer: Any) -> bool:
    # What torch's synchronised layer has and no other: it may come from the norm or from --trainer.sync_batchnorm.
    return any(hasattr(module, "process_group") for module in layer.modules())


def _learning_rate(trainer: Trainer) -> str:
    """The rate that the schedule starts from, and the rate of the next step where it is another one."""
    group = trainer.optimizers[0].param_groups[0]
    start = float(group.get("initial_lr", group["lr"]))
    now = float(group["lr"])
    return f"lr {start:g}" if now == start else f"lr {start:g} ({now:g} at this step)"
