"""Clips that slide over a timeline, against loops over the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from videogn.choices import EvaluationViews
from videogn.video.clips import clip_indices, clips_from
from videogn.video.sliding import sliding_batches
from videogn.video.timeline import stride_places


def _nearest_places(times: np.ndarray, stride: float) -> list[int]:
    """The place nearest to every multiple of the stride, the earlier of two."""
    multiples = [k * stride for k in range(math.floor((times[-1] - times[0] + 1e-6) / stride) + 1)]
    found = [int(np.argmin(np.round(np.abs(times - times[0] - multiple), 9))) for multiple in multiples]
    return sorted(set(found))


@pytest.mark.parametrize("stride", [0.01, 0.1, 0.25, 0.3, 1.0, 7.0])
def test_places_nearest_to_a_stride(stride):
    rng = np.random.default_rng(1)
    for times in (np.arange(50) / 10, np.arange(90) / 29.97, 3 + np.cumsum(rng.uniform(0.01, 1.2, 40)), np.zeros(1)):
        assert stride_places(times, stride).tolist() == _nearest_places(times, stride)


@pytest.mark.parametrize("protocol", ["nonlocal", "mmaction2", "endpoint"])
def test_a_clip_from_a_frame_is_that_of_a_test_that_begins_there(protocol):
    tested = clip_indices(100, clip_length=5, interval=3, num_clips=4, protocol=protocol)
    assert clips_from(tested[:, 0], 100, clip_length=5, interval=3, protocol=protocol).tolist() == tested.tolist()


def test_slowfast_spreads_the_frames_of_a_clip():
    """A clip of 4 x 2 at 60 frames a second spans 16 frames: 0, 5, 10, 15."""
    settings = {"clip_length": 4, "interval": 2, "protocol": "slowfast", "fps": 60}
    assert clips_from(np.array([0, 7]), 100, **settings).tolist() == [[0, 5, 10, 15], [7, 12, 17, 22]]
    assert clips_from(np.array([90]), 100, **settings).tolist() == [[90, 95, 99, 99]]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize(("fps", "stride"), [(10.0, 0.3), (10.0, 0.1), (30.0, 0.7), (30.0, 5.0)])
def test_every_frame_is_needed_once_and_in_order(size, fps, stride):
    frames, times = np.arange(3, 203), np.arange(3, 203) / fps
    views = EvaluationViews(clip_length=4, interval=3)
    batches = list(sliding_batches(frames, times, views, stride=stride, size=size, fps=fps))
    clips = np.concatenate([batch.indices for batch in batches])
    starts = [place for place in _nearest_places(times[:191], stride) if place + 9 < 200]
    assert clips.tolist() == [[3 + start + step for step in (0, 3, 6, 9)] for start in starts]
    new = np.concatenate([batch.new for batch in batches])
    assert new.tolist() == sorted(set(clips.ravel().tolist()))  # increasing, each once, and no other
    decoded = np.empty(0, np.int64)
    for batch in batches:
        decoded = np.append(decoded, batch.new)
        assert set(batch.indices.ravel().tolist()) <= set(decoded.tolist())


@pytest.mark.parametrize(
    ("protocol", "wanted"), [("nonlocal", [5, 7, 6, 5]), ("endpoint", [5, 7, 7, 7]), ("slowfast", [5, 7, 7, 7])]
)
def test_a_video_shorter_than_a_clip_has_one(protocol, wanted):
    views = EvaluationViews(clip_length=4, interval=2, protocol=protocol)
    (batch,) = sliding_batches(np.array([5, 6, 7]), np.array([0.5, 0.6, 0.7]), views, stride=0.1, size=4, fps=30.0)
    assert batch.indices.tolist() == [wanted]
    assert batch.new.tolist() == sorted(set(wanted))


def test_a_rate_that_repeats_frames():
    """20 per second of a file of 10: places 0, 0, 1, 1, ...; clips every 0.2 s begin at places 0, 4, 8."""
    frames = np.repeat(np.arange(8), 2)
    views = EvaluationViews(clip_length=4, interval=2, fps=20)
    batches = list(sliding_batches(frames, frames / 10, views, stride=0.2, size=2, fps=10.0))
    assert np.concatenate([batch.indices for batch in batches]).tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]
