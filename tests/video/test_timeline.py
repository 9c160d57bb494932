"""Timelines of real files against time stamps read with PyAV and loops over them."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import av
import numpy as np
import pytest

from videogn.axes import Segment, VideoRecord
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_table import read_frame_table
from videogn.video.decoders.guard import VideoGuard
from videogn.video.encode import write_video
from videogn.video.errors import VideoDecodeError
from videogn.video.timeline import make_timeline

#: Seconds of the scene in every file.
LASTS = 2


def write_at(path, seconds, *, lasts=LASTS):
    """A file with a frame at each of these times; its grey level says when: 100 levels a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000, options={"crf": "1", "bf": "2", "preset": "ultrafast"})
        stream.width = stream.height = 32
        stream.codec_context.time_base = stream.time_base = Fraction(1, 90_000)
        for second in [*seconds]:
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), round(100 * second), np.uint8), format="rgb24")
            picture.pts, picture.time_base = round(second * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One scene of two seconds at several rates, in two containers: Matroska rounds times to milliseconds."""
    folder = tmp_path_factory.mktemp("rates")
    uneven = np.sort(np.random.default_rng(0).choice(np.arange(1, 200), 80, replace=False)) / 100
    times = {f"{rate}": [Fraction(k, rate) for k in range(rate * LASTS)] for rate in (10, 25, 30, 60)}
    times["uneven"] = [0.0, *uneven.tolist()]
    paths = {}
    for name, seconds in times.items():
        for suffix in ("mp4", "mkv"):
            paths[name, suffix] = str(folder / f"{name}.{suffix}")
            write_at(paths[name, suffix], seconds)
    return paths


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
        assert timeline.frames.dtype == np.int64
        assert timeline.frames.tolist() == list(wanted)
        assert len(timeline) == len(wanted)
        with open_video(files["25", "mp4"]) as video:
            assert timeline.fps == video.info.fps
    assert timeline_of(files["25", "mp4"], frames=20).frames.tolist() == list(range(20))


@pytest.mark.parametrize("name", ["10", "25", "60", "uneven"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("segment", [(0.4, 1.2), (0, 0.4), (1.5, 100), (0.41, 0.93)])
def test_a_segment_in_seconds_holds_the_frames_displayed_in_it(files, name, suffix, segment):
    times = stamps(files[name, suffix])
    wanted = [index for index, time in enumerate(times) if segment[0] <= time < segment[1]]
    assert timeline_of(files[name, suffix], segment=Segment(*segment)).frames.tolist() == wanted


def test_a_segment_of_frames_ends_with_the_video(files):
    assert timeline_of(files["10", "mp4"], segment=Segment(18, 99, "frames")).frames.tolist() == [18, 19]
    assert timeline_of(files["10", "mp4"], segment=Segment(0, 99, "frames"), frames=3).frames.tolist() == [0, 1, 2]


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
    assert timeline.frames.tolist() == reference(stamps(path), fps, *bounds)
    assert timeline.fps == fps
    assert math.isclose(len(timeline) / fps, LASTS, abs_tol=1 / fps + 0.1) or segment is not None


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_at_its_own_rate_every_frame_comes_once(files, suffix):
    assert timeline_of(files["30", suffix], 30).frames.tolist() == list(range(60))
    assert timeline_of(files["30", suffix], 15).frames.tolist() == list(range(0, 60, 2))
    assert timeline_of(files["30", suffix], 30, Segment(10, 20, "frames")).frames.tolist() == list(range(10, 20))
