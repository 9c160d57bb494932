"""A grid in YAML: axes, budgets and what all cells have in common -> cells."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import yaml

from videogn.checks import check_choice, existing_path, expanded
from videogn.choices import NUM_CLASSES, EvaluationViews, ScalingName
from videogn.study.budget import KINDS, Budget
from videogn.study.cell import Cell, Section, merge
from videogn.study.combinations import clips_of_tests, combinations, replace_axes
from videogn.study.decided import check_distinct, check_norm_undecided, check_undecided
from videogn.study.own_data import OWN_DATA, OwnData, read_own_data
from videogn.study.transfers import ClipOfTest
from videogn.study.yaml_values import as_list, check_keys, integer, load_yaml, mapping, section
from videogn.system.configurations import find_config, shipped
from videogn.trust import KNOWN, check_trusted, names_in, typed_as

_KEYS = ("title", "configs", "fit", *OWN_DATA, "videos", "axes", "budget", "devices", "memory")
_BUDGET_KEYS = (*KINDS, "step_clips", "step_batches", "scaling", "title", "note")


@dataclass(frozen=True)
class Videos:
    """Numbers of videos, where they are known.

    Attributes:
        classes: Number of classes, K.
        train: Number of training videos, or None.
        val: Number of validation videos, or None.
        test: Number of test videos, or None.
    """

    classes: int = NUM_CLASSES
    train: int | None = None
    val: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class Grid:
    """The cells of a study and what they have in common.

    Attributes:
        title: Title of the report.
        base: Configuration of `videogn fit` that all cells have in common.
        own_data: Data set that the study makes for itself, or None.
        videos: Numbers of videos, for plans made where the data are not.
        sections: Cells, budget by budget.
        memory: Size that the largest batches are planned for, such as 16GiB, or None.
        text: The file, with the changes of the command line.
        test_clips: Clips that every cell is tested with besides its own.
        trust: Packages that the cells may name code from besides the known ones.
    """

    title: str
    base: dict[str, Any]
    own_data: OwnData | None
    videos: Videos
    sections: tuple[Section, ...]
    memory: str | None
    text: str
    test_clips: tuple[ClipOfTest, ...] = ()
    trust: tuple[str, ...] = ()

    @property
    def on_cpu(self) -> bool:
        """Whether the cells train on CPUs, whatever devices there are."""
        return section(self.base, "trainer").get("accelerator") == "cpu"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once; short clips first within a seed, so that a first picture of all is there early."""
        cells = dict.fromkeys(cell for section in self.sections for cell in section.cells)
        return tuple(sorted(cells, key=lambda cell: (cell.seed, cell.clip_length)))

    @property
    def names(self) -> tuple[str, ...]:
        """Every norm, network, optimiser and so on that the cells name by a dotted path."""
        norms = dict.fromkeys(cell.norm for cell in self.cells)
        own = [[{"norm": norm.name}, norm.configured({})] for norm in norms]
        return tuple(dict.fromkeys(names_in([self.base, own])))


def read_grid(
    path: str | Path,
    *,
    fit: Mapping[str, Any] | None = None,
    axes: Mapping[str, Any] | None = None,
    trust: Collection[str] = (),
) -> Grid:
    """Read a grid.

    Args:
        path: The YAML file, or the name of a grid that ships with the package, for instance motion_smoke.
        fit: Further options of `videogn fit`, nested; they win.
        axes: Axes that take the place of the file's.
        trust: Packages that the file may name code from; what `fit` and `axes` name is trusted.

    Returns:
        The grid.

    Raises:
        FileNotFoundError: The file, or a configuration in it, does not exist.
        ValueError: A key or value is wrong, or code is named that is not trusted; the message names both.
    """
    if expanded(path).is_dir() and str(path) not in shipped("study"):
        raise ValueError(f"{path} is a folder: name a grid, for instance motion_smoke")
    path = find_config(path, "study")
    content = mapping(path, load_yaml(path, path.read_text(encoding="utf-8")))
    content["fit"] = merge(section(content, "fit"), fit or {})
    content["axes"] = replace_axes(section(content, "axes"), axes or {})
    typed = names_in([fit or {}, axes or {}])
    grid = make_grid(content, folder=path.parent, name=path.stem, trust=[*trust, *map(typed_as, typed)])
    check_trusted(path, grid.names, [*KNOWN, *grid.trust])
    return grid


def make_grid(
    content: Mapping[str, Any], *, folder: Path = Path(), name: str = "study", trust: Collection[str] = ()
) -> Grid:
    """Make a grid from the content of a file.

    Args:
        content: Title, configs (paths relative to `folder`, or names of configurations that ship with the package),
            fit, motion or images, videos, axes, budget, devices, memory.
        folder: Folder that paths in `configs` are relative to.
        name: Title of a grid without one.
        trust: Packages that the cells may name code from besides the known ones.

    Returns:
        The grid.

    Raises:
        FileNotFoundError: A configuration does not exist.
        ValueError: A key or value is wrong.
    """
    if {"trainer", "model", "data"} & content.keys():
        raise ValueError(f"{name} is a configuration of `videogn fit`, not a grid: name it in configs of one")
    check_keys("key of a grid", content, _KEYS)
    base: dict[str, Any] = {}
    for config in as_list(content.get("configs")):
        file = shipped().get(str(config)) or existing_path(folder / str(config))
        base = merge(base, mapping(file, load_yaml(file, file.read_text(encoding="utf-8")) or {}))
    fit = section(content, "fit")
    own_data = read_own_data(content)
    check_undecided(fit, own_data)
    base = merge(base, fit)
    for part in ("trainer", "model", "data"):
        section(base, part)  # looked at here, where the message can name it
    videos = section(content, "videos")
    check_keys("key of videos", videos, [field.name for field in fields(Videos)])
    memory = content.get("memory")
    return Grid(
        title=str(content.get("title") or name),
        base=base,
        own_data=own_data,
        videos=Videos(**{name: integer(name, number, least=1) for name, number in videos.items()}),
        sections=_sections(content, base, own_data),
        memory=None if memory is None else str(memory),
        text=yaml.safe_dump({key: value for key, value in content.items() if value}, sort_keys=False),
        test_clips=clips_of_tests(section(content, "axes")),
        trust=tuple(dict.fromkeys(trust)),
    )


