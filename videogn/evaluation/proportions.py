"""Intervals of proportions over videos, such as accuracies."""

from __future__ import annotations

import bisect
import math
from statistics import NormalDist


def wilson_interval(share: float, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion ("Probable inference", JASA 1927).

    Unlike the mean ± z standard errors, it stays in [0, 1] and has a width where all videos, or none, are right.

    Args:
        share: Share of the videos that are right, in [0, 1].
        count: Number of videos, >= 1.
        level: Probability that the interval holds the accuracy of the population of such videos. Default: 0.95.

    Returns:
        Lower and upper end.

    Example:
        >>> from videogn.evaluation.proportions import wilson_interval
        >>> low, high = wilson_interval(0.75, 400)
        >>> round(low, 3), round(high, 3)
        (0.705, 0.79)
    """
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2 / count
    centre = share + z2 / 2
    half = math.sqrt(z2 * (share * (1 - share) + z2 / 4))
    return max((centre - half) / (1 + z2), 0.0), min((centre + half) / (1 + z2), 1.0)


def clopper_pearson_upper(hits: int, count: int, *, level: float = 0.95) -> float:
    """Exact one-sided upper bound of a proportion (Clopper and Pearson, Biometrika 1934).

    Args:
        hits: Number of hits.
        count: Number of trials, >= 1.
        level: Probability that the bound is not below the proportion. Default: 0.95.

    Returns:
        The proportion p at which `hits` or fewer have the probability 1 - level.

    Example:
        >>> from videogn.evaluation.proportions import clopper_pearson_upper
        >>> round(clopper_pearson_upper(0, 598), 5), round(clopper_pearson_upper(3, 100), 4)
        (0.005, 0.0757)
    """
    from scipy.stats import beta  # slow to import, and few need it

    return 1.0 if hits >= count else float(beta.ppf(level, hits + 1, count - hits))


def most_differing(count: int, sample: int, *, level: float = 0.95) -> int:
    """Bound the number of items that differ, of which a random sample without replacement showed none.

    If D of N items differ, a sample of n shows none of them with the probability C(N - D, n) / C(N, n), the
    hypergeometric distribution at 0. For large N it is (1 - D/N)^n, and the bound is about 3 N / n at 95 %, the "rule
    of three" (Hanley and Lippman-Hand, JAMA 1983).

    Args:
        count: Number of items, N.
        sample: Number of items that were drawn, n, in 0..N.
        level: Probability that the bound is not below D. Default: 0.95.

    Returns:
        The largest D that shows no difference in a sample with a probability of more than 1 - level.

    Example:
        >>> from videogn.evaluation.proportions import most_differing
        >>> most_differing(20_000, 100), most_differing(20_000, 1000), most_differing(100, 100)
        (588, 58, 0)
    """
    ways = math.comb(count, sample)
    unlikely = round(1 - level, 12)  # 0.1, and not 0.09999999999999998
    return bisect.bisect_left(
        range(1, count - sample + 1), True, key=lambda differ: math.comb(count - differ, sample) / ways <= unlikely
    )
