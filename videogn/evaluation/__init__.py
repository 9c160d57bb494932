"""Views -> one probability vector per video -> accuracies and result files.

The names are imported when they are asked for: what reads results, such as a report, needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from videogn.evaluation.collection import ResultCollection
    from videogn.evaluation.result_files import write_results
    from videogn.evaluation.results import VideoResult, score_video
    from videogn.evaluation.views import clip_probabilities, score_views

__all__ = ["ResultCollection", "VideoResult", "clip_probabilities", "score_video", "score_views", "write_results"]

_MODULES = {
    "ResultCollection": "collection",
    "VideoResult": "results",
    "clip_probabilities": "views",
    "score_video": "results",
    "score_views": "views",
    "write_results": "result_files",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
