"""Devices by name."""

from __future__ import annotations

import re

import torch

#: What a network computes on here; torch knows more names, of devices that hold no numbers or that nobody has tried.
_NAMES = re.compile(r"cpu|(?:cuda|mps|xpu)(?::\d{1,3})?")


def device_named(name: str) -> torch.device:
    """Find a device and check that it works.

    Args:
        name: "cpu", "cuda", "cuda:1" and so on; "auto" takes a GPU if there is one.

    Returns:
        The device.

    Raises:
        ValueError: It is none of these names, or cannot be used here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not _NAMES.fullmatch(name):
        raise ValueError(
            f"device {name!r} cannot be used here; it must be auto, cpu, cuda, or cuda:N for GPU N, from 0 on"
        )
    if name.startswith("cuda") and (reason := _no_gpu(name)):
        raise ValueError(f"device {name!r} cannot be used here: {reason}")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used here; cpu always can") from error
    return device


def _no_gpu(name: str) -> str | None:
    """Why a GPU is none, or None."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"this PyTorch ({torch.__version__}) was built for CPUs; take cpu, or install one for GPUs"
    count = torch.cuda.device_count()
    if count == 0:
        return "PyTorch sees no GPU; cpu always can"
    if int(name.partition(":")[2] or 0) >= count:
        return f"its GPUs are cuda:0 to cuda:{count - 1}" if count > 1 else "its only GPU is cuda:0"
    return None
