"""A training run in the cycles of multigrid: its steps are planned before it, and followed by rate, norm and log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer

from videogn.axes import Batch
from videogn.models.input_size import check_input
from videogn.system.sizes import counted
from videogn.training.optimisation import SCALINGS, Optimisation

if TYPE_CHECKING:
    from videogn.data.multigrid import Cycles, Multigrid

_log = logging.getLogger(__name__)
_Settings = TypeVar("_Settings", bound=Optimisation)


class MultigridTraining(Callback):
    """Plans the steps of `--data.multigrid` for the data module, and says when a shape of the long cycle begins.

    BatchNorm's statistics in training are of parts of the batch, as many as the long cycle's shape has base batches, so
    that they are of as many clips as without multigrid. In the steps of a short cycle with more clips the parts have
    more clips, too (Wu et al. 2020, section 4.4, and SlowFast). Does nothing without `--data.multigrid`.
    """

    def __init__(self) -> None:
        self._steps: Multigrid | None = None
        self._phase: int | None = None  # the last one that was logged

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Plan the steps, or refuse what they cannot be planned for.

        Raises:
            ValueError: An option does not go with multigrid, or the network does not take a shape.
        """
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if stage != "fit" or getattr(data, "multigrid", None) is None:
            return
        from videogn.data.multigrid import Cycles  # few runs need it
        from videogn.norm.batch_parts import allow_parts

        settings, views = pl_module.settings, data.views
        if settings.scheduler is not None and data.multigrid != "short":
            raise ValueError(
                f"multigrid {data.multigrid} changes the rate of --model.schedule: leave out --model.scheduler"
            )
        cycles = Cycles(
            cycles=data.multigrid,
            clip_length=views.clip_length,
            interval=views.interval,
            crop_size=views.crop_size,
            batch_size=data.batch_size,
            milestones=tuple(settings.milestones),
        )
        _check_shapes(cycles, pl_module.net, data.training_share)
        self._steps = data.multigrid_steps = _plan(cycles, data.training_share, trainer)
        allow_parts(pl_module.net)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._phase = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Set the parts of this batch, and log the phase that begins with it."""
        if self._steps is None:
            return
        from videogn.norm.batch_parts import set_parts

        steps = self._steps
        step = trainer.current_epoch * steps.epoch_steps + batch_idx // steps.accumulate
        set_parts(pl_module.net, steps.phase(step).multiple)
        if self._phase != steps.phase_number(step):
            self._phase = steps.phase_number(step)
            if trainer.is_global_zero:
                _log.info("%s", phase_line(steps, step))

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self._steps is not None:
            from videogn.norm.batch_parts import set_parts

            set_parts(pl_module.net, 1)  # evaluations and the statistics of callbacks are of base clips

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the frames so far, since steps do not tell them."""
        if self._steps is not None:
            frames = self._steps.frames_before(trainer.global_step) * trainer.world_size
            pl_module.log("train/frames", float(frames), rank_zero_only=True)


def follow_cycles(settings: _Settings, steps: Multigrid | None) -> tuple[_Settings, Callable[[int], float]]:
    """Adapt the schedule of the learning rate to multigrid.

    Args:
        settings: Settings of the optimisation.
        steps: Steps of multigrid training; None leaves everything as it is.

    Returns:
        Settings whose milestones are those of the rate, and a function from an optimiser step to a factor on the rate:
        that of the long cycle's batch, by the rule that scales the rate with a batch.
    """
    if steps is None:
        return settings, lambda step: 1.0
    scale = SCALINGS[settings.scaling] if settings.base_batch is not None else lambda ratio: 1.0
    settings = replace(settings, milestones=steps.cycles.lowerings)
    return settings, lambda step: scale(steps.phase(step).multiple)


def phase_line(steps: Multigrid, step: int) -> str:
    """Describe the batches from a step on, in a line."""
    phase = steps.phase(step)
    batches = ", ".join(
        f"{counted(shape.clips, 'clip')} {shape.clip_length} x {shape.crop_size} x {shape.crop_size}"
        for shape in phase.shapes
    )
    turns = " in turn" if len(phase.shapes) > 1 else ""
    rate = f"; {phase.multiple} x the batch, for which the rate is scaled" if phase.multiple > 1 else ""
    return f"multigrid from step {step} of {steps.steps}: batches{turns} of {batches}{rate}"


def _check_shapes(cycles: Cycles, network: Any, videos: int) -> None:
    """Refuse shapes that the network does not take, and batches with more clips than there are videos."""
    for shape in cycles.shapes:
        try:
            check_input(network, shape.clip_length, shape.crop_size)
        except ValueError as error:
            raise ValueError(
                f"multigrid {cycles.cycles} trains on clips of {shape.clip_length} x {shape.crop_size} x "
                f"{shape.crop_size} too, which the network does not take: {error}"
            ) from error
    largest = max(shape.clips for shape in cycles.shapes)
    if largest > videos:
        fits = cycles.batch_size * videos // largest
        raise ValueError(
            f"multigrid {cycles.cycles} takes batches of up to {largest} clips, but a process has {videos} training "
            f"videos: {f'lower batch_size to {fits} or less' if fits else 'they are too few for it'}"
        )


def _plan(cycles: Cycles, videos: int, trainer: Trainer) -> Multigrid:
    """Plan the steps of a trainer, whose epochs have equally many of them.

    Raises:
        ValueError: The trainer has no end in epochs or steps, or cuts epochs in a way that cannot be planned.
    """
    epochs, most, each = trainer.max_epochs, trainer.max_steps, trainer.accumulate_grad_batches
    limit: Any = trainer.limit_train_batches  # 1.0: all of them
    if trainer.overfit_batches > 0:  # type: ignore[attr-defined]
        raise ValueError("overfit_batches repeats a few batches, and those of multigrid differ: leave out one of them")
    if epochs in (None, -1) and most == -1:
        raise ValueError("multigrid needs the length of the run beforehand: set --trainer.max_epochs or max_steps")
    if limit != 1.0 and limit % each:
        raise ValueError(f"limit_train_batches must be a number of whole steps with multigrid, got {limit}")
    from videogn.data.multigrid import Multigrid

    plan = Multigrid.of_steps(cycles, videos, max(most, 1), accumulate=each)
    if type(limit) is int:
        plan = replace(plan, epoch_steps=min(plan.epoch_steps, limit // each))
    if epochs in (None, -1):
        return plan
    whole = plan.epoch_steps * int(epochs)
    return replace(plan, steps=whole if most == -1 else min(whole, most))
