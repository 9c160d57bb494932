"""Samples against decoding and resizing every frame of every view by itself."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torchvision.transforms.v2.functional import resized_crop

from videogn.axes import Crop, Segment, VideoRecord
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.plans import Layout, ViewPlan, centre_plan, evaluation_plan, training_plan
from videogn.data.sample import load_sample
from videogn.video import clip_indices, decode_frames, open_video
from videogn.video.crops import ResizedCrop
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.guard import VideoGuard
from videogn.video.encode import write_video
from videogn.video.transforms import views_of
from videogn.video.window import resize_short_side

CLIP = {"clip_length": 4, "interval": 2}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """50 frames of 40 x 64 noise, no two alike."""
    path = tmp_path_factory.mktemp("loading") / "a b.mp4"
    write_video(path, np.random.default_rng(0).integers(0, 256, (50, 40, 64, 3), dtype=np.uint8))
    return str(path)


def _evaluation_plan(**changes):
    options = {"num_clips": 10, "protocol": "nonlocal", "short_side": 20, "crop_size": 16, "crops": "three_crop"}
    return evaluation_plan(EvaluationViews(**CLIP | options | changes))


def _training_plan(**changes):
    options = {"short_sides": (18, 24), "flip": 0.5, "crop_size": 16} | changes
    short_sides, flip = options.pop("short_sides"), options.pop("flip")
    return training_plan(NetworkInput(**CLIP, **options), short_sides=short_sides, flip=flip)


def _load(path, plan, *, position=0, label=3, seed=0, frames=None, error=None, opener=open_video):
    record = VideoRecord(path, label, frames, error)
    return load_sample(record, position, plan, decoder="pyav", rng=np.random.default_rng(seed), opener=opener)


class Opener:
    """Opens as `open_video`; every call's frames lie in the same memory, and what was asked for is kept in `calls`."""

    def __init__(self):
        self.calls = []
        self._buffer = np.empty(50 * 40 * 64 * 3, np.uint8)

    @contextmanager
    def open(self, path, decoder):
        with open_video(path, decoder) as self._video:
            self.info = self._video.info
            yield self
        self._buffer[:] = 123

    fallback = None

    def pixels(self, indices, window=None, out=None):
        self.calls.append((np.asarray(indices).tolist(), window))
        frames = self._video.pixels(indices, window)
        self._buffer[:] = 77
        if out is None:
            out = self._buffer[: frames.size].reshape(frames.shape)
        out[:] = frames
        return out


@pytest.mark.parametrize("num_clips", [1, 10, 25])
def test_every_frame_is_decoded_once(wide, num_clips):
    """However many clips share it; the sample holds no other frames."""
    opener = Opener()
    sample = _load(wide, _evaluation_plan(num_clips=num_clips), opener=opener.open)
    counts = Counter(itertools.chain(*(indices for indices, _ in opener.calls)))
    assert set(counts.values()) == {1}
    assert set(counts) == set(clip_indices(50, **CLIP, num_clips=num_clips).ravel().tolist())
    assert len(sample.frames) == len(counts)


@pytest.mark.parametrize(
    "plan", [_training_plan(), _evaluation_plan(), centre_plan(NetworkInput(**CLIP, short_side=40, crop_size=9))]
)
def test_a_few_frames_at_a_time_are_the_same_and_are_copied(wide, plan, monkeypatch):
    """Bounded by bytes: of what is decoded, which for a crop is less. An opener may use its memory again."""
    whole = _load(wide, plan)
    for limit in (1, 3 * 40 * 64 * 3, 10**9):
        monkeypatch.setattr("videogn.data.resized_frames.CHUNK_BYTES", limit)
        opener = Opener()
        sample = _load(wide, plan, opener=opener.open)
        assert torch.equal(sample.frames, whole.frames)
        for indices, window in opener.calls:
            assert len(indices) == 1 or len(indices) * window.height * window.width * 3 <= limit
        assert limit > 1 or len(opener.calls) == len(whole.frames)
        assert limit < 10**9 or len(opener.calls) == 1


@pytest.mark.parametrize("make", [lambda: VideoGuard(60).open, lambda: FrameCache(10**7).open])
def test_whatever_opens_the_video_the_sample_is_the_same(wide, make):
    plain, other = _load(wide, _training_plan()), _load(wide, _training_plan(), opener=make())
    assert (plain.starts, plain.crops) == (other.starts, other.crops)
    assert torch.equal(plain.frames, other.frames)


