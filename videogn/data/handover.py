"""Tensors of a loader process that the training process will use: in memory that both share, so that none is copied."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.multiprocessing import get_sharing_strategy
from torch.utils.data import get_worker_info

from videogn.system.memory_file import memory_file
from videogn.system.sizes import counted, format_size

#: Where Linux keeps shared memory that has a name, and the locks between processes.
_PLACE = Path("/dev/shm")
#: Bytes that the locks of a loader take there, and those of each of its processes: 32 and 12 KiB, and some to spare.
_LOCKS, _LOCKS_OF_PROCESS = 48 << 10, 16 << 10


def shareable_empty(*shape: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Make a tensor without values; in a loader process it is shared, where a queue would otherwise copy it.

    PyTorch's own shared memory lies in /dev/shm, which is often too small for a batch of videos; this one does not.

    Args:
        *shape: Shape.
        dtype: Type. Default: uint8.

    Raises:
        OSError: There is not as much memory.
    """
    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    if get_worker_info() is None:
        # NumPy asks Linux for huge pages: 64 MiB are there in 9 ms, and in 32 ms from torch.
        return torch.from_numpy(np.empty(size, np.uint8)).view(dtype).view(shape)
    return torch.empty(0, dtype=dtype).set_(_shared(size)).view(shape)


def shareable(tensor: Tensor) -> Tensor:
    """Copy a tensor into one that `shareable_empty` makes."""
    return shareable_empty(*tensor.shape, dtype=tensor.dtype).copy_(tensor)


def _shared(size: int) -> torch.UntypedStorage:
    if get_sharing_strategy() != "file_descriptor":  # names of files instead, as on macOS
        return torch.UntypedStorage._new_shared(size)
    try:
        descriptor = memory_file(size)
    except OSError as error:
        raise OSError(
            f"no memory for the {format_size(size)} of a video ({error.strerror}): use fewer loader processes, "
            "or smaller batches"
        ) from error
    try:
        storage: Any = torch.UntypedStorage  # its stub lacks the method
        return storage._new_shared_fd_cpu(descriptor, size)  # which duplicates the descriptor
    finally:
        os.close(descriptor)


def check_space(num_workers: int, loaders: int = 1) -> None:
    """Refuse to start loader processes where there is no space for their locks.

    Args:
        num_workers: Number of processes of a loader.
        loaders: Number of loaders that run at the same time. Default: 1.

    Raises:
        OSError: There is too little space in /dev/shm.
    """
    if num_workers == 0 or not _PLACE.is_dir():
        return
    place = os.statvfs(_PLACE)
    free, needed = place.f_bavail * place.f_frsize, loaders * (_LOCKS + num_workers * _LOCKS_OF_PROCESS)
    if free < needed:
        processes = counted(loaders * num_workers, "loader process")
        raise OSError(
            f"{_PLACE} has {format_size(free)} free, but the locks of {processes} "
            f"need {format_size(needed)}: remove what fills it, give the container more (docker run --shm-size=1g or "
            "--ipc=host), or load without such processes (0 workers)"
        )
