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
    from videogn.inference.timelines.labelling import LabelledSegment, label_segments
    from videogn.inference.timelines.window import Window
    from videogn.inference.timelines.window_file import read_windows
    from videogn.inference.videos import VideoArray

__all__ = [
    "LabelledSegment",
    "Prediction",
    "Predictor",
    "VideoArray",
    "VideoFeatures",
    "Window",
    "label_segments",
    "load_network",
    "read_windows",
]

_MODULES = {
    "LabelledSegment": "timelines.labelling",
    "Prediction": "prediction",
    "Predictor": "predictor",
    "VideoArray": "videos",
    "VideoFeatures": "features",
    "Window": "timelines.window",
    "label_segments": "timelines.labelling",
    "load_network": "loading",
    "read_windows": "timelines.window_file",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
