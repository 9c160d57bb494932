"""Early stopping: the order of the clips, hand-computed stops, and what each rule may and may not change."""

from __future__ import annotations

import math

import numpy as np
import pytest

from videogn.evaluation.anytime import Course, StoppingRule, scoring_order


@pytest.mark.parametrize(
    ("num_clips", "order"),
    [
        (1, [0]),
        (2, [1, 0]),
        (3, [1, 0, 2]),
        # From 5, clip 0 is 5 away and clip 9 only 4; then 2 and 7 are two away, and the rest one.
        (10, [5, 0, 9, 2, 7, 1, 3, 4, 6, 8]),
    ],
)
def test_the_order_by_hand(num_clips, order):
    assert scoring_order(num_clips).tolist() == order


@pytest.mark.parametrize("num_clips", [4, 7, 30, 64])
def test_every_clip_is_the_farthest_from_those_before(num_clips):
    order = scoring_order(num_clips).tolist()
    assert sorted(order) == list(range(num_clips))
    for count in range(1, num_clips):
        distance = {clip: min(abs(clip - other) for other in order[:count]) for clip in range(num_clips)}
        assert distance[order[count]] == max(distance.values())


def test_certain_stops_by_hand():
    """Four clips: a lead of more than 3, 2, 1 after one, two, three clips."""
    rule = StoppingRule(4)
    np.testing.assert_allclose(rule.thresholds, [3, 2, 1, -math.inf], atol=1e-4)
    assert not rule.stops([1.0, 0.0], 1)
    assert not rule.stops([2.0, 0.0], 2)  # two clips could make it a tie
    assert rule.stops([2.2, 0.5, 0.3], 3)
    assert not rule.stops([1.6, 0.8, 0.6], 3)
    assert rule.stops([2.0, 2.0], 4)


def test_likely_stops_by_hand():
    """sqrt(1 * 3 / 4) = 0.866, sqrt(2 * 2 / 4) = 1, sqrt(3 * 1 / 4) = 0.866, halved; never above the certain ones."""
    rule = StoppingRule(4, 0.5)
    np.testing.assert_allclose(rule.thresholds, [0.4330, 0.5, 0.4330, -math.inf], atol=1e-4)
    assert rule.stops([0.8, 0.1, 0.1], 1)
    assert not rule.stops([0.6, 0.3, 0.1], 1)
    np.testing.assert_allclose(StoppingRule(4, 2.5).thresholds, [2.1651, 2, 1, -math.inf], atol=1e-4)


@pytest.mark.parametrize("strictness", [-0.1, math.nan])
def test_strictness_is_checked(strictness):
    with pytest.raises(ValueError, match="strictness must be >= 0, got"):
        StoppingRule(4, strictness)


def _by_the_definition(clips: np.ndarray, rule: StoppingRule) -> tuple[int, int]:
    """Clips used of one video (V, K), and its class, clip by clip."""
    total = np.zeros(clips.shape[1])
    for seen, number in enumerate(scoring_order(len(clips)).tolist(), 1):
        total += clips[number]
        if rule.stops(total, seen):
            return seen, int(total.argmax())
    raise AssertionError("it never stopped")


def _videos(seed: int, *, count: int, clips: int, classes: int, sharpness: float) -> np.ndarray:
    """Probabilities (n, V, K) of clips that agree more or less."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(count, 1, classes)) + draw.normal(size=(count, clips, classes))
    powers = np.exp(sharpness * scores)
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(100))
def test_the_certain_rule_never_changes_a_class(seed):
    draw = np.random.default_rng(seed)
    clips, classes, sharpness = draw.integers(1, 13), draw.integers(1, 6), draw.uniform(0, 8)
    videos = _videos(seed, count=50, clips=clips, classes=classes, sharpness=sharpness)
    used, found = Course.of(videos).stopped(StoppingRule(clips))
    assert ((used >= 1) & (used <= clips)).all()
    early = used < clips  # with all clips, rounding may decide between two classes that are equal
    np.testing.assert_array_equal(found[early], videos.mean(axis=1).argmax(axis=-1)[early])
    means = videos.astype(np.float64).mean(axis=1)
    np.testing.assert_allclose(np.take_along_axis(means, found[:, None], axis=1)[:, 0], means.max(axis=-1), rtol=1e-9)


def test_the_certain_rule_misses_nothing_that_is_certain():
    """Where it goes on, the clips that are left could change the class: if all gave the second class everything."""
    videos = _videos(1, count=200, clips=6, classes=3, sharpness=4.0)
    used, _ = Course.of(videos).stopped(StoppingRule(6))
    assert used.min() < 6
    for clips, stop in zip(videos.astype(np.float64), used, strict=True):
        for seen in range(1, stop):
            total = clips[scoring_order(6)[:seen]].sum(axis=0)
            best, second = np.argsort(-total)[:2]
            assert total[second] + 6 - seen >= total[best] - 1e-4


@pytest.mark.parametrize("strictness", [math.inf, 1.0, 0.3, 0.0])
def test_a_course_stops_as_videos_do_one_by_one(strictness):
    videos, rule = _videos(2, count=60, clips=10, classes=4, sharpness=2.0), StoppingRule(10, strictness)
    used, found = Course.of(videos).stopped(rule)
    assert [*zip(used.tolist(), found.tolist(), strict=True)] == [_by_the_definition(each, rule) for each in videos]
    if strictness == 0:
        assert (used == 1).all()
