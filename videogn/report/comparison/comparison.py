"""Tests of the same videos against one another: every number of the comparison is computed here."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from videogn.report.comparison.outcomes import Outcomes
from videogn.report.comparison.paired import (
    PRECISION_RESAMPLES,
    Difference,
    Discordance,
    drawn_videos,
    mean_over_classes,
    percentiles,
    weighted_precision,
)
from videogn.report.statistics import bootstrap_interval, holm, mcnemar_p

MAP = "mAP"
TOP1 = "top-1"
#: In the place of top-1 where a video may show several classes.
BEST_SHOWN = "best class shown"
BY_CLASS = "mean-class"


@dataclass(frozen=True)
class ClassGain:
    """A class in two tests, over their common videos.

    Attributes:
        name: Name of the class.
        videos: Number of videos that show it.
        first: Its accuracy, or average precision, in the first test, per cent.
        second: The same in the second test.
        only_first: Number of its videos that only the first test has right.
        only_second: Number of its videos that only the second test has right.
    """

    name: str
    videos: int
    first: float
    second: float
    only_first: int
    only_second: int

    @property
    def gain(self) -> float:
        """The second test minus the first, percentage points."""
        return self.second - self.first


@dataclass(frozen=True)
class Pair:
    """Two tests.

    Attributes:
        first: Number of the first test.
        second: Number of the second test.
        measures: Name -> difference.
        discordance: McNemar's test.
        classes: Classes with videos, the largest gain first.
        lost: Numbers of the videos that only the first has right, those first of whose wrong class the second is most
            certain.
        won: Numbers of the videos that only the second has right, likewise.
    """

    first: int
    second: int
    measures: Mapping[str, Difference]
    discordance: Discordance
    classes: tuple[ClassGain, ...]
    lost: tuple[int, ...]
    won: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """Several tests against one another.

    Attributes:
        outcomes: The tests, joined by their videos.
        pairs: Every pair, the first test against each other one first.
    """

    outcomes: Outcomes
    pairs: tuple[Pair, ...]


def compare(outcomes: Outcomes) -> Comparison:
    """Compare each test with every other.

    Args:
        outcomes: The tests, joined by their videos.

    Returns:
        The comparison.
    """
    numbers = range(len(outcomes.tests))
    pairs = list(itertools.combinations(numbers, 2))
    hits = [outcomes.hits(number) for number in numbers]
    precisions = _precisions(outcomes)
    counts = [(int((hits[a] & ~hits[b]).sum()), int((hits[b] & ~hits[a]).sum())) for a, b in pairs]
    tests = [mcnemar_p(*both) for both in counts]
    return Comparison(
        outcomes,
        tuple(
            Pair(
                first=a,
                second=b,
                measures=_measures(outcomes, (a, b), hits, precisions),
                discordance=Discordance(*both, p, adjusted),
                classes=_class_gains(
                    outcomes, hits[a], hits[b], None if precisions is None else (precisions[a], precisions[b])
                ),
                lost=_most_certain(outcomes, b, hits[a] & ~hits[b]),
                won=_most_certain(outcomes, a, hits[b] & ~hits[a]),
            )
            for (a, b), both, p, adjusted in zip(pairs, counts, tests, holm(tests), strict=True)
        ),
    )


def _measures(
    outcomes: Outcomes, pair: tuple[int, int], hits: Sequence[np.ndarray], precisions: Sequence[np.ndarray] | None
) -> dict[str, Difference]:
    a, b = pair
    found = {}
    if precisions is not None:
        both = np.nanmean(precisions[a], axis=0), np.nanmean(precisions[b], axis=0)  # (1 + resamples,)
        change = 100 * (both[1] - both[0])
        interval = percentiles(float(change[0]), change[1:][~np.isnan(change[1:])], len(outcomes.names))
        found[MAP] = Difference(100 * float(both[0][0]), 100 * float(both[1][0]), interval)
    found[BEST_SHOWN if outcomes.several_labels else TOP1] = _accuracy(hits[a], hits[b])
    if outcomes.k is not None:
        found[f"top-{outcomes.k}"] = _accuracy(outcomes.hits(a, outcomes.k), outcomes.hits(b, outcomes.k))
    if not outcomes.several_labels:
        labels = outcomes.label_numbers
        change = 100.0 * (hits[b].astype(np.int64) - hits[a])
        of_class = [_class_mean(hits[number], labels) for number in pair]
        found[BY_CLASS] = Difference(of_class[0], of_class[1], mean_over_classes(change, labels))
    return found


def _accuracy(first: np.ndarray, second: np.ndarray) -> Difference:
    change = 100.0 * (second.astype(np.int64) - first)
    return Difference(100 * float(first.mean()), 100 * float(second.mean()), bootstrap_interval(change))


def _class_mean(hits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the classes with videos, per cent."""
    videos, right = np.bincount(labels), np.bincount(labels, weights=hits)
    return 100 * float((right[videos > 0] / videos[videos > 0]).mean())


def _precisions(outcomes: Outcomes) -> list[np.ndarray] | None:
    """Average precision of each class with all videos, and in each resample, (K, 1 + R), of each test.

    None where a video has one label, or where a test kept no probabilities.
    """
    if not outcomes.several_labels or outcomes.scores is None:
        return None
    count = len(outcomes.names)
    weights = np.concatenate(
        [np.ones((count, 1), np.float32), drawn_videos(count, resamples=PRECISION_RESAMPLES)], axis=1
    )
    return [
        np.stack(
            [weighted_precision(scores[:, k], outcomes.shown[:, k], weights) for k in range(len(outcomes.classes))]
        )
        for scores in outcomes.scores
    ]


def _class_gains(
    outcomes: Outcomes, first: np.ndarray, second: np.ndarray, precisions: tuple[np.ndarray, np.ndarray] | None
) -> tuple[ClassGain, ...]:
    # A class counts the videos that show it: of 20,000 x 400 flags, matrix products count fastest.
    shown = outcomes.shown.astype(np.float32)
    videos = shown.sum(axis=0)
    right = [hits.astype(np.float32) @ shown for hits in (first, second, first & ~second, second & ~first)]
    percent = [100 * each / np.maximum(videos, 1) for each in right[:2]]
    if precisions is not None:
        percent = [100 * each[:, 0] for each in precisions]
    gains = [
        ClassGain(name, int(videos[k]), float(percent[0][k]), float(percent[1][k]), int(right[2][k]), int(right[3][k]))
        for k, name in enumerate(outcomes.classes)
        if videos[k]
    ]
    return tuple(sorted(gains, key=lambda each: -each.gain))


def _most_certain(outcomes: Outcomes, wrong: int, flipped: np.ndarray) -> tuple[int, ...]:
    """Numbers of flipped videos, those first of whose wrong class the test `wrong` is most certain."""
    videos = np.flatnonzero(flipped)
    certain = np.nan_to_num(outcomes.tests[wrong].confidence[outcomes.rows[wrong][videos]], nan=-1.0)
    return tuple(int(video) for video in videos[np.argsort(-certain, kind="stable")])
