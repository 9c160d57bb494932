"""Pictures for tests of what is done to pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def picture(height: int, width: int, count: int = 2, seed: int = 0) -> Tensor:
    """Smooth shapes and an edge, all colours unlike: uint8 (N, H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    frames = np.empty((count, height, width, 3))
    for n in range(count):
        for c in range(3):
            a, b, p = rng.uniform(2, 30, 3)
            frames[n, ..., c] = 127 + 120 * np.sin(a * x + b * y + p)
        frames[n, : height // 3, : width // 2] = rng.integers(0, 256, 3)
    return torch.from_numpy(frames.clip(0, 255).astype(np.uint8))
