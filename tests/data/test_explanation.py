"""Clips spelt out: all frame numbers can be read back, and those past the end are known."""

from __future__ import annotations

import re

import numpy as np
import pytest

from videogn.axes import VideoRecord
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.explanation import explain_clips, short_list
from videogn.data.plans import evaluation_plan, training_plan
from videogn.data.sample import load_sample
from videogn.video import VideoInfo, read_frame_table
from videogn.video.clips import PROTOCOLS, clip_indices, clip_step


def _read(text: str) -> list[int]:
    """Undo `short_list`."""
    numbers: list[int] = []
    for part in text.split("; "):
        times = 1
        if found := re.fullmatch(r"\(?(.+?)\)? x (\d+)", part):
            part, times = found[1], int(found[2])
        if found := re.fullmatch(r"(\d+), (\d+) \.\.\. (\d+)", part):
            first, second, last = map(int, found.groups())
            run = list(range(first, last + 1, second - first))
        else:
            run = list(map(int, part.split(", ")))
        numbers += run * times
    return numbers


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (range(0, 64, 2), "0, 2 ... 62"),
        ([7], "7"),
        ([5, 6, 9], "5, 6; 9"),
        ([3, 4, 5], "3, 4, 5"),
        ([39] * 12, "39 x 12"),
        ([0, 1, 2, 3] * 3, "(0, 1 ... 3) x 3"),
        ([1, 3, 0, 2, 4, 6], "1, 3; 0, 2 ... 6"),
    ],
)
def test_short_list(numbers, text):
    assert short_list(list(numbers)) == text
    assert _read(text) == list(numbers)


def test_every_short_list_can_be_read_back():
    rng = np.random.default_rng(0)
    for _ in range(300):
        numbers = (rng.integers(0, 4, size=rng.integers(1, 12)).cumsum() % rng.integers(2, 20)).tolist()
        assert _read(short_list(numbers)) == numbers


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("frames", [1, 9, 64, 65, 300])
def test_test_clips(frames, protocol):
    clip = {"clip_length": 32, "interval": 2}
    plan = evaluation_plan(
        EvaluationViews(**clip, protocol=protocol, short_side=128, crop_size=112, crops="three_crop")
    )
    step = clip_step(**clip, protocol=protocol)
    clips = explain_clips(VideoInfo(frames, 30.0, 240, 320), np.arange(frames), plan, step=step)
    expected = clip_indices(frames, **clip, num_clips=10, protocol=protocol)
    assert [list(each.indices) for each in clips] == expected.tolist()
    for each in clips:
        inside = 32 - each.beyond
        assert each.beyond == sum(each.indices[0] + step * place >= frames for place in range(32))
        assert np.diff(each.indices[:inside]) == pytest.approx(np.full(max(inside - 1, 0), step), abs=1)
        assert (each.substitute is None) == (each.beyond == 0)
        if frames > 1 and each.beyond:
            assert each.substitute == ("wrapped" if protocol in ("nonlocal", "mmaction2") else "repeated")
        assert each.frame_size == (128, 171)
        assert len(each.crops) == 3
        text = each.describe().replace(" | wrapped ", "; ").replace(" | repeated ", "; ")
        assert _read(text) == list(each.indices)


def test_training_clips_are_those_of_a_worker(motion):
    """The same draws in the same order as `load_sample` makes them."""
    path = str(sorted(motion.rglob("*.mp4"))[0])  # 32 frames of 32 x 32
    plan = training_plan(NetworkInput(clip_length=4, interval=3, crop_size=24), short_sides=(32, 48), flip=0.5)
    clips = explain_clips(read_frame_table(path).info, np.arange(32), plan, step=3, draws=5, seed=5)
    for draw, clip in enumerate(clips):
        rng = np.random.default_rng([5, draw])
        sample = load_sample(VideoRecord(path, None), 0, plan, decoder="auto", rng=rng)
        assert sample.starts == (clip.indices[0],)
        assert sample.crops[0].flip == clip.crops[0].flip
    assert len({clip.frame_size for clip in clips}) > 1


def test_frames_are_those_of_the_timeline():
    """Every other frame of 40: clips of four at interval 5 are ten frames apart; the last wraps round."""
    views = EvaluationViews(clip_length=4, interval=5, num_clips=2, short_side=32, crop_size=32, fps=15)
    first, last = explain_clips(VideoInfo(40, 30.0, 32, 32), np.arange(0, 40, 2), evaluation_plan(views), step=5)
    assert (first.indices, first.beyond) == ((0, 10, 20, 30), 0)
    assert (last.indices, last.beyond, last.substitute) == ((20, 30, 0, 10), 2, "wrapped")
