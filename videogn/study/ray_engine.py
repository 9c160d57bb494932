"""Cells as tasks of Ray Core: on this machine, or on the nodes of a cluster that share the study's folder.

Ray only places the cells, by the processors and GPUs that they need, and reports a lost machine or worker; everything
about a cell stays in its folder.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from videogn.study.cell_files import CellState, is_running, part_done, read_cell, read_state, write_state
from videogn.study.running import run_cell
from videogn.system.ray_connection import RayConnection, first_line
from videogn.system.stopping import StopEvent, asking

_POLL_SECONDS = 0.5


class RayEngine:
    """Tasks of Ray; a cell never spans machines.

    The study's folder, the data and the environment that videogn is installed in must have the same paths on every
    node, and so must the working directory, which relative paths of a configuration start from.

    Args:
        address: Address of a running cluster, HOST:PORT, or auto for the one that this machine belongs to; None to
            start Ray on this machine.
        jobs: Number of cells at once. Default: as many as the GPUs suffice for, or else the CPUs, with `threads` each;
            one a machine where neither says.
        devices_per_cell: Number of devices of a cell.
        on_cpu: Whether these devices are CPU processes, so that no GPU is taken.
        threads: Number of CPUs of a cell. Default: as many as `jobs` leave for each.
        trust: As for `run_cell`.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: There is no such cluster, or it refuses the connection.
        ValueError: `jobs` or `threads` is not positive, or no machine suffices for a cell.
    """

    def __init__(
        self,
        address: str | None,
        *,
        jobs: int | None = None,
        devices_per_cell: int = 1,
        on_cpu: bool = False,
        threads: int | None = None,
        trust: Collection[str] = (),
    ) -> None:
        self._connection = RayConnection(address, jobs=jobs, devices=0 if on_cpu else devices_per_cell, threads=threads)
        self._ray, shares = self._connection.ray, self._connection.shares
        self.slots = shares.slots
        self._tasks: dict[Any, Path] = {}  # that nobody has cancelled
        self._lock = threading.Lock()
        each = str(max(shares.threads // devices_per_cell, 1))  # each device has a process
        self._environment = {"OMP_NUM_THREADS": each, "MKL_NUM_THREADS": each}
        self._trust = tuple(trust)
        self._task = self._ray.remote(max_retries=0)(_run_in_worker).options(
            num_cpus=shares.threads, num_gpus=shares.gpus
        )

    def run(self, folder: Path, stop: StopEvent, report: Callable[[CellState], None]) -> CellState:
        """Run the cell wherever there is room for it.

        Args:
            folder: Folder of the cell.
            stop: Once set, the training run writes a checkpoint and ends; a task that has not begun does not begin.
            report: Called twice a second while it runs.

        Returns:
            State of the cell; failed also where its worker or its machine was lost.

        Raises:
            BlockingIOError: Another process runs it.
        """
        cell, _ = read_cell(folder)
        errors = self._ray.exceptions
        if stop.is_set():
            return CellState(cell, "stopped")
        task = self._task.remote(str(folder), self._environment, self._trust, os.getcwd())
        with self._lock:
            self._tasks[task] = folder
        while not self._ray.wait([task], timeout=_POLL_SECONDS)[0]:
            if stop.is_set():
                self._cancel_all()
            if stop.urgent.is_set():
                self._ray.cancel(task, force=True)  # its worker ends, and on its leash the training run
            if (state := read_progress(folder)) is not None:
                report(state)
        try:
            state = self._ray.get(task)
        except errors.TaskCancelledError:  # it had not begun
            return CellState(cell, "stopped")
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError as error:
            reason = first_line(error)
            write_state(folder, phase="failed", reason=reason)
            state = CellState(cell, "failed", reason=reason)
        report(state)
        return state

    def _cancel_all(self) -> None:
        """Cancel every task once, those that wait for room first: one that ends makes room for them."""
        with self._lock:
            tasks, self._tasks = self._tasks, {}
            for task in sorted(tasks, key=lambda task: is_running(tasks[task])):
                self._ray.cancel(task)  # the worker of one that runs gets SIGINT, see below

    def close(self) -> None:
        """Stop the Ray that was started for it, or leave the cluster; a connection that was there before stays."""
        self._connection.close()


def read_progress(folder: Path) -> CellState | None:
    """Read the progress of a cell that another process runs from its files.

    Args:
        folder: Folder of the cell.

    Returns:
        State of the cell, or None where it is not training or testing.
    """
    cell, _ = read_cell(folder)
    phase = read_state(folder)["phase"]
    if phase not in ("training", "testing"):
        return None
    return CellState(cell, phase, part_done(folder))


def _run_in_worker(folder: str, environment: Mapping[str, str], trust: Collection[str], directory: str) -> CellState:
    """The task. Cancelling it sends SIGINT, which is no exception here: the run is to write its checkpoint."""
    os.chdir(directory)
    with asking(StopEvent()) as stop:
        return run_cell(folder, environment=environment, trust=trust, stop=stop)
