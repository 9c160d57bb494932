"""The least time that a machine needs for a training step or for inference, from what it does in a second.

The least work is counted on tensors without numbers, whatever the memory mode, the layout and the compiler:

- multiply-adds are those of convolutions and matrix products, forward and backward;
- bytes of a training step are those of tensors that it has to keep, as the planner counts them: activations (with the
  clips) are written once and read once, weights are read in both passes and written in the update, gradients are
  written and read, and so is the state of the optimiser. What only CUDA's autocast keeps in float32 counts in 16 bits;
- bytes of inference are the weights and the clips, each read once.

The machine's rates are those of a large matrix product in the number format, or in float32 where that is quicker than
in 16 bits, and of a large copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from videogn.bench.clocks import Clock
from videogn.memory import StepSetting, TrainingStep
from videogn.memory.allocations import AllocationLog
from videogn.training.precision_check import slow_arithmetic

#: Side of the square matrices, and bytes of the copy: far more than caches hold.
_SIDE = {"cpu": 1024, "cuda": 8192}
_COPIED = {"cpu": 2**27, "cuda": 2**29}
#: The quickest of so many turns counts.
_TURNS = 5


@dataclass(frozen=True)
class Work:
    """The least that has to be done.

    Attributes:
        multiply_adds: Number of multiply-adds.
        bytes: Number of bytes that are read or written.
    """

    multiply_adds: int
    bytes: int


@dataclass(frozen=True)
class Rates:
    """What a machine does in a second.

    Attributes:
        multiply_adds: Multiply-adds of a matrix product.
        bytes: Bytes read and written by a copy.
    """

    multiply_adds: float
    bytes: float

    def least_seconds(self, work: Work) -> float:
        """Least time for work: arithmetic and memory work at the same time, so the longer of both.

        Example:
            >>> Rates(multiply_adds=100.0, bytes=10.0).least_seconds(Work(multiply_adds=200, bytes=50))
            5.0
        """
        return max(work.multiply_adds / self.multiply_adds, work.bytes / self.bytes)


def work_of(setting: StepSetting, batch_size: int, known: dict[Any, Any] | None = None) -> tuple[Work, Work]:
    """Count the least work of a training step and of inference.

    Args:
        setting: Network, input and optimiser; its memory mode does not count.
        batch_size: Number of clips B.
        known: What other plans have found already; see `AllocationLog`. Default: nothing.

    Returns:
        That of the training step; that of inference.

    Raises:
        ValueError: A name or number is wrong, or the network does not take the input.
    """
    plain = replace(setting, memory_mode="plain")
    with AllocationLog(known) as log:
        step = TrainingStep(plain, batch_size)
        network = (*step.model.parameters(), *step.model.buffers(), *step.gradients, *step.optimizer_state)
        log.label("the network and its training", network)
        with FlopCounterMode(display=False) as counter:
            loss = step.forward()
            log.label_others("activations")
            kept = log.alive()["activations"]
            step.backward(loss)
        training = counter.get_total_flops() // 2  # a multiply-add is two operations
        weights, gradients, state = map(_size, (step.model.parameters(), step.gradients, step.optimizer_state))
        clips = plain.clips(batch_size)
        step.model.eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            step.logits(clips)
        read = step.network_bytes + clips.nbytes
    moved = 2 * kept + 3 * weights + 2 * gradients + 2 * state
    return Work(training, moved), Work(counter.get_total_flops() // 2, read)


def _size(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def measure_rates(dtype: torch.dtype, device: torch.device, clock: Clock) -> Rates:
    """Measure what a machine does in a second.

    Args:
        dtype: Format of the matrices; with one of 16 bits float32 is tried, too. On CUDA, float32 is multiplied as
            `torch.set_float32_matmul_precision` says.
        device: Device to measure.
        clock: Its clock.
    """
    side, size = _SIDE[device.type], _COPIED[device.type]
    formats = [dtype]
    if dtype.itemsize == 2:
        # A slow one is not the quicker one, and would take half a minute.
        slow = device.type == "cpu" and slow_arithmetic(dtype)
        formats = [torch.float32] if slow else [dtype, torch.float32]
    products = [_products(side, each, device, clock) for each in formats]
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return Rates(max(products), 2 * size / _quickest(lambda: target.copy_(source), clock))


def _products(side: int, dtype: torch.dtype, device: torch.device, clock: Clock) -> float:
    """Multiply-adds a second of a matrix product."""
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(one)
    return side**3 / _quickest(lambda: torch.mm(one, other, out=product), clock)


def _quickest(work: Callable[[], object], clock: Clock) -> float:
    work()
    return min(clock.seconds(work, 1) for _ in range(_TURNS))
