"""Views -> one probability vector per video -> accuracies and result files."""

from videogn.evaluation.results import VideoResult, score_video, summarise, write_results
from videogn.evaluation.views import clip_probabilities, video_probabilities

__all__ = ["VideoResult", "clip_probabilities", "score_video", "summarise", "video_probabilities", "write_results"]
