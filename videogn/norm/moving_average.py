"""Moving average batch normalisation (Yan et al. 2020, arXiv 2001.06838), with its centralised convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from videogn.checks import require_at_least, require_positive, require_whole
from videogn.norm.running_statistics import at_least_float32, batch_moments

#: Bounds of the correction towards the running statistic, r (the authors' code, MABN.py).
_R_MAX = 5.0


class CentralisedConv3d(nn.Conv3d):
    """`nn.Conv3d` whose filters have mean 0, over all input channels and taps: w^_o = w_o - mean(w_o).

    The parameter `weight` holds them before that. It is what lets the norm leave the mean of its input alone.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C_in, T, H, W) -> (N, C_out, T', H', W')."""
        wide = at_least_float32(self.weight)
        weight = (wide - wide.mean(dim=(1, 2, 3, 4), keepdim=True)).to(self.weight.dtype)
        return self._conv_forward(input, weight, self.bias)


class MovingAverageBatchNorm3d(nn.Module):
    """BatchNorm without centring, by statistics of the last batches, in the backward pass too.

    A batch has S_i = {k : k_C = i_C}, over (N, T, H, W), and of it only the mean square q. With v the mean of the
    last K values of q, this batch's included, and s^2 the running average of v before this batch:

        z = x / sqrt(v + eps)
        y = gamma r z + beta,  r = sg[clip(sqrt(v + eps) / sqrt(s^2 + eps), 1/5, 5)]
        evaluation: y = gamma x / sqrt(s^2 + eps) + beta

    The gradient is not that of these lines but the method's own: with dy that of y, g = gamma r dy, psi the mean of
    g z over (N, T, H, W) and Psi the mean of its last K values, that of this batch included,

        dx = (g - z Psi) / sqrt(v + eps)

    BatchNorm's has psi in the place of Psi, and a mean of g that centring brings. K follows from the batch:
    K = floor(window / N), so that the statistics are of about `window` clips whatever the batch; a batch of `window`
    clips or more stands alone. In the first K batches, and in those before number `warmup`, v = q, Psi = psi and r = 1;
    up to number `r_warmup`, r = 1. A batch is a forward pass: of accumulated gradients each part counts.

    The formulas and numbers, with which comparison is strict and which is not, are those of the authors' code
    (megvii-model/MABN, MABN.py); there K is an option. The first batch sets s^2, as in the code of their ImageNet runs
    (cls/networks/MABN.py).

    Args:
        num_channels: Number of channels C.
        window: Number of clips that the statistics are of, in batches of fewer. Default: 32.
        warmup: Number of the first training forward pass that averages over batches. Default: 100.
        r_warmup: Number of training forward passes with r = 1. A short training run that shall reach the correction
            needs a lower one. Default: 1000.
        decay: Weight of the old value in the running average. Default: 0.98.
        eps: Constant added to the mean squares. Default: 1e-5.

    Attributes:
        momentum: Weight of the newest value in the running average, PyTorch's convention: 1 - decay.
        running_var: s^2, (C,): a mean square, which in evaluation takes the place of the variance.
        recent_squares: q of the last `window` batches, the newest first, (window, C).
        recent_products: psi of as many backward passes, (window, C).
        num_batches_tracked: Number of training forward passes.

    Raises:
        ValueError: `window` is not a whole number > 0, a warm-up is negative, or `decay` is not in [0, 1).
    """

    #: The convolution that a network with this norm is built from.
    conv = CentralisedConv3d
    #: Whether other batches count, and r. `precise_statistics` turns both off: it measures single batches.
    corrected = True
    #: Whether gradients of earlier batches count, so that the loss must not be scaled anew in between (float16).
    keeps_gradients = True

    running_var: Tensor
    recent_squares: Tensor
    recent_products: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_channels: int,
        *,
        window: int = 32,
        warmup: int = 100,
        r_warmup: int = 1000,
        decay: float = 0.98,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        require_whole("window", window)
        require_positive("window", window)
        require_at_least("warmup", warmup, 0)
        require_at_least("r_warmup", r_warmup, 0)
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be >= 0 and < 1, got {decay}")
        self.num_channels = num_channels
        self.window = window
        self.warmup = warmup
        self.r_warmup = r_warmup
        self.momentum = 1 - decay
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))
        self.register_buffer("recent_squares", torch.zeros(window, num_channels))
        self.register_buffer("recent_products", torch.zeros(window, num_channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape."""
        if not self.training:
            zero = torch.zeros_like(self.running_var)
            return F.batch_norm(x, zero, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        if torch.compiler.is_compiling():
            # The backward pass writes to a buffer, which a compiled graph cannot. A decorator would load the compiler.
            return torch.compiler.disable(self._trained)(x)
        return self._trained(x)

    def _trained(self, x: Tensor) -> Tensor:
        batches = max(1, self.window // x.shape[0])  # K
        alone, v, r = self._statistics(x, batches)
        return _MovingAverage.apply(x, self.weight * r, self.bias, v, alone, self, batches)

    @torch.no_grad()
    def _statistics(self, x: Tensor, batches: int) -> tuple[Tensor, Tensor, Tensor]:
        """Update the buffers; return whether the batch stands alone (), v (C,) and r (C,).

        Tensors throughout: to read the count as a number would synchronise with the device.
        """
        count = self.num_batches_tracked.add_(1)
        mean, variance = batch_moments(x)
        v = (variance + mean.square()).to(self.running_var.dtype)
        _push(self.recent_squares, v)
        alone = (count <= batches) | (count < self.warmup)
        if not self.corrected:
            alone = torch.ones_like(alone)
        v = torch.where(alone, v, self.recent_squares[:batches].mean(0))
        r = torch.sqrt((v + self.eps) / (self.running_var + self.eps)).clamp(1 / _R_MAX, _R_MAX)
        uncorrected = alone | (count <= self.r_warmup)
        r = torch.where(uncorrected, torch.ones_like(r), r)
        self.running_var.copy_(torch.where(count == 1, v, self.running_var.lerp(v, self.momentum)))
        return alone, v, r

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return (
            f"{self.num_channels}, window={self.window}, warmup={self.warmup}, r_warmup={self.r_warmup}, "
            f"decay={1 - self.momentum:g}, eps={self.eps}"
        )


def _push(recent: Tensor, newest: Tensor) -> None:
    """Put a row before the others, whose last one falls out."""
    recent.copy_(torch.cat([newest[None], recent[:-1]]))


class _MovingAverage(torch.autograd.Function):
    """y = gamma x / sqrt(v + eps) + beta, v a constant, with the method's gradient of x."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gamma: Tensor,
        beta: Tensor,
        v: Tensor,
        alone: Tensor,
        layer: MovingAverageBatchNorm3d,
        batches: int,
    ) -> Tensor:
        ctx.save_for_backward(x, gamma, v, alone)
        # Not its buffer: while a region of the network is computed again, copies stand in its place.
        ctx.layer, ctx.batches = layer, batches
        return F.batch_norm(x, torch.zeros_like(v), v, gamma, beta, False, 0.0, layer.eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, v, alone = ctx.saved_tensors
        recent, eps = ctx.layer.recent_products, ctx.layer.eps
        # BatchNorm's kernels of evaluation: dx = g / sqrt(v + eps), dgamma = the sum of dy z.
        dx, dgamma, dbeta = torch.ops.aten.native_batch_norm_backward(
            dy, x, gamma, torch.zeros_like(v), v, None, None, False, eps, (True, True, True)
        )
        psi = (gamma * dgamma / (x.numel() / len(v))).to(v.dtype)
        _push(recent, psi)
        psi = torch.where(alone, psi, recent[: ctx.batches].mean(0))
        scale = (psi / (v + eps)).to(x.dtype).view(-1, *[1] * (x.ndim - 2))
        return dx.addcmul_(x, scale, value=-1), dgamma, dbeta, None, None, None, None
