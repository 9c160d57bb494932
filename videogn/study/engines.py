"""Engines run cells. An engine is anything with `slots`, `run` and `close`; this one runs them on this machine."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from videogn.checks import require_at_least
from videogn.study.cell_files import CellState
from videogn.study.running import run_cell
from videogn.system.cores import available_cores
from videogn.system.stopping import StopEvent


class Engine(Protocol):
    """Runs cells, several at once.

    Attributes:
        slots: Number of cells at once.
    """

    slots: int

    def run(self, folder: Path, stop: StopEvent, report: Callable[[CellState], None]) -> CellState:
        """Run the prepared cell in a folder to its end; called from `slots` threads."""
        ...

    def close(self) -> None:
        """Release the resources that it holds."""
        ...


class LocalEngine:
    """Subprocesses of this machine, each with devices and threads of its own.

    Args:
        jobs: Number of cells at once. Default: as many as the GPUs suffice for, or one.
        devices_per_cell: Number of GPUs of a cell, where there are GPUs.
        gpus: Numbers (or UUIDs) of the GPUs, as in CUDA_VISIBLE_DEVICES; none for the CPU.
        threads: Number of CPU threads of a cell. Default: the cores divided by the cells at once.
        trust: As for `run_cell`.

    Raises:
        ValueError: `jobs` or `threads` is not positive, or a cell needs more GPUs than there are.
    """

    def __init__(
        self,
        jobs: int | None = None,
        *,
        devices_per_cell: int = 1,
        gpus: Sequence[str] = (),
        threads: int | None = None,
        trust: Collection[str] = (),
    ) -> None:
        for name, value in (("jobs", jobs), ("threads", threads)):
            require_at_least(name, 1 if value is None else value, 1)
        if gpus and devices_per_cell > len(gpus):
            raise ValueError(f"devices of a cell must be <= {len(gpus)}, the GPUs there are, got {devices_per_cell}")
        starts = range(0, len(gpus) + 1 - devices_per_cell, devices_per_cell)
        groups = [gpus[start : start + devices_per_cell] for start in starts]
        self.slots = jobs or max(len(groups), 1)
        # One device each: with fewer devices than jobs, cells wait for one rather than share it.
        if groups:
            self.slots = min(self.slots, len(groups))
        threads = threads or max(available_cores() // self.slots, 1)
        self._trust = tuple(trust)
        self._free: queue.Queue[dict[str, str]] = queue.Queue()
        for number in range(self.slots):
            each = str(max(threads // devices_per_cell, 1))  # each device has a process
            environment = {"OMP_NUM_THREADS": each, "MKL_NUM_THREADS": each}
            if groups:
                environment["CUDA_VISIBLE_DEVICES"] = ",".join(groups[number])
            self._free.put(environment)

    def run(self, folder: Path, stop: StopEvent, report: Callable[[CellState], None]) -> CellState:
        """Run the cell on the devices of a free slot."""
        environment = self._free.get()
        try:
            return run_cell(folder, environment=environment, trust=self._trust, stop=stop, report=report)
        finally:
            self._free.put(environment)

    def close(self) -> None:
        """Do nothing: it holds nothing."""
