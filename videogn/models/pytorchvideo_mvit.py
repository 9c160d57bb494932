"""pytorchvideo's MViT-B, key for key: transformers with LayerNorm, put together from its layers.

Its own builder, `create_multiscale_vision_transformers`, reads numbers from tensors, so that it cannot build a network
that has shapes only, as `videogn plan` needs one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from videogn.choices import NUM_CLASSES
from videogn.models.input_size import SizeLimits
from videogn.models.norm_conversion import OWN_NORM, require_own_norm
from videogn.models.recompute import with_memory_mode
from videogn.models.stochastic_depth import check_probability

Norm = str | Callable[..., nn.Module]

_CROP = 224
_DEPTH = 16
#: Blocks whose attention halves height and width; the one before each doubles the channels, and so do the heads here.
_HALVING = (1, 3, 14)
_WIDTH = 96
_KERNEL = (3, 3, 3)
_PATCH_KERNEL, _PATCH = (3, 7, 7), (2, 4, 4)


def mvit_base_16x4(
    num_classes: int = NUM_CLASSES,
    norm: Norm = OWN_NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> nn.Module:
    """MViT-B (Fan et al., ICCV 2021), pytorchvideo's hub `mvit_base_16x4`: clips of 16 x 224 x 224 only, interval 4.

    Args:
        num_classes: Number of classes K. Default: 400.
        norm: "ln", the network's own LayerNorm over channels. Default: "ln".
        norm_options: None. Default: none.
        dropout: Probability of dropping a feature before the classifier. Default: 0.5.
        memory_mode: plain, or block: the blocks run again in the backward pass, bit for bit. Default: "plain".
        stochastic_depth: Probability of leaving out the last block's branches in training, growing linearly from 0 in
            the first block. Default: 0.

    Returns:
        A module from clips (B, 3, 16, 224, 224), float, to logits (B, K).

    Raises:
        ValueError: A name or an option is wrong, or another norm is asked for.
    """
    require_own_norm("mvit_base_16x4", norm, norm_options)
    return _mvit(16, num_classes, dropout, memory_mode, stochastic_depth)


def mvit_base_32x3(
    num_classes: int = NUM_CLASSES,
    norm: Norm = OWN_NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> nn.Module:
    """MViT-B, hub `mvit_base_32x3`: as `mvit_base_16x4`, for clips of 32 x 224 x 224 at interval 3."""
    require_own_norm("mvit_base_32x3", norm, norm_options)
    return _mvit(32, num_classes, dropout, memory_mode, stochastic_depth)


def _mvit(frames: int, num_classes: int, dropout: float, memory_mode: str, stochastic_depth: float) -> nn.Module:
    from pytorchvideo.layers import SpatioTemporalClsPositionalEncoding
    from pytorchvideo.models.head import create_vit_basic_head
    from pytorchvideo.models.stem import create_conv_patch_embed
    from pytorchvideo.models.vision_transformers import MultiscaleVisionTransformers

    check_probability(stochastic_depth)
    patches = (frames // _PATCH[0], _CROP // _PATCH[1], _CROP // _PATCH[2])
    channels = _WIDTH * 2 ** len(_HALVING)
    network = MultiscaleVisionTransformers(
        patch_embed=create_conv_patch_embed(
            in_channels=3,
            out_channels=_WIDTH,
            conv_kernel_size=_PATCH_KERNEL,
            conv_stride=_PATCH,
            conv_padding=tuple(size // 2 for size in _PATCH_KERNEL),
        ),
        cls_positional_encoding=SpatioTemporalClsPositionalEncoding(_WIDTH, patches, sep_pos_embed=True, has_cls=True),
        pos_drop=None,
        norm_patch_embed=None,
        blocks=nn.ModuleList(_block(number, stochastic_depth) for number in range(_DEPTH)),
        norm_embed=_layer_norm(channels),
        head=create_vit_basic_head(in_features=channels, out_features=num_classes, dropout_rate=dropout),
    )
    SizeLimits((frames, _CROP, _CROP), exact=True).declare(network)
    return with_memory_mode(network, network.blocks, memory_mode)


def _block(number: int, stochastic_depth: float) -> nn.Module:
    """Make block `number`: attention whose keys and values are pooled to the last block's resolution, and an MLP."""
    from pytorchvideo.layers import MultiScaleBlock

    halved = sum(number >= each for each in _HALVING)
    halves = number in _HALVING
    channels = _WIDTH * 2**halved
    pooling = 8 // 2**halved
    return MultiScaleBlock(
        dim=channels,
        droppath_rate=stochastic_depth * number / (_DEPTH - 1),
        dim_out=2 * channels if number + 1 in _HALVING else channels,
        num_heads=2**halved,
        qkv_bias=True,
        norm_layer=_layer_norm,
        kernel_q=_KERNEL if halves else (),
        stride_q=(1, 2, 2) if halves else (),
        kernel_kv=_KERNEL,
        stride_kv=(1, pooling, pooling),
    )


_layer_norm = functools.partial(nn.LayerNorm, eps=1e-6)
