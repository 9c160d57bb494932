"""Options of `videogn fit` that a grid decides itself, in the cells that it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from videogn.study.cell import Cell, Norm
from videogn.study.own_data import OwnData

#: Option of `videogn fit` -> the part of a grid that decides it.
DECIDED = {
    "seed_everything": "the axis seed",
    "model.norm": "the axis norm",
    "model.norm_options": "the axis norm, for instance {name: gn, groups: 8}",
    "model.clip_length": "the axis clip",
    "model.interval": "the axis clip",
    "model.fps": "data.fps",
    "model.antialias": "data.antialias",
    "model.scaling": "scaling of the budget",
    "data.batch_size": "the axis batch_size",
    "data.multigrid": "the axis schedule",
    "trainer.max_epochs": "the budget",
    "trainer.max_steps": "the budget",
    "trainer.max_time": "the budget",
    "trainer.accumulate_grad_batches": "step_clips of the budget",
}
#: The same of options that are the default of an axis where all cells have them.
_WITH_A_DEFAULT = {
    "model.init_from": "the axis init",
    "model.arch_options.memory_mode": "the axis memory_mode",
    "trainer.devices": "devices",
}


def check_undecided(fit: Mapping[str, Any], own_data: OwnData | None) -> None:
    """Refuse options of all cells that every cell would replace: who gives them believes that they count."""
    _refuse(fit, DECIDED, own_data, "all cells")


def check_norm_undecided(norm: Norm, own_data: OwnData | None) -> None:
    """Refuse such options of a norm's own cells."""
    _refuse(norm.configured({}), {**DECIDED, **_WITH_A_DEFAULT}, own_data, f"the cells of norm {norm.name}")


def check_distinct(cells: Iterable[Cell]) -> None:
    """Refuse cells of one name: they would share a folder, and one result."""
    named: dict[str, Cell] = {}
    for cell in cells:
        if named.setdefault(cell.name, cell) != cell:
            raise ValueError(
                f"two norms have cells of one name, {cell.name}: give each a variant of its own, whose letters and "
                "digits differ"
            )


def _refuse(fit: Mapping[str, Any], decided: Mapping[str, str], own_data: OwnData | None, of: str) -> None:
    made = {} if own_data is None else {"data.root": f"{own_data.kind}, the data that the study makes"}
    for option, by in {**decided, **made}.items():
        *parts, name = option.split(".")
        section: Any = fit
        for part in parts:
            section = section.get(part) or {} if isinstance(section, Mapping) else {}
        if isinstance(section, Mapping) and name in section:
            raise ValueError(f"{option} cannot be set for {of}: it is decided by {by}")
