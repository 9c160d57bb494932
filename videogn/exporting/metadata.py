"""What an exported file says about itself, so that a program without this package can use it.

One JSON object, under the key `videogn` of the file:

    about   the network and its protocol, flat: arch, norm, class_names, clip_length, interval, fps, mean, std, ...
    input   name, layout, dtype and size of the input, and how to make it of a video
    output  name and layout of the output
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Entries of `about`, in this order; null where the source does not say.
ABOUT = (
    *("arch", "norm", "norm_options", "arch_options", "class_names"),
    *("clip_length", "interval", "fps", "crop_size", "short_side", "mean", "std", "antialias"),
    *("num_clips", "protocol", "crops", "clips_per_forward"),
)
_AXES = "BCTHW"


def describe(about: Mapping[str, Any], size: Sequence[int], dynamic: Sequence[int]) -> dict[str, Any]:
    """Describe a network whose input is normalised clips and whose output is logits.

    Args:
        about: What the source says about the network, see `videogn.inference.load_network`.
        size: Size (B, 3, T, H, W) of the clips that it is traced with.
        dynamic: Axes whose size is free.

    Returns:
        The metadata: plain values only.
    """
    known = {name: about.get(name) for name in ABOUT}
    shape = {axis: None if number in dynamic else size[number] for number, axis in enumerate(_AXES)}
    return {
        "about": known,
        "input": {"name": "clips", "layout": "BCTHW", "dtype": "float32", "size": shape},
        "output": {"name": "logits", "layout": "BKTHW", "dtype": "float32"},
    }
