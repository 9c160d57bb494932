"""Recomputation of activations in the backward pass, in place of keeping them.

Activations saved for gradients take most of the memory of a training step. A region of the network run by `recompute`
keeps only its inputs; the backward pass runs it again on them (Chen et al. 2016, arXiv 1604.06174, section 4). The same
operations on the same numbers give the same bits. PyTorch's non-reentrant checkpointing stops once everything that was
saved has been computed again: a convolution at the end of a region is not repeated, since its gradient needs only its
input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from videogn.choices import MemoryModeName

#: Activations that are kept for the backward pass. All modes are exact; each takes less memory and more time.
#:   plain  all of them.
#:   lean   the input of a bottleneck and the outputs of its first two convolutions; in the stem the output of the
#:          convolution. Norms, ReLUs, pools and the last 1x1x1 convolutions run again.
#:   block  the inputs of the bottlenecks; in the stem as in lean.
#:   stage  the clips and the inputs of the stages. A stage runs again keeping the inputs of its bottlenecks, then each
#:          bottleneck runs again.
MEMORY_MODES = get_args(MemoryModeName)


def recompute(function: Callable[..., Any], modules: Iterable[nn.Module], *inputs: Tensor) -> Any:
    """Call a function without keeping its intermediate results; the backward pass calls it again.

    The second call sees every buffer of `modules` as it was before the first call, and leaves it unchanged. So running
    statistics are updated once, and a norm whose output depends on them (Batch Renorm, batch-channel normalisation)
    gives the same output twice. Without gradients the function is simply called.

    Args:
        function: Function of tensors whose result depends only on them, on `modules` and on random numbers.
        modules: Modules that `function` runs.
        *inputs: Arguments of `function`; they are kept.

    Returns:
        The result of `function`.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(
        function, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _EarlierBuffers(modules))
    )


class _EarlierBuffers:
    """Context in which the buffers of modules have the values they had when it was made.

    It swaps tensors, not values: autograd would refuse a saved buffer that was written to. It is no generator, since a
    backward pass with `retain_graph` may enter it several times.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._before = [
            (owner, name, buffer.clone())
            for module in modules
            for owner in module.modules()
            for name, buffer in owner.named_buffers(recurse=False)
        ]
        self._originals: list[Tensor] = []

    def __enter__(self) -> None:
        self._originals = [owner.get_buffer(name) for owner, name, _ in self._before]
        for owner, name, buffer in self._before:
            setattr(owner, name, buffer.clone())

    def __exit__(self, *error: object) -> None:
        for (owner, name, _), original in zip(self._before, self._originals, strict=True):
            setattr(owner, name, original)
        self._originals = []
