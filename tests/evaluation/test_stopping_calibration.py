"""Calibrated early stopping: the bound by the definition, the search, and that it keeps its word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from videogn.evaluation.anytime import Course
from videogn.evaluation.proportions import clopper_pearson_upper
from videogn.evaluation.stopping_calibration import calibrate, videos_needed


def videos(draw: np.random.Generator, count: int) -> np.ndarray:
    """Probabilities (n, 10, 3) of clips; about half of the videos are close calls."""
    scores = draw.normal(size=(count, 1, 3)) * draw.uniform(0, 3, (count, 1, 1)) + draw.normal(size=(count, 10, 3))
    powers = np.exp(scores)
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("hits", "count"), [(0, 598), (1, 20), (3, 100), (19, 20)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_bound_is_where_so_few_hits_are_improbable(hits, count, level):
    bound = clopper_pearson_upper(hits, count, level=level)
    assert stats.binom.cdf(hits, count, bound) == pytest.approx(1 - level)
    assert sum(math.comb(count, k) * bound**k * (1 - bound) ** (count - k) for k in range(hits + 1)) == pytest.approx(
        1 - level
    )


def test_all_hits_bound_nothing():
    assert clopper_pearson_upper(5, 5) == 1


@pytest.mark.parametrize("agreement", [0.9, 0.99, 0.995])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_number_of_videos_that_is_needed(agreement, confidence):
    count = videos_needed(agreement, confidence)
    assert clopper_pearson_upper(0, count, level=confidence) <= 1 - agreement + 1e-12
    assert clopper_pearson_upper(0, count - 1, level=confidence) > 1 - agreement


def test_too_few_videos():
    course = Course.of(videos(np.random.default_rng(0), 300))
    with pytest.raises(
        ValueError, match=r"takes the clips of at least 598 videos .* got 300: .* an agreement of 0\.99$"
    ):
        calibrate(course, agreement=0.995)
    assert calibrate(course, agreement=0.99).videos == 300


@pytest.mark.parametrize("wrong", [{"agreement": 99.5}, {"agreement": 1}, {"agreement": 0.9, "confidence": 0}])
def test_shares_are_between_0_and_1(wrong):
    with pytest.raises(ValueError, match=r"must be > 0 and < 1, got"):
        calibrate(Course.of(videos(np.random.default_rng(0), 10)), **wrong)


def test_the_rule_is_the_last_of_those_that_are_shown_one_after_the_other():
    course = Course.of(videos(np.random.default_rng(3), 800))
    found = calibrate(course, agreement=0.97, confidence=0.9)
    used, classes = course.stopped(found.rule)
    changed = int((classes != course.classes[:, -1]).sum())
    assert (found.changed, found.clips_used) == (changed, used.mean())
    assert stats.binom.cdf(changed, 800, 0.03) <= 0.1
    laxer = type(found.rule)(10, round(found.rule.strictness - 0.01, 2))
    _, classes = course.stopped(laxer)
    assert stats.binom.cdf(int((classes != course.classes[:, -1]).sum()), 800, 0.03) > 0.1
    strict = calibrate(course, agreement=0.99, confidence=0.9)
    assert strict.rule.strictness > found.rule.strictness
    assert found.clips_used < strict.clips_used < 10


def test_clips_that_agree_take_one():
    clips = np.tile(np.array([0.2, 0.8]), (700, 10, 1))
    found = calibrate(Course.of(clips), agreement=0.995)
    assert (found.clips_used, found.changed) == (1, 0)


def test_the_stated_agreement_holds_as_often_as_stated():
    """Calibrations on 400 videos at a confidence of 0.8; what their rules do to 8,000 others is known well enough."""
    draw = np.random.default_rng(0)
    others = Course.of(videos(draw, 8_000))
    kept = saved = 0
    for _ in range(40):
        rule = calibrate(Course.of(videos(draw, 400)), agreement=0.97, confidence=0.8).rule
        used, classes = others.stopped(rule)
        kept += (classes == others.classes[:, -1]).mean() >= 0.97
        saved += 10 - used.mean()
    assert stats.binom.cdf(kept, 40, 0.8) > 0.01, kept
    assert saved / 40 > 2
