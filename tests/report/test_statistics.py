"""Intervals and tests against numbers computed by hand or by a formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from videogn.report.statistics import bootstrap_interval, mcnemar_p, t_interval


def test_students_interval_by_hand():
    # mean 72, s = 2, t(0.975, 2) = 4.302653 (any table): 4.302653 * 2 / sqrt(3)
    interval = t_interval([70.0, 72.0, 74.0])
    assert (interval.mean, interval.count) == (72.0, 3)
    assert interval.half_width == pytest.approx(4.9683, abs=1e-4)
    assert (interval.low, interval.high) == (pytest.approx(67.0317, abs=1e-4), pytest.approx(76.9683, abs=1e-4))
    # t(0.975, 1) = tan(0.475 pi), Cauchy's
    assert t_interval([1.0, 3.0]).half_width == pytest.approx(math.tan(0.475 * math.pi))


def test_one_value_has_no_interval():
    interval = t_interval([70.0])
    assert interval.mean == 70
    assert interval.low is interval.high is interval.half_width is interval.includes_zero is None


def test_students_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [t_interval(sample) for sample in rng.normal(3, 2, size=(2000, 4))]
    held = np.mean([interval.low <= 3 <= interval.high for interval in intervals])
    assert held == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("low", "high", "includes"), [(-1, 2, True), (0, 2, True), (0.5, 2, False), (-2, -1, False)])
def test_includes_zero(low, high, includes):
    values = np.array([low, high], dtype=np.float64)
    interval = bootstrap_interval(values, resamples=200)
    assert (interval.low, interval.high) == (low, high)
    assert interval.includes_zero is includes


def test_bootstrap_against_the_normal_approximation():
    # Differences of correctness: -100, 0 or +100 points for each of 2000 videos.
    values = np.random.default_rng(1).choice([-100.0, 0.0, 100.0], p=[0.1, 0.72, 0.18], size=2000)
    interval = bootstrap_interval(values)
    half = 1.959964 * values.std() / math.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.06 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.06 * half)


def test_bootstrap_against_drawing_the_videos_themselves():
    values = np.random.default_rng(2).choice([-1.0, 0.0, 1 / 3, 1.0], size=60)
    drawn = np.random.default_rng(3).choice(values, size=(20_000, 60)).mean(axis=1)
    interval = bootstrap_interval(values)
    assert [interval.low, interval.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.012)


def test_bootstrap_is_seeded_and_exact_where_nothing_varies():
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    assert bootstrap_interval(values) == bootstrap_interval(values)
    constant = bootstrap_interval(np.zeros(7))
    assert (constant.low, constant.mean, constant.high) == (0, 0, 0)


@pytest.mark.parametrize(("first", "second"), [(1, 0), (3, 1), (5, 5), (12, 4), (2, 17), (40, 60)])
def test_mcnemar_against_the_binomial_sum(first, second):
    n = first + second
    tail = sum(math.comb(n, k) for k in range(min(first, second) + 1)) / 2**n
    assert mcnemar_p(first, second) == pytest.approx(min(2 * tail, 1), rel=1e-9)
    assert mcnemar_p(first, second) == pytest.approx(mcnemar_p(second, first))


def test_mcnemar_of_networks_that_never_differ():
    assert mcnemar_p(0, 0) == 1


def test_mcnemar_by_hand():
    # 1 of 6: 2 * (1 + 6) / 64
    assert mcnemar_p(1, 5) == pytest.approx(14 / 64)
