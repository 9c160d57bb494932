"""Memory of a forward pass without gradients, planned without a device."""

from __future__ import annotations

import functools
import itertools
from typing import Any, get_args

import torch

from videogn.checks import check_choice
from videogn.choices import DeviceName
from videogn.memory.allocations import AllocationLog
from videogn.memory.batch import largest_batch
from videogn.memory.cuda_autocast import cuda_autocast
from videogn.memory.step import StepSetting


class ForwardPlan:
    """A planned forward pass of evaluation, for every number of clips.

    Args:
        setting: Network; its crop and clip length do not count.
        size: Size (T, H, W) of the clips.
        device: Device to plan for, as in `videogn.memory.plan_steps`. Default: "cuda".

    Raises:
        ValueError: The device is neither cuda nor cpu.
    """

    def __init__(self, setting: StepSetting, size: tuple[int, int, int], *, device: str = "cuda") -> None:
        check_choice("device", device, get_args(DeviceName))
        self._device = device
        self._setting = setting
        self._size = size
        self._known: dict[Any, Any] = {}
        self.peak_bytes = functools.cache(self._peak_bytes)

    def largest_batch(self, limit: int) -> int:
        """Find the largest number of clips that fits into `limit` bytes; 0 if none does."""
        return largest_batch(self.peak_bytes, limit)

    def _peak_bytes(self, clips: int) -> int:
        dtype = self._setting.autocast_dtype
        with AllocationLog(self._known) as log, torch.no_grad():
            model = self._setting.build().eval()
            before, start = log.alive().total(), log.now
            with cuda_autocast(self._device), torch.autocast("cpu", dtype, enabled=dtype is not None):
                model(torch.zeros(clips, 3, *self._size, dtype=self._setting.dtype))
            return before + max(itertools.accumulate(size for _, size in log.changes(start)))
