"""Devices by name."""

from __future__ import annotations

import torch


def device_named(name: str) -> torch.device:
    """Find a device and check that it works.

    Args:
        name: "cpu", "cuda", "cuda:1" and so on; "auto" takes a GPU if there is one.

    Returns:
        The device.

    Raises:
        ValueError: The device does not exist or cannot be used here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used here; cpu always can") from error
    return device
