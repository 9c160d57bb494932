"""Resizing without antialiasing, whole and in windows: against torch's plain bilinear interpolation of the picture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from video_pictures import picture

from videogn.axes import Crop
from videogn.video.window import Resizing, resized_size


def _plain(frames, size):
    """torch's interpolation in float64: uint8 (N, H, W, 3) -> float64 (N, H', W', 3)."""
    planes = frames.permute(0, 3, 1, 2).double()
    return torch.nn.functional.interpolate(planes, size, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)


def _by_hand(frames, size):
    """The two nearest pixels along each axis, a loop over rows and columns: float64 (N, H', W', 3)."""
    values = frames.double()
    for axis, new in zip((1, 2), size, strict=True):
        old = values.shape[axis]
        lines = []
        for number in range(new):
            centre = max((number + 0.5) * old / new - 0.5, 0)
            low = int(centre)
            high, part = min(low + 1, old - 1), centre - low
            lines.append((1 - part) * values.select(axis, low) + part * values.select(axis, high))
        values = torch.stack(lines, axis)
    return values


def _windowed(frames, resized, crop, **options):
    resizing = Resizing(tuple(frames.shape[1:3]), resized, crop, **options)
    return resizing(resizing.window.cut(frames).contiguous())


def _noise(rng, *size):
    return torch.from_numpy(rng.integers(0, 256, (2, *size, 3), dtype=np.uint8))


@pytest.mark.parametrize("content", ["noise", "picture"])
@pytest.mark.parametrize(
    ("native", "resized"),
    [
        ((90, 130), (40, 58)),
        ((131, 91), (37, 26)),
        ((33, 51), (5, 7)),
        ((57, 57), (56, 56)),
        ((41, 63), (64, 98)),
        ((15, 20), (150, 200)),
        # Pixels that are not square: one side shrinks more than the other, or grows.
        ((96, 72), (32, 48)),
        ((48, 96), (64, 32)),
        ((48, 96), (48, 64)),
        ((96, 48), (64, 48)),
    ],
)
def test_the_whole_picture(native, resized, content):
    """To within one grey level: it is rounded along each axis."""
    frames = _noise(np.random.default_rng(0), *native) if content == "noise" else picture(*native)
    ours = Resizing(native, resized, antialias=False)(frames)
    assert ours.dtype == torch.uint8
    assert tuple(ours.shape) == (2, *resized, 3)
    for wanted in (_plain(frames, resized), _by_hand(frames, resized)):
        assert (ours.double() - wanted).abs().max() <= 1.01


@pytest.mark.parametrize("content", ["noise", "picture"])
def test_windows(content):
    """Of odd sizes, shrunk and grown, in any proportions: within 4 levels in white noise, and 2 in a picture."""
    rng = np.random.default_rng(1)
    mean = []
    for trial in range(200):
        native = tuple(rng.integers(20, 130, 2).tolist())
        resized = tuple(max(int(side * rng.uniform(0.15, 2.5)), 4) for side in native)
        height, width = (int(rng.integers(1, side, endpoint=True)) for side in resized)
        top = int(rng.integers(0, resized[0] - height, endpoint=True))
        left = int(rng.integers(0, resized[1] - width, endpoint=True))
        crop = Crop(top, left, height, width)
        frames = _noise(rng, *native) if content == "noise" else picture(*native, seed=trial)
        ours = _windowed(frames, resized, crop, antialias=False)
        difference = (ours.double() - crop.cut(_plain(frames, resized))).abs()
        assert difference.max() <= (4.5 if content == "noise" else 2.5)
        mean.append(float(difference.mean()))
    assert np.mean(mean) < 0.6


def test_windows_that_begin_on_the_grid_are_exact():
    """Every third native pixel begins a resized one, every second, or two; and the upper left corner always does."""
    rng = np.random.default_rng(2)
    for (native, resized), place in itertools.product(
        [((120, 180), (40, 60)), ((120, 180), (60, 90)), ((40, 60), (80, 120)), ((90, 60), (60, 80))], range(0, 20, 4)
    ):
        crop = Crop(place, place + 3, 20, 24)
        frames = _noise(rng, *native)
        whole = Resizing(native, resized, antialias=False)(frames)
        assert torch.equal(_windowed(frames, resized, crop, antialias=False), crop.cut(whole))
    for native in ((101, 77), (31, 45)):
        resized, crop = resized_size(*native, 38), Crop(0, 0, 20, 24)
        frames = _noise(rng, *native)
        whole = Resizing(native, resized, antialias=False)(frames)
        assert torch.equal(_windowed(frames, resized, crop, antialias=False), crop.cut(whole))


def test_an_axis_that_is_barely_resized():
    """As many pixels may go in as come out."""
    rng = np.random.default_rng(3)
    for native, top in itertools.product((255, 257, 261), range(0, 33, 4)):
        frames = _noise(rng, native, 300)
        resized, crop = resized_size(native, 300, 256), Crop(top, 2 * top, 224, 224)
        ours = _windowed(frames, resized, crop, antialias=False)
        assert (ours.double() - crop.cut(_plain(frames, resized))).abs().max() <= 4.5


def test_the_window_is_no_larger_than_with_antialiasing():
    crop = Crop(60, 90, 64, 64)
    small, large = (Resizing((720, 1280), (180, 320), crop, antialias=flag).window for flag in (False, True))
    assert small.height < large.height
    assert small.width < large.width


def test_antialiasing_is_the_default_and_changes_only_what_shrinks():
    """It is torch's, to the bit where the whole picture is resized along one axis."""
    frames = _noise(np.random.default_rng(4), 96, 80)
    for resized in ((96, 30), (40, 80), (150, 80)):
        planes = frames.permute(0, 3, 1, 2)
        wanted = torch.nn.functional.interpolate(planes, resized, mode="bilinear", antialias=True).permute(0, 2, 3, 1)
        assert torch.equal(Resizing((96, 80), resized)(frames), wanted)
        plain = Resizing((96, 80), resized, antialias=False)(frames)
        assert torch.equal(plain, wanted) == (resized == (150, 80))


def test_a_picture_of_stripes_shows_the_difference():
    """A third of the lines is white: their mean is grey, and the line in the middle of three is all that is seen."""
    frames = torch.zeros(1, 96, 96, 3, dtype=torch.uint8)
    frames[:, 1::3] = 255
    assert (Resizing((96, 96), (32, 96), antialias=False)(frames) == 255).all()
    grey = Resizing((96, 96), (32, 96))(frames)[:, 2:-2].double()
    assert grey.std() < 1
    assert 80 < grey.mean() < 150
