"""Predictors that stop early: which clips are scored, and what predictions then hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from videogn.evaluation.anytime import Course, StoppingRule, scoring_order
from videogn.inference import Predictor

CLIPS = 6


@pytest.fixture
def predictor(trained) -> Predictor:
    last = trained / "checkpoints" / "last.ckpt"
    return Predictor(last, num_clips=CLIPS, protocol="endpoint", device="cpu", time_limit=0)


@pytest.fixture
def videos(motion, tmp_path) -> list[str]:
    """Sixteen videos, among which one is broken."""
    (tmp_path / "empty.mp4").touch()
    good = sorted(str(path) for path in motion.glob("val/*/*.mp4"))
    return [*good[:5], str(tmp_path / "empty.mp4"), *good[5:]]


def test_a_rule_that_never_stops_changes_nothing(predictor, videos):
    """A network that has seen 32 videos is sure of nothing."""
    full = list(predictor.predict(videos))
    found = list(predictor.predict(videos, stopping=StoppingRule(CLIPS)))
    assert [each.path for each in found] == videos
    for one, other in zip(found, full, strict=True):
        assert (one.error, one.clip_times) == (other.error, other.clip_times)
        assert [name for name, _ in one.scores] == [name for name, _ in other.scores]
        assert other.clips is None
        if one.error is None:
            assert one.clips == CLIPS
            np.testing.assert_allclose(one.clip_probabilities, other.clip_probabilities, atol=1e-6)
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


@pytest.mark.parametrize("batch_clips", [None, 1, 40])
def test_the_clips_are_those_that_the_rule_asks_for(predictor, videos, batch_clips, shown):
    full = [each for each in predictor.predict(videos) if each.error is None]
    clips = np.stack([each.clip_probabilities for each in full])
    course = Course.of(clips)
    rule = StoppingRule(CLIPS, float(np.median(course.leads[:, 0])) / math.sqrt((CLIPS - 1) / CLIPS))
    used, _ = course.stopped(rule)
    assert 0 < (used == 1).sum() < len(used)
    found = [each for each in predictor.predict(videos, batch_clips=batch_clips, stopping=rule) if each.error is None]
    assert [each.clips for each in found] == used.tolist()
    for one, other, count in zip(found, full, used, strict=True):
        numbers = sorted(scoring_order(CLIPS)[:count])
        assert one.clip_times == tuple(other.clip_times[number] for number in numbers)
        np.testing.assert_allclose(one.clip_probabilities, other.clip_probabilities[numbers], atol=1e-6)
        np.testing.assert_allclose(one.probabilities, one.clip_probabilities.mean(axis=0), atol=1e-6)


def test_crops_of_a_clip_stay_together(trained, videos):
    predictor = Predictor(
        trained / "checkpoints" / "last.ckpt", num_clips=CLIPS, crops="three_crop", device="cpu", time_limit=0
    )
    full, found = (
        next(predictor.predict(videos[0])),
        next(predictor.predict(videos[0], stopping=StoppingRule(CLIPS, 0))),
    )
    assert found.clips == 1
    np.testing.assert_allclose(found.clip_probabilities[0], full.clip_probabilities[CLIPS // 2], atol=1e-6)


def test_a_sample_is_cut_down_to_what_was_scored(predictor, videos):
    sample = next(predictor.decode(videos[0]))
    starts = sample.starts
    next(predictor.classify([sample], stopping=StoppingRule(CLIPS, 0)))
    assert sample.starts == (starts[CLIPS // 2],)
    assert len(sample.clips) == len(sample.times) == 1


def test_a_rule_for_other_clips_is_refused(predictor):
    with pytest.raises(ValueError, match="stopping must be a rule for the 6 clips of a video, got one for 10"):
        predictor.predict([], stopping=StoppingRule(10))
