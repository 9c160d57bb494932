"""Predictions to look at: figures, and videos with what the network said drawn in. Arrays in, no network."""
