"""A line at the start of a training run: the planned memory of its steps, and the largest batch that fits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, Trainer

from videogn.system.sizes import counted, format_size

if TYPE_CHECKING:
    from videogn.data.multigrid import ClipShape
    from videogn.memory import StepPlan

_log = logging.getLogger(__name__)
#: Seconds of the processor that the plan may take. A first plan takes 0.5 to 2.5 for most networks, by processor.
_PATIENCE = 5.0


class PlannedMemory(Callback):
    """Logs the planned memory of a training step, what the device has, and how many clips a batch may have.

    Nothing is said where the plan takes long (`videogn plan` waits for it), or does not know the number format.
    """

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Plan the step and log the line."""
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        from videogn.memory import device_memory  # validate and test have no plan

        device = trainer.strategy.root_device
        limit = device_memory(device)
        loader: Any = trainer.train_dataloader
        shapes = () if loader.multigrid is None else loader.multigrid.cycles.shapes
        plans = [] if limit is None else _plans(trainer, pl_module, shapes)
        if not plans or limit is None or not all(plan.scales for plan in plans):
            return
        batches = (loader.clips, *(shape.clips for shape in shapes))
        needed = max(plan.memory(int(clips)).peak_bytes for plan, clips in zip(plans, batches, strict=True))
        most = counted(plans[0].largest_batch(limit), "clip")
        line = "planned memory: %s a step of %s on %s; up to %s a batch"
        advice = "" if needed <= limit else ": memory_mode auto takes what fits"
        level = logging.INFO if needed <= limit else logging.WARNING
        _log.log(level, line + advice, format_size(needed), format_size(limit), device, most)


def _plans(trainer: Trainer, pl_module: Any, shapes: Sequence[ClipShape]) -> list[StepPlan]:
    """Plan a step of base clips and one of every shape; [] where there is no plan."""
    from videogn.memory import options_of, plan_steps, setting_of_run

    optimizer = options_of(trainer.optimizers[0])
    kind = "cuda" if pl_module.device.type == "cuda" else "cpu"
    try:
        with torch.random.fork_rng(devices=[]):
            setting = setting_of_run(pl_module.hparams, len(pl_module.class_names), trainer.precision, optimizer)
            if setting is None:
                return []
            others = [replace(setting, clip_length=shape.clip_length, crop=shape.crop_size) for shape in shapes]
            return list(plan_steps([setting, *others], device=kind, seconds=_PATIENCE))
    except Exception as error:  # a norm or network from outside that runs on real numbers only; the training can go on
        _log.debug("no plan of the memory: %s", error)
        return []
