"""Intervals and tests of a comparison: over seeds (Student), over videos (bootstrap), of pairs (McNemar), power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from videogn.checks import require_positive

#: Of every interval in a report.
LEVEL = 0.95
RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean with an interval.

    Attributes:
        mean: Mean of the values.
        low: Lower end, or None where one value says nothing about the spread.
        high: Upper end, or None.
        count: Number of values.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def half_width(self) -> float | None:
        """Half of the width of the interval, or None."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def includes_zero(self) -> bool | None:
        """Whether 0 lies in the interval; None where there is none."""
        return None if self.low is None or self.high is None else self.low <= 0 <= self.high


def t_interval(values: Sequence[float], *, level: float = LEVEL) -> Interval:
    """Student's interval of a mean ("The probable error of a mean", Biometrika 1908): mean ± t s / sqrt(n).

    It takes the values as independent and normal; t has n - 1 degrees of freedom.

    Args:
        values: Values, at least one.
        level: Probability that the interval holds the mean.

    Returns:
        Mean and interval; without an interval for one value.
    """
    from scipy import stats  # slow to import, and a training run imports this package without needing it

    count = len(values)
    mean = float(np.mean(values))
    if count == 1:
        return Interval(mean, None, None, 1)
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, count)


def accuracy_interval(values: Sequence[float], videos: int, *, level: float = LEVEL) -> Interval:
    """Student's interval of a mean accuracy, computed on the logit scale, so that it stays in [0, 100].

        l_i = log((k_i + 1/2) / (N - k_i + 1/2)),    ends = expit(mean(l) ± t s(l) / sqrt(n))

    k_i = N a_i / 100 of N videos are right with seed i; s is the standard deviation over the n seeds. The halves keep
    the logit of 0 and of N finite (the empirical logit of Cox, Analysis of Binary Data, 1970, section 3.2) and are
    taken off again at the ends.

    Args:
        values: Accuracies, per cent, one a seed, at least one.
        videos: Number of test videos N behind each.
        level: Probability that the interval holds what more seeds would agree on.

    Returns:
        The plain mean, and the interval; without an interval for one value.

    Example:
        >>> from videogn.report.statistics import accuracy_interval
        >>> interval = accuracy_interval([97.5, 98.1, 99.4], 320)
        >>> f"{interval.mean:.1f} ({interval.low:.1f} to {interval.high:.1f})"
        '98.3 (92.1 to 99.9)'
    """
    from scipy import special

    right = np.asarray(values) * videos / 100
    on_logits = t_interval(list(special.logit((right + 0.5) / (videos + 1))), level=level)
    mean = float(np.mean(values))
    if on_logits.low is None or on_logits.high is None:
        return Interval(mean, None, None, on_logits.count)
    ends = [float(special.expit(end)) * (videos + 1) - 0.5 for end in (on_logits.low, on_logits.high)]
    low, high = (min(max(100 * end / videos, 0.0), 100.0) for end in ends)
    # One seed far below many near 100 % may draw the plain mean below the interval of the logits.
    return Interval(mean, min(low, mean), max(high, mean), on_logits.count)


def paired_t_p(values: Sequence[float]) -> float | None:
    """Student's paired t test: the p value of no difference, for the interval of `t_interval`.

    Args:
        values: Differences of pairs, for instance of the runs of each seed.

    Returns:
        The two-sided p value; None for one value, and where all are equal, which a few seeds may be by chance.
    """
    from scipy import stats

    if len(set(values)) < 2:
        return None
    return float(stats.ttest_1samp(values, 0.0).pvalue)


def pairs_needed(
    difference: float, spread: float, *, level: float = 1 - LEVEL, power: float = 0.8, most: int = 10_000
) -> int | None:
    """Count the pairs with which Student's paired t test shows a difference (Cohen 1988, sections 2.2 and 2.3).

    t of n pairs follows a noncentral t distribution with n - 1 degrees of freedom about sqrt(n) difference / spread.

    Args:
        difference: True mean of the differences.
        spread: Their standard deviation, in the same unit.
        level: Probability of seeing a difference where there is none, two-sided.
        power: Least probability of seeing this one.
        most: Largest number that is looked at.

    Returns:
        The smallest number of pairs, at least 2; None where `most` are too few.

    Raises:
        ValueError: The difference or the spread is not positive.

    Example:
        >>> from videogn.report.statistics import pairs_needed
        >>> pairs_needed(difference=2.0, spread=4.0)
        34
    """
    from scipy import stats

    require_positive("difference", difference)
    require_positive("spread", spread)

    def shown(pairs: int) -> bool:
        bound = stats.t.ppf(1 - level / 2, pairs - 1)
        about = math.sqrt(pairs) * difference / spread
        wrong_side = np.nan_to_num(stats.nct.cdf(-bound, pairs - 1, about))  # NaN where it is too small to compute
        return bool(stats.nct.sf(bound, pairs - 1, about) + wrong_side >= power)

    few, enough = 1, 2  # power grows with the number of pairs
    while not shown(enough):
        if enough >= most:
            return None
        few, enough = enough, min(2 * enough, most)
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if shown(middle) else (middle, enough)
    return enough


def welch_interval(first: Sequence[float], second: Sequence[float], *, level: float = LEVEL) -> Interval:
    """Welch's interval of a difference of means of unpaired values (Biometrika 1947).

    Args:
        first: Values, at least one.
        second: Values that are compared with them, at least one.
        level: Probability that the interval holds the difference.

    Returns:
        Mean of `second` minus that of `first`, with an interval where both have several values that are not all equal.
    """
    from scipy import stats

    mean, count = float(np.mean(second) - np.mean(first)), len(first) + len(second)
    squares = [
        float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else math.nan for values in (first, second)
    ]
    if not sum(squares) > 0:
        return Interval(mean, None, None, count)
    freedom = sum(squares) ** 2 / sum(s**2 / (len(v) - 1) for s, v in zip(squares, (first, second), strict=True))
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(sum(squares))
    return Interval(mean, mean - half, mean + half, count)


def bootstrap_interval(
    values: np.ndarray, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Percentile bootstrap of a mean (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

    N values drawn with replacement contain each distinct value a multinomial number of times; drawing these numbers is
    the same as drawing the values, and costs nothing where, as for correctness, few values are distinct.

    Args:
        values: Values (N,), one a video, N >= 1.
        level: Probability between the percentiles.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Mean and interval; the interval has no width where all values are equal.
    """
    distinct, counts = np.unique(values, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(values), counts / len(values), size=resamples)  # (resamples, distinct values)
    means = drawn @ distinct / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.mean(values)), float(low), float(high), len(values))


def mcnemar_p(only_first: int, only_second: int) -> float:
    """McNemar's exact test of two networks on the same videos (Psychometrika 1947).

    Were both equally good, each video that only one of them has right would be a fair coin.

    Args:
        only_first: Number of videos that only the first has right.
        only_second: Number of videos that only the second has right.

    Returns:
        The two-sided p value of the binomial; 1 where they never differ.
    """
    from scipy import stats

    different = only_first + only_second
    return 1.0 if different == 0 else float(stats.binomtest(only_first, different, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction ("A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979).

    Args:
        p_values: p values of several tests.

    Returns:
        The adjusted ones: with those below 0.05 rejected, the probability of a false rejection is at most 0.05.

    Example:
        >>> from videogn.report.statistics import holm
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min((len(p_values) - rank) * p_values[place], 1.0))
        adjusted[place] = largest
    return adjusted
