"""Wilson's interval against scipy's, and against its definition."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from videogn.evaluation.proportions import most_differing, wilson_interval


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (0, 16), (2, 16), (16, 16), (14_603, 19_881)])
def test_it_is_that_of_scipy(right, count, level):
    wanted = stats.binomtest(right, count).proportion_ci(level, method="wilson")
    assert wilson_interval(right / count, count, level=level) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_its_ends_are_where_the_score_test_rejects():
    for end in wilson_interval(0.3, 50):
        assert abs(0.3 - end) / math.sqrt(end * (1 - end) / 50) == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("count", [1, 5, 40, 200])
def test_the_bound_of_a_sample_without_a_difference_is_the_hypergeometric_one(count, level):
    for sample in range(0, count + 1, max(1, count // 7)):
        likely = [n for n in range(count + 1) if stats.hypergeom.pmf(0, count, n, sample) > 1 - level + 1e-12]
        assert most_differing(count, sample, level=level) == max(likely)


def test_the_bound_of_a_large_count_is_the_rule_of_three():
    bound = most_differing(1_000_000, 1000)
    assert bound / 1e6 == pytest.approx(1 - 0.05 ** (1 / 1000), rel=1e-3)
    assert bound / 1e6 == pytest.approx(3 / 1000, rel=5e-3)
