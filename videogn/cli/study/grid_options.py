"""Options that name a grid and change it, shared by the actions that take one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from videogn.checks import check_choice

if TYPE_CHECKING:
    from videogn.study import Grid


@dataclass(frozen=True)
class GridOptions:
    """A grid and the changes to it.

    Attributes:
        grid: Grid: a YAML file, or the name of one that ships, for instance motion_smoke. It comes first.
        axis (NAME=VALUES): Axes in place of the grid's, for instance 'seed=[0,1,2]' 'norm={name: gn, groups: 8}'.
        set (OPTION=VALUE): Options of `videogn fit` for all cells, for instance data.root=K400
            trainer.precision=bf16-mixed.
        trust (PACKAGE): Packages that the grid may name norms, networks, optimisers and so on from.
    """

    grid: str
    axis: tuple[str, ...] = field(default=(), kw_only=True)
    set: tuple[str, ...] = field(default=(), kw_only=True)
    trust: tuple[str, ...] = field(default=(), kw_only=True)

    def read(self) -> Grid:
        """Read the grid and change it.

        Returns:
            The grid.

        Raises:
            FileNotFoundError: If the file, or a configuration that it names, does not exist.
            ValueError: If something in it, or an option, is wrong.
        """
        from videogn.study import read_grid
        from videogn.study.combinations import AXES
        from videogn.study.yaml_values import load_yaml

        axes = {}
        for text in self.axis:
            name, value = _assignment("--axis", text)
            check_choice("axis", name, AXES)
            axes[name] = load_yaml(f"axis {name}", value)
        fit: dict[str, Any] = {}
        for text in self.set:
            name, value = _assignment("--set", text)
            section: Any = fit
            *parents, last = name.split(".")
            for parent in parents:
                if isinstance(section.get(parent), str):  # a class, whose options follow, as model.optimizer=AdamW
                    section[parent] = {"class_path": section[parent], "init_args": {}}
                section = section.setdefault(parent, {})
                if not isinstance(section, dict):
                    raise ValueError(f"--set {name} sets a part of {parent}, which another --set makes {section!r}")
                section = section.get("init_args", section)
            section[last] = load_yaml(f"--set {name}", value)
        return read_grid(self.grid, fit=fit, axes=axes, trust=self.trust)


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, separator, value = text.removeprefix("--").partition("=")
    if not separator or not name:
        example = "'norm=[bn,gn]'" if option == "--axis" else "data.root=K400"
        raise ValueError(f"{option} takes NAME=VALUE, for instance {example}, got {text!r}")
    return name, value
