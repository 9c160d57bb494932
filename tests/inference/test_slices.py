"""Who scores what, and what becomes of the videos of lost workers; without Ray."""

from __future__ import annotations

import itertools
import random
from collections import Counter, deque

import pytest

from videogn.axes import VideoRecord
from videogn.inference.bulk.slices import MOST_LOSSES, SLICE, Slices
from videogn.inference.prediction import Prediction


def records(count):
    return [VideoRecord(f"{number}.mp4", None) for number in range(count)]


def test_slices_are_taken_lazily_and_once():
    taken = []
    slices = Slices(taken.append(record) or record for record in records(2 * SLICE + 1))
    first = slices.next_slice(0)
    assert first == taken == records(SLICE)
    assert [len(slices.next_slice(worker)) for worker in (1, 0, 1)] == [SLICE, 1, 0]
    assert slices.exhausted
    assert not slices.finished
    assert slices.next_alone(2) is None
    for worker, videos in ((0, [*first, taken[-1]]), (1, taken[SLICE:-1])):
        assert not slices.is_free(worker)
        for video in videos:
            slices.done(worker, Prediction(video.name))
        assert slices.is_free(worker)
    assert slices.finished


def test_the_videos_of_a_lost_worker_go_alone_and_fail_after_three():
    slices = Slices(records(2))
    assert slices.next_slice(0) == records(2)
    assert slices.next_slice(0) == []
    assert slices.lost(0, "gone") == []
    assert not slices.finished
    good, bad = slices.next_alone(1), slices.next_alone(2)
    assert [good, bad] == records(2)
    slices.done(1, Prediction(good.name))
    assert slices.lost(2, "gone") == []
    assert slices.next_alone(3) == bad
    assert slices.lost(3, "OutOfMemoryError: no memory") == [
        Prediction(bad.name, error="3 workers were lost at it; OutOfMemoryError: no memory")
    ]
    assert slices.finished
    assert slices.lost(1, "idle") == slices.lost(9, "unknown") == []


@pytest.mark.parametrize("seed", range(20))
def test_every_video_has_one_prediction_whatever_is_lost(seed):
    """Deadly videos fail after three workers. Two workers are lost for no reason, which is no video's fault."""
    draw = random.Random(seed)
    videos = records(draw.randint(0, 100))
    deadly = {video.name for video in videos if draw.random() < 0.05}
    slices, found, numbers = Slices(videos), [], itertools.count()
    workers = {next(numbers): deque() for _ in range(3)}
    preempted, losses = 2, Counter()
    while not slices.finished:
        number = draw.choice(list(workers))
        held = workers[number]
        if not held and (alone := slices.next_alone(number)) is not None:
            held.append(alone)
        elif len(held) < SLICE and draw.random() < 0.5:
            held.extend(slices.next_slice(number))
        if held and (held[0].name in deadly or (preempted and draw.random() < 0.02)):
            preempted -= held[0].name not in deadly
            losses[held[0].name] += 1
            found += slices.lost(number, "lost")
            del workers[number]
            workers[next(numbers)] = deque()
        elif held:
            prediction = Prediction(held.popleft().name, (("run", 1.0),))
            slices.done(number, prediction)
            found.append(prediction)
    assert Counter(prediction.path for prediction in found) == Counter(video.name for video in videos)
    assert {prediction.path for prediction in found if prediction.error} == deadly
    assert all(losses[name] <= MOST_LOSSES for name in deadly)
