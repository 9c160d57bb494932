"""Memory of a device that a training step can take."""

from __future__ import annotations

import torch

from videogn.system.available_memory import available_memory

#: Share of the free memory that a plan may fill. The rest is for what no plan counts: workspaces of kernels, what the
#: allocator rounds up or loses to fragmentation, decoded frames.
SHARE = 0.9


def device_memory(device: torch.device, *, processes: int = 1) -> int | None:
    """Return the bytes that a training step can take on a device: `SHARE` of what is free.

    Args:
        device: Device of the network. What PyTorch has reserved there for this process counts as free.
        processes: Number of processes that train together and must come to one answer. With several, all the memory of
            the smallest device counts, or on a CPU the share of each in what is free. Default: 1.

    Returns:
        Bytes, or None where nobody tells.
    """
    free = _free(device, processes)
    return None if free is None else int(SHARE * free)


def _free(device: torch.device, processes: int) -> int | None:
    if device.type == "cuda" and processes > 1:
        devices = range(torch.cuda.device_count())
        return min(torch.cuda.get_device_properties(each).total_memory for each in devices)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    free = available_memory()
    return None if free is None else free // processes
