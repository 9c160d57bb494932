"""Crops against positions worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torchvision.transforms import RandomResizedCrop

from videogn.axes import Crop
from videogn.video.crops import CROPS, ResizedCrop, evaluation_crops, random_crop


@pytest.mark.parametrize(
    ("height", "width", "size", "protocol", "crops"),
    [
        (256, 340, 224, "full", [(0, 0, 256, 340)]),
        (340, 256, 999, "full", [(0, 0, 340, 256)]),
        (256, 340, 224, "center", [(16, 58, 224, 224)]),
        (257, 341, 224, "center", [(16, 58, 224, 224)]),
        (224, 224, 224, "center", [(0, 0, 224, 224)]),
        (256, 340, 224, "three_crop", [(0, 0, 256, 256), (0, 42, 256, 256), (0, 84, 256, 256)]),
        (341, 256, 224, "three_crop", [(0, 0, 256, 256), (42, 0, 256, 256), (85, 0, 256, 256)]),
        (256, 256, 224, "three_crop", [(0, 0, 256, 256)] * 3),
    ],
)
def test_evaluation_crops_by_hand(height, width, size, protocol, crops):
    """full: all of the frame; center: the middle; three_crop: both ends and middle of the long side. Not mirrored."""
    assert list(evaluation_crops(height, width, size, protocol=protocol)) == [Crop(*crop, flip=False) for crop in crops]


def test_random_crops_reach_every_place_alike():
    """Frame 7 x 9, square of 5: tops 0 to 2, lefts 0 to 4; chi-squared over 15 places, 1e-4 false alarms (14: 42.6)."""
    rng = np.random.default_rng(0)
    counts = np.zeros((3, 5))
    for _ in range(3000):
        (crop,) = random_crop(7, 9, 5, flip=0.5, rng=rng)
        assert (crop.height, crop.width) == (5, 5)
        counts[crop.top, crop.left] += 1
    assert ((counts - 200) ** 2 / 200).sum() < 42.6


@pytest.mark.parametrize("flip", [0.0, 0.25, 0.5, 1.0])
def test_random_crops_are_mirrored_as_often_as_asked(flip):
    rng = np.random.default_rng(0)
    mirrored = np.mean([random_crop(8, 8, 4, flip=flip, rng=rng)[0].flip for _ in range(2000)])
    assert abs(mirrored - flip) <= 4 * (flip * (1 - flip) / 2000) ** 0.5


def test_a_square_as_large_as_the_frame():
    assert random_crop(6, 6, 6, flip=0, rng=np.random.default_rng(0)) == (Crop(0, 0, 6, 6, False),)


@pytest.mark.parametrize(("height", "width"), [(10, 30), (30, 10)])
def test_a_square_that_does_not_fit(height, width):
    with pytest.raises(ValueError, match=rf"11.*{height} x {width}"):
        random_crop(height, width, 11, flip=0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=rf"11.*{height} x {width}"):
        evaluation_crops(height, width, 11, protocol="center")


@pytest.mark.parametrize(("wrong", "hint"), [("centre", "center"), ("three-crop", "three_crop"), ("Full", "full")])
def test_an_unknown_protocol_gets_the_nearest_one(wrong, hint):
    with pytest.raises(ValueError, match=f"did you mean '{hint}'"):
        evaluation_crops(10, 10, 5, protocol=wrong)


@pytest.mark.parametrize("protocol", CROPS)
@pytest.mark.parametrize(("height", "width"), [(11, 17), (17, 11), (12, 12)])
def test_crops_lie_within_the_frame_and_are_of_one_size(protocol, height, width):
    crops = evaluation_crops(height, width, 9, protocol=protocol)
    assert len({(crop.height, crop.width) for crop in crops}) == 1
    assert all(0 <= crop.top <= height - crop.height and 0 <= crop.left <= width - crop.width for crop in crops)


@pytest.mark.parametrize(("height", "width"), [(256, 340), (90, 160), (340, 60), (40, 400), (5, 7)])
@pytest.mark.parametrize(("area", "ratio"), [((0.08, 1.0), (3 / 4, 4 / 3)), ((0.5, 0.6), (0.5, 3.0))])
def test_resized_crops_are_distributed_as_torchvision_s(height, width, area, ratio):
    """Edges, sizes, areas and ratios, where no rectangle fits too (340 x 60, 40 x 400): 1e-4 false alarms a number."""
    rng, draw = np.random.default_rng(0), ResizedCrop(area, ratio)
    ours = np.array([draw(height, width, rng)[:4] for _ in range(1500)], float)
    picture = torch.empty(1, height, width)
    theirs = np.array([RandomResizedCrop.get_params(picture, area, ratio) for _ in range(1500)], float)
    for crops in (ours, theirs):
        assert (crops[:, :2] + crops[:, 2:] <= (height, width)).all()
    (one, other) = (np.column_stack([c, c[:, 2] * c[:, 3], c[:, 3] / c[:, 2]]) for c in (ours, theirs))
    for mine, reference in zip(one.T, other.T, strict=True):
        assert ks_2samp(mine, reference).pvalue > 1e-4


def test_a_resized_crop_of_the_whole_frame():
    """Area 1 and the frame's own ratio; and the middle of a frame where nothing fits."""
    rng = np.random.default_rng(0)
    assert ResizedCrop((1, 1), (4 / 3, 4 / 3))(30, 40, rng) == Crop(0, 0, 30, 40)
    assert ResizedCrop((1, 1), (1, 2))(30, 90, rng) == Crop(0, 15, 30, 60)
    assert ResizedCrop((1, 1), (1, 2))(90, 30, rng) == Crop(30, 0, 30, 30)


@pytest.mark.parametrize("area", [(0, 1), (0.5, 0.2), (0.1, 1.2), (-1, 1)])
def test_a_wrong_area(area):
    with pytest.raises(ValueError, match=r"random_resized_crop must be smallest, largest share .* got \("):
        ResizedCrop(area)


@pytest.mark.parametrize("ratio", [(0, 1), (2, 1)])
def test_a_wrong_ratio(ratio):
    with pytest.raises(ValueError, match=r"random_resized_crop_ratio must be .* got \("):
        ResizedCrop(ratio=ratio)


@pytest.mark.parametrize(
    ("crop", "size", "other", "expected"),
    [
        (Crop(1, 2, 3, 4, True), (10, 20), (10, 20), Crop(1, 2, 3, 4, True)),
        (Crop(1, 2, 3, 4), (10, 20), (10, 10), Crop(1, 1, 3, 2)),
        (Crop(0, 0, 10, 20), (10, 20), (7, 33), Crop(0, 0, 7, 33)),
        (Crop(9, 19, 1, 1), (10, 20), (3, 3), Crop(2, 2, 1, 1)),
    ],
)
def test_the_same_part_of_larger_and_smaller_frames(crop, size, other, expected):
    assert crop.scaled(size, other) == expected
