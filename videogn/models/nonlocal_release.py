"""The Caffe2 files of the Non-local release (Wang et al., CVPR 2018; github.com/facebookresearch/video-nonlocal-net).

`i3d_baseline_32x2_IN_pretrain_400k.pkl` is the baseline of the paper, `i3d_r50` with BN. Files of 8x8 and 32x4 clips
have the same names and shapes and another stem; files of 32x4 and 128x1 clips were trained with frozen statistics,
folded into a scale and a shift per channel (the release's AffineNd).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

#: Folder of the release's files, which are named as below.
RELEASE_URL = "https://dl.fbaipublicfiles.com/video-nonlocal"
#: eps of the release's BN (cfg.MODEL.BN_EPSILON).
_EPS = 1.0000001e-5
_STATISTICS = ("_bn_rm", "_bn_riv")
#: File of the release -> the top-1 accuracy on Kinetics-400 in its README, in percent.
PUBLISHED_TOP1 = {
    "i3d_baseline_8x8_IN_pretrain_400k.pkl": 73.4,
    "i3d_baseline_32x2_IN_pretrain_400k.pkl": 73.6,
    "i3d_baseline_32x4_I3D_pretrain_400k.pkl": 75.5,
    "i3d_baseline_128x1_I3D_pretrain_400k.pkl": 75.2,
}


class ReleasedNetwork(NamedTuple):
    """What a file of the release was trained as.

    Attributes:
        arch: Name of the network, a key of `videogn.models.MODELS`.
        clip_length: Number of frames T in a clip.
        interval: Step between frames, in frames of the video.
        temporal_stride: Temporal stride of the first convolution.
        norm: Name of its norm.
    """

    arch: str
    clip_length: int
    interval: int
    temporal_stride: int
    norm: str


_NETWORKS = {
    "32x2": ReleasedNetwork("i3d_r50", 32, 2, 2, "bn"),
    "128x1": ReleasedNetwork("i3d_r50", 128, 1, 2, "frozen_bn"),
    "8x8": ReleasedNetwork("i3d_r50_8x8_unpadded", 8, 8, 1, "bn"),
    "32x4": ReleasedNetwork("i3d_r50_8x8_unpadded", 32, 4, 1, "frozen_bn"),
}


def released_network(path: str | Path) -> ReleasedNetwork | None:
    """Tell the network of a file of the release by the clips in its name; names and shapes of its tensors do not.

    Args:
        path: The file, for instance `i3d_baseline_32x2_IN_pretrain_400k.pkl`.

    Returns:
        The network, or None if the name says nothing of clips, as that of the ImageNet start.
    """
    clips = re.search(r"(?<![0-9])([0-9]+x[0-9]+)(?![0-9])", Path(path).name)
    return _NETWORKS.get(clips.group(1)) if clips else None


def is_affine(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file of the release has a scale and a shift per channel in place of BN's statistics."""
    return not any(name.endswith(_STATISTICS) for name in tensors)


def with_statistics(tensors: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Give scales and shifts of an affine file the statistics 0 and 1 - eps, where the network has a place for them.

    Divided by sqrt(1 - eps + eps), a frozen BN is then the same function, exactly.

    Args:
        tensors: Tensors of the file, in its names.
        model: Network to be started.

    Returns:
        The tensors, with statistics for a network with running statistics.

    Raises:
        ValueError: The network's norm computes statistics of its own, so that it cannot be the affine map.
    """
    norm = dict(model.named_modules()).get("blocks.0.norm")
    if norm is None or not is_affine(tensors):  # the tensors themselves will not fit, or fit as they are
        return dict(tensors)
    if "running_var" not in norm.state_dict():
        if not _is_affine_map(norm):
            raise ValueError(
                "its layers are a scale and a shift per channel, BN frozen and folded, which the network's "
                f"{type(norm).__name__} cannot be: take --model.norm frozen_bn (or none)"
            )
        return dict(tensors)
    statistics = {}
    for name in [name for name in tensors if name.endswith("_bn_s")]:
        layer = name.removesuffix("_s")
        statistics[f"{layer}_rm"] = torch.zeros_like(tensors[name])
        statistics[f"{layer}_riv"] = torch.full_like(tensors[name], 1 - float(norm.eps))
    return {**tensors, **statistics}


def release_notes(path: str | Path, tensors: Mapping[str, Tensor], model: nn.Module) -> list[str]:
    """Note where a network is not the one that a file of the release was trained as, though all its tensors fit."""
    layers = dict(model.named_modules())
    conv, norm, pool = (layers.get(f"blocks.0.{name}") for name in ("conv", "norm", "pool"))
    notes = []
    if tensors["conv1_w"].ndim == 5 and conv is not None and pool is not None:
        trained = released_network(path)
        if trained is None:
            notes.append(
                f"the name of {Path(path).name} does not say which clips it was trained on; its tensors fit the "
                "networks of 32x2 and 128x1 (i3d_r50) and of 8x8 and 32x4 (i3d_r50_8x8_unpadded) alike"
            )
        elif (conv.stride[0], _first(pool.padding, 1)) != (trained.temporal_stride, 0):
            notes.append(
                f"by its name {Path(path).name} was trained as {trained.arch} on clips of {trained.clip_length} x "
                f"{trained.interval}, this network has another stem: with these weights it is another function"
            )
    if is_affine(tensors) and norm is not None and hasattr(norm, "momentum"):
        notes.append(
            "the weights are frozen statistics folded into a scale and a shift: evaluated, the network is the same, in "
            "training it would replace them by the batch's; --model.norm frozen_bn keeps them"
        )
    elif not is_affine(tensors) and norm is not None and abs(float(norm.eps) - _EPS) > 1e-9:
        notes.append(f"the weights were trained with eps 1e-5, the network's norm has {norm.eps}")
    return notes


def _first(padding: object, axis: int) -> object:
    return padding[axis] if isinstance(padding, list | tuple) else padding


@torch.no_grad()
def _is_affine_map(norm: nn.Module) -> bool:
    state = norm.state_dict()
    gamma, beta = state.get("weight"), state.get("bias")
    if gamma is None or beta is None:
        return False
    x = torch.linspace(-3, 5, 4 * len(gamma), dtype=gamma.dtype, device=gamma.device).view(1, -1, 1, 2, 2)
    shape = (1, -1, 1, 1, 1)
    return torch.allclose(norm(x), x * gamma.view(shape) + beta.view(shape), atol=1e-5)
