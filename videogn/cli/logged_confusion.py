"""The confusion matrix of each validation as a picture, for the loggers that take pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image
from torch import Tensor, distributed

from videogn.system.ranks import world_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the picture is called.
_NAME = "val/confusion"
#: Gives a logger a figure of an optimiser step.
Send: TypeAlias = "Callable[[Any, Figure, int], None]"


def _to_tensorboard(logger: Any, figure: Figure, step: int) -> None:
    logger.experiment.add_figure(_NAME, figure, global_step=step)


def _to_wandb(logger: Any, figure: Figure, step: int) -> None:
    canvas: Any = figure.canvas
    canvas.draw()
    logger.log_image(_NAME, [Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")], step=step)


def _to_mlflow(logger: Any, figure: Figure, step: int) -> None:
    logger.experiment.log_figure(logger.run_id, figure, f"{_NAME}_{step:08d}.png")


#: Class of a logger -> how it takes a picture.
SENDS: dict[str, Send] = {
    "TensorBoardLogger": _to_tensorboard,
    "WandbLogger": _to_wandb,
    "MLFlowLogger": _to_mlflow,
}


def send_of(logger: Any) -> Send | None:
    """Find how a logger, or what it derives from, takes a picture; None if it takes none."""
    return next((SENDS[kind.__name__] for kind in type(logger).__mro__ if kind.__name__ in SENDS), None)


def confusion_pictures(loggers: Sequence[Any]) -> list[Callback]:
    """Make the callback that logs the pictures, where a logger takes any: nothing is counted for no one."""
    return [ConfusionPictures()] if any(map(send_of, loggers)) else []


class ConfusionPictures(Callback):
    """Counts true and predicted classes of each validation over all processes, and logs the matrix as a picture.

    The task has to return `probabilities` (B, K) and `targets` (B,) of a validation's batch. Videos with several labels
    have no such matrix.
    """

    def __init__(self) -> None:
        self._counts: Tensor | None = None  # (K, K)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._counts = None

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if outputs is not None and outputs["targets"].ndim > 1:
            return
        classes = len(_class_names(pl_module))
        counts = torch.zeros(classes, classes, dtype=torch.int64, device=pl_module.device)
        if outputs is not None:
            places = outputs["targets"] * classes + outputs["probabilities"].argmax(dim=1)
            counts += torch.bincount(places, minlength=classes**2).view_as(counts)
        self._counts = counts if self._counts is None else self._counts + counts

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self._counts is None:
            return
        if world_size() > 1:
            distributed.all_reduce(self._counts)
        if not trainer.is_global_zero:
            return
        from videogn.report.confusion_figure import plot_confusion  # matplotlib takes half a second

        figure = plot_confusion(self._counts.cpu().numpy(), _class_names(pl_module))
        for logger in trainer.loggers:
            if (send := send_of(logger)) is not None:
                send(logger, figure, trainer.global_step)


def _class_names(pl_module: Any) -> list[str]:
    return pl_module.class_names
