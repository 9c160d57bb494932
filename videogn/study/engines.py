"""Where cells run. An engine is anything with `slots` and `run`; the schedule does not care which."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from videogn.study.cell_files import CellState
from videogn.study.running import run_cell
from videogn.system.cores import available_cores


class Engine(Protocol):
    """Runs cells, so many at once.

    Attributes:
        slots: how many.
    """

    slots: int

    def run(self, folder: Path, stop: threading.Event, report: Callable[[CellState], None]) -> CellState:
        """Run the prepared cell of a folder to its end; called from `slots` threads."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class LocalEngine:
    """Subprocesses of this machine, each with devices and threads of its own.

    Args:
        jobs: cells at once; by default as many as the GPUs suffice for, or one.
        devices_per_cell: GPUs of a cell, where there are GPUs.
        gpus: their numbers (or UUIDs), as in CUDA_VISIBLE_DEVICES; none for the CPU.
        threads: CPU threads of a cell; the cores divided by the cells at once by default.

    Raises:
        ValueError: `jobs` is not positive, or a cell needs more GPUs than there are.
    """

    def __init__(
        self,
        jobs: int | None = None,
        *,
        devices_per_cell: int = 1,
        gpus: Sequence[str] = (),
        threads: int | None = None,
    ) -> None:
        for name, value in (("jobs", jobs), ("threads", threads)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}")
        if gpus and devices_per_cell > len(gpus):
            raise ValueError(f"devices of a cell must be <= {len(gpus)}, the GPUs there are, got {devices_per_cell}")
        starts = range(0, len(gpus) + 1 - devices_per_cell, devices_per_cell)
        groups = [gpus[start : start + devices_per_cell] for start in starts]
        self.slots = jobs or max(len(groups), 1)
        # One device each: with fewer devices than jobs, cells wait for one rather than share it.
        if groups:
            self.slots = min(self.slots, len(groups))
        threads = threads or max(available_cores() // self.slots, 1)
        self._free: queue.Queue[dict[str, str]] = queue.Queue()
        for number in range(self.slots):
            each = str(max(threads // devices_per_cell, 1))  # each device has a process
            environment = {"OMP_NUM_THREADS": each, "MKL_NUM_THREADS": each}
            if groups:
                environment["CUDA_VISIBLE_DEVICES"] = ",".join(groups[number])
            self._free.put(environment)

    def run(self, folder: Path, stop: threading.Event, report: Callable[[CellState], None]) -> CellState:
        """Run the cell in whatever slot is free."""
        environment = self._free.get()
        try:
            return run_cell(folder, environment=environment, stop=stop, report=report)
        finally:
            self._free.put(environment)

    def close(self) -> None:
        """Nothing is held."""


def visible_gpus() -> list[str]:
    """Numbers of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name] if torch.cuda.is_available() else []
    return [str(number) for number in range(torch.cuda.device_count())]
