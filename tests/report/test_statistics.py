"""Intervals and tests against numbers computed by hand or by a formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from videogn.report.statistics import (
    accuracy_interval,
    bootstrap_interval,
    mcnemar_p,
    paired_t_p,
    pairs_needed,
    t_interval,
)


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


def test_interval_of_an_accuracy_by_hand():
    """30, 36 and 38 of 40 right: logits of 30.5/41, 36.5/41 and 38.5/41, with t(0.975, 2) = 4.302653."""
    interval = accuracy_interval([75.0, 90.0, 95.0], 40)
    logits = [math.log(right / (41 - right)) for right in (30.5, 36.5, 38.5)]
    middle = sum(logits) / 3
    half = 4.302653 * math.sqrt(sum((logit - middle) ** 2 for logit in logits) / 2) / math.sqrt(3)
    ends = [(41 / (1 + math.exp(-(middle + sign * half))) - 0.5) / 0.40 for sign in (-1, 1)]
    assert interval.mean == pytest.approx(260 / 3)
    assert [interval.low, interval.high] == pytest.approx([ends[0], min(ends[1], 100)], abs=1e-4)


@pytest.mark.parametrize("right", [0, 1, 20, 39, 40])
def test_seeds_that_agree_leave_an_accuracy_no_width(right):
    interval = accuracy_interval([right * 2.5] * 3, 40)
    assert [interval.low, interval.mean, interval.high] == pytest.approx([right * 2.5] * 3, abs=1e-9)


def test_interval_of_an_accuracy_stays_between_0_and_100_and_holds_the_mean():
    rng = np.random.default_rng(4)
    for _ in range(300):
        videos, seeds = int(rng.integers(1, 500)), int(rng.integers(2, 7))
        values = 100 * rng.binomial(videos, rng.beta(3, 0.5, seeds)) / videos
        interval = accuracy_interval(values, videos)
        assert 0 <= interval.low <= interval.mean <= interval.high <= 100
    assert accuracy_interval([80.0], 10).low is None


def test_far_from_the_ends_the_interval_of_an_accuracy_is_students():
    values = [54.9, 55.0, 55.2, 55.3]
    near, plain = accuracy_interval(values, 100_000), t_interval(values)
    assert [near.low, near.high] == pytest.approx([plain.low, plain.high], abs=0.002)


def test_the_p_value_of_a_paired_difference_agrees_with_its_interval():
    """1, 2 and 3: t = 2 sqrt(3), and with 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2)."""
    assert paired_t_p([1.0, 2.0, 3.0]) == pytest.approx(1 - math.sqrt(12 / 14))
    rng = np.random.default_rng(5)
    for values in rng.normal(1, 1, (100, 4)):
        assert (paired_t_p(values) < 0.05) is not t_interval(values).includes_zero
    assert paired_t_p([3.0]) is None
    assert paired_t_p([3.0, 3.0]) is None


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10), (1.5, 6)])
def test_pairs_of_published_tables(effect, pairs):
    """G*Power and Cohen's tables: paired t test, two-sided, 5 %, power 80 %."""
    assert pairs_needed(effect * 3, 3.0) == pairs


def test_as_many_pairs_do_show_the_difference():
    """Simulated: power at the number, and at one less, lie on both sides of 80 %."""
    rng = np.random.default_rng(6)
    pairs = pairs_needed(2.0, 2.0)
    few, enough = (np.mean([paired_t_p(v) < 0.05 for v in rng.normal(2, 2, (2000, n))]) for n in (pairs - 1, pairs))
    assert few - 0.025 < 0.8 < enough + 0.025
    assert pairs_needed(100.0, 0.1) == 2
    assert pairs_needed(0.001, 10.0) is None


@pytest.mark.parametrize(("difference", "spread"), [(0, 1), (1, 0), (-1, 1), (1, math.nan)])
def test_there_is_no_power_of_nothing(difference, spread):
    with pytest.raises(ValueError, match="must be > 0"):
        pairs_needed(difference, spread)