def test_a_training_crop_decodes_and_resizes_its_window_only(tmp_path):
    """And is what is cut from the whole resized frame, to the tolerance of `videogn.video.window`."""
    frames = np.random.default_rng(1).integers(0, 256, (9, 90, 160, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", frames)
    plan = _training_plan(short_sides=(40, 60))
    for seed in range(20):
        opener = Opener()
        opener._buffer = np.empty(9 * 90 * 160 * 3, np.uint8)
        sample = _load(str(tmp_path / "a.mp4"), plan, seed=seed, opener=opener.open)
        rng = np.random.default_rng(seed)
        (indices,), (_, size, (crop,)) = plan.clips(9, rng), plan.layout(90, 160, rng)
        whole = resize_short_side(torch.from_numpy(decode_frames(tmp_path / "a.mp4", indices, "pyav")), size[0])
        wanted = whole[:, crop.top : crop.top + 16, crop.left : crop.left + 16].permute(3, 0, 1, 2)
        (view,) = views_of(sample)
        assert tuple(sample.frames.shape[1:]) == (16, 16, 3)
        assert (view.int() - (wanted.flip(-1) if crop.flip else wanted).int()).abs().max() <= 4
        assert all(window.height * window.width < 90 * 160 for _, window in opener.calls)


@pytest.mark.parametrize("antialias", [True, False])
def test_a_random_resized_crop_is_cut_and_then_resized(tmp_path, antialias):
    """As torchvision does: pixels beyond the part play no role, and none is decoded. The same part of all frames."""
    frames = np.random.default_rng(1).integers(0, 256, (9, 90, 160, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", frames)
    plan = training_plan(
        NetworkInput(**CLIP, crop_size=32, antialias=antialias),
        short_sides=(40, 60),
        flip=0.5,
        resized_crop=ResizedCrop((0.05, 1.0), (0.5, 2.0)),
    )
    flips = set()
    for seed in range(20):
        opener = Opener()
        opener._buffer = np.empty(9 * 90 * 160 * 3, np.uint8)
        sample = _load(str(tmp_path / "a.mp4"), plan, seed=seed, opener=opener.open)
        rng = np.random.default_rng(seed)
        (indices,), (part, size, (crop,)) = plan.clips(9, rng), plan.layout(90, 160, rng)
        decoded = torch.from_numpy(decode_frames(tmp_path / "a.mp4", indices, "pyav")).permute(0, 3, 1, 2)
        wanted = resized_crop(decoded.double(), *part[:4], size, antialias=antialias).permute(1, 0, 2, 3)
        (view,) = views_of(sample)
        assert tuple(view.shape) == (3, 4, 32, 32)
        assert (view - (wanted.flip(-1) if crop.flip else wanted)).abs().max() <= 1.5  # rounded along both axes
        assert all(window[:2] >= part[:2] and window.height <= part.height for _, window in opener.calls)
        assert sum(len(asked) for asked, _ in opener.calls) == len(set(indices))
        flips.add(crop.flip)
    assert flips == {True, False}


def test_a_record_with_an_error_is_not_opened(wide):
    opener = Opener()
    sample = _load(wide, _training_plan(), position=6, error="corrupt: no frame", opener=opener.open)
    assert (sample.position, sample.path, sample.label, sample.error) == (6, wide, 3, "corrupt: no frame")
    assert sample.frames is None
    assert not opener.calls


def test_clips_are_laid_over_the_frames_that_the_index_counted(wide):
    """But over no more than the file has."""
    for counted, there in ((20, 20), (50, 50), (70, 50)):
        sample = _load(wide, _evaluation_plan(num_clips=4), frames=counted)
        assert sample.num_frames == there
        assert sample.starts == tuple(clip_indices(there, **CLIP, num_clips=4)[:, 0].tolist())


@pytest.mark.parametrize("segment", [Segment(10, 30, "frames"), Segment(1 / 3, 1.0)])
@pytest.mark.parametrize("opener", [open_video, VideoGuard(60).open, FrameCache(10**7).open])
def test_clips_of_a_segment_stay_in_it(wide, segment, opener):
    """20 frames from frame 10 on, of 30 a second: clips as of a video of 20 frames; starts are frames of the file."""
    sample = load_sample(
        VideoRecord(wide, 3, segment=segment),
        0,
        _evaluation_plan(crops="full"),
        decoder="pyav",
        rng=np.random.default_rng(0),
        opener=opener,
    )
    indices = 10 + clip_indices(20, **CLIP, num_clips=10)
    assert (sample.num_frames, sample.path) == (20, f"{wide}#{segment.fragment}")
    assert sample.starts == tuple(indices[:, 0].tolist())
    for clip, wanted in zip(views_of(sample), indices, strict=True):
        frames = resize_short_side(torch.from_numpy(decode_frames(wide, wanted, "pyav")), 20)
        assert torch.equal(clip, frames.permute(3, 0, 1, 2))


def test_a_segment_without_frames_fails_alone(wide):
    record = VideoRecord(wide, 3, segment=Segment(4, 6.5))
    sample = load_sample(record, 7, _evaluation_plan(), decoder="pyav", rng=np.random.default_rng(0))
    assert (sample.path, sample.position, sample.label) == (f"{wide}#t=4,6.5", 7, 3)
    assert sample.error == "the segment holds no frame: the video lasts 1.67 s"


def test_views_are_the_frames_of_the_protocol(wide):
    """Content of every view = decode_frames at the clip's indices, resized, cut; by itself, without shared frames."""
    sample = _load(wide, _evaluation_plan(num_clips=7))
    indices = clip_indices(50, **CLIP, num_clips=7)
    views = list(views_of(sample))
    assert len(views) == 7 * 3
    for number, view in enumerate(views):
        frames = resize_short_side(torch.from_numpy(decode_frames(wide, indices[number // 3], "pyav")), 20)  # 20 x 32
        left = (0, 6, 12)[number % 3]
        assert torch.equal(view, frames[:, :, left : left + 20].permute(3, 0, 1, 2))


def test_a_sample_says_what_it_is(wide):
    sample = _load(wide, _evaluation_plan(num_clips=3), position=8)
    assert (sample.position, sample.path, sample.label, sample.num_frames, sample.error) == (8, wide, 3, 50, None)
    assert sample.starts == (0, 16, 33)
    assert sample.frames.dtype == torch.uint8
    assert tuple(sample.frames.shape[1:]) == (20, 32, 3)
    assert sample.clips.dtype == torch.int64
    assert tuple(sample.clips.shape) == (3, 4)
    assert sample.crops == (Crop(0, 0, 20, 20), Crop(0, 6, 20, 20), Crop(0, 12, 20, 20))


def test_starts_are_frame_numbers_of_the_video_also_where_a_clip_wraps(wide):
    sample = _load(wide, _evaluation_plan(num_clips=10, crops="full"))
    assert sample.starts == (0, 5, 10, 15, 20, 25, 30, 35, 40, 45)
    last = decode_frames(wide, [45, 47, 49, 1], "pyav")
    assert torch.equal(sample.frames[sample.clips[9]], resize_short_side(torch.from_numpy(last), 20))


def test_the_centre_plan(wide):
    """Frames 21, 23, 25, 27 of 50 and the middle 16 x 16 of 20 x 32."""
    (view,) = views_of(_load(wide, centre_plan(NetworkInput(**CLIP, short_side=20, crop_size=16))))
    frames = resize_short_side(torch.from_numpy(decode_frames(wide, [21, 23, 25, 27], "pyav")), 20)
    assert torch.equal(view, frames[:, 2:18, 8:24].permute(3, 0, 1, 2))


def test_training_views_are_drawn_from_all_that_the_plan_allows(wide):
    rng = np.random.default_rng(0)
    assert {_training_plan().layout(40, 64, rng).resized[0] for _ in range(99)} == set(
        range(18, 25)
    )  # 18 and 24 inclusive
    starts, flips = set(), set()
    for seed in range(60):
        sample = _load(wide, _training_plan(), seed=seed)
        (crop,) = sample.crops
        starts.update(sample.starts)
        flips.add(crop.flip)
        (view,) = views_of(sample)
        assert tuple(view.shape) == (3, 4, 16, 16)
    assert min(starts) >= 0
    assert max(starts) <= 50 - 8
    assert len(starts) > 20
    assert flips == {False, True}


def test_a_record_without_a_class(wide):
    sample = load_sample(VideoRecord(wide, None), 0, _evaluation_plan(), decoder="auto", rng=np.random.default_rng(0))
    assert sample.label == -1


@pytest.mark.parametrize(
    "plan", [_training_plan(), _evaluation_plan(), centre_plan(NetworkInput(**CLIP, short_side=20, crop_size=8))]
)
def test_plans_can_be_sent_to_processes(plan, wide):
    other = pickle.loads(pickle.dumps(plan))
    one, two = _load(wide, plan), _load(wide, other)
    assert (one.starts, one.crops) == (two.starts, two.crops)


def test_a_plan_of_ones_own(wide):
    """The functions of a plan are all that decides: one clip backwards, no resizing, two crops."""
    plan = ViewPlan(
        clips=lambda frames, rng, fps: np.array([[frames - 1, frames - 2, 0]]),
        layout=lambda height, width, rng: Layout(
            Crop(0, 0, height, width), (height, width), (Crop(0, 0, 4, 4), Crop(height - 4, width - 4, 4, 4))
        ),
    )
    views = list(views_of(_load(wide, plan)))
    frames = torch.from_numpy(decode_frames(wide, [49, 48, 0], "pyav"))
    assert torch.equal(views[0], frames[:, :4, :4].permute(3, 0, 1, 2))
    assert torch.equal(views[1], frames[:, -4:, -4:].permute(3, 0, 1, 2))


def test_an_error_of_the_plan_is_not_mistaken_for_a_bad_video(wide):
    """A crop that does not fit is a mistake in the settings: it must not turn every video into a failed one."""
    with pytest.raises(ValueError, match="crop size"):
        _load(wide, _training_plan(crop_size=30))


@pytest.mark.parametrize(("change", "words"), [({"protocol": "nonlocl"}, "nonlocal"), ({"crops": "centre"}, "center")])
def test_a_plan_refuses_a_wrong_name_when_it_is_made(change, words):
    """`videogn.inference.predictor.Predictor` promises it: it raises ValueError for a wrong name."""
    with pytest.raises(ValueError, match=f"did you mean '{words}'"):
        _evaluation_plan(**change)
