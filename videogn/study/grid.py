"""A grid in YAML: axes, budgets and what all cells have in common -> cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from videogn.names import check_choice, existing_path
from videogn.study.budget import KINDS, Budget
from videogn.study.cell import Cell, Norm, merge, parse_clip, parse_setting
from videogn.study.results import Section

_KEYS = ("title", "configs", "fit", "motion", "videos", "axes", "budget", "devices", "memory")
_AXES = ("norm", "clip", "batch_size", "setting", "seed", "memory_mode", "init")
_BUDGET_KEYS = (*KINDS, "step_clips", "scaling", "title", "note")
#: Of `videogn.data.synthetic.write_motion_dataset`.
_MOTION_KEYS = ("videos_per_class", "val_videos_per_class", "size", "frames", "seed")
_VIDEOS_KEYS = ("classes", "train", "val", "test")
#: Rules by which the learning rate follows the clips of a step.
SCALINGS = ("linear", "sqrt", "none")
_MEMORY_MODES = ("plain", "lean", "block", "stage")


@dataclass(frozen=True)
class Grid:
    """What a study is.

    Attributes:
        title: of the report.
        base: configuration of `videogn fit` that all cells have in common.
        motion: parameters of the motion data set that the study makes for itself, or None.
        videos: classes, train, val and test: how many there are, for plans made where the data are not; may be empty.
        sections: the cells, budget by budget.
        memory: size that the largest batches are planned for, such as 16GiB, or None.
        text: the file, with what the command line changed.
    """

    title: str
    base: dict[str, Any]
    motion: dict[str, Any] | None
    videos: dict[str, int]
    sections: tuple[Section, ...]
    memory: str | None
    text: str

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once; short clips first within a seed, so that a first picture of all is there early."""
        cells = dict.fromkeys(cell for section in self.sections for cell in section.cells)
        return tuple(sorted(cells, key=lambda cell: cell.seed))


def read_grid(path: str | Path, *, fit: Mapping[str, Any] | None = None, axes: Mapping[str, Any] | None = None) -> Grid:
    """Read a grid.

    Args:
        path: the YAML file; paths in its `configs` are relative to it.
        fit: further options of `videogn fit`, nested; they win.
        axes: axes that take the place of the file's.

    Returns:
        The grid.

    Raises:
        FileNotFoundError: the file, or a configuration in it, does not exist.
        ValueError: a key or value is wrong; the message names both.
    """
    path = existing_path(path)
    content = _mapping(path, yaml.safe_load(path.read_text(encoding="utf-8")))
    content["fit"] = merge(_mapping("fit", content.get("fit") or {}), fit or {})
    content["axes"] = _replace_axes(_mapping("axes", content.get("axes") or {}), axes or {})
    return make_grid(content, folder=path.parent, name=path.stem)


def make_grid(content: Mapping[str, Any], *, folder: Path = Path(), name: str = "study") -> Grid:
    """Make a grid from what a file holds.

    Args:
        content: title, configs, fit, motion, videos, axes, budget, devices, memory.
        folder: that paths in `configs` are relative to.
        name: the title of one without.

    Returns:
        The grid.

    Raises:
        FileNotFoundError: a configuration does not exist.
        ValueError: a key or value is wrong.
    """
    _check_keys("key of a grid", content, _KEYS)
    base: dict[str, Any] = {}
    for config in _list(content.get("configs")):
        file = existing_path(folder / str(config))
        base = merge(base, _mapping(file, yaml.safe_load(file.read_text(encoding="utf-8")) or {}))
    base = merge(base, _mapping("fit", content.get("fit") or {}))
    motion = content.get("motion")
    if motion is not None:
        _check_keys("key of motion", _mapping("motion", motion), _MOTION_KEYS)
        if "videos_per_class" not in motion:
            raise ValueError(f"motion must say videos_per_class, got {motion}")
    videos = _mapping("videos", content.get("videos") or {})
    _check_keys("key of videos", videos, _VIDEOS_KEYS)
    memory = content.get("memory")
    return Grid(
        title=str(content.get("title") or name),
        base=base,
        motion=motion,
        videos={name: _integer(name, number, least=1) for name, number in videos.items()},
        sections=_sections(content, base),
        memory=None if memory is None else str(memory),
        text=yaml.safe_dump({key: value for key, value in content.items() if value}, sort_keys=False),
    )


