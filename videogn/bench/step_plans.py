"""Planned memory and the least time of training steps and of inference, on the machine that they are measured on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from videogn.bench.clocks import Clock
from videogn.bench.roofline import Rates, Work, measure_rates, work_of
from videogn.memory import ForwardPlan, StepSetting, device_memory, step_memory
from videogn.system.sizes import format_size


@dataclass(frozen=True)
class Part:
    """A training step, or inference, before it is measured.

    Attributes:
        planned_bytes: Planned peak of its memory; that of the network that is not compiled.
        work: The least that has to be done.
        least_seconds: The least time for it.
    """

    planned_bytes: int
    work: Work
    least_seconds: float


@dataclass(frozen=True)
class Plan:
    """Both parts, and the rates of the machine that their least time comes from."""

    training: Part
    inference: Part
    rates: Rates


class Planner:
    """Plans for a device; what does not differ between two settings is planned, or measured, once.

    Args:
        device: Device, cpu or cuda.
        clock: Its clock.
    """

    def __init__(self, device: torch.device, clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._rates: dict[torch.dtype, Rates] = {}
        self._work: dict[str, tuple[Work, Work]] = {}
        self._plans: dict[str, Plan] = {}
        self._known: dict[Any, Any] = {}

    def plan(self, setting: StepSetting, batch_size: int) -> Plan:
        """Plan a training step and inference.

        Args:
            setting: Network, input and optimiser.
            batch_size: Number of clips B.

        Raises:
            ValueError: A name or number is wrong, or the network does not take the input.
        """
        key = repr((setting, batch_size))
        if key not in self._plans:
            self._plans[key] = self._planned(setting, batch_size)
        return self._plans[key]

    def _planned(self, setting: StepSetting, batch_size: int) -> Plan:
        of_work = repr((replace(setting, memory_mode="plain"), batch_size))
        if of_work not in self._work:
            self._work[of_work] = work_of(setting, batch_size, self._known)
        dtype = setting.autocast_dtype or setting.dtype
        if dtype not in self._rates:
            self._rates[dtype] = measure_rates(dtype, self._device, self._clock)
        rates = self._rates[dtype]
        training, inference = self._work[of_work]
        size = (setting.clip_length, setting.crop, setting.crop)
        kind = self._device.type
        step_bytes = step_memory(setting, batch_size, device=kind, known=self._known).peak_bytes
        forward = ForwardPlan(setting, size, device=kind)
        return Plan(
            Part(step_bytes, training, rates.least_seconds(training)),
            Part(forward.peak_bytes(batch_size), inference, rates.least_seconds(inference)),
            rates,
        )

    def check_room(self, plan: Plan) -> None:
        """Refuse what does not fit into the memory of a CPU: the system would kill the process, which a GPU's does not.

        Raises:
            ValueError: It does not fit.
        """
        limit = device_memory(self._device) if self._device.type == "cpu" else None
        needed = plan.training.planned_bytes
        if limit is not None and needed > limit:
            raise ValueError(
                f"out of memory: it needs {format_size(needed)} by the plan, {format_size(limit)} are free"
            )
