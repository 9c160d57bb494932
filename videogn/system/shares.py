"""Machines -> what each of several tasks gets of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videogn.checks import require_at_least


@dataclass(frozen=True)
class Shares:
    """Resources of tasks that run at the same time.

    Attributes:
        slots: Number of tasks at once.
        threads: Number of CPUs of a task.
        gpus: Number of GPUs of a task.
    """

    slots: int
    threads: int
    gpus: int


def share(nodes: Sequence[tuple[int, int]], *, jobs: int | None, devices: int, threads: int | None) -> Shares:
    """Divide machines between tasks.

    Args:
        nodes: Numbers of CPUs and GPUs of every machine.
        jobs: Number of tasks at once, or None for as many as there is room for.
        devices: Number of GPUs of a task; ignored where no machine has any.
        threads: Number of CPUs of a task, or None.

    Returns:
        Resources of each task. On one machine `jobs` tasks run at once even if that is more than its CPUs.

    Raises:
        ValueError: `jobs` or `threads` is not positive, or no machine suffices for a task.
    """
    for name, value in (("jobs", jobs), ("threads", threads)):
        require_at_least(name, 1 if value is None else value, 1)
    if not any(cpus for cpus, _ in nodes):
        raise ValueError("no machine of the Ray cluster has CPUs for tasks")
    gpus = devices if any(count for _, count in nodes) else 0

    def room(threads: int) -> int:
        """Number of tasks that fit."""
        return sum(min(cpus // threads, count // gpus if gpus else cpus) for cpus, count in nodes)

    most = max(cpus for cpus, _ in nodes)
    if gpus and not room(1):
        raise ValueError(f"devices must be <= {max(n for _, n in nodes)}, the GPUs of a machine, got {gpus}")
    if jobs is not None and len(nodes) == 1:
        wanted = min(jobs, nodes[0][1] // gpus) if gpus else jobs
        return Shares(wanted, threads or max(most // wanted, 1), gpus)
    if threads is not None:
        if not room(threads):
            raise ValueError(f"threads must be <= {most}, the CPUs of a machine, got {threads}")
        return Shares(min(jobs or room(threads), room(threads)), threads, gpus)
    wanted = min(jobs or (room(1) if gpus else sum(cpus > 0 for cpus, _ in nodes)), room(1))
    return Shares(wanted, max(number for number in range(1, most + 1) if room(number) >= wanted), gpus)
