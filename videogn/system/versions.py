"""Versions of the software that a result depends on."""

from __future__ import annotations

import platform
from importlib import metadata

_PACKAGES = ("videogn", "torch", "torchvision", "lightning", "pytorchvideo", "torchmetrics", "av", "decord", "numpy")


def package_versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that decode and compute; None for a missing package."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions
