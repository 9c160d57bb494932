"""What an exported file says about itself, read and checked: the network, its input, its output."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from videogn.choices import EvaluationViews, chosen

#: Key of the metadata in an exported file, a JSON text.
METADATA_KEY = "videogn"
_AXES = "BCTHW"
_REQUIRED = {
    "arch",
    "norm",
    "class_names",
    "clip_length",
    "crop_size",
    "short_side",
    "mean",
    "std",
    "clips_per_forward",
}
_NUMBER_TYPES = ("float32", "uint8")


@dataclass(frozen=True)
class Description:
    """What an exported file says about itself.

    Attributes:
        path: The file, for error messages.
        about: The network and its protocol, flat, as `videogn.inference.load_network` gives it; what is not known is
            left out.
        layout: Order of the input's axes, for instance "BCTHW".
        pixels: Whether the input is uint8 pixels, and the graph normalises them, in place of normalised clips.
        size: Size of each axis of the input by its letter; None where it is free.
        probabilities: Whether the output is probabilities in place of logits.
    """

    path: str
    about: dict[str, Any]
    layout: str
    pixels: bool
    size: Mapping[str, int | None]
    probabilities: bool

    def prepared(self, clips: Tensor) -> Tensor:
        """Make the input of the file of normalised clips (B, 3, T, H, W), float32 on the CPU.

        Where that is pixels, these are recovered exactly: rounding errors are far below half a grey level.
        """
        if self.pixels:
            mean, std = (torch.tensor(self.about[name]).view(1, -1, 1, 1, 1) for name in ("mean", "std"))
            clips = ((clips * std + mean) * 255).round_().clamp_(0, 255).to(torch.uint8)
        return clips.permute([_AXES.index(axis) for axis in self.layout]).contiguous()

    def check_views(self, *, clip_length: int, side: int | None) -> None:
        """Refuse views that the file does not take, before any video is read.

        Args:
            clip_length: Number of frames in a clip.
            side: Height and width of the views, in pixels; None if they are those of the resized video.

        Raises:
            ValueError: The file takes others.
        """
        size = self.size
        if size["T"] not in (None, clip_length):
            raise ValueError(f"{self.path} takes clips of {size['T']} frames, got clip_length {clip_length}")
        if (size["H"], size["W"]) != (None, None) and (side is None or {size["H"], size["W"]} - {None, side}):
            views = "whole frames of any width" if side is None else f"{side} x {side} pixels"
            raise ValueError(
                f"{self.path} takes views of {size['H']} x {size['W']} pixels only, got {views}: choose crops `center` "
                "of that size, or export the network with free sizes"
            )


def read_description(path: str, text: str | None) -> Description:
    """Read the metadata of an exported file.

    Args:
        path: File, for error messages.
        text: The JSON text that the file holds under `METADATA_KEY`; None if it holds none.

    Returns:
        The description.

    Raises:
        ValueError: The file has no such text, or it does not say what is needed.
    """
    if text is None:
        raise ValueError(
            f"{path} was not written by `videogn export`: it does not say what its classes and its input are"
        )
    try:
        found = json.loads(text)
        given, output = found["input"], found["output"]
        about = {name: value for name, value in found["about"].items() if value is not None}
        about["crops"] = given["crops"]  # where the file's size is fixed, not those of the network
        description = Description(
            path=path,
            about=about,
            layout=given["layout"],
            pixels=_NUMBER_TYPES.index(given["dtype"]) == 1,
            size={axis: given["size"][axis] for axis in _AXES},
            probabilities=output["name"] == "probabilities",
        )
        well_formed = (
            sorted(description.layout) == sorted(_AXES)
            and about.keys() >= _REQUIRED
            and bool(about["class_names"])
            and all(isinstance(name, str) for name in about["class_names"])
            and all(len(about[name]) == 3 and all(map(math.isfinite, about[name])) for name in ("mean", "std"))
        )
        chosen(EvaluationViews, about)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):  # RecursionError: a deeply nested text
        well_formed = False
    if not well_formed:
        raise ValueError(f"{path} says about its network what this version of videogn cannot use; export it again")
    return description
