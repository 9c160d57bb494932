"""The memory mode and the division of a batch with which a training step fits into a memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from videogn.memory.allocations import AllocationLog
from videogn.memory.planned import StepPlan, plan_steps
from videogn.memory.step import StepSetting
from videogn.models.recompute import MEMORY_MODES
from videogn.norm.precise_statistics import clips_of_statistics, tracking_layers
from videogn.system.sizes import counted, format_size


@dataclass(frozen=True)
class Fit:
    """How an optimiser step fits.

    Attributes:
        memory_mode: The fastest mode that fits.
        batch_size: Number of clips B that go through the network at once.
        accumulated: Number of batches in an optimiser step.
        reason: Why these, in words.
    """

    memory_mode: str
    batch_size: int
    accumulated: int
    reason: str


def find_fit(setting: StepSetting, batch_size: int, accumulated: int, limit: int, *, device: str) -> Fit:
    """Find the fastest way to take an optimiser step within a memory.

    First the fastest memory mode in which the whole batch fits: modes change no result. Where there is none, the
    fastest mode in which a part of the batch does, with as many more batches accumulated. Norms with running statistics
    take them over the batch, which is not divided then, except into the sub-batches of a norm that has some.

    Args:
        setting: Network, input and optimiser; its memory mode does not count.
        batch_size: Number of clips of a batch.
        accumulated: Number of batches in an optimiser step.
        limit: Available bytes.
        device: Device to plan for, cuda or cpu.

    Returns:
        Mode, batch and accumulation, with `batch_size * accumulated` clips an optimiser step as before.

    Raises:
        ValueError: Nothing fits without another result.
    """
    batch, memory = counted(batch_size, "clip"), format_size(limit)
    plans: list[StepPlan] = []
    for plan in plans_of_modes(setting, device):
        needed = format_size(plan.memory(batch_size).peak_bytes)
        if plan.memory(batch_size).peak_bytes <= limit:
            before = f", more than that in {' and '.join(p.setting.memory_mode for p in plans)}" if plans else ""
            reason = f"{batch} a batch need {needed} of {memory}{before}"
            return Fit(plan.setting.memory_mode, batch_size, accumulated, reason)
        plans.append(plan)
    together = clips_together(setting, batch_size)
    largest = {plan.setting.memory_mode: plan.largest_batch(limit) for plan in plans}
    for mode, fits in largest.items():
        for clips in range(min(fits, batch_size), 0, -1):
            if clips % together == 0 and batch_size * accumulated % clips == 0:
                parts = batch_size * accumulated // clips
                reason = f"{batch} at once need more than {memory} in every mode"
                return Fit(mode, clips, parts, reason)
    mode, fits = max(largest.items(), key=lambda item: item[1])
    if fits == 0:
        least = "one clip needs" if setting.sub_batch == 1 else f"{setting.sub_batch} clips need"
        raise ValueError(
            f"{least} {format_size(plans[-1].memory(setting.sub_batch).peak_bytes)} even in memory mode "
            f"{plans[-1].setting.memory_mode}, and {memory} can be used: take shorter or smaller clips "
            "(--model.clip_length, --model.crop_size) or a smaller network"
        )
    raise ValueError(
        f"{batch} a batch do not fit into {memory} in any memory mode, {fits} do in {mode}; {setting.norm} takes its "
        f"statistics over {counted(together, 'clip')}, so that smaller batches would be another training run: ask for "
        f"one with --data.batch_size {fits}, or take a norm that does not depend on the batch, such as gn"
    )


def largest_batches(setting: StepSetting, limit: int, *, device: str) -> dict[str, int]:
    """Return memory mode -> largest batch that fits into `limit` bytes, the fastest mode first."""
    return {plan.setting.memory_mode: plan.largest_batch(limit) for plan in plans_of_modes(setting, device)}


def plans_of_modes(setting: StepSetting, device: str) -> Iterator[StepPlan]:
    """Plan a step in every memory mode that its network has, the fastest first."""
    for mode in MEMORY_MODES:
        try:
            yield plan_steps([replace(setting, memory_mode=mode)], device=device)[0]
        except ValueError:
            if mode == "plain":
                raise
            # The network does not have this mode: all else was right in plain.


def clips_together(setting: StepSetting, batch_size: int) -> int:
    """Return how many clips a norm of the network looks at together: 1 if the clips do not see one another."""
    with AllocationLog():
        layers = tracking_layers(replace(setting, memory_mode="plain").build())
    return clips_of_statistics(layers.values(), batch_size) if layers else 1
