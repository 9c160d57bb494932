"""Windows of long videos against samples of the same frames; segments against tables worked out by hand."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import av
import numpy as np
import pytest
import torch

from videogn.axes import Segment, VideoRecord
from videogn.choices import EvaluationViews
from videogn.data.plans import evaluation_plan
from videogn.data.sample import load_sample
from videogn.data.sliding_samples import sliding_samples
from videogn.inference import Predictor
from videogn.inference.timelines.labelling import _smoothed, label_segments
from videogn.inference.timelines.window import Window
from videogn.training.task import VideoClassifier
from videogn.video.clips import clips_from
from videogn.video.decoders.decode import open_video
from videogn.video.encode import write_video
from videogn.video.errors import VideoDecodeError
from videogn.video.timeline import make_timeline, stride_places

NAMES = ["jump", "run", "swim"]


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """80 frames, 8 s, each of another brightness and noise."""
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 60, (80, 36, 48, 3)) + np.arange(80)[:, None, None, None] * 2
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    write_video(path, frames.astype(np.uint8), fps=10, gop=8)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(2)
    task = VideoClassifier("i3d_tiny", class_names=NAMES, clip_length=4, interval=3, crop_size=32, short_side=32)
    path = tmp_path_factory.mktemp("network") / "tiny.ckpt"
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, path)
    return path


def _one_clip(record, views, indices):
    """The sample of one clip, decoded alone."""
    plan = replace(evaluation_plan(views), clips=lambda *_: np.array([indices]), fps=None)
    sample = load_sample(record, 0, plan, decoder="auto", rng=np.random.default_rng(0), timed=True)
    assert sample.error is None
    return sample


@pytest.mark.parametrize("crops", ["full", "three_crop"])
@pytest.mark.parametrize("batch_clips", [None, 1, 5])
def test_windows_are_clips_of_the_same_frames(checkpoint, long_video, crops, batch_clips):
    predictor = Predictor(checkpoint, crops=crops, device="cpu", precision="32", time_limit=0)
    windows = list(predictor.timeline(long_video, stride=0.7, batch_clips=batch_clips))
    starts = [start for start in stride_places(np.arange(80) / 10, 0.7) if start + 9 < 80]
    assert [window.start for window in windows] == pytest.approx([start / 10 for start in starts])
    assert [window.end for window in windows] == pytest.approx([start / 10 + 1 for start in starts])
    record = VideoRecord(str(long_video), None)
    for start, window in zip(starts, windows, strict=True):
        sample = _one_clip(record, predictor.views, [start, start + 3, start + 6, start + 9])
        (alone,) = predictor.classify([sample])
        assert sample.times == ((window.start, window.end),)
        np.testing.assert_allclose(window.probabilities, alone.probabilities, rtol=0, atol=1e-6)
    assert len({window.probabilities.tobytes() for window in windows}) == len(windows)


@pytest.mark.parametrize("stride", [0.1, 0.4, 3.0])
@pytest.mark.parametrize("fps", [None, 15.0])
@pytest.mark.parametrize("clips", [1, 3])
def test_every_frame_is_decoded_once(long_video, stride, fps, clips):
    asked: list[int] = []
    most = 0

    @contextmanager
    def counted(path, decoder):
        with open_video(path, decoder) as video:
            pixels = video.pixels
            video.pixels = lambda indices, *rest: (asked.extend(indices.tolist()), pixels(indices, *rest))[1]
            yield video

    views = EvaluationViews(clip_length=4, interval=3, crop_size=32, short_side=32, fps=fps)
    record = VideoRecord(str(long_video), None)
    wanted = set()
    for sample in sliding_samples(record, views, stride=stride, clips=clips, opener=counted):
        most = max(most, len(sample.frames))
        for clip, start in zip(sample.clips, sample.starts, strict=True):
            numbers = _clip_of(record, start, fps)
            wanted |= set(numbers)
            alone = _one_clip(record, replace(views, fps=None), numbers)
            assert torch.equal(sample.frames[clip], alone.frames[alone.clips[0]])
    assert asked == sorted(wanted)
    assert most <= 10 + (clips - 1) * max(10 * stride, 10)  # the ring holds the clips at hand


def _clip_of(record, start, fps):
    if fps is None:
        return [start, start + 3, start + 6, start + 9]
    with open_video(record.path) as video:
        frames = make_timeline(video, record, fps)
    place = int(np.searchsorted(frames, start))
    places = clips_from(np.array([place]), len(frames), clip_length=4, interval=3, protocol="nonlocal")[0]
    return frames[places].tolist()


def test_a_segment_of_a_video(long_video):
    views = EvaluationViews(clip_length=4, interval=3, crop_size=32, short_side=32)
    record = VideoRecord(str(long_video), None, segment=Segment(2, 4))
    samples = list(sliding_samples(record, views, stride=0.5, clips=2))
    assert [sample.starts for sample in samples] == [(20, 25), (30,)]
    assert samples[0].path.endswith("long.mp4#t=2,4")
    assert samples[1].times == ((3.0, 4.0),)


@pytest.mark.parametrize("clips", [1, 4])
def test_a_damaged_video_is_scored_up_to_the_damage(tmp_path, clips):
    """Zeros in the place of frame 37."""
    path = tmp_path / "damaged.mkv"
    frames = np.random.default_rng(0).integers(0, 255, (60, 36, 48, 3)).astype(np.uint8)
    write_video(path, frames, fps=10, gop=10, options={"bf": "0"})
    with av.open(str(path)) as container:
        lost = [packet for packet in container.demux(video=0) if packet.size][37]
    data = bytearray(path.read_bytes())
    data[lost.pos + 16 : lost.pos + lost.size] = bytes(lost.size - 16)
    path.write_bytes(data)
    views = EvaluationViews(clip_length=4, interval=1, crop_size=32, short_side=32)
    samples = sliding_samples(VideoRecord(str(path), None), views, stride=0.2, clips=clips)
    found: list[int] = []
    with pytest.raises(VideoDecodeError, match="frame 37 of 60 cannot be decoded"):
        found.extend(start for sample in samples for start in sample.starts)
    assert found == list(range(0, 34, 2))  # frames 32 to 35 are the last clip


def test_what_cannot_be_opened_is_an_error(checkpoint, tmp_path):
    predictor = Predictor(checkpoint, device="cpu", time_limit=0)
    with pytest.raises(VideoDecodeError, match="file not found"):
        next(predictor.timeline(tmp_path / "nowhere.mp4", stride=1))
    with pytest.raises(ValueError, match="stride must be > 0, got 0"):
        next(predictor.timeline(tmp_path / "nowhere.mp4", stride=0))


def _windows(*rows, length=2.0, step=1.0):
    return [Window(step * k, step * k + length, np.array(row, np.float32)) for k, row in enumerate(rows)]


A, B, C = (0.8, 0.1, 0.1), (0.2, 0.7, 0.1), (0.3, 0.3, 0.4)


def _segments(windows, **options):
    return [(s.start, s.end, s.label, round(s.score, 6)) for s in label_segments(windows, NAMES, **options)]


def test_runs_of_a_class():
    assert _segments(_windows(A, A, B, B, B, C)) == [
        (0.0, 2.5, "jump", 0.8),
        (2.5, 5.5, "run", 0.7),
        (5.5, 7.0, "swim", 0.4),
    ]
    assert _segments([]) == []
    assert _segments(_windows(B)) == [(0.0, 2.0, "run", 0.7)]


def test_windows_without_a_class_are_no_segment():
    assert _segments(_windows(A, C, B), min_score=0.5) == [(0.0, 1.5, "jump", 0.8), (2.5, 4.0, "run", 0.7)]


def test_smoothing_averages_the_windows_around():
    """Over 2 s at one window a second: each with its two neighbours, at the ends with one."""
    windows = _windows(A, A, B, A, A)
    # Means of jump: .8, .6, .6, .6, .8; of run: .1, .3, .3, .3, .1.
    assert _segments(windows, smooth=2) == [(0.0, 6.0, "jump", 0.68)]
    assert [label for *_, label, _ in _segments(windows, smooth=1.9)] == ["jump", "run", "jump"]


@pytest.mark.parametrize("seconds", [0.0, 0.5, 2.0, 3.1, 100.0])
def test_smoothing_against_the_definition(seconds):
    rng = np.random.default_rng(5)
    starts = np.cumsum(rng.uniform(0.1, 1.5, 60))
    values = rng.dirichlet([1, 1, 1], 60)
    windows = [Window(start, start + 1, row) for start, row in zip(starts, values, strict=True)]
    smoothed = list(_smoothed(iter(windows), seconds))
    assert [window for window, _ in smoothed] == windows
    for (_, mean), start in zip(smoothed, starts, strict=True):
        np.testing.assert_allclose(mean, values[np.abs(starts - start) <= seconds / 2 + 1e-6].mean(axis=0), rtol=1e-12)


def test_short_segments_go_to_the_longer_neighbour():
    windows = _windows(A, A, A, B, C, C, A, A)
    assert _segments(windows) == [
        (0.0, 3.5, "jump", 0.8),
        (3.5, 4.5, "run", 0.7),
        (4.5, 6.5, "swim", 0.4),
        (6.5, 9.0, "jump", 0.8),
    ]
    # run goes to jump, which is longer than swim; then swim, 2 s, goes to the later jump, and all are one.
    assert _segments(windows, min_length=1.5) == [
        (0.0, 4.5, "jump", 0.65),
        (4.5, 6.5, "swim", 0.4),
        (6.5, 9.0, "jump", 0.8),
    ]
    assert _segments(windows, min_length=2.5) == [(0.0, 9.0, "jump", 0.6)]
    assert _segments(windows, min_length=100) == [(0.0, 9.0, "jump", 0.6)]


def test_short_gaps_close_and_short_segments_in_a_gap_go():
    gap = _windows(A, A, C, A, A)
    assert _segments(gap, min_score=0.5, min_length=1.2) == [(0.0, 6.0, "jump", 0.7)]
    alone = _windows(C, C, C, A, C, C, C)
    assert _segments(alone, min_score=0.5) == [(3.5, 4.5, "jump", 0.8)]
    assert _segments(alone, min_score=0.5, min_length=1.2) == []


@pytest.mark.parametrize(("option", "value"), [("smooth", -1), ("min_length", -1), ("min_score", 1.5)])
def test_options_out_of_range(option, value):
    with pytest.raises(ValueError, match=option):
        label_segments([], NAMES, **{option: value})
