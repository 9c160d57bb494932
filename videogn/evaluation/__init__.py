"""Views -> one probability vector per video -> accuracies and result files."""

from videogn.evaluation.collection import ResultCollection
from videogn.evaluation.result_files import write_results
from videogn.evaluation.results import VideoResult, score_video
from videogn.evaluation.views import clip_probabilities, score_views

__all__ = ["ResultCollection", "VideoResult", "clip_probabilities", "score_video", "score_views", "write_results"]
