"""Video files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from videogn.inference.loading import load_network
from videogn.inference.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor", "load_network"]
