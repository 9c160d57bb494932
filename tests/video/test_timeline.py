"""Timelines of real files against time stamps read with PyAV and loops over them."""

from __future__ import annotations

import dataclasses
import math

import av
import numpy as np
import pytest
from rate_files import LASTS, write_at, write_scene

from videogn.axes import Segment, VideoRecord
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_table import read_frame_table
from videogn.video.decoders.guard import VideoGuard
from videogn.video.encode import write_video
from videogn.video.errors import VideoDecodeError
from videogn.video.timeline import make_timeline


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp("rates"))


def stamps(path):
    """Time stamps as PyAV gives them, in seconds from the first frame."""
    with av.open(path) as container:
        times = sorted(frame.pts * frame.time_base for frame in container.decode(video=0))
    return [float(time - times[0]) for time in times]


def timeline_of(path, fps=None, segment=None, frames=None):
    with open_video(path) as video:
        return make_timeline(video, VideoRecord(path, None, frames, segment=segment), fps)


@pytest.mark.parametrize("name", ["10", "25", "60", "uneven"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("opener", [open_video, VideoGuard(60).open, FrameCache(10**8).open])
def test_times_are_those_of_the_file(files, name, suffix, opener):
    """However it is opened, and from the second time on, which a cache takes from memory."""
    for _ in range(2):
        with opener(files[name, suffix], "auto") as video:
            times = video.times()
    assert times.dtype == np.float64
    assert times.tolist() == pytest.approx(stamps(files[name, suffix]), abs=1e-12)


def test_frames_without_times_follow_at_the_rate(tmp_path):
    """A raw stream has no time stamps."""
    write_video(tmp_path / "a.h264", np.zeros((9, 32, 32, 3), np.uint8), fps=10)
    with open_video(tmp_path / "a.h264") as video:
        assert video.times().tolist() == pytest.approx([k / video.info.fps for k in range(9)])


def test_lost_frames_follow_the_others(tmp_path):
    """A file that is cut short lists more frames than it has."""
    write_video(tmp_path / "a.mp4", np.zeros((20, 32, 32, 3), np.uint8), fps=20)
    table = read_frame_table(tmp_path / "a.mp4")
    cut = dataclasses.replace(table, readable=12, pts=table.pts[:12])
    assert cut.times().tolist() == pytest.approx([k / 20 for k in range(20)])


def test_the_whole_video_is_every_frame_once_and_asks_for_no_times(files, monkeypatch):
    monkeypatch.setattr("videogn.video.decoders.decode.OpenVideo.times", None)
    for segment, wanted in ((None, range(50)), (Segment(12, 48, "frames"), range(12, 48))):
        timeline = timeline_of(files["25", "mp4"], segment=segment)
        assert timeline.dtype == np.int64
        assert timeline.tolist() == list(wanted)
    assert timeline_of(files["25", "mp4"], frames=20).tolist() == list(range(20))


@pytest.mark.parametrize("name", ["10", "25", "60", "uneven"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("segment", [(0.4, 1.2), (0, 0.4), (1.5, 100), (0.41, 0.93)])
def test_a_segment_in_seconds_holds_the_frames_displayed_in_it(files, name, suffix, segment):
    times = stamps(files[name, suffix])
    wanted = [index for index, time in enumerate(times) if segment[0] <= time < segment[1]]
    assert timeline_of(files[name, suffix], segment=Segment(*segment)).tolist() == wanted


def test_a_segment_of_frames_ends_with_the_video(files):
    assert timeline_of(files["10", "mp4"], segment=Segment(18, 99, "frames")).tolist() == [18, 19]
    assert timeline_of(files["10", "mp4"], segment=Segment(0, 99, "frames"), frames=3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("segment", "frames", "words"),
    [
        (Segment(5.4, 11.6), None, r"#t=5.4,11.6: the segment holds no frame: the video lasts 2.00 s"),
        (Segment(1.2, 1.4), 8, r"#t=1.2,1.4: the segment holds no frame: the video lasts 0.80 s"),
        (Segment(0.51, 0.59), None, r"#t=0.51,0.59: the segment holds no frame: the video lasts 2.00 s"),
        (Segment(20, 30, "frames"), None, r"#frames=20,30: the segment holds no frame: the video has 20 frames"),
    ],
)
@pytest.mark.parametrize("fps", [None, 30])
def test_a_segment_that_holds_no_frame(files, segment, frames, words, fps):
    with pytest.raises(VideoDecodeError) as caught:
        timeline_of(files["10", "mp4"], fps, segment, frames)
    assert str(caught.value) == files["10", "mp4"] + words


def reference(times, fps, start=None, end=None):
    """The nearest frame to every multiple of 1/fps, in fractions of time stamps; the earlier of two."""
    inside = [k for k, time in enumerate(times) if (start is None or time >= start) and (end is None or time < end)]
    last = inside[-1]
    lasts = times[last] + times[last] / last
    start = times[inside[0]] if start is None else start
    end = lasts if end is None else min(end, lasts)
    found, step = [], 0
    while step == 0 or start + (step + 0.1) / fps < end:
        wanted = start + step / fps
        found.append(min(inside, key=lambda k: (round(abs(times[k] - wanted), 7), k)))
        step += 1
    return found


@pytest.mark.parametrize("name", ["10", "25", "30", "60", "uneven"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("fps", [30, 60, 12.5, 7, 1, 0.3])
@pytest.mark.parametrize("segment", [None, Segment(0.4, 1.2), Segment(0.95, 5)])
def test_a_rate_takes_the_nearest_frames(files, name, suffix, fps, segment):
    path = files[name, suffix]
    timeline = timeline_of(path, fps, segment)
    bounds = () if segment is None else segment[:2]
    assert timeline.tolist() == reference(stamps(path), fps, *bounds)
    assert math.isclose(len(timeline) / fps, LASTS, abs_tol=1 / fps + 0.1) or segment is not None


def test_time_stamps_that_cannot_be_true(tmp_path):
    """A jump of a year would make a timeline that no memory holds."""
    write_at(tmp_path / "a.mkv", [0, 0.1, 3e7])
    with pytest.raises(VideoDecodeError, match=r"its time stamps must be wrong: they make it last \d+ s"):
        timeline_of(str(tmp_path / "a.mkv"), 30)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_at_its_own_rate_every_frame_comes_once(files, suffix):
    assert timeline_of(files["30", suffix], 30).tolist() == list(range(60))
    assert timeline_of(files["30", suffix], 15).tolist() == list(range(0, 60, 2))
    assert timeline_of(files["30", suffix], 30, Segment(10, 20, "frames")).tolist() == list(range(10, 20))
