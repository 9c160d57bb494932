"""Memory of a cell's tests at other clip lengths than it is trained with, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from videogn.choices import EvaluationViews
from videogn.memory import StepSetting
from videogn.memory.forward import ForwardPlan
from videogn.study.transfers import ClipOfTest
from videogn.study.yaml_values import section

#: Width of a whole frame by its height, as of most videos.
_WIDE = 16 / 9
#: Clips that a test passes at once, unless the configuration says otherwise: the default of the task.
_CLIPS = 10


def tests_bytes(base: Mapping[str, Any], setting: StepSetting, clips: Iterable[ClipOfTest], device: str) -> int | None:
    """Plan the peak memory of the test of the longest clips.

    Args:
        base: Configuration that all cells have in common.
        setting: Settings of the cell's training step.
        clips: Clips of the tests.
        device: Device that the tests run on, cuda or cpu.

    Returns:
        Bytes; None without tests.
    """
    longest = max((clip.length for clip in clips), default=None)
    if longest is None:
        return None
    model = section(base, "model")
    crops, crop, short = (
        model.get(name) or getattr(EvaluationViews, name) for name in ("crops", "crop_size", "short_side")
    )
    side = crop if crops == "center" else short
    size = (longest, side, round(side * _WIDE) if crops == "full" else side)
    at_once = int(model.get("clips_per_forward") or _CLIPS)
    plan = ForwardPlan(replace(setting, clip_length=longest), size, device=device)
    return int(plan.peak_bytes(at_once))
