"""Cost of a training run: time, steps, clips and memory."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer

from videogn.system.files import write_json
from videogn.system.sizes import counted

_log = logging.getLogger(__name__)
#: File in the log folder, written at the end of a training run.
FILE_NAME = "cost.json"


class TrainingCost(Callback):
    """Counts seconds, optimiser steps, clips and their frames across interruptions, and writes `cost.json` at the end.

    The file also says what the end was: a run that was stopped has not come to one, and leaves none.

    Validation time is counted separately. Work since the last checkpoint of a killed run is not counted. On CUDA the
    peak is that of PyTorch's allocator on the device that uses most. The peak of the process is its resident memory,
    without loader processes; with several processes it is that of the first.
    """

    def __init__(self) -> None:
        self._seconds = {"training": 0.0, "validation": 0.0}
        self._counts = {"steps": 0, "clips": 0, "frames": 0}
        self._pending = {"clips": 0, "frames": 0}  # since the last step
        self._peak: int | None = None
        self._earlier_peak: int | None = None  # of the run that this one resumes
        self._phase = "training"
        self._line: str | None = None  # for the end of a training run
        self._mark: float | None = None  # time up to which seconds are in the sums; None before the first step

    def state_dict(self) -> dict[str, Any]:
        self._add(self._phase)
        return {
            "seconds": dict(self._seconds),
            "counts": dict(self._counts),
            "peak": self._peak,
            "process_peak": self._process_peak(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._seconds, self._counts = dict(state_dict["seconds"]), dict(state_dict["counts"])
        self._peak = state_dict["peak"]
        self._earlier_peak = state_dict["process_peak"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)
        self._mark = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._pending["clips"] += len(batch.samples) * trainer.world_size
        self._pending["frames"] += sum(sample.clips.numel() for sample in batch.samples) * trainer.world_size
        if trainer.global_step != self._counts["steps"]:
            # Gradients accumulated for the next step are in no checkpoint, so neither are their clips.
            added = {name: self._counts[name] + count for name, count in self._pending.items() if name in self._counts}
            self._counts = {"steps": trainer.global_step, **added}
            self._pending = dict.fromkeys(self._pending, 0)
        if pl_module.device.type == "cuda":
            self._peak = max(self._peak or 0, torch.cuda.max_memory_allocated(pl_module.device))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._add("training")
        self._phase = "validation"

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._add("validation")
        self._phase = "training"

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # on_train_end does not come if nothing is left to train.
        self._add("training")
        peaks = torch.tensor(float(self._peak or 0), device=pl_module.device)
        peak = int(trainer.strategy.reduce(peaks, reduce_op="max")) or None
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # an exchange: every process has to ask
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        cost = {
            "training_seconds": round(self._seconds["training"], 2),
            "validation_seconds": round(self._seconds["validation"], 2),
            **self._counts,
            "peak_device_bytes": peak,
            "peak_process_bytes": self._process_peak(),
            "ended_by": _end_of(trainer),
        }
        write_json(folder / FILE_NAME, cost)
        rate = self._counts["clips"] / max(self._seconds["training"], 1e-9)
        self._line = (
            f"trained {counted(self._counts['steps'], 'step')} on {counted(self._counts['clips'], 'clip')} in "
            f"{self._seconds['training']:.0f} s ({rate:.1f} clips/s), validated in {self._seconds['validation']:.0f} s"
        )

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log the line: a progress bar among the callbacks before this one is closed by now."""
        if self._line is not None:
            _log.info("%s", self._line)
            self._line = None

    def _add(self, what: str) -> None:
        """Add the seconds since the mark to one of the sums."""
        if self._mark is not None:
            now = time.monotonic()
            self._seconds[what] += now - self._mark
            self._mark = now

    def _process_peak(self) -> int | None:
        """Return the peak resident memory of this process and the runs before it, or None if it is unknown."""
        status = Path("/proc/self/status")  # getrusage would count the parent's too
        own = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
        if own is None:
            return self._earlier_peak
        return max(1024 * int(own[1]), self._earlier_peak or 0)


def _end_of(trainer: Trainer) -> str:
    """Option or callback by which a training run has come to its end."""
    if trainer.max_steps >= 0 and trainer.global_step >= trainer.max_steps:
        return "max_steps"
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch:
        return "max_epochs"
    stopped = [type(each).__name__ for each in trainer.callbacks if isinstance(each, EarlyStopping | Timer)]  # type: ignore[attr-defined]
    return " or ".join(stopped) or "a callback"
