"""How many seeds would show a difference between norms, from the spread of an earlier study."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from videogn.report.layout import Layout, accuracy
from videogn.report.number_format import listing
from videogn.report.statistics import pairs_needed
from videogn.study.study_files import Study

#: Differences that a plan is made for, in percentage points of top-1.
DIFFERENCES = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Spread:
    """How much the difference of two norms varies from seed to seed.

    Attributes:
        pooled: Standard deviation, percentage points: the root of the mean variance, weighted by degrees of freedom.
        largest: That of the pair of norms and the setting where it varies most.
        pairs: Number of pairs of norms at one setting.
        freedom: Degrees of freedom of `pooled`.
    """

    pooled: float
    largest: float
    pairs: int
    freedom: int


def spread_of(study: Study) -> Spread | None:
    """Measure the spread of paired differences: the first norm minus each other one, at every setting.

    Args:
        study: Study, finished or not.

    Returns:
        The spread; None where no pair of norms has two seeds in common, or none varies.
    """
    found = list(_differences(study))
    variances = [float(np.var(values, ddof=1)) for values in found]
    freedoms = [len(values) - 1 for values in found]
    if not sum(variances) > 0:
        return None
    pooled = sum(v * f for v, f in zip(variances, freedoms, strict=True)) / sum(freedoms)
    return Spread(math.sqrt(pooled), math.sqrt(max(variances)), len(found), sum(freedoms))


def seeds_needed(spread: float, differences: Sequence[float] = DIFFERENCES) -> dict[float, int | None]:
    """Count the seeds that would show differences, by `videogn.report.statistics.pairs_needed`: 5 %, power 80 %.

    Args:
        spread: Standard deviation of the paired differences, percentage points.
        differences: True differences, percentage points.

    Returns:
        Difference -> number of seeds; None where thousands are too few.
    """
    return {difference: pairs_needed(difference, spread) for difference in differences}


def power_lines(spread: Spread, name: str) -> list[str]:
    """Say in words how many seeds are needed.

    Args:
        spread: Spread of an earlier study.
        name: Name of that study.
    """
    return [
        f"Spread in {name}: the difference of two norms has a standard deviation of {spread.pooled:.1f} points over "
        f"seeds ({spread.pairs} settings and pairs, {spread.freedom} degrees of freedom), {spread.largest:.1f} where "
        "it is largest.",
        f"To show a difference (paired t test, 5 %, power 80 %): {_seeds(spread.pooled)}; where the spread is largest: "
        f"{_seeds(spread.largest)}.",
    ]


def _seeds(spread: float) -> str:
    needed = seeds_needed(spread)
    return listing(f"of {d:g} points {'too many' if n is None else n} seeds" for d, n in needed.items())


def _differences(study: Study) -> Iterator[list[float]]:
    """Differences of the seeds that two norms have in common at a setting, where these are at least two."""
    for layout in Layout.of_study(study):
        first, *others = layout.norms
        for row, other in itertools.product(layout.new_rows, others):  # a row of an earlier section was there
            one, two = layout.results(row, first), layout.results(row, other)
            pairs = [(accuracy(one[seed]), accuracy(two[seed])) for seed in one if seed in two]
            known = [a - b for a, b in pairs if a is not None and b is not None]
            if len(known) > 1:
                yield known
