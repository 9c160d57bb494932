"""A warning at the start of a training run: a large network that is to learn everything from few videos."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch import Callback, Trainer

from videogn.system.sizes import counted

_log = logging.getLogger(__name__)
#: Random weights a training video beyond which it warns. i3d_tiny has 6,000 where it learns from 100 videos, and a
#: ResNet-50 I3D 270,000.
_MOST = 50_000


class RandomWeights(Callback):
    """Warns once where a network begins with random weights and has more than 50,000 of them a training video."""

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        begins = trainer.global_step == 0 and pl_module.source is None
        if not trainer.is_global_zero or data is None or not begins:
            return
        weights, index = sum(p.numel() for p in pl_module.net.parameters()), data.splits["train"]
        if weights > _MOST * len(index):
            small = "--model.arch resnet_tiny" if index.example == "image" else "--config my_videos_cpu"
            _log.warning(
                "random weights and only %s: start from trained ones\n"
                "  (--model.init_from), or train a small network (%s)",
                counted(len(index), f"train {index.example}"),
                small,
            )
