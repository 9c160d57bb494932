"""Video files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from videogn.inference.loading import load_network
from videogn.inference.prediction import Prediction
from videogn.inference.predictor import Predictor

__all__ = ["Prediction", "Predictor", "load_network"]
