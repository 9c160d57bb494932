"""Computing parts of the forward pass again in the backward pass, instead of keeping what they computed.

What a layer saves for its gradient is most of a training step's memory. A region of the network run by `recompute`
keeps its inputs alone; when the backward pass reaches it, it runs once more on them (Chen et al. 2016, arXiv
1604.06174, section 4). The same operations on the same numbers give the same bits, and PyTorch's non-reentrant
checkpointing stops as soon as everything that was saved has been computed again: a convolution that ends a region is
not repeated, since its gradient needs its input only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

#: What of the forward pass is kept for the backward pass; exact alike, ever less memory, ever more time.
#:   plain  everything.
#:   lean   in a bottleneck its input and the outputs of its first two convolutions, in the stem that of the
#:          convolution: norms, ReLUs, pools and the last 1x1x1 convolutions run again.
#:   block  the inputs of the bottlenecks; the stem as in lean.
#:   stage  the clips and the inputs of the stages: a stage runs again keeping the inputs of its bottlenecks, and each
#:          bottleneck runs again after that.
MEMORY_MODES = ("plain", "lean", "block", "stage")


def recompute(function: Callable[..., Any], modules: nn.Module, *inputs: Tensor) -> Any:
    """Call `function` without keeping what it computes on the way; the backward pass calls it again.

    The second call sees every buffer of `modules` as it was before the first one, and leaves it as it is now: running
    statistics are updated once, and a norm whose output depends on them (Batch Renorm, batch-channel normalisation)
    computes the same output twice. Without gradients there is nothing to keep, and `function` is simply called.

    Args:
        function: of tensors; its result depends on them, on `modules` and on random numbers only.
        modules: what `function` runs, or what contains it.
        *inputs: what `function` takes; they are kept.

    Returns:
        What `function` returns.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(
        function, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _BuffersOfNow(modules))
    )


class _BuffersOfNow:
    """Context in which the buffers of a module are copies of what they were when it was made.

    It swaps tensors rather than numbers: writing to a buffer would make autograd refuse it where it is saved. A
    backward pass with `retain_graph` may be repeated, hence no generator, which could be entered once only.
    """

    def __init__(self, modules: nn.Module) -> None:
        self._before = [
            (owner, name, buffer.detach().clone())
            for owner in modules.modules()
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
