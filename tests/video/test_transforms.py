"""Frames to model input: against slices and formulas in numpy, view by view."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from videogn.axes import Crop, Sample
from videogn.video.transforms import normalise, view_chunks, views_of


def _sample(rng, *, clips, crops, frames=5, height=8, width=10):
    return Sample(
        0,
        "a.mp4",
        1,
        frames=torch.from_numpy(rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)),
        clips=torch.from_numpy(rng.integers(0, frames, (clips, 3))),
        crops=crops,
    )


def _one_by_one(sample):
    """View = clip * crops + crop; its pixel (c, t, y, x) is that of frame clips[clip, t] at the crop's place."""
    views = []
    for clip, crop in itertools.product(sample.clips.tolist(), sample.crops):
        view = np.empty((3, len(clip), crop.height, crop.width), np.uint8)
        for c, (t, frame), y, x in itertools.product(range(3), enumerate(clip), range(crop.height), range(crop.width)):
            column = crop.width - 1 - x if crop.flip else x
            view[c, t, y, x] = sample.frames[frame, crop.top + y, crop.left + column, c]
        views.append(view)
    return np.stack(views)


@pytest.mark.parametrize(
    "crops",
    [
        (Crop(0, 0, 8, 10),),
        (Crop(1, 2, 4, 6),),
        (Crop(1, 2, 4, 6, flip=True),),
        (Crop(0, 0, 4, 6), Crop(2, 3, 4, 6), Crop(4, 4, 4, 6, flip=True)),
    ],
)
def test_views_are_clips_first_then_crops(crops):
    sample = _sample(np.random.default_rng(0), clips=2, crops=crops)
    views = views_of(sample)
    assert views.dtype == torch.uint8
    np.testing.assert_array_equal(views.numpy(), _one_by_one(sample))


@pytest.mark.parametrize("same_place", [True, False])
@pytest.mark.parametrize("same_size", [True, False])
def test_views_of_several_videos(same_place, same_size):
    """Each with frames of its own number, clips and mirroring: as one by one."""
    rng = np.random.default_rng(1)
    samples = []
    for number in range(4):
        top = 0 if same_place else number
        size = {} if same_size or same_place else {"height": 8 + number, "width": 11 - number}
        crops = (Crop(top, 1, 4, 6, flip=number in (1, 3)),)
        samples.append(_sample(rng, clips=1 + number % 2, crops=crops, frames=2 + number, **size))
    wanted = np.concatenate([_one_by_one(sample) for sample in samples])
    np.testing.assert_array_equal(views_of(*samples).numpy(), wanted)


def test_mirroring_turns_left_into_right_only():
    frames = torch.zeros(1, 2, 3, 3, dtype=torch.uint8)
    frames[0, 0, 0] = torch.tensor([10, 20, 30], dtype=torch.uint8)  # top left
    (view,) = views_of(Sample(0, "", 0, frames=frames, clips=torch.tensor([[0]]), crops=(Crop(0, 0, 2, 3, flip=True),)))
    assert view[:, 0, 0, 2].tolist() == [10, 20, 30]  # top right, RGB in order
    assert view.sum() == 60


def test_views_share_no_memory_with_the_frames():
    """A view may be changed without changing the next one."""
    frames = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    sample = Sample(0, "", 0, frames=frames, clips=torch.tensor([[0, 1]]), crops=(Crop(0, 0, 4, 4),))
    views_of(sample).fill_(9)
    assert frames.sum() == 0


@pytest.mark.parametrize("kind", [tuple, torch.tensor])
@pytest.mark.parametrize(("mean", "std"), [((0.45,) * 3, (0.225,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
def test_normalise(mean, std, kind):
    clips = torch.randint(0, 256, (2, 3, 2, 4, 5), dtype=torch.uint8)
    wanted = np.empty(clips.shape)
    for c in range(3):
        wanted[:, c] = (clips[:, c].numpy() / 255 - mean[c]) / std[c]
    out = normalise(clips, kind(mean), kind(std))
    assert out.dtype == torch.float32
    np.testing.assert_allclose(out.numpy(), wanted, atol=2e-6)
    shape = (1, 3, 1, 1, 1)  # bit by bit the formula
    formula = (clips.float() / 255 - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    assert torch.equal(out, formula)


def test_normalised_views_are_ordered_as_their_shape():
    """Views are not: a convolution would take another way, with other rounding."""
    sample = _sample(np.random.default_rng(2), clips=2, crops=(Crop(0, 0, 8, 10),))
    views = views_of(sample)
    out = normalise(views, (0.45,) * 3, (0.225,) * 3)
    assert out.is_contiguous()
    assert torch.equal(out, normalise(views.contiguous(), (0.45,) * 3, (0.225,) * 3))


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 7, 100])
@pytest.mark.parametrize("num_crops", [1, 3])
def test_chunks_are_all_views_in_order_a_few_at_a_time(at_once, num_crops):
    crops = (Crop(0, 0, 4, 6), Crop(2, 3, 4, 6), Crop(4, 4, 4, 6))[:num_crops]
    sample = _sample(np.random.default_rng(3), clips=5, crops=crops)
    chunks = list(view_chunks(sample, at_once))
    assert max(map(len, chunks)) <= at_once
    assert torch.equal(torch.cat(chunks), views_of(sample))
