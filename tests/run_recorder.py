"""A callback for tests: what every step of a training saw, and a step at which the training comes to a bad end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer


class RunRecorder(Callback):
    """Appends a line for every training batch to `RANK.jsonl` in a folder.

    Args:
        folder: where to.
        end_at: batch, counted from the beginning of the training, at which it ends.
        end_by: "kill" (as kill -9 does), "error", or "validation": an error in the validation after that batch.
    """

    def __init__(self, folder: str, end_at: int | None = None, end_by: str = "kill") -> None:
        self.folder = Path(folder)
        self.end_at = end_at
        self.end_by = end_by

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Write what there is to the batch, then come to the end if this is it."""
        if self.end_at == trainer.fit_loop.total_batch_idx and self.end_by != "validation":
            if self.end_by == "error":
                raise ValueError("as asked")
            (self.folder / f"left {trainer.global_rank}.json").write_text(json.dumps(descendants(os.getpid())))
            os.kill(os.getpid(), signal.SIGKILL)
        seen = [[s.path, *s.starts, *s.crops, s.frames.sum().item()] for s in batch.samples]
        line = json.dumps([trainer.current_epoch, batch_idx, seen, sorted(s.path for s in batch.failed)])
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{trainer.global_rank}.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(line + "\n")

    def on_validation_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Come to the end in the second batch of a validation."""
        if self.end_by == "validation" and batch_idx == 1 and self.end_at == trainer.fit_loop.total_batch_idx:
            raise ValueError("as asked")


def descendants(process: int) -> list[int]:
    """Numbers of all processes below one."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in table.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found = list(children.get(process, []))
    for child in found:  # grows while it is gone through
        found += children.get(child, [])
    return found
