"""Compiled networks (`torch.compile`)."""

from __future__ import annotations

import os
import shutil
import sys

import torch
from torch import nn


def compile_network(net: nn.Module, device: torch.device) -> None:
    """Have a network compiled at its first forward pass, and again for clips of another shape.

    Args:
        net: Network, on the device; changed in place.
        device: Its device.

    Raises:
        ValueError: There is no C++ compiler, which networks on a CPU need. torch would say so after many lines.
    """
    # As torch looks for it.
    compiler = os.environ.get("CXX", {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++"))
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise ValueError(
            f"to compile a network for the CPU takes a C++ compiler, and {compiler} is not found: install it, name "
            "another in the environment variable CXX, or do not compile"
        )
    net.compile()
