"""A connection to Ray: to a cluster, or to a Ray of its own that ends with it; and what each task gets of the machines.

Without an address a Ray of its own is started, with the token authentication that Ray sets up for itself (it keeps the
token in ~/.ray/auth_token). A cluster has to be started with it: RAY_AUTH_MODE=token in the environment of every `ray
start` and of the command that connects, and on all machines the same token, `ray get-auth-token --generate`, in
~/.ray/auth_token, in the file that RAY_AUTH_TOKEN_PATH names, or in RAY_AUTH_TOKEN.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from videogn.system.cores import available_cores
from videogn.system.gpus import visible_gpus
from videogn.system.shares import Shares, share

#: Little passes through Ray's object store; by default it would take 30 % of the memory.
_OBJECT_STORE_BYTES = 100 * 1024**2
#: Seconds in which the head of a cluster accepts a connection.
_REACHED_SECONDS = 10.0


class RayConnection:
    """Ray, and the resources of each task that is to run there.

    Args:
        address: Address of a running cluster, HOST:PORT, or auto for the one that this machine belongs to; None to
            start Ray on this machine.
        jobs: Number of tasks at once. Default: as many as the GPUs suffice for, or else the CPUs, with `threads` each;
            one a machine where neither says.
        devices: Number of GPUs of a task; ignored where no machine has any. Default: 1.
        threads: Number of CPUs of a task. Default: as many as `jobs` leave for each.

    Attributes:
        ray: The module.
        shares: Resources of each task.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: There is no such cluster, or it refuses the connection.
        ValueError: `jobs` or `threads` is not positive, or no machine suffices for a task.
    """

    def __init__(
        self,
        address: str | None,
        *,
        jobs: int | None = None,
        devices: int = 1,
        threads: int | None = None,
    ) -> None:
        wanted: dict[str, Any] = {"jobs": jobs, "devices": devices, "threads": threads}
        # Of a Ray of its own before anything is started: a wrong number should not take seconds to be found.
        shares = share([(available_cores(), len(visible_gpus()))], **wanted) if address is None else None
        if address is not None:
            _check_reachable(address)
        self.ray = _import_ray(embedded=address is None)
        self._started = not self.ray.is_initialized()
        if self._started:
            _start(self.ray, {"address": address} if shares is None else _own_ray(shares))
        try:
            self.shares = shares or share(_nodes(self.ray), **wanted)
        except ValueError:
            self.close()
            raise

    def close(self) -> None:
        """Stop the Ray that was started for it, or leave the cluster; a connection that was there before stays."""
        if self._started:
            self.ray.shutdown()
            self._started = False


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


def _check_reachable(address: str) -> None:
    """Refuse an address where nobody answers, for which Ray would wait minutes."""
    host, _, port = address.rpartition(":")
    if "://" in address or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHED_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"no Ray at {address}: {error}") from error


def _own_ray(shares: Shares) -> dict[str, Any]:
    """Options of a Ray on this machine, with a processor for each thread of the tasks at once."""
    return {
        "address": "local",
        "num_cpus": shares.slots * shares.threads,
        "num_gpus": len(visible_gpus()),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }


def _start(ray: Any, options: Mapping[str, Any]) -> None:
    class Job(ray.job_config.JobConfig):
        """Keeps the working directory, and a queue.py there, off the module path of the workers, where Ray adds it."""

        def _runtime_env_has_working_dir(self) -> bool:
            return True

    try:
        with _sigterm_kept():
            ray.init(**options, job_config=Job(), log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of many classes, the one of all on a machine that is too busy to start it in time
        hint = "" if options["address"] == "local" else "; with tokens it takes RAY_AUTH_MODE=token and the token here"
        raise ConnectionError(f"no Ray at {options['address']}: {first_line(error)}{hint}") from error


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


def first_line(error: Exception) -> str:
    """Say what an error of Ray is about: it explains at length, and what happened is in the first line."""
    text = str(error).strip().partition("\n")[0] or "no reason given"
    return f"{type(error).__name__}: {text}"
