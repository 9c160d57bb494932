"""Video networks, from clips (B, 3, T, H, W) to logits (B, K, T', H', W'), with any norm; and weights to start from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from videogn.models.architectures import MODELS, make_model
from videogn.models.assembly import BlockNetwork
from videogn.models.i3d import i3d_r50, i3d_r50_8x8, i3d_tiny
from videogn.models.norm_conversion import convert_norm

if TYPE_CHECKING:
    from videogn.models.weights import WeightReport, load_weights

#: The name of the class when I3D networks were the only ones.
I3D = BlockNetwork

__all__ = [
    "I3D",
    "MODELS",
    "BlockNetwork",
    "WeightReport",
    "convert_norm",
    "i3d_r50",
    "i3d_r50_8x8",
    "i3d_tiny",
    "load_weights",
    "make_model",
]


def __getattr__(name: str) -> Any:
    if name not in ("WeightReport", "load_weights"):  # few networks begin with weights from elsewhere
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("videogn.models.weights"), name)
