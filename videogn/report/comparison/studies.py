"""Two studies against one another: which cells match, and how their results moved."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from videogn.evaluation.result_folder import PREDICTIONS
from videogn.report.comparison.comparison import MAP, TOP1, compare
from videogn.report.comparison.outcomes import join
from videogn.report.comparison.study_settings import (
    AXES,
    AxisChange,
    Moved,
    axis_changes,
    moved_in_tests,
    moved_of_study,
    moved_options,
)
from videogn.report.comparison.tested import read_tested
from videogn.report.statistics import Interval, t_interval, welch_interval
from videogn.study.cell import Cell
from videogn.study.cell_files import CellResult, check_complete
from videogn.study.study_files import Study

SEED = "seed"
_STEP = "clips of a step"
#: Axes whose values need no name beside them.
_BARE = ("norm", "clip", "budget")
PAIRED, UNPAIRED, VIDEOS, NONE = "paired seeds", "unpaired seeds", "videos", ""


@dataclass(frozen=True)
class Setting:
    """Cells of two studies that differ in nothing but what moved, and in their seeds.

    Attributes:
        name: What tells the setting from the others, for instance "GN, 16 x 1, batch 2".
        first: Accuracy (%) of each seed in the first study; of the seeds that both have, if there are any.
        second: Accuracy (%) of each seed in the second study, likewise.
        change: The second minus the first, percentage points.
        over: What the interval is over: paired seeds, unpaired seeds, videos, or nothing.
    """

    name: str
    first: Mapping[int, float]
    second: Mapping[int, float]
    change: Interval
    over: str


@dataclass(frozen=True)
class StudyComparison:
    """Two studies against one another.

    Attributes:
        studies: The two.
        measure: What their accuracies are.
        dropped: Axes that moved as a whole: cells match that differ in them.
        axes: Axes whose values differ.
        moved: Options of training with different values in matching cells.
        moved_tests: How matching cells were tested differently.
        moved_study: Differences of generated data and of versions.
        alone: Options with their values that only the first, or only the second study's cells have.
        settings: Settings that both have finished cells of.
        unmatched: Names of the finished cells that have no counterpart, of each study.
        unfinished: Number of cells that are not finished, of each study.
    """

    studies: tuple[Study, Study]
    measure: str
    dropped: tuple[str, ...]
    axes: tuple[AxisChange, ...]
    moved: tuple[Moved, ...]
    moved_tests: tuple[Moved, ...]
    moved_study: tuple[Moved, ...]
    alone: tuple[Mapping[str, str], Mapping[str, str]]
    settings: tuple[Setting, ...]
    unmatched: tuple[tuple[str, ...], tuple[str, ...]]
    unfinished: tuple[int, int]


def compare_two(first: Study, second: Study) -> StudyComparison:
    """Compare two studies.

    Cells match that are the same in every axis but those that moved as a whole, such as a budget of 12 epochs in one
    study and 24 in the other.

    Args:
        first: A study, finished or not.
        second: The study that is compared with it.

    Returns:
        The comparison.

    Raises:
        ValueError: A study has no finished cell, or no cells match.
    """
    for study in (first, second):
        if not study.results:
            raise ValueError(f"no finished cell in {study.folder}: see videogn study status {study.folder}")
        check_complete(study.results.values())
    dropped = _moved_axes(first.cells, second.cells)
    results = [_by_setting(study.results.values(), dropped) for study in (first, second)]
    common = [key for key in results[0] if key in results[1]]
    if not common:
        names = [next(iter(study.results)).name for study in (first, second)]
        raise ValueError(
            f"no finished cells of {first.folder} and {second.folder} match: they differ in more than one thing, for "
            f"instance {names[0]} and {names[1]}"
        )
    measure = (
        MAP if any("map" in r.test["over_all"] for study in (first, second) for r in study.results.values()) else TOP1
    )
    labels = _labels(common, dropped)
    settings = [_setting(labels[key], results[0][key], results[1][key], measure) for key in common]
    pairs = [pair for key in common for pair in _paired(results[0][key], results[1][key])]
    moved, alone = moved_options(pairs, (first, second))
    unmatched = [
        tuple(result.cell.name for key, some in own.items() if key not in other for result in some.values())
        for own, other in (results, reversed(results))
    ]
    return StudyComparison(
        studies=(first, second),
        measure=measure,
        dropped=dropped,
        axes=tuple(axis_changes(first.cells, second.cells)),
        moved=tuple(moved),
        moved_tests=tuple(moved_in_tests(pairs)),
        moved_study=tuple(moved_of_study(first, second)),
        alone=alone,
        settings=tuple(one for one in settings if one is not None),
        unmatched=(unmatched[0], unmatched[1]),
        unfinished=(len(first.unfinished), len(second.unfinished)),
    )


def _moved_axes(first: Sequence[Cell], second: Sequence[Cell]) -> tuple[str, ...]:
    """Axes without a common value, without which the cells of each study are still told apart."""
    dropped: list[str] = []
    for name, value in AXES.items():
        disjoint = not set(map(value, first)) & set(map(value, second))
        rest = [axis for axis in AXES if axis not in (*dropped, name)]
        if name != SEED and disjoint and all(_distinct(cells, rest) for cells in (first, second)):
            dropped.append(name)
    return tuple(dropped)


def _distinct(cells: Sequence[Cell], axes: Sequence[str]) -> bool:
    return len({tuple(AXES[axis](cell) for axis in axes) for cell in cells}) == len(cells)


def _by_setting(results: Iterable[CellResult], dropped: Sequence[str]) -> dict[tuple[str, ...], dict[int, CellResult]]:
    """Values of the axes, but for those that moved and the seed -> seed -> result."""
    found: dict[tuple[str, ...], dict[int, CellResult]] = {}
    for result in results:
        key = tuple(value(result.cell) for name, value in AXES.items() if name not in (*dropped, SEED))
        found.setdefault(key, {})[result.cell.seed] = result
    return found


def _labels(keys: Sequence[tuple[str, ...]], dropped: Sequence[str]) -> dict[tuple[str, ...], str]:
    """Names of settings: norm, clip, batch size, and what else tells them apart."""
    names = [name for name in AXES if name not in (*dropped, SEED)]
    varying = [name for place, name in enumerate(names) if len({key[place] for key in keys}) > 1]
    usual = [name for name in ("norm", "clip", "batch size") if name in names]
    shown = [*usual, *(name for name in varying if name not in (*usual, _STEP))]

    def label(key: tuple[str, ...]) -> str:
        named = dict(zip(names, key, strict=True))
        return ", ".join(
            named[name] if name in _BARE else f"{name.removesuffix(' size')} {named[name]}" for name in shown
        )

    if len(set(map(label, keys))) < len(keys):  # the batch size says most of it
        shown.append(_STEP)
    return {key: label(key) for key in keys}


def _paired(first: Mapping[int, CellResult], second: Mapping[int, CellResult]) -> list[tuple[CellResult, CellResult]]:
    """Results of equal seeds; without these, those of the smallest seeds."""
    seeds = [seed for seed in sorted(first) if seed in second]
    return [(first[seed], second[seed]) for seed in seeds] or [(first[min(first)], second[min(second)])]


def _setting(
    name: str, first: Mapping[int, CellResult], second: Mapping[int, CellResult], measure: str
) -> Setting | None:
    """The change of a setting; None where a study has no accuracy of it."""
    a, b = _accuracies(first, measure), _accuracies(second, measure)
    if not a or not b:
        return None
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        change = welch_interval(list(a.values()), list(b.values()))
        return Setting(name, a, b, change, NONE if change.low is None else UNPAIRED)
    a, b = ({seed: some[seed] for seed in seeds} for some in (a, b))
    change = t_interval([b[seed] - a[seed] for seed in seeds])
    if len(seeds) > 1:
        return Setting(name, a, b, change, PAIRED)
    over_videos = _over_videos(first[seeds[0]], second[seeds[0]], measure)
    return Setting(name, a, b, over_videos or change, VIDEOS if over_videos else NONE)


def _accuracies(results: Mapping[int, CellResult], measure: str) -> dict[int, float]:
    key = "map" if measure == MAP else "top1"
    values = {seed: result.test["over_all"].get(key) for seed, result in sorted(results.items())}
    return {seed: 100 * float(value) for seed, value in values.items() if value is not None}


def _over_videos(first: CellResult, second: CellResult, measure: str) -> Interval | None:
    """The paired difference of two cells' tests; None without their files or common videos."""
    folders = [first.folder, second.folder]
    if not all((folder / PREDICTIONS).is_file() for folder in folders):
        return None
    try:
        joined = join([read_tested(folder) for folder in folders])
    except ValueError:  # of other videos or classes: the difference of their accuracies is all there is
        return None
    if any(joined.matched.missing) or joined.left_out:
        return None
    pair = compare(joined).pairs[0]
    return pair.measures[measure].interval if measure in pair.measures else None


def mean(values: Mapping[int, float]) -> float:
    """Mean over the seeds."""
    return statistics.mean(values.values())
