"""Compiled networks (`torch.compile`): as a whole, or block by block."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_args

import torch
from torch import Tensor, nn

from videogn.checks import check_choice
from videogn.choices import CompileName
from videogn.norm.pytorch_layers import normalise_groups
from videogn.norm.weight_standardisation import WeightStandardisedGroupNorm

#: Number of shapes, modes and so on for which a block is compiled, at most: torch's for a function.
_LIMIT = 8


def compile_network(
    net: nn.Module, device: torch.device, how: bool | CompileName = True, *, backend: str = "inductor"
) -> None:
    """Have a network compiled at its first forward pass, and again for clips of another shape.

    It stays the module that it is, with the same names of weights; a copy of it is not compiled.

    Args:
        net: Network, changed in place.
        device: Device that it will run on.
        how: Whether to compile, and what: True or "whole", the network as one graph, which is the fastest in the end;
            "regional", its blocks one by one, so that blocks of one kind are compiled once; "graphs", the whole with
            CUDA graphs, for clips of one shape. Default: True.
        backend: Backend of torch.compile. Default: "inductor".

    Raises:
        ValueError: The name is unknown, or there is no C++ compiler, which networks on a CPU need. torch would say so
            after many lines.
    """
    if how is False:
        return
    name = "whole" if how is True else how
    check_choice("compile", name, ("true", "false", *get_args(CompileName)))
    if name == "graphs" and device.type != "cuda":
        raise ValueError(f"compile graphs takes an NVIDIA GPU, got {device.type}: take whole or regional")
    options: dict[str, Any] = {}
    if backend == "inductor":
        _check_compiler(device)
    if device.type == "cuda":
        options = {"options": _on_cuda(graphs=name == "graphs")} if backend == "inductor" else {}
        _keep_layouts(net)
    if name == "regional":
        regions = [region for region in _regions(net) if any(True for _ in region.parameters())]
        for region in regions:
            region.compile(backend=backend, **options, **_of_many(len(regions)))
    else:
        net.compile(backend=backend, **options)


def _keep_layouts(net: nn.Module) -> None:
    """Have GroupNorm compiled as operations that leave the layout of activations as it is.

    PyTorch's is one operation to the compiler, which makes activations contiguous before it, and which autocast runs in
    float32 on CUDA, so that what it gives is twice as large. docs/computing.md has the times of both.
    """
    for module in net.modules():
        if type(module) in _FORMS and module.weight is not None:
            module.forward = partial(_FORMS[type(module)], module, module.forward)


def _group_norm(norm: nn.GroupNorm, uncompiled: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    if torch.compiler.is_compiling():
        return normalise_groups(x, norm.num_groups, norm.weight, norm.bias, norm.eps)
    return uncompiled(x)


#: Class of a layer -> the function that its compiled form on a GPU is made of.
_FORMS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.GroupNorm: _group_norm,
    WeightStandardisedGroupNorm: _group_norm,
}


def _on_cuda(*, graphs: bool) -> dict[str, Any]:
    """Options of inductor for video networks on a GPU.

    Its choice of a layout knows 2D convolutions only. Without it activations and weights have the layout that they have
    when nothing is compiled; with it every 3D convolution of inference in 16 bits converts its input and its output.
    """
    return {"layout_optimization": False, "triton.cudagraphs": graphs}


def _of_many(regions: int) -> dict[str, Any]:
    """Options for regions that are one function to torch, which it would stop compiling after the eighth."""
    known = inspect.signature(torch.compile).parameters  # torch < 2.14 may lack it
    return {"recompile_limit": _LIMIT * regions} if "recompile_limit" in known else {}


def _regions(module: nn.Module) -> Iterator[nn.Module]:
    """The largest parts of a network that hold no series of blocks of one class."""
    if not any(_is_series(each) for each in module.modules()):
        yield module
        return
    for child in module.children():
        yield from _regions(child)


def _is_series(module: nn.Module) -> bool:
    """Whether a module is a list of parts, some of one class with parts of their own."""
    if not isinstance(module, nn.ModuleList | nn.Sequential):
        return False
    kinds = Counter(type(child) for child in module if any(True for _ in child.children()))
    return max(kinds.values(), default=0) > 1


def _check_compiler(device: torch.device) -> None:
    # As torch looks for it.
    compiler = os.environ.get("CXX", {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++"))
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise ValueError(
            f"to compile a network for the CPU takes a C++ compiler, and {compiler} is not found: install it, name "
            "another in the environment variable CXX, or do not compile"
        )
