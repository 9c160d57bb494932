"""Cells as tasks of Ray Core: on this machine, or on the nodes of a cluster that share the study's folder.

Ray only places the cells, by the processors and GPUs that they need, and reports a lost machine or worker; everything
about a cell stays in its folder. Without an address a Ray of its own is started, for the time of the study, with the
token authentication that Ray sets up for itself (it keeps the token in ~/.ray/auth_token). A cluster has to be started
with it: RAY_AUTH_MODE=token in the environment of every `ray start` and of the study, and on all machines the same
token, `ray get-auth-token --generate`, in ~/.ray/auth_token, in the file that RAY_AUTH_TOKEN_PATH names, or in
RAY_AUTH_TOKEN.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videogn.checks import require_at_least
from videogn.study.cell_files import CellState, is_running, part_done, read_cell, read_state, write_state
from videogn.study.engines import visible_gpus
from videogn.study.running import run_cell
from videogn.system.cores import available_cores

_POLL_SECONDS = 0.5
#: Cells pass nothing through Ray's object store; by default it would take 30 % of the memory.
_OBJECT_STORE_BYTES = 100 * 1024**2


@dataclass(frozen=True)
class Shares:
    """Resources of each cell.

    Attributes:
        slots: Number of cells at once.
        threads: Number of CPUs of a cell.
        gpus: Number of GPUs of a cell.
    """

    slots: int
    threads: int
    gpus: int


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
    ) -> None:
        wanted: dict[str, Any] = {"jobs": jobs, "devices": 0 if on_cpu else devices_per_cell, "threads": threads}
        # Of a Ray of its own before anything is started: a wrong number should not take seconds to be found.
        shares = share([(available_cores(), len(visible_gpus()))], **wanted) if address is None else None
        self._ray = _import_ray(embedded=address is None)
        self._started = not self._ray.is_initialized()
        if self._started:
            _start(self._ray, {"address": address} if shares is None else _own_ray(shares))
        try:
            shares = shares or share(_nodes(self._ray), **wanted)
        except ValueError:
            self.close()
            raise
        self.slots = shares.slots
        self._tasks: dict[Any, Path] = {}  # that nobody has cancelled
        self._lock = threading.Lock()
        each = str(max(shares.threads // devices_per_cell, 1))  # each device has a process
        self._environment = {"OMP_NUM_THREADS": each, "MKL_NUM_THREADS": each}
        self._task = self._ray.remote(max_retries=0)(_run_in_worker).options(
            num_cpus=shares.threads, num_gpus=shares.gpus
        )

    def run(self, folder: Path, stop: threading.Event, report: Callable[[CellState], None]) -> CellState:
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
        task = self._task.remote(str(folder), self._environment, os.getcwd())
        with self._lock:
            self._tasks[task] = folder
        while not self._ray.wait([task], timeout=_POLL_SECONDS)[0]:
            if stop.is_set():
                self._cancel_all()
            if (state := read_progress(folder)) is not None:
                report(state)
        try:
            state = self._ray.get(task)
        except errors.TaskCancelledError:  # it had not begun
            return CellState(cell, "stopped")
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.RayError as error:
            reason = _reason(error)
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
        if self._started:
            self._ray.shutdown()
            self._started = False


def share(nodes: Sequence[tuple[int, int]], *, jobs: int | None, devices: int, threads: int | None) -> Shares:
    """Divide machines between cells.

    Args:
        nodes: Numbers of CPUs and GPUs of every machine.
        jobs: Number of cells at once, or None for as many as there is room for.
        devices: Number of GPUs of a cell; ignored where no machine has any.
        threads: Number of CPUs of a cell, or None.

    Returns:
        Resources of each cell. On one machine `jobs` cells run at once even if that is more than its CPUs.

    Raises:
        ValueError: `jobs` or `threads` is not positive, or no machine suffices for a cell.
    """
    for name, value in (("jobs", jobs), ("threads", threads)):
        require_at_least(name, 1 if value is None else value, 1)
    if not any(cpus for cpus, _ in nodes):
        raise ValueError("no machine of the Ray cluster has CPUs for tasks")
    gpus = devices if any(count for _, count in nodes) else 0

    def room(threads: int) -> int:
        """Number of cells that fit."""
        return sum(min(cpus // threads, count // gpus if gpus else cpus) for cpus, count in nodes)

    most = max(cpus for cpus, _ in nodes)
    if gpus and not room(1):
        raise ValueError(f"devices of a cell must be <= {max(n for _, n in nodes)}, the GPUs of a machine, got {gpus}")
    if jobs is not None and len(nodes) == 1:
        wanted = min(jobs, nodes[0][1] // gpus) if gpus else jobs
        return Shares(wanted, threads or max(most // wanted, 1), gpus)
    if threads is not None:
        if not room(threads):
            raise ValueError(f"threads must be <= {most}, the CPUs of a machine, got {threads}")
        return Shares(min(jobs or room(threads), room(threads)), threads, gpus)
    wanted = min(jobs or (room(1) if gpus else sum(cpus > 0 for cpus, _ in nodes)), room(1))
    return Shares(wanted, max(number for number in range(1, most + 1) if room(number) >= wanted), gpus)


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


def _run_in_worker(folder: str, environment: Mapping[str, str], directory: str) -> CellState:
    """The task. Cancelling it sends SIGINT, which is no exception here: the run is to write its checkpoint."""
    stop = threading.Event()
    os.chdir(directory)
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        return run_cell(folder, environment=environment, stop=stop)
    finally:
        signal.signal(signal.SIGINT, before)


def _import_ray(*, embedded: bool) -> Any:
    if "ray" not in sys.modules:  # it reads these when it is imported
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if embedded:
            os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ModuleNotFoundError("--engine ray needs Ray: pip install 'videogn[ray]'") from None
    return ray


def _own_ray(shares: Shares) -> dict[str, Any]:
    """Options of a Ray on this machine, with a processor for each thread of the cells at once."""
    return {
        "address": "local",
        "num_cpus": shares.slots * shares.threads,
        "num_gpus": len(visible_gpus()),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }


def _start(ray: Any, options: Mapping[str, Any]) -> None:
    try:
        with _sigterm_kept():
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        hint = "" if options["address"] == "local" else "; with tokens it takes RAY_AUTH_MODE=token and the token here"
        raise ConnectionError(f"no Ray at {options['address']}: {_reason(error)}{hint}") from error


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """`ray.init` sets a handler of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _nodes(ray: Any) -> list[tuple[int, int]]:
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(int(found.get("CPU", 0)), int(found.get("GPU", 0))) for found in resources]


def _reason(error: Exception) -> str:
    """Ray explains at length: what happened is in the first line."""
    text = str(error).strip().partition("\n")[0] or "no reason given"
    return f"{type(error).__name__}: {text}"
