"""What each of several tests made of the videos that they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from videogn.report.comparison.common_classes import common_classes
from videogn.report.comparison.matching import Matched, match
from videogn.report.comparison.tested import Tested

RELABELLED = "with another label in another test"
UNLABELLED = "without a label"
OUTSIDE = "of a class that not all tests have"


@dataclass(frozen=True)
class Outcomes:
    """Tests, row by row of the videos that are compared.

    Attributes:
        tests: The tests, as they were given.
        classes: Names of the classes that all have.
        matched: How videos were matched, and those that some tests lack.
        left_out: Reason -> names of the common videos that are not compared.
        names: Names of the videos that are compared.
        rows: Row of each video in each test, (N,).
        labels: Names of the classes of each video.
    """

    tests: tuple[Tested, ...]
    classes: tuple[str, ...]
    matched: Matched
    left_out: dict[str, tuple[str, ...]]
    names: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    labels: tuple[tuple[str, ...], ...]

    @property
    def several_labels(self) -> bool:
        """Whether a video may show several classes."""
        return self.tests[0].several_labels

    @property
    def k(self) -> int | None:
        """The k of top-k accuracy; None where it would say nothing, or not the same of every test."""
        numbers = {test.results.k for test in self.tests}
        return None if self.several_labels or len(numbers) > 1 else numbers.pop()

    @cached_property
    def shown(self) -> np.ndarray:
        """Whether each video shows each common class, bool (N, K)."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        flags = np.zeros((len(self.names), len(self.classes)), bool)
        for row, labels in enumerate(self.labels):
            flags[row, [numbers[name] for name in labels if name in numbers]] = True
        return flags

    @property
    def label_numbers(self) -> np.ndarray:
        """Number of each video's class among the common ones, (N,), where it has one."""
        return self.shown.argmax(axis=1)

    def hits(self, test: int, k: int = 1) -> np.ndarray:
        """Tell whether one of the best k classes is a class of the video.

        Args:
            test: Number of the test.
            k: Number of classes.

        Returns:
            Bool (N,); False where there are no scores.
        """
        own = self.tests[test]
        numbers = [tuple(own.numbers[name] for name in labels if name in own.numbers) for labels in self.labels]
        top = own.top[self.rows[test], :k]
        if self.several_labels:
            return np.array([bool(set(best) & set(some)) for best, some in zip(top.tolist(), numbers, strict=True)])
        return (top == np.array(numbers, np.int64).reshape(-1, 1)).any(axis=1)

    @cached_property
    def scores(self) -> tuple[np.ndarray, ...] | None:
        """Probabilities of the common classes in each test, float32 (N, K) each; None unless all tests kept them."""
        found = [test.scores() for test in self.tests]
        kept = [some for some in found if some is not None]
        if len(kept) < len(found):
            return None
        columns = [[test.numbers[name] for name in self.classes] for test in self.tests]
        return tuple(all_[rows][:, places] for all_, rows, places in zip(kept, self.rows, columns, strict=True))

    def predicted(self, test: int, video: int) -> str | None:
        """Name of the best class of a video in a test, or None."""
        number = int(self.tests[test].top[self.rows[test][video], 0])
        return None if number < 0 else self.tests[test].classes[number]

    def failed(self, test: int) -> np.ndarray:
        """Which videos have no scores in a test, bool (N,)."""
        return self.tests[test].top[self.rows[test], 0] < 0


def join(tests: Sequence[Tested], *, intersect: bool = False) -> Outcomes:
    """Join tests by their videos and classes.

    Args:
        tests: Results of tests, at least two.
        intersect: Whether the tests may have different classes; then the videos of the classes that all have are
            compared. Default: False.

    Returns:
        The joined tests.

    Raises:
        ValueError: Their classes differ, they have no video in common, or only some are of several labels.
    """
    if len({test.several_labels for test in tests}) > 1:
        raise ValueError(
            "some of the tests are of videos with one label each, others of several: they have no measure in common"
        )
    classes = common_classes(tests, intersect=intersect)
    matched = match(tests)
    if not matched.names:
        some = " and ".join(test.paths[0] if len(test.paths) else "no video at all" for test in tests[:2])
        raise ValueError(
            f"{tests[0].folder} and {tests[1].folder} have no video in common, for instance {some}: a comparison needs "
            "tests of the same videos"
        )
    labels = [[set(test.labels[row]) for row in rows] for test, rows in zip(tests, matched.rows, strict=True)]
    several = tests[0].several_labels
    reasons = [_reason(of_video, set(classes), several) for of_video in zip(*labels, strict=True)]
    kept = np.flatnonzero([reason is None for reason in reasons])
    if not len(kept):
        raise ValueError(f"none of the {len(reasons)} common videos can be compared: they are {reasons[0]}")
    left_out = {
        reason: tuple(name for name, why in zip(matched.names, reasons, strict=True) if why == reason)
        for reason in dict.fromkeys(reasons)
        if reason is not None
    }
    first = tests[0].labels
    return Outcomes(
        tests=tuple(tests),
        classes=classes,
        matched=matched,
        left_out=left_out,
        names=tuple(matched.names[place] for place in kept),
        rows=tuple(rows[kept] for rows in matched.rows),
        labels=tuple(tuple(name for name in first[row] if name in classes) for row in matched.rows[0][kept]),
    )


def _reason(labels: Sequence[set[str]], classes: set[str], several: bool) -> str | None:
    """Why a video is not compared, or None."""
    known = [some & classes for some in labels]
    if not several and not any(labels):
        return UNLABELLED
    if any(some != known[0] for some in known[1:]):
        return RELABELLED
    return None if several or known[0] else OUTSIDE
