"""Video networks: I3D builders, from clips (B, 3, T, H, W) to logits (B, K, T', H', W'), and weights to start from."""

from videogn.models.architectures import MODELS, make_model
from videogn.models.i3d import I3D, i3d_r50, i3d_r50_8x8, i3d_tiny
from videogn.models.weights import WeightReport, load_weights

__all__ = ["I3D", "MODELS", "WeightReport", "i3d_r50", "i3d_r50_8x8", "i3d_tiny", "load_weights", "make_model"]
