"""The fully convolutional head: the classifier at every position of an average pool's window."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.models.input_size import PoolWindow, Triple


class WindowAverage(nn.Module):
    """Average pool.

    Args:
        window: Window of the average over (T', H', W'); None averages the whole axis.
        stride: Stride over (T', H', W'). Default: 1.

    Raises:
        ValueError: A window is smaller than 1.
    """

    def __init__(self, window: PoolWindow, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        if any(size is not None and size < 1 for size in window):
            raise ValueError(f"pool_window must hold three numbers >= 1 or None, got {tuple(window)}")
        self.window, self.stride = window, stride

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, T', H', W') -> (B, C, T'', H'', W'')."""
        if torch.compiler.is_exporting():
            # A whole axis as a mean: it leaves the size of that axis free, which the window of a pool cannot.
            whole = [axis for axis, wanted in enumerate(self.window, 2) if wanted is None]
            x = x.mean(dim=whole, keepdim=True) if whole else x
        sizes = zip(self.window, x.shape[2:], strict=True)
        window = tuple(size if wanted is None else wanted for wanted, size in sizes)
        narrow = x.device.type == "cpu" and x.dtype.itemsize < 4  # which torch's pool does not take there
        return F.avg_pool3d(x.float() if narrow else x, window, self.stride).to(x.dtype)


class FullyConvolutionalHead(nn.Module):
    """Average pool with stride 1, dropout, and the classifier at every position.

    The parameter is named `proj`, as in pytorchvideo's head, so that its checkpoints fit.

    Args:
        in_channels: Number of channels of the last stage's output.
        num_classes: Number of classes K.
        pool_window: Window of the average over (T', H', W'); None averages the whole axis.
        dropout: Probability of dropping a feature before the classifier.

    Raises:
        ValueError: A window is smaller than 1.
    """

    def __init__(self, in_channels: int, num_classes: int, pool_window: PoolWindow, dropout: float) -> None:
        super().__init__()
        self.pool = WindowAverage(pool_window)
        self.dropout = nn.Dropout(dropout)
        self.proj = nn.Linear(in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, T', H', W') -> logits (B, K, T'', H'', W''), one per position of the pool window."""
        x = self.pool(x)  # (B, C, T'', H'', W'')
        x = self.proj(self.dropout(x.movedim(1, -1)))  # (B, T'', H'', W'', K)
        return x.movedim(-1, 1)  # (B, K, T'', H'', W'')


class Classifier(NamedTuple):
    """The layer that makes logits of features.

    Attributes:
        layer: The layer.
        axis: Axis of the features in its input: the last one of a linear layer, 1 of a convolution.
        features: Number of features.
    """

    layer: nn.Module
    axis: int
    features: int


def classifier_of(net: nn.Module, num_classes: int) -> Classifier:
    """Find the classifier of a network: its last layer, if that has one output a class.

    Args:
        net: Network.
        num_classes: Number of classes K.

    Raises:
        ValueError: The last layer is no classifier.
    """
    weights = [each for each in net.state_dict().items() if each[0].endswith("weight")]
    if not weights:
        raise ValueError(
            "this network shows no layers, as an exported one: there are no features before its classifier"
        )
    name, weight = weights[-1]
    if weight.ndim not in (2, 5) or len(weight) != num_classes or weight[0, 0].numel() != 1:
        raise ValueError(
            f"the last layer of this network, {name.rpartition('.')[0]}, is no classifier of {num_classes} classes: "
            "there are no features before it"
        )
    return Classifier(net.get_submodule(name.rpartition(".")[0]), -1 if weight.ndim == 2 else 1, weight.shape[1])
