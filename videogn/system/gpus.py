"""Numbers of the GPUs of this machine."""

from __future__ import annotations

import os


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # not every command that asks for GPUs computes

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name] if torch.cuda.is_available() else []
    return [str(number) for number in range(torch.cuda.device_count())]
