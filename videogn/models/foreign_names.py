"""Layouts of state dicts, and the translation of their names into ours.

Our trunk: blocks.0 stem, blocks.1 res2, blocks.2 pool, blocks.3 to 5 res3 to res5, blocks.6 head. A convolution or norm
of a bottleneck is branch2.conv_a, branch2.norm_a and so on; the projection shortcut is branch1_conv and branch1_norm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

#: The first convolution, the one that sees the colours.
STEM_CONV = "blocks.0.conv.weight"
_HEAD = "blocks.6.proj"
_BLOCKS = {2: 1, 3: 3, 4: 4, 5: 5}  # number of the stage, res2 to res5 -> our block

_TORCHVISION = re.compile(r"layer([1-4])\.(\d+)\.(?:(conv|bn)([1-3])|downsample\.([01]))\.(\w+)")
_CAFFE2 = re.compile(r"res([2-5])_(\d+)_branch(1|2a|2b|2c)_(w|gn_s|gn_b)")
_CAFFE2_PARTS = {"w": ("conv", "weight"), "gn_s": ("norm", "weight"), "gn_b": ("norm", "bias")}


def torchvision_name(key: str) -> str | None:
    """Translate a name of torchvision's ResNets, which timm shares (GN's are called bn there too).

    Args:
        key: Name of a tensor, for instance `layer1.0.conv1.weight`.

    Returns:
        Our name, or None if our network has no such tensor.
    """
    module, _, part = key.rpartition(".")
    if module in ("conv1", "bn1", "fc"):
        return {"conv1": "blocks.0.conv", "bn1": "blocks.0.norm", "fc": _HEAD}[module] + f".{part}"
    found = _TORCHVISION.fullmatch(key)
    if found is None:
        return None
    stage, block, kind, number, shortcut, part = found.groups()
    kind = kind or ("conv", "bn")[int(shortcut)]
    return _bottleneck(int(stage) + 1, block, {"bn": "norm"}.get(kind, kind), number and "abc"[int(number) - 1], part)


def caffe2_name(key: str) -> str | None:
    """Translate a name of Detectron's Caffe2 ResNets with GN.

    Args:
        key: Name of a tensor, for instance `res2_0_branch2a_gn_s`.

    Returns:
        Our name, or None if our network has no such tensor.
    """
    stem = {"conv1_w": STEM_CONV, "conv1_gn_s": "blocks.0.norm.weight", "conv1_gn_b": "blocks.0.norm.bias"}
    head = {"pred_w": f"{_HEAD}.weight", "pred_b": f"{_HEAD}.bias"}
    if key in stem | head:
        return (stem | head)[key]
    found = _CAFFE2.fullmatch(key)
    if found is None:
        return None
    stage, block, branch, suffix = found.groups()
    kind, part = _CAFFE2_PARTS[suffix]
    return _bottleneck(int(stage), block, kind, branch[1:], part)


#: Layout -> the translation of its names.
LAYOUTS: dict[str, Callable[[str], str | None]] = {
    "videogn": lambda key: key,
    "torchvision": torchvision_name,
    "caffe2": caffe2_name,
}


def layout_of(keys: Iterable[str]) -> str:
    """Recognise the layout of a state dict.

    Args:
        keys: Names of its tensors.

    Returns:
        A key of LAYOUTS.

    Raises:
        ValueError: The layout is unknown; the message shows the first names.
    """
    keys = list(keys)
    if any(key.startswith("blocks.") for key in keys):
        return "videogn"
    if "conv1.weight" in keys and any(key.startswith("layer1.") for key in keys):
        return "torchvision"
    if "conv1_w" in keys:
        if any(key.endswith("_bn_s") for key in keys):
            raise ValueError(
                "it is a Caffe2 network with BN: its statistics are folded into a scale and its strides are in the 1x1 "
                "convolutions, so no network of ours is the same function; torchvision's BN weights are"
            )
        return "caffe2"
    raise ValueError(
        f"it holds no network that videogn can read: its names are {', '.join(keys[:3]) or 'none at all'}"
        f"{', ...' if len(keys) > 3 else ''}"
    )


def is_head(name: str) -> bool:
    """Whether one of our names belongs to the classifier, the only part that may differ in shape."""
    return name.startswith(f"{_HEAD}.")


def _bottleneck(stage: int, block: str, kind: str, letter: str | None, part: str) -> str:
    prefix = f"blocks.{_BLOCKS[stage]}.res_blocks.{block}"
    return f"{prefix}.branch2.{kind}_{letter}.{part}" if letter else f"{prefix}.branch1_{kind}.{part}"
