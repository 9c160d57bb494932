"""Evaluation with statistics that the clip has a share in, as it had in training.

In training a clip is normalised by statistics that it is part of, in evaluation by running ones that it is no part of.
EvalNorm (Singh and Shrivastava 2019, arXiv 1904.06031) gives it a share in evaluation too. With m and v the running
mean and variance, m_x and v_x those of the clip over (T, H, W), and a share a:

    mean = (1 - a) m + a m_x
    var  = (1 - a) v + a v_x + a (1 - a) (m_x - m)^2

With a = 1/B these are the mean and the biased variance that a training batch of B clips has on average when the clip is
one of them and the others are drawn at random, if v is the average biased variance of such batches. PyTorch's running
average, and the precise statistics "batch", are of the unbiased one, n / (n - 1) times as large for the n values of a
channel in a batch: hundreds or more in video networks. The paper has two shares, by a rule or estimated layer by layer;
here there is one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from videogn.norm.running_statistics import at_least_float32


@contextmanager
def mixed_statistics(layers: Mapping[str, nn.Module], share: float) -> Iterator[None]:
    """Let layers with running statistics evaluate with statistics that each clip has a share in.

    What they store stays as it is, and so does what they do in training mode.

    Args:
        layers: Layers by name, from `videogn.norm.precise_statistics.tracking_layers`.
        share: Share a of the clip's own statistics, from 0 (plain evaluation) to 1 (InstanceNorm).

    Raises:
        ValueError: The share is not in [0, 1].

    Example:
        >>> import torch
        >>> from videogn.models import i3d_tiny
        >>> from videogn.norm.evaluation_mix import mixed_statistics
        >>> from videogn.norm.precise_statistics import tracking_layers
        >>> network = i3d_tiny(norm="bn").eval()  # trained in batches of 2
        >>> with mixed_statistics(tracking_layers(network), share=1 / 2):
        ...     logits = network(torch.randn(1, 3, 8, 32, 32))
    """
    require_share(share)
    hook = functools.partial(_mixed, share=share)
    handles = [layer.register_forward_pre_hook(hook) for layer in layers.values()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def require_share(share: float) -> None:
    """Raise ValueError unless a share is in [0, 1]."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")


def _mixed(layer: Any, inputs: tuple[Tensor, ...], *, share: float) -> Tensor | None:
    """Change a layer's input so that what it makes of it by m and v is what the mix would make of the old input."""
    if layer.training:
        return None
    (x,) = inputs
    wide = at_least_float32(x)
    shape = (1, -1, *[1] * (x.ndim - 2))
    v = layer.running_var.view(shape)
    own_v, own_m = torch.var_mean(wide, dim=tuple(range(2, x.ndim)), correction=0, keepdim=True)
    if hasattr(layer, "running_mean"):
        m = layer.running_mean.view(shape)
    else:  # the norm does not centre, and v is a mean square
        m, own_v, own_m = torch.zeros_like(v), own_v + own_m.square(), torch.zeros_like(own_m)
    mean = torch.lerp(m.expand_as(own_m), own_m, share)
    var = torch.lerp(v.expand_as(own_v), own_v, share) + share * (1 - share) * (own_m - m).square()
    return ((wide - mean) * torch.sqrt((v + layer.eps) / (var + layer.eps)) + m).to(x.dtype)
