"""Every norm on 6 channels, and input for it."""

from __future__ import annotations

import torch
from index_sets import randomised

from videogn.norm import make_norm

#: What makes every norm usable on 6 channels.
OPTIONS = {
    **{name: {"groups": 2} for name in ("gn", "ws+gn", "bcn", "rms_gn", "evonorm_s0")},
    "sub_bn": {"clips": 2},
    "mabn": {"window": 4, "warmup": 0, "r_warmup": 0},
}


def small_layer(name, channels=6, **options):
    """A norm in float64 with random gammas and betas."""
    return randomised(make_norm(name, **{**OPTIONS.get(name, {}), **options})(channels))


def clips_like(*shape):
    """Random clips in float64, of mean 1 and standard deviation 2."""
    return torch.randn(shape, dtype=torch.float64) * 2 + 1


def with_statistics(layer, seed=2):
    """Running statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    layer.running_mean.copy_(torch.randn(layer.running_mean.shape, generator=generator))
    layer.running_var.copy_(0.5 + torch.rand(layer.running_var.shape, generator=generator))
    return layer
