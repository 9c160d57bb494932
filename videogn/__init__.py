"""videogn: video classification with any normalisation over (T, H, W)."""

# Nothing is imported here: `videogn --help` must not wait for torch.
__version__ = "0.1.0"
