"""Differences of tests on the same videos: intervals over the videos, and McNemar's test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videogn.report.statistics import LEVEL, RESAMPLES, Interval

#: Resamples that are computed at once: with 400 classes, 5 MB.
_AT_ONCE = 500
#: Resamples of a mean average precision, each of which ranks all videos for every class again.
PRECISION_RESAMPLES = 1000


@dataclass(frozen=True)
class Difference:
    """A measure of two tests over their common videos, in per cent.

    Attributes:
        first: Of the first test.
        second: Of the second test.
        interval: The second minus the first, in percentage points, with the bootstrap's interval over the videos.
    """

    first: float
    second: float
    interval: Interval


@dataclass(frozen=True)
class Discordance:
    """McNemar's exact test of two tests.

    Attributes:
        only_first: Number of videos that only the first has right.
        only_second: Number of videos that only the second has right.
        p: Two-sided p value.
        adjusted: The p value after Holm's correction for the number of pairs.
    """

    only_first: int
    only_second: int
    p: float
    adjusted: float


def mean_over_classes(
    values: np.ndarray, classes: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Percentile bootstrap of a mean in which every class counts alike, over videos drawn with replacement.

    A class of which a resample has no video does not count in it, as in `mean_class_accuracy`. As in
    `bootstrap_interval`, the numbers of times are drawn, of each value of each class.

    Args:
        values: Values (N,), one a video, N >= 1.
        classes: Class of each video, (N,).
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Mean and interval.
    """
    kinds, counts = np.unique(np.stack([classes, values], axis=1), axis=0, return_counts=True)
    of_kind = kinds[:, 1]
    first = np.flatnonzero(np.diff(kinds[:, 0], prepend=kinds[0, 0] - 1))  # the first kind of each class
    rng = np.random.default_rng(seed)

    def means(drawn: np.ndarray) -> np.ndarray:
        videos = np.add.reduceat(drawn, first, axis=1)  # (resamples, classes)
        sums = np.add.reduceat(drawn * of_kind, first, axis=1)
        return np.divide(sums, videos, out=np.zeros_like(sums), where=videos > 0).sum(axis=1) / (videos > 0).sum(axis=1)

    shares = counts / len(values)
    parts = [
        means(rng.multinomial(len(values), shares, size=min(_AT_ONCE, resamples - begun)))
        for begun in range(0, resamples, _AT_ONCE)
    ]
    return percentiles(float(means(counts[None])[0]), np.concatenate(parts), len(values))


def percentiles(mean: float, drawn: np.ndarray, count: int) -> Interval:
    """Interval of `videogn.report.statistics.LEVEL` between percentiles of resamples, (resamples,)."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high), count)


def drawn_videos(count: int, *, resamples: int = PRECISION_RESAMPLES, seed: int = 0) -> np.ndarray:
    """Draw how often each video is in each resample: float32 (N, resamples)."""
    rng = np.random.default_rng(seed)
    draws = (np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(resamples))
    return np.stack(list(draws), axis=1).astype(np.float32)


def weighted_precision(scores: np.ndarray, shown: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision of a class, for videos that count several times: see `evaluation.average_precision`.

    Args:
        scores: Score of each video, (N,); NaN for one that could not be scored, which is never found.
        shown: Whether it shows the class, (N,).
        weights: How often each video counts, in each resample: whole numbers, float32 (N, R).

    Returns:
        The average precision of each resample, (R,); NaN where no video shows the class.
    """
    from scipy.sparse import csr_array  # slow to import, and few comparisons need it

    positives = weights[shown].sum(axis=0, dtype=np.float64)
    ranked = np.flatnonzero(~np.isnan(scores))
    ranked = ranked[np.argsort(-scores[ranked], kind="stable")]
    # Videos of equal score are passed at one threshold; those matter at which something is found.
    threshold = np.cumsum(np.diff(scores[ranked], prepend=np.nan) != 0)
    hits = shown[ranked]
    finding = np.unique(threshold[hits])
    if not len(finding):
        return np.where(positives > 0, 0.0, np.nan)
    passed_at = np.searchsorted(finding, threshold)

    def counts(which: np.ndarray) -> np.ndarray:
        """How many of some ranked videos each threshold adds, (thresholds, R): sums of rows of `weights`."""
        rows, columns = passed_at[which], ranked[which]
        ones = np.ones(len(rows), np.float32)
        return (csr_array((ones, (rows, columns)), shape=(len(finding), len(weights))) @ weights).astype(np.float64)

    gains = counts(hits)
    found = np.cumsum(gains, axis=0)
    passed = np.cumsum(counts(passed_at < len(finding)), axis=0)
    total = (gains * (found / np.maximum(passed, 1))).sum(axis=0)
    return np.divide(total, positives, out=np.full(len(total), np.nan), where=positives > 0)
