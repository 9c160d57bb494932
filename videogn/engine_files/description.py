"""What an exported file says about itself, read and checked: the network, its input, its output."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor

from videogn.checks import shown
from videogn.choices import EvaluationViews, ProtocolName, chosen
from videogn.models.hyper_parameters import HYPER_PARAMETERS
from videogn.models.stated_values import MAX_COUNT, choice, count

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
#: What is said about the network -> its check. Nothing else is taken from a file.
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    **HYPER_PARAMETERS,
    "num_clips": count,
    "protocol": partial(choice, valid=get_args(ProtocolName)),
}
_NUMBER_TYPES = ("float32", "uint8")
#: Letters of the largest text that is read: the names of as many classes as a file may have.
_MAX_TEXT = 64 << 20
#: Largest size of each axis of the input. As many clips as a file takes at once are filled up to.
_MAX_SIZES = {"B": 1000, "C": 3, "T": MAX_COUNT, "H": MAX_COUNT, "W": MAX_COUNT}


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
    if len(text) > _MAX_TEXT:
        raise ValueError(f"{path} says {len(text)} letters about its network, at most {_MAX_TEXT} are read")
    try:
        return _description(path, json.loads(text))
    except KeyError as error:
        reason = f"{error} is missing"
    except (TypeError, AttributeError, RecursionError):  # of another form, or deeply nested
        reason = "its parts are not as they should be"
    except ValueError as error:
        reason = str(error)
    raise ValueError(
        f"{path} says about its network what this version of videogn cannot use ({reason}); export it again"
    )


def _description(path: str, found: Any) -> Description:
    given, output = found["input"], found["output"]
    # Where the file's size is fixed, its crops are not those of the network.
    said = {**{name: value for name, value in found["about"].items() if value is not None}, "crops": given["crops"]}
    if missing := sorted(_REQUIRED - said.keys()):
        raise ValueError(f"{missing[0]} is missing")
    about = {name: check(name, said[name]) for name, check in _CHECKS.items() if name in said}
    chosen(EvaluationViews, about)
    layout = given["layout"]
    if not isinstance(layout, str) or sorted(layout) != sorted(_AXES):
        raise ValueError(f"layout must name each of {', '.join(_AXES)} once, got {shown(layout)}")
    return Description(
        path=path,
        about=about,
        layout=layout,
        pixels=choice("dtype", given["dtype"], _NUMBER_TYPES) == "uint8",
        size={axis: _size(axis, given["size"][axis]) for axis in _AXES},
        probabilities=output["name"] == "probabilities",
    )


def _size(axis: str, value: Any) -> int | None:
    return None if value is None else count(f"size of {axis}", value, _MAX_SIZES[axis])
