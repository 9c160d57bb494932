"""Data sets: which samples come of a list of videos, good and bad."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from videogn.axes import Batch, VideoRecord
from videogn.choices import EvaluationViews, NetworkInput
from videogn.data.dataset import VideoDataset, collate
from videogn.data.plans import evaluation_plan, training_plan
from videogn.data.sampler import Draw
from videogn.video.encode import write_video

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
    return evaluation_plan(EvaluationViews(**CLIP | options | changes))


def _training_plan(**changes):
    options = {"short_sides": (18, 24), "flip": 0.5, "crop_size": 16} | changes
    short_sides, flip = options.pop("short_sides"), options.pop("flip")
    return training_plan(NetworkInput(**CLIP, **options), short_sides=short_sides, flip=flip)


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


def test_a_failed_video_is_replaced_in_training_and_listed(wide, broken):
    """The batch keeps its size; the failed one stays in it, by name."""
    records = [VideoRecord(broken, 1), *[VideoRecord(wide, 0)] * 3]
    dataset = VideoDataset(records, _training_plan(), replace_failed=True)
    batch = collate([dataset[n] for n in range(4)])
    assert len(batch.samples) == 4
    assert {sample.path for sample in batch.samples} == {wide}
    assert {sample.path for sample in batch.failed} == {broken}


def test_the_replacement_is_a_function_of_seed_epoch_and_position(wide, broken):
    """Also where several fail in a row; and not the same for all that fail."""
    records = [*[VideoRecord(broken, 1)] * 6, *[VideoRecord(wide, 0)] * 6]
    dataset = VideoDataset(records, _training_plan(), replace_failed=True, seed=2)

    def drawn(epoch):
        return [[(s.position, s.starts, s.crops) for s in dataset[Draw(epoch, n)]] for n in range(6)]

    first = drawn(0)
    torch.manual_seed(99)
    assert drawn(0) == first
    assert drawn(1) != first
    assert max(map(len, first)) > 2
    assert len({item[1] for item in first}) > 3


def test_an_index_that_knows_better_is_believed(wide):
    """The video is not even opened, and its reason is the index's."""
    dataset = VideoDataset([VideoRecord(wide, 0, error="truncated: 3 of 50 frames")], _evaluation_plan())
    assert [(s.error, s.frames) for s in dataset[0]] == [("truncated: 3 of 50 frames", None)]


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


def test_torchs_random_numbers_make_no_difference_and_epochs_do(wide):
    dataset = VideoDataset([VideoRecord(wide, 0)], _training_plan(), seed=1)

    def draw():
        return [(sample.starts, sample.crops) for sample in (dataset[Draw(epoch, 0)][0] for epoch in range(6))]

    torch.manual_seed(1)
    first = draw()
    torch.manual_seed(2)
    assert draw() == first
    assert len(set(first)) == 6


def test_collate_of_nothing_decoded(broken):
    batch = collate([VideoDataset([VideoRecord(broken, 0)], _evaluation_plan())[0]])
    assert isinstance(batch, Batch)
    assert (len(batch.samples), len(batch.failed)) == (0, 1)
