"""What the I3D adds to pytorchvideo's blocks: a head that keeps its positions, and the same start for every norm."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

#: Window of the head's average pool over (T', H', W'); None means the whole extent of that axis.
PoolWindow = tuple[int | None, int | None, int | None]


class FullyConvolutionalHead(nn.Module):
    """Average pool with stride 1, dropout, and the classifier at every position.

    The parameter is named `proj`, as in pytorchvideo's head, so that its checkpoints fit.

    Args:
        in_channels: channels of res5's output.
        num_classes: K.
        pool_window: window of the average over (T', H', W'); None averages that axis whole.
        dropout: probability of dropping a feature before the classifier.

    Raises:
        ValueError: a window below 1.
    """

    def __init__(self, in_channels: int, num_classes: int, pool_window: PoolWindow, dropout: float) -> None:
        super().__init__()
        if any(size is not None and size < 1 for size in pool_window):
            raise ValueError(f"pool_window must hold three numbers >= 1 or None, got {tuple(pool_window)}")
        self.pool_window = pool_window
        self.dropout = nn.Dropout(dropout)
        self.proj = nn.Linear(in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, T', H', W') -> logits (B, K, T'', H'', W''), one per position of the pool window."""
        window = tuple(
            size if wanted is None else wanted for wanted, size in zip(self.pool_window, x.shape[2:], strict=True)
        )
        x = F.avg_pool3d(x, window, stride=1)  # (B, C, T'', H'', W'')
        x = self.proj(self.dropout(x.movedim(1, -1)))  # (B, T'', H'', W'', K)
        return x.movedim(-1, 1)  # (B, K, T'', H'', W'')


def initialise(stem: nn.Module, stages: list[nn.Module], head: FullyConvolutionalHead) -> None:
    """Initialise a network alike for every norm.

    Convolutions: He et al. 2015, normal, fan-out, no bias. Classifier: N(0, 0.01), bias 0. The norms' gamma stays 1,
    except the last one of every residual block, which is 0 so that each block starts as its shortcut (Goyal et al.
    2017, section 5.1; GN paper, section 4.1). pytorchvideo does that for BatchNorm only, which would confound a
    comparison of norms; here the block says which norm is its last, whatever its kind. Every norm's last affine map has
    its gamma in `weight`.

    Args:
        stem: pytorchvideo's stem.
        stages: pytorchvideo's residual stages, each with `res_blocks`.
        head: the classifier.
    """
    for module in (stem, *stages):
        for layer in module.modules():
            if isinstance(layer, nn.Conv3d):
                # fan-out = output channels x kernel volume
                std = math.sqrt(2.0 / (layer.out_channels * math.prod(layer.kernel_size)))
                nn.init.normal_(layer.weight, 0.0, std)
    for stage in stages:
        for block in stage.res_blocks:  # type: ignore[union-attr]
            nn.init.zeros_(block.branch2.norm_c.weight)
    nn.init.normal_(head.proj.weight, 0.0, 0.01)
    nn.init.zeros_(head.proj.bias)
