"""Filter response normalisation and its thresholded activation (Singh & Krishnan 2019, arXiv 1911.09737)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videogn.norm.running_statistics import at_least_float32


class ThresholdedLinearUnit(nn.Module):
    """TLU: y = max(x, tau), with a trained threshold tau per channel that starts at 0, where its values are ReLU's.

    At x = tau, as where a sum is 0 before training, the gradient is half x's and half tau's, PyTorch's rule for a
    maximum; ReLU has none there.

    Args:
        num_channels: Number of channels C.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.tau = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype."""
        return torch.maximum(x, self.tau.to(x.dtype).view(-1, *[1] * (x.ndim - 2)))

    def extra_repr(self) -> str:
        """Number of channels, for `print(layer)`."""
        return f"{self.num_channels}"


class FilterResponseNorm3d(nn.Module):
    """Filter response normalisation over (T, H, W): S_i = {k : k_N = i_N, k_C = i_C}.

        y = gamma x / sqrt(nu2_i + eps) + beta,  nu2_i = mean of x^2 over S_i

    No mean is subtracted. TLU takes the place of ReLU, of the one after the sum of a residual block too, as in Wu's
    ResNet-50 of the GN paper's recipe (github.com/ppwwyyxx/FRN-on-common-ImageNet-baseline), whose eps is fixed as
    here. timm has 1e-5, and the paper learns eps for layers of a single position, whose output is nearly gamma
    sign(x) + beta.

    Args:
        num_channels: Number of channels C.
        eps: Constant added to the mean square. Default: 1e-6.
    """

    #: What follows the norm, and the sum of a residual block, in place of ReLU.
    activation = ThresholdedLinearUnit
    sum_activation = ThresholdedLinearUnit

    def __init__(self, num_channels: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.num_channels, self.eps = num_channels, eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype; the mean square in float32 or wider, gamma over its root not."""
        shape = (-1, *[1] * (x.ndim - 2))
        square = at_least_float32(x).square().mean(dim=tuple(range(2, x.ndim)), keepdim=True)  # (N, C, 1, 1, 1)
        scale = torch.rsqrt(square + self.eps) * self.weight.view(shape)
        return x * scale.to(x.dtype) + self.bias.to(x.dtype).view(shape)

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return f"{self.num_channels}, eps={self.eps}"
