"""Networks without normalisation of activations (Brock et al. 2021, arXiv 2101.08692 and 2102.06171).

Convolutions with scaled standardised weights and an activation with a gain keep the variance of what goes through them,
and adaptive gradient clipping keeps their training stable. The blocks of the papers (pre-activation) are

    out = shortcut(x) + alpha skip_gain branch(act(x) / sqrt(Ev))

with skip_gain 0 at first. Here the norm has to fit the same blocks as all others, which end in the ReLU of a sum:

    out = ReLU(shortcut(x) + alpha gamma branch(x) + beta)

- gamma of the branch's last layer, 0 at first, is both the convolution's gain and skip_gain, per channel (timm's
  nfnet.py does so without skipinit). The identity blocks start as the identity, since x is not negative.
- A projection is multiplied by ReLU's gain, which passes through the ReLU of the sum: the variance is 1 behind it.
- There is no division by sqrt(Ev), the expected variance after the blocks before: it would depend on a block's place,
  and is 1 at first; with alpha 0.2 and open branches it rises by 0.04 a block.
- Initial weights are those of all norms here; standardisation takes their scale away.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.norm.frozen import ChannelAffine
from videogn.norm.running_statistics import at_least_float32

#: ReLU of a standard normal variable has the variance (1 - 1 / pi) / 2, and 1 when it is multiplied by this. The number
#: is that of the authors' code; 1.71286 would be exact.
RELU_GAIN = 1.7139588594436646
#: Weight of a residual branch.
ALPHA = 0.2
#: Smallest variance of a filter times its number of weights, below which it is not scaled up.
_LEAST = 1e-4


def scaled_standardise_weight(weight: Tensor) -> Tensor:
    """Give every filter mean 0, and variance 1 / I, which keeps the variance of activations.

        w^_o = (w_o - mu_o) / sqrt(max(I var_o, 1e-4))

    mu_o and the biased var_o are over the I = C_in x t x h x w weights of output channel o. This is the form of the
    authors' code; timm adds a constant to the variance instead.

    Args:
        weight: Weights, (C_out, C_in, t, h, w).

    Returns:
        Weights of the same shape and dtype, computed in float32 or wider.
    """
    wide = at_least_float32(weight)
    variance, mean = torch.var_mean(wide, dim=tuple(range(1, weight.ndim)), correction=0, keepdim=True)
    inputs = weight[0].numel()
    return ((wide - mean) * torch.rsqrt((variance * inputs).clamp(min=_LEAST))).to(weight.dtype)


class ScaledStandardisedConv3d(nn.Conv3d):
    """`nn.Conv3d` with scaled standardised weights. The parameter `weight` holds them before standardisation."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C_in, T, H, W) -> (N, C_out, T', H', W')."""
        return self._conv_forward(input, scaled_standardise_weight(self.weight), self.bias)

    @staticmethod
    def still_gain(frames: int) -> float:
        """Factor of the output over a still image where each filter is repeated `frames` times in time: sqrt(frames).

        Standardisation takes back that the repeated weights were divided by their number.
        """
        return math.sqrt(frames)


class ScaledReLU(nn.Module):
    """y = 1.71396 ReLU(x): a standard normal input gives an output of variance 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape and dtype."""
        return F.relu(x * RELU_GAIN)  # in this order only one result is kept for the backward pass


class NormaliserFree3d(ChannelAffine):
    """No norm of activations: y = gamma x + beta, gain and bias of the convolution with scaled standardised weights.

    At the end of a branch it is y = alpha gamma x + beta with alpha = 0.2, behind a projection y = 1.71396 gamma x +
    beta; see the module's docstring for what differs from the papers.

    Args:
        num_channels: Number of channels C.
    """

    #: What goes with the layer: a convolution, and the clipping of gradients by the norms of the weights.
    conv = ScaledStandardisedConv3d
    adaptive_clip = 0.01
    #: Factor beside gamma.
    scale = 1.0

    @staticmethod
    def activation(num_channels: int) -> nn.Module:
        """Make what follows the layer in place of ReLU."""
        return ScaledReLU()

    @staticmethod
    def last(num_channels: int) -> nn.Module:
        """Make the layer at the end of a branch."""
        return _scaled(num_channels, ALPHA)

    @staticmethod
    def shortcut(num_channels: int) -> nn.Module:
        """Make the layer behind a projection."""
        return _scaled(num_channels, RELU_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype."""
        shape = (-1, *[1] * (x.ndim - 2))
        return x * (self.scale * self.weight).to(x.dtype).view(shape) + self.bias.to(x.dtype).view(shape)

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return f"{self.num_channels}, scale={self.scale:g}"


def _scaled(num_channels: int, scale: float) -> NormaliserFree3d:
    layer = NormaliserFree3d(num_channels)
    layer.scale = scale
    return layer
