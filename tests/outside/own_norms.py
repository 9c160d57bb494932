"""Norms that are no part of videogn, as a user would write them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm


class RMSGroupNorm(nn.Module):
    """GroupNorm without subtracting the mean: x / sqrt(mean(x^2) + eps) over a group of channels and (T, H, W)."""

    def __init__(self, num_channels: int, groups: int, eps: float) -> None:
        super().__init__()
        if num_channels % groups:
            raise ValueError(f"{num_channels} channels cannot be split into {groups} groups")
        self.groups = groups
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> the same shape."""
        grouped = x.float().unflatten(1, (self.groups, -1))  # (B, G, C/G, T, H, W)
        scale = torch.rsqrt(grouped.square().mean(dim=(2, 3, 4, 5), keepdim=True) + self.eps)
        normalised = (grouped * scale).flatten(1, 2).to(x.dtype)
        return normalised * self.weight[:, None, None, None] + self.bias[:, None, None, None]


def rms_group_norm(num_channels: int, groups: int = 4, eps: float = 1e-5) -> nn.Module:
    """A factory as `--model.norm` takes it."""
    return RMSGroupNorm(num_channels, groups, eps)


class _FunctionalGroupNorm(nn.Module):
    """GroupNorm of 4 groups that is no `nn.GroupNorm`."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> the same shape."""
        return group_norm(x, 4, self.weight, self.bias)


def group_norm_by_function(num_channels: int) -> nn.Module:
    """GroupNorm that calls PyTorch's function."""
    return _FunctionalGroupNorm(num_channels)


class group_norm_by_name(nn.GroupNorm):
    """GroupNorm as a subclass."""

    def __init__(self, num_channels: int) -> None:
        super().__init__(4, num_channels)


not_a_norm = 3