def _sections(content: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[Section, ...]:
    """The cells of each budget."""
    axes = _mapping("axes", content.get("axes") or {})
    _check_keys("axis", axes, _AXES)
    devices = _devices(content.get("devices"), base)
    budgets = _list(content.get("budget"))
    if not budgets:
        raise ValueError(f"a grid needs a budget: one of {', '.join(KINDS)}, for instance budget: {{epochs: 24}}")
    modes = _axis(axes, "memory_mode", ["plain"])
    product = list(itertools.product(_axis(axes, "seed", [0]), _settings(axes), modes, _norms(axes)))
    sections = []
    for entry in budgets:
        budget, step_clips, scaling = _budget(entry)
        cells = [
            Cell(
                norm,
                *setting,
                accumulate=_accumulate(step_clips, setting[2]),
                budget=budget,
                scaling=scaling,
                memory_mode=mode,
                init=source,
                seed=_integer("seed", seed, least=0),
                devices=devices,
            )
            for init in _axis(axes, "init", [None])
            for seed, setting, mode, norm in product
            for source in [_source(init, norm)]
        ]
        title = entry.get("title") or _title(budget, step_clips)
        sections.append(Section(str(title), str(entry.get("note") or ""), tuple(dict.fromkeys(cells))))
    if len({section.title for section in sections}) < len(sections):
        raise ValueError("two budgets have the same title: give each a title of its own")
    for mode in {cell.memory_mode for section in sections for cell in section.cells}:
        check_choice("memory_mode", mode, _MEMORY_MODES)
    return tuple(sections)


def _budget(entry: Any) -> tuple[Budget, int | None, str]:
    """(budget, clips of a step or None, scaling) of one entry."""
    entry = _mapping("budget", entry)
    _check_keys("key of budget", entry, _BUDGET_KEYS)
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise ValueError(f"a budget must have exactly one of {', '.join(KINDS)}, got {', '.join(kinds) or 'none'}")
    step_clips = entry.get("step_clips")
    if step_clips is not None:
        step_clips = _integer("step_clips", step_clips, least=1)
    scaling = str(entry.get("scaling", "linear")).lower()
    check_choice("scaling", scaling, SCALINGS)
    return Budget(kinds[0], entry[kinds[0]]), step_clips, scaling


def _title(budget: Budget, step_clips: int | None) -> str:
    steps = "a step after every batch" if step_clips is None else f"steps of {step_clips} clips a device"
    return f"{budget.label}, {steps}"


def _accumulate(step_clips: int | None, batch_size: int) -> int:
    """Batches whose gradients are added up before a step."""
    if step_clips is None:
        return 1
    if step_clips % batch_size:
        raise ValueError(f"step_clips must be a multiple of every batch size, got {step_clips} and batch {batch_size}")
    return step_clips // batch_size


def _settings(axes: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """(clip length, interval, batch size): `setting`, or every `clip` with every `batch_size`."""
    if "setting" in axes:
        if {"clip", "batch_size"} & axes.keys():
            raise ValueError("axes must have either setting or clip and batch_size, got both")
        return [parse_setting(text) for text in _axis(axes, "setting", [])]
    if not {"clip", "batch_size"} <= axes.keys():
        raise ValueError("axes must have clip and batch_size, or setting, for instance setting: [32x2@8, 64x1@4]")
    clips = [parse_clip(text) for text in _axis(axes, "clip", [])]
    sizes = [_integer("batch_size", size, least=1) for size in _axis(axes, "batch_size", [])]
    return [(*clip, size) for clip in clips for size in sizes]


def _norms(axes: Mapping[str, Any]) -> list[Norm]:
    norms = []
    for entry in _axis(axes, "norm", ["bn", "gn"]):
        options = dict(entry) if isinstance(entry, Mapping) else {"name": entry}
        if "name" not in options:
            raise ValueError(f"a norm with options needs a name, for instance {{name: gn, groups: 8}}, got {entry}")
        name = str(options.pop("name"))
        norms.append(Norm(name, tuple(sorted(options.items()))))
    return norms


def _source(init: Any, norm: Norm) -> str | None:
    """Where a norm's initial weights come from: one source for all, or one for each name."""
    if isinstance(init, Mapping):
        if norm.name not in init:
            raise ValueError(f"init must name weights for every norm, or null, got none for {norm.name}")
        init = init[norm.name]
    return None if init in (None, "none") else str(init)


def _devices(devices: Any, base: Mapping[str, Any]) -> int:
    """Devices of a cell: the grid's, or else those of the configuration, or else one."""
    configured = (base.get("trainer") or {}).get("devices")
    if devices is None:
        devices = len(configured) if isinstance(configured, list) else configured
    return 1 if devices in (None, "auto") else _integer("devices", devices, least=1)


def _replace_axes(axes: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Axes of the command line; clips and batch sizes replace settings, and the other way round."""
    kept = dict(axes)
    if "setting" in over:
        kept = {name: value for name, value in kept.items() if name not in ("clip", "batch_size")}
    elif {"clip", "batch_size"} & over.keys():
        kept.pop("setting", None)
    return {**kept, **over}


def _axis(axes: Mapping[str, Any], name: str, default: Sequence[Any]) -> list[Any]:
    values = _list(axes.get(name, default))
    if not values:
        raise ValueError(f"axis {name} must have at least one value, got none")
    return values


def _list(value: Any) -> list[Any]:
    """One value may be written without brackets."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _mapping(name: object, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping of names to values, got {value!r}")
    return dict(value)


def _check_keys(what: str, given: Iterable[Any], valid: Sequence[str]) -> None:
    for key in given:
        check_choice(what, str(key), valid)


def _integer(name: str, value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return value
