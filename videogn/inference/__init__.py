"""Video files -> predictions, with the same clips, decoding, transforms and evaluation as testing.

The names are imported when they are asked for: what a command is told can be checked before torch is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from videogn.inference.features import VideoFeatures
    from videogn.inference.loading import load_network
    from videogn.inference.prediction import Prediction
    from videogn.inference.predictor import Predictor
    from videogn.inference.videos import VideoArray

__all__ = ["Prediction", "Predictor", "VideoArray", "VideoFeatures", "load_network"]

_MODULES = {
    "Prediction": "prediction",
    "Predictor": "predictor",
    "VideoArray": "videos",
    "VideoFeatures": "features",
    "load_network": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
