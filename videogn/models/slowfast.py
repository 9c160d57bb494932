"""pytorchvideo's SlowFast, key for key, with any norm: two pathways, one of every frame, one of every fourth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from videogn.checks import check_choice
from videogn.choices import NUM_CLASSES
from videogn.models.assembly import BlockNetwork
from videogn.models.head import FullyConvolutionalHead, WindowAverage
from videogn.models.input_size import InputSize, Layer, PoolWindow
from videogn.models.norm_conversion import convert_norm
from videogn.models.pytorchvideo_networks import stage_of, stem_of
from videogn.models.recompute import MEMORY_MODES
from videogn.norm import make_norm

Norm = str | Callable[..., nn.Module]

#: Frames of the fast pathway for each of the slow one (the paper's alpha).
_FRAMES = 4


def slowfast_r50(
    num_classes: int = NUM_CLASSES,
    norm: Norm = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (8, 7, 7),
    memory_mode: str = "plain",
) -> BlockNetwork:
    """SlowFast ResNet-50 (Feichtenhofer et al., ICCV 2019), pytorchvideo's hub `slowfast_r50`: 8 x 8 slow, 32 x 2 fast.

    It takes one clip, of 32 frames at interval 2, and makes the two pathways of it: the fast one has every frame, the
    slow one T / 4 of them, spread from the first to the last as pytorchvideo's PackPathway does.

    Args:
        num_classes: Number of classes K. Default: 400.
        norm: Norm of all layers, by name or as a factory; see `videogn.models.convert_norm` for groups. Default: "bn".
        norm_options: Options of the norm. Default: none.
        dropout: Probability of dropping a feature before the classifier. Default: 0.5.
        pool_window: Window (T', H', W') of the head's average over the slow pathway; that over the fast one is 4 times
            as long. None averages the whole axis. Default: pytorchvideo's.
        memory_mode: Activations that are kept for the backward pass, plain, lean, block or stage. Default: "plain".

    Returns:
        A module from clips (B, 3, T, H, W), float, T a multiple of 4, to logits (B, K, T', H', W').

    Raises:
        ValueError: A name, an option or a number is wrong.
    """
    from pytorchvideo.models.slowfast import create_slowfast

    check_choice("memory_mode", memory_mode, MEMORY_MODES)
    network = create_slowfast(model_num_class=num_classes)
    convert_norm(network, make_norm(norm, **(norm_options or {})))
    first, *others, _, last = network.blocks
    stem = _Stems([stem_of(path, memory_mode) for path in first.multipathway_blocks], first.multipathway_fusion)
    stages = [
        _Pathways([stage_of(path, memory_mode) for path in stage.multipathway_blocks], stage.multipathway_fusion)
        for stage in others
    ]
    head = FullyConvolutionalHead(last.proj.in_features, num_classes, (1, 1, 1), dropout)
    head.proj = last.proj  # with pytorchvideo's initial weights
    size = InputSize([Layer((_FRAMES, 1, 1), (_FRAMES, 32, 32))], pool_window, frames_multiple=_FRAMES)
    return BlockNetwork([stem, *stages, _PooledPathways(pool_window), head], size)


class _Pathways(nn.Module):
    """A part of each pathway, and the connection from the fast to the slow one behind them.

    Args:
        paths: The slow and the fast part.
        fusion: Module from [slow, fast] to [slow with features of fast, fast].
    """

    def __init__(self, paths: Iterable[nn.Module], fusion: nn.Module) -> None:
        super().__init__()
        self.multipathway_blocks = nn.ModuleList(paths)
        self.multipathway_fusion = fusion

    def forward(self, x: Sequence[Tensor]) -> list[Tensor]:
        """Features [(B, C, T / 4, H, W), (B, C / 8, T, H, W)] -> the same kind, smaller in H and W."""
        return self.multipathway_fusion([path(each) for path, each in zip(self.multipathway_blocks, x, strict=True)])


class _Stems(_Pathways):
    """The first part, which makes the pathways of one clip."""

    def forward(self, x: Tensor) -> list[Tensor]:  # type: ignore[override]
        """Clips (B, 3, T, H, W) -> features of both pathways."""
        frames = x.shape[2]
        if frames % _FRAMES:
            raise ValueError(f"input must have a multiple of {_FRAMES} frames, got {frames}")
        slow = torch.linspace(0, frames - 1, frames // _FRAMES, device=x.device).long()  # rounds down
        return super().forward([x.index_select(2, slow), x])


class _PooledPathways(nn.Module):
    """The averages of both pathways over the same part of a clip, side by side."""

    def __init__(self, window: PoolWindow) -> None:
        super().__init__()
        time, height, width = window
        fast = (None if time is None else _FRAMES * time, height, width)
        self.pools = nn.ModuleList([WindowAverage(window), WindowAverage(fast, stride=(_FRAMES, 1, 1))])

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        """Features of both pathways -> (B, C + C / 8, T', H', W')."""
        return torch.cat([pool(each) for pool, each in zip(self.pools, x, strict=True)], dim=1)
