"""The axes of a grid -> every combination of their values."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from videogn.checks import check_choice
from videogn.choices import CellScheduleName, MemoryModeName
from videogn.study.cell import Norm, parse_clip, parse_setting
from videogn.study.transfers import ClipOfTest
from videogn.study.yaml_values import as_list, check_keys, integer, section

AXES = ("norm", "clip", "batch_size", "setting", "seed", "memory_mode", "init", "schedule", "test_clip")


class Point(NamedTuple):
    """One value of every axis."""

    norm: Norm
    clip_length: int
    interval: int
    batch_size: int
    memory_mode: str
    init: str | None
    seed: int
    schedule: str


def combinations(axes: Mapping[str, Any], base: Mapping[str, Any]) -> list[Point]:
    """Combine the axes, without repetition.

    Args:
        axes: Axes of a grid: norm, clip and batch_size or setting, seed, memory_mode, init, schedule.
        base: Configuration of all cells; its memory mode and initial weights are the defaults of those axes.

    Returns:
        The points, in the order of the grid, seeds outermost but for initial weights.

    Raises:
        ValueError: A name or value is wrong.
    """
    check_keys("axis", axes, AXES)
    model = section(base, "model")
    options = section(model, "arch_options")
    modes = [str(mode) for mode in _axis(axes, "memory_mode", [options.get("memory_mode") or "plain"])]
    for mode in modes:
        check_choice("memory_mode", mode, get_args(MemoryModeName))
    schedules = [str(schedule) for schedule in _axis(axes, "schedule", ["constant"])]
    for schedule in schedules:
        check_choice("schedule", schedule, get_args(CellScheduleName))
    seeds = [integer("seed", seed, least=0) for seed in _axis(axes, "seed", [0])]
    inits = _axis(axes, "init", [model.get("init_from")])
    product = itertools.product(inits, seeds, _settings(axes), modes, schedules, _norms(axes))
    points = [
        Point(norm, *setting, mode, _source(init, norm), seed, schedule)
        for init, seed, setting, mode, schedule, norm in product
    ]
    return list(dict.fromkeys(points))


def clips_of_tests(axes: Mapping[str, Any]) -> tuple[ClipOfTest, ...]:
    """Read the axis test_clip: clips that every cell is tested with besides its own. It makes no further cells.

    Args:
        axes: Axes of a grid.

    Returns:
        The clips, each once; none where there is no such axis.

    Raises:
        ValueError: A value is no clip.
    """
    return tuple(dict.fromkeys(ClipOfTest(*parse_clip(text)) for text in as_list(axes.get("test_clip"))))


def replace_axes(axes: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put axes in the place of a grid's; clips and batch sizes replace settings, and the other way round."""
    kept = dict(axes)
    if "setting" in over:
        kept = {name: value for name, value in kept.items() if name not in ("clip", "batch_size")}
    elif {"clip", "batch_size"} & over.keys():
        kept.pop("setting", None)
    return {**kept, **over}


def _settings(axes: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """(clip length, interval, batch size): `setting`, or every `clip` with every `batch_size`."""
    if "setting" in axes:
        if {"clip", "batch_size"} & axes.keys():
            raise ValueError("axes must have either setting or clip and batch_size, got both")
        return [parse_setting(text) for text in _axis(axes, "setting", [])]
    if not {"clip", "batch_size"} <= axes.keys():
        raise ValueError("axes must have clip and batch_size, or setting, for instance setting: [32x2@8, 64x1@4]")
    clips = [parse_clip(text) for text in _axis(axes, "clip", [])]
    sizes = [integer("batch_size", size, least=1) for size in _axis(axes, "batch_size", [])]
    return [(*clip, size) for clip in clips for size in sizes]


def _norms(axes: Mapping[str, Any]) -> list[Norm]:
    norms = []
    for entry in _axis(axes, "norm", ["bn", "gn"]):
        options = dict(entry) if isinstance(entry, Mapping) else {"name": entry}
        if "name" not in options:
            raise ValueError(f"a norm with options needs a name, for instance {{name: gn, groups: 8}}, got {entry}")
        name = str(options.pop("name"))
        fit = section(options, "fit")
        options.pop("fit", None)
        for option, value in options.items():
            if isinstance(value, list | Mapping):
                raise ValueError(f"{option} of norm {name} must be one value, got {value!r}")
        variant = str(options.pop("variant", ""))
        if fit and not variant:
            raise ValueError(
                f"norm {name} with options of fit needs a variant, which names it in the report, got {fit}"
            )
        norms.append(Norm(name, tuple(sorted(options.items())), variant, json.dumps(fit, sort_keys=True)))
    return norms


def _source(init: Any, norm: Norm) -> str | None:
    """Source of a norm's initial weights: one for all, or one for each name."""
    if isinstance(init, Mapping):
        if norm.name not in init:
            raise ValueError(f"init must name weights for every norm, or null, got none for {norm.name}")
        init = init[norm.name]
    return None if init in (None, "none") else str(init)


def _axis(axes: Mapping[str, Any], name: str, default: Sequence[Any]) -> list[Any]:
    values = as_list(axes.get(name, default))
    if not values:
        raise ValueError(f"axis {name} must have at least one value, got none")
    return values