def check_known(grid: Grid) -> None:
    """Refuse options that `videogn fit` does not have, before the first cell finds out.

    Args:
        grid: Grid, with the configuration of all cells and those of its norms.

    Raises:
        ValueError: An option is unknown; the message offers the nearest known one.
    """
    from lightning.pytorch import Trainer

    from videogn.data.datamodule import VideoDataModule
    from videogn.training.task import VideoClassifier
    from videogn.training.task_settings import TaskSettings

    owners: dict[str, list[type]] = {
        "trainer": [Trainer],
        "model": [VideoClassifier, TaskSettings],
        "data": [VideoDataModule, EvaluationViews],
    }
    bases = [grid.base, *(norm.configured({}) for norm in dict.fromkeys(cell.norm for cell in grid.cells))]
    for base in bases:
        check_keys("section of `videogn fit`", base, ("seed_everything", *owners, "checkpoint"))
    for part, classes in owners.items():
        parameters = [p for owner in classes for p in inspect.signature(owner).parameters.values()]
        names = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
        for base in bases:
            check_keys(f"option of {part}", section(base, part), names)


def _sections(content: Mapping[str, Any], base: Mapping[str, Any], own_data: OwnData | None) -> tuple[Section, ...]:
    """The cells of each budget."""
    devices = _devices(content.get("devices"), base)
    budgets = as_list(content.get("budget"))
    if not budgets:
        raise ValueError(f"a grid needs a budget: one of {', '.join(KINDS)}, for instance budget: {{epochs: 24}}")
    points = combinations(section(content, "axes"), base)
    for norm in dict.fromkeys(point.norm for point in points):
        check_norm_undecided(norm, own_data)
    sections = []
    for entry in budgets:
        budget, scaling = _budget(entry)
        if budget.kind == "minutes" and any(point.schedule != "constant" for point in points):
            raise ValueError("schedule multigrid needs a budget whose steps are known beforehand, got minutes")
        cells = [
            Cell(
                **point._asdict(),
                accumulate=_accumulate(entry, point.batch_size),
                budget=budget,
                scaling=scaling,
                devices=devices,
            )
            for point in points
        ]
        title = entry.get("title") or _title(budget, entry, devices)
        sections.append(Section(str(title), str(entry.get("note") or ""), tuple(cells)))
    if len({section.title for section in sections}) < len(sections):
        raise ValueError("two budgets have the same title: give each a title of its own")
    check_distinct(cell for section in sections for cell in section.cells)
    return tuple(sections)


def _budget(entry: Any) -> tuple[Budget, str]:
    """(budget, scaling) of one entry."""
    entry = mapping("budget", entry)
    check_keys("key of budget", entry, _BUDGET_KEYS)
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise ValueError(f"a budget must have exactly one of {', '.join(KINDS)}, got {', '.join(kinds) or 'none'}")
    if "step_clips" in entry and "step_batches" in entry:
        raise ValueError("a budget must have either step_clips or step_batches, got both")
    scaling = str(entry.get("scaling", "linear")).lower()
    check_choice("scaling", scaling, (*get_args(ScalingName), "none"))
    return Budget(kinds[0], entry[kinds[0]]), scaling


def _title(budget: Budget, entry: Mapping[str, Any], devices: int) -> str:
    each = " a device" if devices > 1 else ""
    steps = "a step after every batch"
    if entry.get("step_clips") is not None:
        steps = f"steps of {entry['step_clips']} clips{each}"
    elif entry.get("step_batches") is not None:
        steps = f"steps of {entry['step_batches']} batches{each}"
    return f"{budget.label}, {steps}"


def _accumulate(entry: Mapping[str, Any], batch_size: int) -> int:
    """Batches whose gradients are added up before a step: as many as make up `step_clips`, or `step_batches`."""
    if entry.get("step_batches") is not None:
        return integer("step_batches", entry["step_batches"], least=1)
    if entry.get("step_clips") is None:
        return 1
    step_clips = integer("step_clips", entry["step_clips"], least=1)
    if step_clips % batch_size:
        raise ValueError(f"step_clips must be a multiple of every batch size, got {step_clips} and batch {batch_size}")
    return step_clips // batch_size


def _devices(devices: Any, base: Mapping[str, Any]) -> int:
    """Devices of a cell: the grid's, or else those of the configuration, or else one."""
    configured = section(base, "trainer").get("devices")
    if devices is None:
        devices = len(configured) if isinstance(configured, list) else configured
    return 1 if devices in (None, "auto") else integer("devices", devices, least=1)
