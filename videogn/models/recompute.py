"""Recomputation of activations in the backward pass, in place of keeping them.

Activations saved for gradients take most of the memory of a training step. A region of the network run by `recompute`
keeps only its inputs; the backward pass runs it again on them (Chen et al. 2016, arXiv 1604.06174, section 4). The same
operations on the same numbers give the same bits. PyTorch's non-reentrant checkpointing stops once everything that was
saved has been computed again: a convolution at the end of a region is not repeated, since its gradient needs only its
input.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videogn.checks import check_choice
from videogn.choices import MemoryModeName

#: Activations that are kept for the backward pass. All modes are exact; each takes less memory and more time.
#:   plain  all of them.
#:   lean   the input of a bottleneck and the outputs of its first two convolutions; in the stem the output of the
#:          convolution. Norms, ReLUs, pools and the last 1x1x1 convolutions run again.
#:   block  the inputs of the bottlenecks; in the stem as in lean.
#:   stage  the clips and the inputs of the stages. A stage runs again keeping the inputs of its bottlenecks, then each
#:          bottleneck runs again.
MEMORY_MODES = get_args(MemoryModeName)
#: The memory modes of a network whose blocks are another package's: block keeps their inputs only.
BLOCK_MODES = ("plain", "block")


def recompute(function: Callable[..., Any], modules: Iterable[nn.Module], *inputs: Tensor, within: bool = False) -> Any:
    """Call a function without keeping its intermediate results; the backward pass calls it again.

    The second call sees every buffer of `modules` as it was before the first call, and leaves it unchanged. So running
    statistics are updated once, and a norm whose output depends on them (Batch Renorm, batch-channel normalisation)
    gives the same output twice. Without gradients the function is simply called.

    Args:
        function: Function of tensors whose result depends only on them, on `modules` and on random numbers.
        modules: Modules that `function` runs.
        *inputs: Arguments of `function`; they are kept.
        within: Whether the call lies in that of another region, which torch.compile repeats as a whole. Default: False.

    Returns:
        The result of `function`.
    """
    compiling = torch.compiler.is_compiling()
    if not torch.is_grad_enabled() or (compiling and within):
        return function(*inputs)
    region = _Region(function, modules)
    return _with_kept_buffers(region, inputs) if compiling else checkpoint(region, *inputs, use_reentrant=False)


def with_memory_mode(network: nn.Module, blocks: Iterable[nn.Module], memory_mode: str) -> nn.Module:
    """Let blocks of another package's network run again in the backward pass, if asked to.

    Args:
        network: The network. It is changed; names of modules and weights stay.
        blocks: Its blocks.
        memory_mode: plain or block.

    Returns:
        The network.

    Raises:
        ValueError: The memory mode is another one.
    """
    check_choice("memory_mode of this network", memory_mode, BLOCK_MODES)
    if memory_mode == "block":
        for block in blocks:
            block.forward = functools.partial(recompute, block.forward, [block])
    return network


class _Region:
    """A function for `checkpoint`, which calls it first in the forward pass and again in every backward pass."""

    def __init__(self, function: Callable[..., Any], modules: Iterable[nn.Module]) -> None:
        self._function = function
        self.modules = list(modules)
        self._earlier: _EarlierBuffers | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        if torch.compiler.is_compiling():  # a graph has no second call: its operations are repeated
            return self._function(*inputs)
        if self._earlier is None:
            self._earlier = _EarlierBuffers(self.modules)
            return self._function(*inputs)
        with self._earlier:
            return self._function(*inputs)


def _with_kept_buffers(region: _Region, inputs: tuple[Tensor, ...]) -> Any:
    """Put a region into the graph of torch.compile.

    The compiler repeats the region's operations, but not its updates of buffers: those take place once, at the end of
    the forward pass. The backward pass must not read the buffers again, which have been updated by then, so the region
    works on copies that are kept for it.
    """
    buffers = list(_buffers(region.modules))
    for owner, name, buffer in buffers:
        setattr(owner, name, _kept_copy(buffer))
    result = checkpoint(region, *inputs, use_reentrant=False)
    for owner, name, buffer in buffers:
        buffer.copy_(owner.get_buffer(name))
        setattr(owner, name, buffer)
    return result


@torch.library.custom_op("videogn::kept_copy", mutates_args=())
def _kept_copy(x: Tensor) -> Tensor:
    """A copy that the compiler keeps for the backward pass: a clone, as it knows, can be made again."""
    return x.clone()


@_kept_copy.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def _buffers(modules: Iterable[nn.Module]) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Owner, name and value of every buffer of some modules."""
    for module in modules:
        for owner in module.modules():
            for name, buffer in owner.named_buffers(recurse=False):
                yield owner, name, buffer


class _EarlierBuffers:
    """Context in which the buffers of modules have the values they had when it was made.

    It swaps tensors, not values: autograd would refuse a saved buffer that was written to. It is no generator, since a
    backward pass with `retain_graph` may enter it several times.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._before = [(owner, name, buffer.clone()) for owner, name, buffer in _buffers(modules)]
        self._originals: list[Tensor] = []

    def __enter__(self) -> None:
        self._originals = [owner.get_buffer(name) for owner, name, _ in self._before]
        for owner, name, buffer in self._before:
            setattr(owner, name, buffer.clone())

    def __exit__(self, *error: object) -> None:
        for (owner, name, _), original in zip(self._before, self._originals, strict=True):
            setattr(owner, name, original)
        self._originals = []
