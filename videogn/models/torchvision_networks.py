"""torchvision's video networks, key for key: the convolutional ones with any norm, transformers with their own.

torchvision is imported when one of them is built: it takes about as long as torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from videogn.choices import NUM_CLASSES
from videogn.models.input_size import SizeLimits
from videogn.models.norm_conversion import OWN_NORM, convert_norm, require_own_norm
from videogn.models.recompute import with_memory_mode
from videogn.models.stochastic_depth import rescale
from videogn.norm import make_norm

Norm = str | Callable[..., nn.Module]


def r3d_18(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    memory_mode: str = "plain",
) -> nn.Module:
    """3D ResNet-18 (Tran et al., CVPR 2018): clips of 16 frames at 15 fps, crops of 112; any size works.

    Args:
        num_classes: Number of classes K. Default: 400.
        norm: Norm of all layers, by name or as a factory; see `videogn.models.convert_norm` for groups. Default: "bn".
        norm_options: Options of the norm. Default: none.
        memory_mode: plain, or block: the blocks run again in the backward pass, bit for bit. Default: "plain".

    Returns:
        A module from clips (B, 3, T, H, W), float, to logits (B, K).

    Raises:
        ValueError: A name or an option is wrong.
    """
    return _resnet("r3d_18", num_classes, norm, norm_options, memory_mode)


def mc3_18(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    memory_mode: str = "plain",
) -> nn.Module:
    """ResNet-18 with 3D kernels in the first stages only (Tran et al., CVPR 2018). Arguments as for `r3d_18`."""
    return _resnet("mc3_18", num_classes, norm, norm_options, memory_mode)


def r2plus1d_18(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    memory_mode: str = "plain",
) -> nn.Module:
    """R(2+1)D ResNet-18 (Tran et al., CVPR 2018). Arguments as for `r3d_18`."""
    return _resnet("r2plus1d_18", num_classes, norm, norm_options, memory_mode)


def s3d(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.2,
    memory_mode: str = "plain",
) -> nn.Module:
    """S3D (Xie et al., ECCV 2018): at least 14 frames of 224 x 224.

    It has no residual blocks, so that no gamma starts at 0. eps and momentum of its norms are 0.001 unless the norm's
    options say otherwise. Arguments as for `r3d_18`, and `dropout`, the probability of dropping a feature.
    """
    network = _made("s3d", num_classes=num_classes, dropout=dropout)
    convert_norm(network, make_norm(norm, **(norm_options or {})))
    SizeLimits((14, 224, 224)).declare(network)
    return with_memory_mode(network, network.features, memory_mode)


def mvit_v1_b(
    num_classes: int = NUM_CLASSES,
    norm: Norm = OWN_NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.2,
) -> nn.Module:
    """MViT-B (Fan et al., ICCV 2021), a transformer with LayerNorm, for clips of 16 x 224 x 224 only.

    Args:
        num_classes: Number of classes K. Default: 400.
        norm: "ln", the network's own LayerNorm over channels. Default: "ln".
        norm_options: None. Default: none.
        dropout: Probability of dropping a feature before the classifier. Default: 0.5.
        memory_mode: plain, or block: the blocks run again in the backward pass, bit for bit. Default: "plain".
        stochastic_depth: Probability of leaving out the last block's branches in training, growing linearly from 0 in
            the first block. Default: torchvision's, 0.2.

    Returns:
        A module from clips (B, 3, 16, 224, 224), float, to logits (B, K).

    Raises:
        ValueError: A name or an option is wrong, or another norm is asked for.
    """
    return _mvit("mvit_v1_b", num_classes, norm, norm_options, dropout, memory_mode, stochastic_depth)


def mvit_v2_s(
    num_classes: int = NUM_CLASSES,
    norm: Norm = OWN_NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.2,
) -> nn.Module:
    """MViTv2-S (Li et al., CVPR 2022). Arguments as for `mvit_v1_b`."""
    return _mvit("mvit_v2_s", num_classes, norm, norm_options, dropout, memory_mode, stochastic_depth)


def swin3d_t(
    num_classes: int = NUM_CLASSES,
    norm: Norm = OWN_NORM,
    norm_options: Mapping[str, Any] | None = None,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.1,
) -> nn.Module:
    """Video Swin-T (Liu et al., CVPR 2022), a transformer with LayerNorm: clips of 32 frames, crops of 224; any size.

    Arguments as for `mvit_v1_b`, without dropout; torchvision's stochastic depth is 0.1 here.
    """
    return _swin("swin3d_t", num_classes, norm, norm_options, memory_mode, stochastic_depth)


def swin3d_s(
    num_classes: int = NUM_CLASSES,
    norm: Norm = OWN_NORM,
    norm_options: Mapping[str, Any] | None = None,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.1,
) -> nn.Module:
    """Video Swin-S. Arguments as for `swin3d_t`."""
    return _swin("swin3d_s", num_classes, norm, norm_options, memory_mode, stochastic_depth)


def swin3d_b(
    num_classes: int = NUM_CLASSES,
    norm: Norm = OWN_NORM,
    norm_options: Mapping[str, Any] | None = None,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.1,
) -> nn.Module:
    """Video Swin-B. Arguments as for `swin3d_t`."""
    return _swin("swin3d_b", num_classes, norm, norm_options, memory_mode, stochastic_depth)


def _made(name: str, **options: Any) -> Any:
    """Make the network of that name in `torchvision.models.video`."""
    from torchvision.models import video

    return getattr(video, name)(**options)


def _resnet(
    name: str, num_classes: int, norm: Norm, norm_options: Mapping[str, Any] | None, memory_mode: str
) -> nn.Module:
    network = _made(name, num_classes=num_classes)
    blocks = [block for number in range(1, 5) for block in getattr(network, f"layer{number}")]
    for block in blocks:  # torchvision leaves the last gamma of a block at 1; the others' start is that of i3d_r50
        nn.init.zeros_(block.conv2[1].weight)
    convert_norm(network, make_norm(norm, **(norm_options or {})))
    network.stage_names = {"stem": "stem", **{f"res{number + 1}": f"layer{number}" for number in range(1, 5)}}
    return with_memory_mode(network, blocks, memory_mode)


def _mvit(
    name: str,
    num_classes: int,
    norm: Norm,
    norm_options: Mapping[str, Any] | None,
    dropout: float,
    memory_mode: str,
    stochastic_depth: float,
) -> nn.Module:
    require_own_norm(name, norm, norm_options)
    network = _made(name, num_classes=num_classes, dropout=dropout)
    rescale(network, stochastic_depth, built_with=0.2)
    SizeLimits((16, 224, 224), exact=True).declare(network)
    return with_memory_mode(network, network.blocks, memory_mode)


def _swin(
    name: str,
    num_classes: int,
    norm: Norm,
    norm_options: Mapping[str, Any] | None,
    memory_mode: str,
    stochastic_depth: float,
) -> nn.Module:
    from torchvision.models.swin_transformer import SwinTransformerBlock

    require_own_norm(name, norm, norm_options)
    network = _made(name, num_classes=num_classes)
    rescale(network, stochastic_depth, built_with=0.1)
    blocks = [layer for layer in network.modules() if isinstance(layer, SwinTransformerBlock)]
    return with_memory_mode(network, blocks, memory_mode)
