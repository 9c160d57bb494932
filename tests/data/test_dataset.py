"""Samples against decoding and resizing every frame of every view by itself."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from videogn.axes import Batch, Crop, VideoRecord
from videogn.data.dataset import VideoDataset, collate, load_sample
from videogn.data.plans import ViewPlan, centre_plan, evaluation_plan, training_plan
from videogn.video import clip_indices, decode_frames
from videogn.video.decode import OpenVideo
from videogn.video.encode import write_video
from videogn.video.transforms import resize_short_side, views_of

CLIP = {"clip_length": 4, "interval": 2}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """50 frames of 40 x 64 noise, no two alike."""
    path = tmp_path_factory.mktemp("dataset") / "a b.mp4"
    write_video(path, np.random.default_rng(0).integers(0, 256, (50, 40, 64, 3), dtype=np.uint8))
    return str(path)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    path = tmp_path_factory.mktemp("dataset") / "broken.mp4"
    path.write_bytes(b"no video" * 100)
    return str(path)


def _evaluation_plan(**changes):
    options = {"num_clips": 10, "protocol": "nonlocal", "short_side": 20, "crop_size": 16, "crops": "three_crop"}
    return evaluation_plan(**CLIP | options | changes)


def _training_plan(**changes):
    return training_plan(**CLIP | {"short_sides": (18, 24), "crop_size": 16, "flip": 0.5} | changes)


def _load(path, plan, *, position=0, label=3, seed=0):
    return load_sample(VideoRecord(path, label), position, plan, decoder="pyav", rng=np.random.default_rng(seed))


@pytest.fixture
def decoded(monkeypatch):
    """Every frame number that is asked of a decoder, in order; one list a call."""
    calls = []
    original = OpenVideo.frames

    def counting(self, indices):
        calls.append(np.asarray(indices).tolist())
        return original(self, indices)

    monkeypatch.setattr(OpenVideo, "frames", counting)
    return calls


@pytest.mark.parametrize("num_clips", [1, 10, 25])
def test_every_frame_is_decoded_once(wide, decoded, num_clips):
    """However many clips share it, and a bounded number at a time; the sample holds no other frames."""
    sample = _load(wide, _evaluation_plan(num_clips=num_clips))
    counts = Counter(itertools.chain(*decoded))
    assert set(counts.values()) == {1}
    assert set(counts) == set(clip_indices(50, **CLIP, num_clips=num_clips).ravel().tolist())
    assert len(sample.frames) == len(counts)
    assert max(map(len, decoded)) <= 32


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
    (view,) = views_of(_load(wide, centre_plan(**CLIP, short_side=20, crop_size=16)))
    frames = resize_short_side(torch.from_numpy(decode_frames(wide, [21, 23, 25, 27], "pyav")), 20)
    assert torch.equal(view, frames[:, 2:18, 8:24].permute(3, 0, 1, 2))


def test_training_views_are_drawn_from_all_that_the_plan_allows(wide):
    starts, sides, tops, lefts, flips = set(), set(), set(), set(), set()
    for seed in range(60):
        sample = _load(wide, _training_plan(), seed=seed)
        (crop,) = sample.crops
        starts.update(sample.starts)
        sides.add(sample.frames.shape[1])
        tops.add(crop.top)
        lefts.add(crop.left)
        flips.add(crop.flip)
        (view,) = views_of(sample)
        assert tuple(view.shape) == (3, 4, 16, 16)
    assert sides == set(range(18, 25))  # 18 and 24 inclusive
    assert min(starts) >= 0
    assert max(starts) <= 50 - 8
    assert len(starts) > 20
    assert max(tops) > 4
    assert max(lefts) > 10
    assert flips == {False, True}


def test_a_record_without_a_class(wide):
    sample = load_sample(VideoRecord(wide, None), 0, _evaluation_plan(), decoder="auto", rng=np.random.default_rng(0))
    assert sample.label == -1


def test_a_failed_video_keeps_its_reason_in_evaluation(wide, broken):
    dataset = VideoDataset(
        [VideoRecord(wide, 0), VideoRecord(broken, 1), VideoRecord("not/there.mp4", 2)], _evaluation_plan()
    )
    items = [dataset[n] for n in range(len(dataset))]
    assert [len(item) for item in items] == [1, 1, 1]
    assert items[0][0].error is None
    assert "not a readable video" in items[1][0].error
    assert "file not found" in items[2][0].error
    assert (items[1][0].position, items[1][0].path, items[1][0].label) == (1, broken, 1)
    assert items[1][0].frames is None
    batch = collate(items)
    assert [sample.position for sample in batch.samples] == [0]
    assert [sample.position for sample in batch.failed] == [1, 2]


def test_a_failed_video_is_replaced_in_training_and_listed(wide, broken, caplog):
    """The batch keeps its size; the failed one stays in it, by name, and is logged."""
    records = [VideoRecord(broken, 1), *[VideoRecord(wide, 0)] * 3]
    dataset = VideoDataset(records, _training_plan(), replace_failed=True)
    batch = collate([dataset[n] for n in range(4)])
    assert len(batch.samples) == 4
    assert {sample.path for sample in batch.samples} == {wide}
    assert {sample.path for sample in batch.failed} == {broken}
    assert any(broken in message and "another video" in message for message in caplog.messages)


def test_a_training_set_of_bad_videos_only_stops(broken):
    """Soon, with the name and the reason of one of them."""
    dataset = VideoDataset([VideoRecord(broken, 0)] * 5, _training_plan(), replace_failed=True)
    with pytest.raises(ValueError, match=r"cannot be decoded.*broken\.mp4: .*not a readable video"):
        dataset[0]


def test_with_a_seed_a_video_is_drawn_alike_every_time_and_unlike_others(wide):
    dataset = VideoDataset([VideoRecord(wide, 0)] * 6, _training_plan(), seed=5)
    first = [dataset[n][0] for n in range(6)]
    torch.manual_seed(99)
    again = [copy.deepcopy(dataset)[n][0] for n in reversed(range(6))][::-1]
    for one, other in zip(first, again, strict=True):
        assert (one.starts, one.crops) == (other.starts, other.crops)
        assert torch.equal(one.frames, other.frames)
    assert len({(sample.starts, sample.crops) for sample in first}) == 6
    other_seed = VideoDataset([VideoRecord(wide, 0)] * 6, _training_plan(), seed=6)
    assert [(s.starts, s.crops) for s in first] != [(other_seed[n][0].starts, other_seed[n][0].crops) for n in range(6)]


def test_without_a_seed_torchs_seed_decides(wide):
    """Which seed_everything sets; every draw is new."""
    dataset = VideoDataset([VideoRecord(wide, 0)], _training_plan())

    def draw():
        return [(sample.starts, sample.crops) for sample in (dataset[0][0] for _ in range(4))]

    torch.manual_seed(1)
    first, second = draw(), draw()
    torch.manual_seed(1)
    assert draw() == first
    assert len({*first, *second}) == 8


@pytest.mark.parametrize(
    "plan", [_training_plan(), _evaluation_plan(), centre_plan(**CLIP, short_side=20, crop_size=8)]
)
def test_plans_can_be_sent_to_processes(plan, wide):
    other = pickle.loads(pickle.dumps(plan))
    one, two = _load(wide, plan), _load(wide, other)
    assert (one.starts, one.crops) == (two.starts, two.crops)


def test_a_plan_of_ones_own(wide):
    """The functions of a plan are all that decides: one clip backwards, no resizing, two crops."""
    plan = ViewPlan(
        clips=lambda frames, rng: np.array([[frames - 1, frames - 2, 0]]),
        short_side=lambda rng: 40,
        crops=lambda height, width, rng: (Crop(0, 0, 4, 4), Crop(height - 4, width - 4, 4, 4)),
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
    """`videogn.inference.Predictor` promises it: it raises ValueError for a wrong name."""
    with pytest.raises(ValueError, match=f"did you mean '{words}'"):
        _evaluation_plan(**change)


def test_collate_of_nothing_decoded(broken):
    batch = collate([VideoDataset([VideoRecord(broken, 0)], _evaluation_plan())[0]])
    assert isinstance(batch, Batch)
    assert (len(batch.samples), len(batch.failed)) == (0, 1)
