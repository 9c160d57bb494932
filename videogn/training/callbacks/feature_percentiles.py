"""Percentiles of a layer's output during training, as in the GN paper's Figure 6."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils.hooks import RemovableHandle

from videogn.checks import did_you_mean, require_positive
from videogn.system.files import write_text

_log = logging.getLogger(__name__)


class FeaturePercentiles(Callback):
    """Records percentiles of a layer's output at every validation of a training run.

    The values are all positions and channels of the first validation batches, in evaluation mode: the same clips at
    every epoch. They are kept in memory until the percentiles are taken, 4 bytes each. They are written to
    `percentiles_<layer>.csv` in the log folder at every validation, and a resumed run continues the file; `videogn fit`
    draws a PNG beside it at the end. Columns: `epoch` (epochs trained, 1 after the first), `step`, and one for each
    percentile, for instance `p1`. With several processes the first one records its own values.

    The paper's figure shows a convolution's output before norm and ReLU, {1, 20, 80, 99}: for the last one of res5 of
    `i3d_r50` that is `blocks.5.res_blocks.2.branch2.conv_c`.

    Args:
        layer: Name of the layer in the network, `blocks.5` (the output of res5) or finer.
        percentiles: Percentiles, in 0..100.
        num_batches: Number of validation batches whose outputs are taken.

    Attributes:
        path: The CSV file, once the training run has begun.

    Raises:
        ValueError: If a number is out of range or there is no percentile; at the start of a training run, if the
            network has no such layer.
    """

    def __init__(
        self, layer: str = "blocks.5", percentiles: Sequence[float] = (1, 20, 80, 99), num_batches: int = 2
    ) -> None:
        require_positive("num_batches", num_batches)
        if not percentiles or not all(0 <= percentile <= 100 for percentile in percentiles):
            raise ValueError(f"percentiles must be one or more numbers in 0..100, got {list(percentiles)}")
        self.layer = layer
        self.percentiles = tuple(percentiles)
        self.num_batches = num_batches
        self._hook: RemovableHandle | None = None
        self._outputs: list[np.ndarray] = []
        self._rows: list[dict[str, str]] = []
        self.path = Path()

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Refuse a wrong name before anything is trained."""
        names = [name for name, _ in pl_module.net.named_modules() if name]
        if stage == "fit" and self.layer not in names:
            raise ValueError(f"the network has no layer {self.layer!r}{did_you_mean(self.layer, names)}")

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Keep the rows of a run that is resumed in the same folder."""
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # every process must ask for it
        self.path = folder / f"percentiles_{self.layer}.csv"
        self._rows = []
        if trainer.is_global_zero and trainer.global_step > 0 and self.path.is_file():
            with self.path.open(encoding="utf-8", newline="") as lines:
                self._rows = [row for row in csv.DictReader(lines) if int(row["step"]) <= trainer.global_step]

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if self._records(trainer) and batch_idx < self.num_batches:
            self._hook = pl_module.net.get_submodule(self.layer).register_forward_hook(self._keep)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._unhook()

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        if not self._records(trainer):
            return
        outputs, self._outputs = self._outputs, []
        if not outputs:
            _log.warning("no validation batch gave an output of %s: no percentiles this time", self.layer)
            return
        values = np.percentile(np.concatenate(outputs), self.percentiles)
        row = {"epoch": f"{_epochs_trained(trainer):.6g}", "step": str(trainer.global_step)}
        row |= {f"p{percentile:g}": f"{value:.6g}" for percentile, value in zip(self.percentiles, values, strict=True)}
        self._rows.append(row)
        write_text(self.path, _as_csv(self._rows))

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        self._unhook()

    def _records(self, trainer: Trainer) -> bool:
        return trainer.is_global_zero and trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking

    def _keep(self, module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        self._outputs.append(output.detach().float().flatten().cpu().numpy())

    def _unhook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None


def _epochs_trained(trainer: Trainer) -> float:
    """Return the number of epochs trained, a fraction in the middle of an epoch."""
    batches = float(trainer.num_training_batches)  # infinite for a stream, which then counts whole epochs
    return trainer.current_epoch + min((trainer.fit_loop.batch_idx + 1) / batches, 1.0)


def _as_csv(rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    # A resumed run may ask for other percentiles.
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
