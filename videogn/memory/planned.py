"""Memory of a training step, planned without a device for every batch size."""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from videogn.checks import check_choice
from videogn.choices import DeviceName
from videogn.memory.allocations import AllocationLog
from videogn.memory.batch import largest_batch
from videogn.memory.cuda_autocast import cuda_autocast
from videogn.memory.step import StepSetting, TrainingStep

#: Two batch sizes tell what grows with the batch from what does not.
_BATCH_SIZES = (2, 3)


#: Keys of a row of `videogn plan --json`.
_ROW = [
    *("model", "norm", "clip_length", "interval", "crop", "batch_size", "precision", "memory_mode", "optimizer"),
    *("activation_bytes", "peak_bytes", "parameters", "multiply_adds"),
]


@dataclass(frozen=True)
class StepMemory:
    """Memory of one training step, in bytes.

    Attributes:
        batch_size: Number of clips B.
        activation_bytes: Results of the forward pass that are kept for the backward pass, including the clips.
        peak_bytes: Largest number of bytes allocated at one moment.
        at_peak: Kind -> bytes at that moment: parameters (with buffers), gradients, optimizer state, activations,
            temporaries.
    """

    batch_size: int
    activation_bytes: int
    peak_bytes: int
    at_peak: Mapping[str, int]


@dataclass(frozen=True)
class StepPlan:
    """A planned training step.

    Attributes:
        setting: Network, input and optimiser.
        parameters: Number of trained parameters.
        multiply_adds: Multiply-adds of the forward pass of one clip: convolutions and classifier, as papers count.
        memory: Function from batch size to memory.
        scales: Whether one plan tells all batch sizes; otherwise each is planned when asked for, which takes time.
    """

    setting: StepSetting
    parameters: int
    multiply_adds: int
    memory: Callable[[int], StepMemory]
    scales: bool

    def largest_batch(self, limit: int) -> int:
        """Find the largest batch that fits into `limit` bytes, of whole sub-batches of the norm; 0 if no clip does."""
        unit = self.setting.sub_batch
        return unit * largest_batch(lambda units: self.memory(units * unit).peak_bytes, limit)

    def row(self, interval: int, batch_size: int) -> dict[str, Any]:
        """Make a row of `videogn plan --json`.

        Args:
            interval: Distance between two frames of a clip, in frames.
            batch_size: Number of clips B.

        Returns:
            Values of `_ROW`.
        """
        everything = {**vars(self), **vars(self.setting), **vars(self.memory(batch_size)), "interval": interval}
        return {key: everything[key] for key in _ROW}


def plan_steps(
    settings: Sequence[StepSetting],
    *,
    device: str = "cuda",
    progress: Callable[[int, int], None] = lambda done, total: None,
    seconds: float = math.inf,
) -> list[StepPlan]:
    """Plan training steps for every batch size.

    At every moment of a step the allocated memory is a constant plus a multiple of the batch size. Settings that differ
    only in their clips share a network: the first one runs at two batch sizes, which tells the constant allocations
    from those that grow with the batch, the others run once. Where the sequence of allocations depends on the batch (a
    norm over sub-batches has one operation per sub-batch), every batch size is planned by itself when asked for.

    Left out is all that no tensor holds: the device's context, workspaces of cuDNN and other kernels, the rounding and
    fragmentation of the caching allocator, decoded frames, and the buckets of distributed training.

    Args:
        settings: Networks, inputs and optimisers.
        device: Device to plan for, cuda or cpu; none is needed. Their autocasts differ: CUDA's runs group_norm and
            layer_norm in float32, the CPU's the pools. Default: "cuda".
        progress: Function called with (number of settings planned, number of different settings).
        seconds: Processor time that the plan of a network may take. Default: any.

    Returns:
        One plan per setting, in the same order.

    Raises:
        TimeoutError: A plan takes longer.
        ValueError: A name or number is wrong, or a network does not take its input.
    """
    check_choice("device", device, get_args(DeviceName))
    different = {repr(setting): setting for setting in settings}
    of_network: dict[str, list[StepSetting]] = {}
    for setting in different.values():
        of_network.setdefault(repr(replace(setting, clip_length=1, crop=1)), []).append(setting)
    plans: dict[str, StepPlan] = {}
    sizes: dict[str, tuple[int, int]] = {}
    known: dict[Any, Any] = {}
    for network in of_network.values():
        few, more = (size * network[0].sub_batch for size in _BATCH_SIZES)
        inputs = [(network[0], more), *((setting, few) for setting in network)]
        keys = [repr(replace(setting, precision="32", memory_mode="plain")) for setting in network]
        with AllocationLog(known, seconds=seconds) as log:
            runs, model = _run(log, inputs, device)
            for key, setting in zip(keys, network, strict=True):
                sizes[key] = sizes.get(key) or _size(setting, model)
        grows = _growing(runs)
        for key, setting, run in zip(keys, network, runs[1:], strict=True):
            direct = functools.partial(step_memory, setting, device=device)
            memory = direct if grows is None else functools.partial(_scaled, run, grows)
            plans[repr(setting)] = StepPlan(setting, *sizes[key], functools.cache(memory), grows is not None)
            progress(len(plans), len(different))
    return [plans[repr(setting)] for setting in settings]


