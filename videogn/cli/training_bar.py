"""The progress bar of fit, validate and test."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import RichProgressBar

#: Width of the bar in characters: with it, epoch, batch, times, loss and top-1 fit into 80 columns.
_BAR_WIDTH = 10


class OneLineBar(RichProgressBar):
    """Lightning's bar in one line of a terminal of 80 columns: without speed and version, with short names."""

    def configure_columns(self, trainer: Any) -> list[Any]:
        """Return the columns for description, bar, batches and times."""
        columns = super().configure_columns(trainer)[:4]
        columns[1].bar_width = _BAR_WIDTH
        return columns

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        """Return the values to show: `loss` for train/loss_step, `top1` for val/top1."""
        return {
            name.rpartition("/")[2].removesuffix("_step"): value
            for name, value in super().get_metrics(trainer, pl_module).items()
            if name != "v_num" and not name.endswith("_epoch")
        }
