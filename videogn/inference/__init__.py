"""Files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from videogn.inference.predictor import Prediction, Predictor, load_task

__all__ = ["Prediction", "Predictor", "load_task"]
