"""Which process this is, and how many work together; one alone where nothing distributed was started."""

from __future__ import annotations

import torch
from torch import distributed

_STEPS_BETWEEN_EXCHANGES = 10


def world_size(group: distributed.ProcessGroup | None = None) -> int:
    """Processes that train or test together.

    Args:
        group: the group asked about; all processes by default.

    Returns:
        At least 1.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size(group)


def rank() -> int:
    """Number of this process among them, from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def shared_seed() -> int:
    """What torch was seeded with, in the first of the processes."""
    seeds = [torch.initial_seed()]
    if world_size() > 1:
        distributed.broadcast_object_list(seeds)
    return seeds[0]


def exchange_due(step: int) -> bool:
    """Whether processes that train together tell one another what has happened, after a step.

    Not after every one: each exchange lets the host wait for the device, and for the slowest process.

    Args:
        step: optimiser steps done; the same in all processes.
    """
    return world_size() == 1 or step % _STEPS_BETWEEN_EXCHANGES == 0
