"""What an exported file says about itself, so that a program without this package can use it.

One JSON object, as text under the key `videogn` of the file:

    about     the network and its test protocol, flat: arch, norm, class_names, clip_length, fps, mean, std ...
    input     name, layout, dtype and size of the input, and what has to be done to a video before
    output    name, layout and dtype of the output
    source    name of the checkpoint or published network, and SHA-256 of its file (null without one)
    versions  of this package, torch and what wrote the file
    check     how far the file's output was from the network's, see `videogn.exporting.check`

A size that is null is free. Keys may be added, none will change its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from videogn import __version__
from videogn.checks import expanded
from videogn.choices import CropsName, EvaluationViews, chosen
from videogn.data.file_hash import sha256_of

#: Entries of `about` beside those of the views; null where the source does not say.
_NETWORK = ("arch", "norm", "norm_options", "arch_options", "class_names", "clips_per_forward")
_AXES = "BCTHW"
_NORMALISED = "(x / 255 - mean) / std of RGB values x in 0..255, channel by channel"
_RAW = "RGB values in 0..255"


def views_of(about: Mapping[str, Any]) -> EvaluationViews:
    """Return the views of a test, with the defaults of a checkpoint where the source says nothing.

    Args:
        about: What the source says, see `videogn.inference.load_network`.
    """
    return chosen(EvaluationViews, about)


def describe(
    about: Mapping[str, Any], source: str | Path, size: Sequence[int | None], *, crops: CropsName, preprocessing: bool
) -> dict[str, Any]:
    """Describe the file of a network; versions and check are added where they are known.

    Args:
        about: What the source says about the network, see `videogn.inference.load_network`.
        source: The source.
        size: Size (B, 3, T, H, W) of the clips that the file takes; None where it is free.
        crops: Crops that the file takes: those of the source, or the ones that have its fixed size.
        preprocessing: Whether the file takes uint8 clips (B, T, H, W, 3) and gives probabilities.

    Returns:
        The metadata: plain values only.
    """
    views = views_of(about)
    return {
        "about": {
            **{name: about.get(name) for name in _NETWORK},
            **asdict(views),
            "mean": list(about["mean"]),
            "std": list(about["std"]),
        },
        "input": {
            "name": "frames" if preprocessing else "clips",
            "layout": "BTHWC" if preprocessing else "BCTHW",
            "dtype": "uint8" if preprocessing else "float32",
            "size": dict(zip(_AXES, size, strict=True)),
            "range": _RAW if preprocessing else _NORMALISED,
            "resize": _resizing(views),
            "crops": crops,
        },
        "output": {
            "name": "probabilities" if preprocessing else "logits",
            "layout": "BK" if preprocessing else "BKTHW",
            "dtype": "float32",
        },
        "source": _source(source),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of this package, of torch and of some others.

    Args:
        packages: Further packages.
    """
    return {"videogn": __version__} | {name: metadata.version(name) for name in ("torch", *packages)}


def _resizing(views: EvaluationViews) -> str:
    smooth = (
        "antialiased (a triangle filter as wide as the scale) where it shrinks" if views.antialias else "no antialias"
    )
    return (
        f"the shorter side to {views.short_side} pixels, the longer one in proportion and rounded; bilinear, half-pixel"
        f" centres (align_corners false), {smooth}; rounded to uint8"
    )


def _source(source: str | Path) -> dict[str, Any]:
    path = expanded(str(source).removeprefix("nonlocal:"))
    return (
        {"name": path.name, "sha256": sha256_of(str(path))} if path.is_file() else {"name": str(source), "sha256": None}
    )
