"""GroupNorm by kernels where a network is not compiled, with the sum and the ReLU that follow it directly.

The names of weights stay, and the numbers up to rounding. PyTorch's layers compute what the kernels cannot.
"""

from __future__ import annotations

import importlib.util
import os
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor, nn

from videogn.checks import check_choice
from videogn.choices import GroupNormName, LayoutName
from videogn.norm.weight_standardisation import WeightStandardisedGroupNorm

#: Classes of layers that the kernels can compute.
_LAYERS = (nn.GroupNorm, WeightStandardisedGroupNorm)


def choose_group_norm(
    name: GroupNormName,
    net: nn.Module,
    device: torch.device,
    *,
    norm: str,
    precision: str,
    layout: LayoutName,
    compiled: bool = False,
) -> None:
    """Let GroupNorm be computed by Triton's kernels, if asked to.

    The network stays the module that it is, and can be copied and pickled; the names of its weights stay.

    Args:
        name: "pytorch", which changes nothing, or "triton".
        net: Network, changed in place.
        device: Device that it runs on.
        norm: Name of its norm, for the message.
        precision: Number format of its convolutions, such as 32, bf16 or 16-mixed.
        layout: Layout of its activations.
        compiled: Whether torch.compile compiles it. Default: False.

    Raises:
        ValueError: The name is unknown, or the kernels would never run: on another device than an NVIDIA GPU (except in
            Triton's interpreter), without Triton, in 64 bits, with another layout than channels last, in a compiled
            network, or in one without a GroupNorm that has a gamma.
    """
    check_choice("group_norm", name, get_args(GroupNormName))
    if name == "pytorch":
        return
    layers = [module for module in net.modules() if type(module) in _LAYERS and module.weight is not None]
    if not layers:
        raise ValueError(f"group_norm triton takes a norm of gn, ln, in and ws+gn, got {norm}: take group_norm pytorch")
    if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise ValueError(f"group_norm triton takes an NVIDIA GPU, got {device.type}: take group_norm pytorch")
    if not _has_triton():
        raise ValueError("group_norm triton takes the package triton, which is not installed: take group_norm pytorch")
    if compiled:
        raise ValueError("group_norm triton is for networks that are not compiled: take compile false, or pytorch")
    if "64" in precision:
        raise ValueError(f"group_norm triton computes in 32 bits, got precision {precision}: take group_norm pytorch")
    if layout != "channels_last":
        raise ValueError(f"group_norm triton takes memory_format channels_last or auto, got {layout}")
    for layer in layers:
        layer.forward = partial(_normalised, layer)


def _has_triton() -> bool:
    try:
        return importlib.util.find_spec("triton") is not None
    except ValueError:  # a stand-in for the module
        return False


def takes_sum(branch: Any, activation: nn.Module) -> bool:
    """Whether the last norm of a branch can be computed with the sum and the activation behind it.

    Args:
        branch: Branch of a residual block, with its `last_norm`.
        activation: Activation of the sum.
    """
    return _fusible(branch.last_norm, activation) and not _watched(branch)


def activated(norm: nn.Module, activation: nn.Module, x: Tensor, residual: Tensor | None = None) -> Tensor:
    """Compute activation(norm(x) + residual), in one operation where the norm has one for it.

    Args:
        norm: Norm.
        activation: Activation.
        x: Activations (B, C, T, H, W).
        residual: What is added. Default: nothing.

    Returns:
        Activations (B, C, T, H, W).
    """
    if _fusible(norm, activation):
        result: Tensor = norm(x, residual, relu=True)
        return result
    normalised = norm(x)
    return activation(normalised if residual is None else residual + normalised)


def _fusible(norm: nn.Module, activation: nn.Module) -> bool:
    if torch.compiler.is_compiling():
        return False
    by_kernel = getattr(norm.forward, "func", None) is _normalised
    # Whoever looks at what a layer gives is to see it.
    return by_kernel and type(activation) is nn.ReLU and not _watched(norm) and not _watched(activation)


def _watched(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks)


def _normalised(layer: Any, x: Tensor, residual: Tensor | None = None, *, relu: bool = False) -> Tensor:
    """What a layer's `forward` becomes; it also takes what `activated` fuses."""
    if not torch.compiler.is_compiling():
        # Here, since it loads Triton.
        from videogn.norm.triton_group_norm import can_add, can_normalise, triton_group_norm

        if can_normalise(x, layer.weight):
            form = (x, layer.num_groups, layer.weight, layer.bias, layer.eps)
            if residual is None or can_add(x, residual):
                return triton_group_norm(*form, residual=residual, relu=relu)
            result = triton_group_norm(*form) + residual
            return result.relu() if relu else result
    result = type(layer).forward(layer, x)
    result = result if residual is None else residual + result
    return result.relu() if relu else result
