"""Wilson's interval against scipy's, and against its definition."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from videogn.evaluation.proportions import wilson_interval


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (0, 16), (2, 16), (16, 16), (14_603, 19_881)])
def test_it_is_that_of_scipy(right, count, level):
    wanted = stats.binomtest(right, count).proportion_ci(level, method="wilson")
    assert wilson_interval(right / count, count, level=level) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_its_ends_are_where_the_score_test_rejects():
    for end in wilson_interval(0.3, 50):
        assert abs(0.3 - end) / math.sqrt(end * (1 - end) / 50) == pytest.approx(1.959964, abs=1e-6)
