"""Layouts of state dicts, and the translation of their names into ours.

Our trunk: blocks.0 stem, blocks.1 res2, blocks.2 pool, blocks.3 to 5 res3 to res5, blocks.6 head. A convolution or norm
of a bottleneck is branch2.conv_a, branch2.norm_a and so on; the projection shortcut is branch1_conv and branch1_norm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from torch import Tensor, nn

_STEM_CONV = "blocks.0.conv.weight"
_HEAD = "blocks.6.proj"
#: A name that only one kind of torchvision's video networks has -> layout; the names are those of our networks too.
_TORCHVISION_VIDEO = {
    "stem.0.weight": "torchvision VideoResNet",
    "features.0.0.0.weight": "torchvision S3D",
    "conv_proj.weight": "torchvision MViT",
    "patch_embed.proj.weight": "torchvision Swin",
}
_BLOCKS = {2: 1, 3: 3, 4: 4, 5: 5}  # number of the stage, res2 to res5 -> our block

_TORCHVISION = re.compile(r"layer([1-4])\.(\d+)\.(?:(conv|bn)([1-3])|downsample\.([01]))\.(\w+)")
_CAFFE2 = re.compile(r"res([2-5])_(\d+)_branch(1|2a|2b|2c)_(?:(w)|(?:gn|bn)_(s|b|rm|riv))")
_CAFFE2_STEM_NORM = re.compile(r"(?:conv1_gn|res_conv1_bn)_(s|b|rm|riv)")
#: `riv` holds the running variance: the name says inverse, but the released code of precise BN writes the variance, and
#: Caffe2 in test mode and the converter to affine layers divide by sqrt(riv + eps).
_CAFFE2_NORM = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}


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
    """Translate a name of a Caffe2 ResNet: Detectron's with GN, or one of the Non-local release, with BN or affine.

    Args:
        key: Name of a tensor, for instance `res2_0_branch2a_gn_s` or `res2_0_branch2a_bn_riv`.

    Returns:
        Our name, or None if our network has no such tensor.
    """
    names = {"conv1_w": _STEM_CONV, "pred_w": f"{_HEAD}.weight", "pred_b": f"{_HEAD}.bias"}
    if key in names:
        return names[key]
    stem = _CAFFE2_STEM_NORM.fullmatch(key)
    if stem is not None:
        return f"blocks.0.norm.{_CAFFE2_NORM[stem.group(1)]}"
    found = _CAFFE2.fullmatch(key)
    if found is None:
        return None
    stage, block, branch, conv, norm = found.groups()
    kind, part = ("conv", "weight") if conv else ("norm", _CAFFE2_NORM[norm])
    return _bottleneck(int(stage), block, kind, branch[1:], part)


#: Layout -> the translation of its names.
LAYOUTS: dict[str, Callable[[str], str | None]] = {
    "videogn": lambda key: key,
    "torchvision": torchvision_name,
    "caffe2": caffe2_name,
    "nonlocal": caffe2_name,
    **dict.fromkeys(_TORCHVISION_VIDEO.values(), lambda key: key),
}


def layout_of(tensors: Mapping[str, Tensor]) -> str:
    """Recognise the layout of a state dict.

    Args:
        tensors: Name -> tensor.

    Returns:
        A key of LAYOUTS.

    Raises:
        ValueError: The layout is unknown, or is that of a network that no network of ours can be; the message says why.
    """
    keys = list(tensors)
    if "conv1.weight" in keys and any(key.startswith("layer1.") for key in keys):
        return "torchvision"
    for key, layout in _TORCHVISION_VIDEO.items():
        if key in keys and tensors[key].ndim == 5:
            return layout
    if any(key.startswith("blocks.") for key in keys):  # MViT's blocks, above, are others
        return "videogn"
    if "conv1_w" in keys:
        return _caffe2_layout(tensors)
    raise ValueError(
        f"it holds no network that videogn can read: its names are {', '.join(keys[:3]) or 'none at all'}"
        f"{', ...' if len(keys) > 3 else ''}"
    )


def _caffe2_layout(tensors: Mapping[str, Tensor]) -> str:
    """Tell Detectron's networks from those of the Non-local release, which share their names."""
    if "res_conv1_bn_s" not in tensors:
        return "caffe2"
    if any(key.startswith("nonlocal_") for key in tensors):
        raise ValueError("it has non-local blocks, which no network of ours has; the release's i3d_baseline files fit")
    statistics = "res_conv1_bn_rm" in tensors and "res_conv1_bn_riv" in tensors
    if not statistics and tensors["conv1_w"].ndim == 4:
        raise ValueError(
            "it is an image network whose BN is folded into a scale and a shift, like Detectron's R-50.pkl: its "
            "strides are in the 1x1 convolutions, so no network of ours is the same function; torchvision's BN weights "
            "are, or the Non-local release's r50_pretrain_c2_model_iter450450_clean.pkl"
        )
    return "nonlocal"


def translation(layout: str, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Callable[[str], str | None]:
    """Return the translation of a layout's names into those of a network.

    Args:
        layout: A key of LAYOUTS.
        own: State dict of the network. In one without a pool after res2 the blocks from res3 on count one less.
        given: State dict of that layout. One of ours may be of a network without the pool, too.
    """
    translate = LAYOUTS[layout]
    pooled = layout in ("torchvision", "caffe2", "nonlocal") or _has_pool(given)
    if pooled == _has_pool(own):
        return translate
    renumber = _without_pool if pooled else _with_pool
    return lambda key: renumber(translate(key))


def _has_pool(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a network of ours has a pool after res2, which counts as a block: its head is the seventh."""
    return f"{_HEAD}.weight" in tensors


def stem_convs(network: nn.Module) -> list[str]:
    """Return the names of the weights that see the colours: of a network's first convolution, or of each pathway's."""
    layers = network.named_modules()
    return [f"{name}.weight" for name, layer in layers if isinstance(layer, nn.Conv3d) and layer.in_channels == 3]


def head_prefix(own: Mapping[str, Tensor]) -> str:
    """Return how the names of a network's classifier begin: it is the last layer, and may differ in shape."""
    return list(own)[-1].rpartition(".")[0] + "."


def _without_pool(name: str | None) -> str | None:
    found = re.fullmatch(r"blocks\.([3-6])\.(.*)", name or "")
    return f"blocks.{int(found.group(1)) - 1}.{found.group(2)}" if found else name


def _with_pool(name: str | None) -> str | None:
    found = re.fullmatch(r"blocks\.([2-5])\.(.*)", name or "")
    return f"blocks.{int(found.group(1)) + 1}.{found.group(2)}" if found else name


def _bottleneck(stage: int, block: str, kind: str, letter: str | None, part: str) -> str:
    prefix = f"blocks.{_BLOCKS[stage]}.res_blocks.{block}"
    return f"{prefix}.branch2.{kind}_{letter}.{part}" if letter else f"{prefix}.branch1_{kind}.{part}"
