"""Which process this is, and how many work together; one alone where nothing distributed was started."""

from __future__ import annotations

from torch import distributed


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
