"""The networks of other packages: what the tests ask of them, in sizes that a CPU takes."""

from __future__ import annotations

import torch
from torch import nn

from videogn.models import MODELS

#: Convolutional networks of pytorchvideo and torchvision -> (T, H, W) that they take, with a small window where they
#: have one.
CONVOLUTIONAL = {
    "slow_r50": (2, 32, 32),
    "c2d_r50": (4, 32, 32),
    "x3d_xs": (2, 32, 32),
    "x3d_s": (2, 32, 32),
    "x3d_m": (2, 32, 32),
    "x3d_l": (2, 32, 32),
    "r2plus1d_r50": (8, 32, 32),
    "csn_r101": (16, 64, 64),
    "slowfast_r50": (8, 64, 64),
    "r3d_18": (8, 32, 32),
    "mc3_18": (4, 32, 32),
    "r2plus1d_18": (8, 32, 32),
    "s3d": (16, 32, 32),
}
#: torchvision's transformers -> (T, H, W).
_TRANSFORMERS = {
    "mvit_v1_b": (16, 224, 224),
    "mvit_v2_s": (16, 224, 224),
    "swin3d_t": (4, 64, 64),
    "swin3d_s": (4, 64, 64),
    "swin3d_b": (4, 64, 64),
}
TORCHVISION = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d", *_TRANSFORMERS)
#: pytorchvideo's and torchvision's.
TRANSFORMERS = {**_TRANSFORMERS, "mvit_base_16x4": (16, 224, 224), "mvit_base_32x3": (32, 224, 224)}
#: Networks of which only the blocks are known: no window, and one memory mode.
AS_A_WHOLE = (*TORCHVISION, *TRANSFORMERS, "vgg16")


def as_the_hub_takes(name, clips):
    """What pytorchvideo's network takes of a clip (B, 3, T, H, W): SlowFast's both pathways, by its PackPathway."""
    if name != "slowfast_r50":
        return clips
    frames = clips.shape[2]
    return [clips.index_select(2, torch.linspace(0, frames - 1, frames // 4).long()), clips]


def with_small_window(name, **options):
    """Make the network with a window that lets it take the size above."""
    if name not in AS_A_WHOLE:
        return MODELS[name](pool_window=(None, None, None), **options)
    network = MODELS[name](**options)
    if name == "s3d":  # its fixed window alone asks for 224 pixels, 49 times as many
        network.avgpool = nn.AdaptiveAvgPool3d(1)
        network._forward_pre_hooks.clear()  # the check of the size
    return network


@torch.no_grad()
def sane(network: nn.Module, seed: int = 1) -> nn.Module:
    """In evaluation mode, with weights that keep activations in range and differ from the initial ones everywhere."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.copy_(0.75 + 0.5 * noise.abs())
        elif tensor.ndim > 1:
            tensor.copy_(noise * (1 / tensor[0].numel()) ** 0.5)
        else:
            tensor.copy_(0.1 * noise + (0.7 if name.endswith("weight") else 0))
    return network.eval()


def last_norms(network: nn.Module) -> list[nn.Module]:
    """The last norm of every residual block."""
    found = []
    for module in network.modules():
        if hasattr(module, "branch1_conv"):  # ours and pytorchvideo's; S3D has other branches
            found.append(getattr(module.branch2, "norm_c", None) or module.branch2.norm_b)
        elif hasattr(module, "downsample"):  # torchvision's
            found.append(module.conv2[1])
    return found
