"""What two studies set differently: their grids, and the resolved settings of the cells that match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from videogn.report.comparison.differing import as_text, flattened
from videogn.report.document_blocks import DASH
from videogn.study.cell import Cell
from videogn.study.cell_files import FIT_FILE, CellResult
from videogn.study.decided import DECIDED
from videogn.study.own_data import OWN_DATA
from videogn.study.study_files import Study
from videogn.study.yaml_values import load_yaml

#: Every default is resolved in it.
_CONFIG_FILE = "config.yaml"
#: Axis of a grid -> its value in a cell. Clips of a step say what `accumulate` does at any batch size.
AXES: Mapping[str, Callable[[Cell], str]] = {
    "budget": lambda cell: cell.budget.label,
    "clips of a step": lambda cell: str(cell.clips_per_step),
    "scaling": lambda cell: cell.scaling,
    "memory mode": lambda cell: cell.memory_mode,
    "initial weights": lambda cell: cell.init or "random",
    "devices": lambda cell: str(cell.devices),
    "schedule": lambda cell: cell.schedule,
    "clip": lambda cell: f"{cell.clip_length} x {cell.interval}",
    "batch size": lambda cell: str(cell.batch_size),
    "norm": lambda cell: cell.norm.label,
    "seed": lambda cell: str(cell.seed),
}
#: Places that a cell reads from and writes to.
_PLACES = ("trainer.default_root_dir", "trainer.logger", "ckpt_path", "model.results_dir", "checkpoint.dirpath")
#: What a test says of how it was made, in which a difference is no difference of training.
_OF_TEST = ("protocol", "decoder", "index_sha256")


@dataclass(frozen=True)
class Moved:
    """A setting with another value in the second study.

    Attributes:
        name: Axis of the grid, or option with dots, for instance "model.lr".
        first: Value in the first study, as text.
        second: Value in the second study.
        cells: Number of pairs of cells in which it moved so; None for a setting of the whole study.
    """

    name: str
    first: str
    second: str
    cells: int | None = None


@dataclass(frozen=True)
class AxisChange:
    """Values of an axis that only one study has.

    Attributes:
        name: Name of the axis.
        only_first: Values that only the first study has, in its order.
        only_second: Values that only the second study has.
        both: Values that both have.
    """

    name: str
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    both: tuple[str, ...]


def axis_changes(first: Sequence[Cell], second: Sequence[Cell]) -> list[AxisChange]:
    """Compare the axes of two studies; those that agree are left out."""
    changes = []
    for name, value in AXES.items():
        a, b = (tuple(dict.fromkeys(map(value, cells))) for cells in (first, second))
        if set(a) != set(b):
            only_a, only_b = (tuple(v for v in one if v not in other) for one, other in ((a, b), (b, a)))
            changes.append(AxisChange(name, only_a, only_b, tuple(v for v in a if v in b)))
    return changes


def moved_options(
    pairs: Sequence[tuple[CellResult, CellResult]], studies: tuple[Study, Study]
) -> tuple[list[Moved], tuple[dict[str, str], dict[str, str]]]:
    """Compare the resolved options of cells that match.

    Args:
        pairs: Results of the matching cells.
        studies: The two studies.

    Returns:
        Options with different values, in the order of the configurations; and, for each study, the options that only
        its cells have, with a value: those of another version of the program.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    alone: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for pair in pairs:
        a, b = _options(pair, studies)
        for name in dict.fromkeys([*a, *b]):
            values = a.get(name), b.get(name)
            if None in values:
                lacking = values.index(None)
                # A new option, unless something else stands in its place: optimizer: null for optimizer.class_path.
                if not _replaced(name, (a, b)[lacking]):
                    alone[1 - lacking][name] = str(values[1 - lacking])
                    continue
            if values[0] != values[1]:
                counts[name, values[0] or DASH, values[1] or DASH] += 1
    return [Moved(*key, cells=number) for key, number in counts.items()], alone


def moved_in_tests(pairs: Sequence[tuple[CellResult, CellResult]]) -> list[Moved]:
    """Compare how the matching cells were tested."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for pair in pairs:
        a, b = (
            {name: as_text(value) for name, value in flattened({key: one.test.get(key) for key in _OF_TEST})}
            for one in pair
        )
        # An entry that only newer results have says nothing about the older ones.
        counts.update((name, a[name], b[name]) for name in a.keys() & b.keys() if a[name] != b[name])
    return [Moved(*key, cells=number) for key, number in sorted(counts.items())]


def moved_of_study(first: Study, second: Study) -> Iterator[Moved]:
    """Compare the data sets that studies make for themselves, and the versions that they ran with."""
    grids = [load_yaml("the grid", study.grid) or {} for study in (first, second)]
    made = [{kind: grid.get(kind) for kind in OWN_DATA} if isinstance(grid, Mapping) else {} for grid in grids]
    contents = [{**own, "version": study.versions} for own, study in zip(made, (first, second), strict=True)]
    a, b = (dict(flattened(content)) for content in contents)
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            before, after = (as_text(some[name]) if name in some else DASH for some in (a, b))
            yield Moved(name, before, after)


def _options(
    pair: tuple[CellResult, CellResult], studies: tuple[Study, Study]
) -> tuple[dict[str, str], dict[str, str]]:
    """The resolved options of two cells, or what both were given where one of them has no resolved ones."""
    resolved = all((result.folder / _CONFIG_FILE).is_file() for result in pair)
    name = _CONFIG_FILE if resolved else FIT_FILE
    a, b = (_read(result.folder / name, study) for result, study in zip(pair, studies, strict=True))
    return a, b


def _read(path: Path, study: Study) -> dict[str, str]:
    if not path.is_file():
        return {}
    content = load_yaml(path, path.read_text(encoding="utf-8")) or {}
    inside = f"{study.folder.resolve()}/"
    return {
        name: as_text(value).replace(inside, "")
        for name, value in flattened(content)
        if not _under(name, DECIDED) and not _under(name, _PLACES)
    }


def _under(name: str, entries: Iterable[str]) -> bool:
    return any(name == entry or name.startswith(f"{entry}.") for entry in entries)


def _replaced(name: str, options: Mapping[str, str]) -> bool:
    """Whether an option, or what it is a part of, or a part of it, is among others."""
    return any(_under(name, [other]) or _under(other, [name]) for other in options)
