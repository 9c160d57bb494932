"""Video files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from videogn.inference.features import VideoFeatures
from videogn.inference.loading import load_network
from videogn.inference.prediction import Prediction
from videogn.inference.predictor import Predictor
from videogn.inference.videos import VideoArray

__all__ = ["Prediction", "Predictor", "VideoArray", "VideoFeatures", "load_network"]
