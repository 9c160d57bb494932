"""Normalisation over (T, H, W): one factory per norm, chosen by name from the NORMS table."""

from videogn.norm.factories import NormFactory
from videogn.norm.table import NORMS, make_conv, make_norm

__all__ = ["NORMS", "NormFactory", "make_conv", "make_norm"]
