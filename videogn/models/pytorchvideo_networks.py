"""pytorchvideo's X3D, R(2+1)D and CSN, key for key, with any norm, memory modes, and logits at every position.

pytorchvideo is imported when one of them is built: with the torchvision that it needs it takes longer than torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from videogn.checks import check_choice
from videogn.choices import NUM_CLASSES
from videogn.models.assembly import BlockNetwork
from videogn.models.blocks import Bottleneck, ResidualBlock, ResidualStage, Stem
from videogn.models.head import FullyConvolutionalHead, WindowAverage
from videogn.models.input_size import InputSize, Layer, PoolWindow
from videogn.models.norm_conversion import convert_norm
from videogn.models.recompute import MEMORY_MODES
from videogn.norm import make_norm

if TYPE_CHECKING:
    from pytorchvideo.models.resnet import ResBlock

Norm = str | Callable[..., nn.Module]


def x3d_xs(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (4, 5, 5),
    memory_mode: str = "plain",
) -> BlockNetwork:
    """X3D-XS (Feichtenhofer, CVPR 2020), pytorchvideo's hub `x3d_xs`: clips of 4 frames, crops of 160.

    Args:
        num_classes: Number of classes K. Default: 400.
        norm: Norm of all layers, by name or as a factory; see `videogn.models.convert_norm` for groups. Default: "bn".
        norm_options: Options of the norm. Default: none.
        dropout: Probability of dropping a feature before the classifier. Default: 0.5.
        pool_window: Window (T', H', W') of the head's average; None averages the whole axis. Default: pytorchvideo's.
        memory_mode: Activations that are kept for the backward pass, plain, lean, block or stage. Default: "plain".

    Returns:
        A module from clips (B, 3, T, H, W), float, to logits (B, K, T', H', W').

    Raises:
        ValueError: A name, an option or a number is wrong.
    """
    return _x3d(2.2, num_classes, norm, norm_options, dropout, pool_window, memory_mode)


def x3d_s(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (13, 5, 5),
    memory_mode: str = "plain",
) -> BlockNetwork:
    """X3D-S, hub `x3d_s`: as `x3d_xs`, for clips of 13 frames and crops of 160."""
    return _x3d(2.2, num_classes, norm, norm_options, dropout, pool_window, memory_mode)


def x3d_m(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (16, 7, 7),
    memory_mode: str = "plain",
) -> BlockNetwork:
    """X3D-M, hub `x3d_m`: as `x3d_xs`, for clips of 16 frames and crops of 224."""
    return _x3d(2.2, num_classes, norm, norm_options, dropout, pool_window, memory_mode)


def x3d_l(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (16, 10, 10),
    memory_mode: str = "plain",
) -> BlockNetwork:
    """X3D-L, hub `x3d_l`: a deeper `x3d_m`, for clips of 16 frames and crops of 312."""
    return _x3d(5.0, num_classes, norm, norm_options, dropout, pool_window, memory_mode)


def r2plus1d_r50(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (4, 7, 7),
    memory_mode: str = "plain",
) -> BlockNetwork:
    """R(2+1)D ResNet-50 (Tran et al., CVPR 2018), pytorchvideo's hub `r2plus1d_r50` (16 x 4). Arguments of `x3d_xs`."""
    from pytorchvideo.models.r2plus1d import create_r2plus1d

    network = create_r2plus1d(model_num_class=num_classes, head_activation=None)
    return _resnet(network, (4, 32, 32), norm, norm_options, dropout, pool_window, memory_mode)


def csn_r101(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (4, 7, 7),
    memory_mode: str = "plain",
) -> BlockNetwork:
    """Channel-separated ResNet-101 (Tran et al., ICCV 2019), hub `csn_r101` (32 x 2). Arguments of `x3d_xs`."""
    from pytorchvideo.models.csn import create_csn

    network = create_csn(model_depth=101, model_num_class=num_classes, stem_pool=nn.MaxPool3d)
    return _resnet(network, (8, 32, 32), norm, norm_options, dropout, pool_window, memory_mode)


def _x3d(
    depth_factor: float,
    num_classes: int,
    norm: Norm,
    norm_options: Mapping[str, Any] | None,
    dropout: float,
    pool_window: PoolWindow,
    memory_mode: str,
) -> BlockNetwork:
    from pytorchvideo.models.x3d import create_x3d

    network = create_x3d(
        model_num_class=num_classes,
        dropout_rate=dropout,
        depth_factor=depth_factor,
        head_activation=None,  # logits
        head_output_with_global_average=False,  # at every position
    )
    head = network.blocks[-1]
    head.pool.pool = WindowAverage(pool_window)
    # No norm follows this convolution: it is none that a norm may bring its own class for.
    post_conv = head.pool.post_conv
    made = _network(network, head, (1, 32, 32), norm, norm_options, pool_window, memory_mode)
    head.pool.post_conv = post_conv
    return made


def _resnet(
    network: nn.Module,
    strides: tuple[int, int, int],
    norm: Norm,
    norm_options: Mapping[str, Any] | None,
    dropout: float,
    pool_window: PoolWindow,
    memory_mode: str,
) -> BlockNetwork:
    classifier = network.blocks[-1].proj  # type: ignore[index, union-attr]
    head = FullyConvolutionalHead(classifier.in_features, classifier.out_features, pool_window, dropout)
    head.proj = classifier  # with pytorchvideo's initial weights
    return _network(network, head, strides, norm, norm_options, pool_window, memory_mode)


def _network(
    network: nn.Module,
    head: nn.Module,
    strides: tuple[int, int, int],
    norm: Norm,
    norm_options: Mapping[str, Any] | None,
    pool_window: PoolWindow,
    memory_mode: str,
) -> BlockNetwork:
    """Take over the blocks of pytorchvideo's network.

    It is built and initialised with BatchNorm and converted: pytorchvideo sets the last gamma of a block to 0 for
    BatchNorm only, and some of its blocks cannot choose their convolution.

    Args:
        network: pytorchvideo's network.
        head: Its head.
        strides: Product of all strides over (T, H, W). Every layer is padded so that its output is ceil(size / stride).
        norm: Norm of all layers.
        norm_options: Options of the norm.
        pool_window: Window of the head's average.
        memory_mode: plain, lean, block or stage.
    """
    check_choice("memory_mode", memory_mode, MEMORY_MODES)
    convert_norm(network, make_norm(norm, **(norm_options or {})))
    stem, *stages, _ = network.blocks  # type: ignore[misc]
    trunk = [stem_of(stem, memory_mode), *(stage_of(stage, memory_mode) for stage in stages)]
    return BlockNetwork([*trunk, head], InputSize([Layer((1, 1, 1), strides)], pool_window))


def stem_of(stem: Any, memory_mode: str) -> Stem:
    """Take over the layers of pytorchvideo's stem, with a memory mode."""
    pool = stem.pool or nn.Identity()  # X3D and R(2+1)D have none
    return Stem(stem.conv, stem.norm, nn.ReLU(), pool, memory_mode)


def stage_of(stage: Any, memory_mode: str) -> ResidualStage:
    """Take over the blocks of pytorchvideo's stage, with a memory mode."""
    return ResidualStage([_block(block, memory_mode) for block in stage.res_blocks], memory_mode)


def _block(block: ResBlock, memory_mode: str) -> ResidualBlock:
    """Take over the layers of pytorchvideo's block, which cannot be subclassed: it sets `__class__` back."""
    inside = block.branch2
    convolutions = (inside.conv_a, inside.conv_b, inside.conv_c)
    norms = (inside.norm_a, inside.norm_b, inside.norm_c)
    branch = Bottleneck(convolutions, norms, (inside.act_a, inside.act_b), memory_mode)
    if block.branch1_conv is not None:
        # pytorchvideo's are NumPy's numbers, which torch.compile takes for unknown ones.
        block.branch1_conv.stride = tuple(map(int, block.branch1_conv.stride))
    return ResidualBlock(block.branch1_conv, block.branch1_norm, branch, nn.ReLU(), memory_mode)
