"""Adaptive clipping of the gradients of a training run."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.optim import Optimizer

from videogn.models.head import classifier_of
from videogn.training.adaptive_clipping import clip_adaptively


class AdaptiveClipping(Callback):
    """Clips the gradients of every step, of all parameters but the classifier's weight, as the authors do.

    Accumulated gradients are clipped once, when they are complete, and without the factor of a loss scaler.

    Args:
        share: Largest length of a unit's gradient as a share of its weights', see `clip_adaptively`.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self._clipped: list[nn.Parameter] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the parameters."""
        module: Any = pl_module
        unclipped = classifier_of(module.net, len(module.class_names)).layer.weight
        self._clipped = [parameter for parameter in module.net.parameters() if parameter is not unclipped]

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        clip_adaptively(self._clipped, self.share)
