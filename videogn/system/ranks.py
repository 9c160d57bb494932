"""Number of this process among those that work together, and what they tell one another.

Everything here works for a single process as well, where nothing distributed was started.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import torch
from torch import distributed

T = TypeVar("T")

_STEPS_BETWEEN_EXCHANGES = 10


def world_size(group: distributed.ProcessGroup | None = None) -> int:
    """Return the number of processes in a group, by default of all that train or test together; at least 1."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size(group)


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def of_all_processes(own: T) -> list[T]:
    """Give every process one small object from each: counts, names. Every process has to call this.

    Args:
        own: Object of this process; it must be picklable.

    Returns:
        The objects of all processes, in order of rank.
    """
    if world_size() == 1:
        return [own]
    objects: list[T] = [own] * world_size()
    distributed.all_gather_object(objects, own)
    return objects


def sent_to_first(own: Iterable[T]) -> Iterator[T]:
    """Give process 0 the objects of all others, one at a time. Every process has to run through this iterator.

    Each object is a message from one process to another, so neither end holds more than one of them, and no process
    but the first receives any.

    Args:
        own: Objects of this process; they must be picklable and not None. Process 0 does not read its own.

    Yields:
        In process 0 the objects of the other processes, in order of rank; nothing elsewhere.
    """
    if rank() > 0:
        for item in own:
            distributed.send_object_list([item], dst=0)
        distributed.send_object_list([None], dst=0)
        return
    for source in range(1, world_size()):
        yield from iter(partial(_received, source), None)


def _received(source: int) -> Any:
    message: list[Any] = [None]
    distributed.recv_object_list(message, src=source)
    return message[0]


def shared_seed() -> int:
    """Return torch's seed in process 0."""
    seeds = [torch.initial_seed()]
    if world_size() > 1:
        distributed.broadcast_object_list(seeds)
    return seeds[0]


def exchange_due(step: int) -> bool:
    """Return whether the processes of a training run exchange their failures after a step.

    They do so after every tenth: each exchange makes the host wait for the device and for the slowest process.

    Args:
        step: Number of optimiser steps done; the same in all processes.
    """
    return world_size() == 1 or step % _STEPS_BETWEEN_EXCHANGES == 0
