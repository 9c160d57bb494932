"""A callback for tests: the weights that every process of a training ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer


class RankWeights(Callback):
    """Writes the network's state to `start-RANK.pt` and `end-RANK.pt` in a folder.

    Args:
        folder: where to.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Write what the training begins with."""
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(pl_module.net.state_dict(), self.folder / f"start-{trainer.global_rank}.pt")

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Write what it ends with."""
        torch.save(pl_module.net.state_dict(), self.folder / f"end-{trainer.global_rank}.pt")