def step_memory(
    setting: StepSetting, batch_size: int, *, device: str = "cuda", known: dict[Any, Any] | None = None
) -> StepMemory:
    """Plan a training step of one batch size: run it on tensors without storage and record every allocation.

    Args:
        setting: Network, input and optimiser.
        batch_size: Number of clips B.
        device: Device to plan for, as in `plan_steps`. Default: "cuda".
        known: What other plans have found already; see `AllocationLog`. Default: nothing.

    Raises:
        ValueError: A name or number is wrong, or the network does not take the input.
    """
    check_choice("device", device, get_args(DeviceName))
    with AllocationLog(known) as log:
        (run,), _ = _run(log, [(setting, batch_size)], device)
    return _memory(run)


def model_size(setting: StepSetting) -> tuple[int, int]:
    """Count trained parameters, and multiply-adds of the forward pass of one clip; see `StepPlan`."""
    with AllocationLog():
        return _size(setting, setting.build())


def _size(setting: StepSetting, model: nn.Module) -> tuple[int, int]:
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(setting.clips(1))
    parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return parameters, counter.get_total_flops() // 2  # a multiply-add is two operations


@dataclass(frozen=True)
class _Run:
    """Bytes by kind before a step, and (kind, bytes) of all allocations and, negative, frees in it."""

    batch_size: int
    before: Counter[str]
    changes: Sequence[tuple[str, int]]


def _run(log: AllocationLog, inputs: Sequence[tuple[StepSetting, int]], device: str) -> tuple[list[_Run], nn.Module]:
    """Run one step per (setting, batch size) on the network of the first setting."""
    runs = []
    step = TrainingStep(*inputs[0], foreach=device == "cuda")
    log.label("parameters", [*step.model.parameters(), *step.model.buffers(), *step.averages])
    log.label("optimizer state", step.optimizer_state)
    log.label("gradients", step.gradients)
    start = log.now
    step.update()
    update = log.changes(start)  # the same after every backward pass
    for step.setting, step.batch_size in inputs:
        before, start = log.alive(), log.now
        with cuda_autocast(device):
            loss = step.forward()
            log.label_others("activations")
            step.backward(loss)
        del loss
        log.label("gradients", step.gradients)
        runs.append(_Run(step.batch_size, before, log.changes(start) + update))
    return runs, step.model


def _growing(runs: Sequence[_Run]) -> list[bool] | None:
    """Whether each change grows with the batch, or None where the steps differ in more than sizes.

    Args:
        runs: Steps of one network; the first two differ only in the batch size.
    """
    first, second = runs[:2]
    kinds, *others = ([(kind, size > 0) for kind, size in run.changes] for run in runs)
    if any(other != kinds for other in others):
        return None
    pairs = [(one, other) for (_, one), (_, other) in zip(first.changes, second.changes, strict=True)]
    if any(one != other and one * second.batch_size != other * first.batch_size for one, other in pairs):
        return None
    return [one != other for one, other in pairs]


def _scaled(run: _Run, grows: Sequence[bool], batch_size: int) -> StepMemory:
    """Memory of a run at another batch size."""
    changes = [
        (kind, size * batch_size // run.batch_size if growing else size)
        for (kind, size), growing in zip(run.changes, grows, strict=True)
    ]
    return _memory(_Run(batch_size, run.before, changes))


def _memory(run: _Run) -> StepMemory:
    """Memory at the peak of a run."""
    totals = list(itertools.accumulate(size for _, size in run.changes))
    peak = max(range(len(totals)), key=totals.__getitem__)
    at_peak = Counter(run.before)
    for kind, size in run.changes[: peak + 1]:
        at_peak[kind] += size
    activations = sum(size for kind, size in run.changes if kind == "activations" and size > 0)
    return StepMemory(run.batch_size, activations, at_peak.total(), at_peak)
