"""The arguments that name a grid, shared by the actions that take one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videogn.checks import check_choice
from videogn.cli.parsing import Parser

if TYPE_CHECKING:
    from videogn.study import Grid


def add_grid_arguments(parser: Parser) -> None:
    """GRID, and what changes it.

    Args:
        parser: of the action.
    """
    parser.add_argument("grid", type=str, help="The grid, a YAML file; it comes first.")
    parser.add_argument(
        "--axis",
        type=str,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUES",
        help="Axes in place of the grid's, for instance 'seed=[0,1,2]' 'norm={name: gn, groups: 8}'.",
    )
    parser.add_argument(
        "--set",
        type=str,
        nargs="+",
        action="extend",
        default=[],
        metavar="OPTION=VALUE",
        help="Options of `videogn fit` for all cells, for instance data.root=K400 trainer.precision=bf16-mixed.",
    )


def grid_of(options: Any) -> Grid:
    """Read the grid that the arguments name.

    Args:
        options: of a parser with `add_grid_arguments`.

    Returns:
        The grid.

    Raises:
        FileNotFoundError: the file, or a configuration in it, does not exist.
        ValueError: something in it, or an argument, is wrong.
    """
    from videogn.study import read_grid
    from videogn.study.combinations import AXES
    from videogn.study.yaml_values import load_yaml

    axes = {}
    for text in options.axis:
        name, value = _assignment("--axis", text)
        check_choice("axis", name, AXES)
        axes[name] = load_yaml(f"axis {name}", value)
    fit: dict[str, Any] = {}
    for text in options.set:
        name, value = _assignment("--set", text)
        section: Any = fit
        *parents, last = name.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
            if not isinstance(section, dict):
                raise ValueError(f"--set {name} sets a part of {parent}, which another --set makes {section!r}")
        section[last] = load_yaml(f"--set {name}", value)
    return read_grid(options.grid, fit=fit, axes=axes)


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, separator, value = text.removeprefix("--").partition("=")
    if not separator or not name:
        example = "'norm=[bn,gn]'" if option == "--axis" else "data.root=K400"
        raise ValueError(f"{option} takes NAME=VALUE, for instance {example}, got {text!r}")
    return name, value
