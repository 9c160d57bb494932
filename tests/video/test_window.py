"""Resizing, whole and in windows: against torchvision, and float64 arithmetic of the whole picture, then cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as TF
from video_pictures import picture

from videogn.axes import Crop
from videogn.video.window import Resizing, resize_short_side, resized_size

_SOURCES = ((240, 320), (256, 340), (340, 256), (360, 640), (480, 854), (720, 1280), (1280, 720), (1080, 1920))


def _exact(frames, size):
    """Bilinear and antialiased in float64: uint8 (N, H, W, 3) -> float64 (N, H', W', 3)."""
    resized = TF.resize(frames.permute(0, 3, 1, 2).double(), list(size), antialias=True)
    return resized.permute(0, 2, 3, 1)


def _windowed(frames, resized, crop):
    resizing = Resizing(tuple(frames.shape[1:3]), resized, crop)
    return resizing(resizing.window.cut(frames).contiguous())


def _draw(rng, sources, short_sides, size):
    height, width = sources[rng.integers(len(sources))]
    resized = resized_size(height, width, int(rng.integers(*short_sides, endpoint=True)))
    top, left = (int(rng.integers(0, side - size, endpoint=True)) for side in resized)
    return (height, width), resized, Crop(top, left, size, size)


@pytest.mark.parametrize(
    ("height", "width", "short_side", "wanted"),
    [
        (240, 320, 256, (256, 341)),  # 341.33
        (320, 240, 256, (341, 256)),
        (360, 640, 256, (256, 455)),  # 455.11
        (100, 115, 60, (60, 69)),
        (1080, 1920, 144, (144, 256)),
        (48, 48, 96, (96, 96)),
        (33, 50, 20, (20, 30)),  # 30.30
        (30, 49, 20, (20, 33)),  # 32.67, rounded and not cut off
    ],
)
def test_the_short_side_is_exact_and_the_long_one_keeps_the_ratio(height, width, short_side, wanted):
    assert resized_size(height, width, short_side) == wanted
    resized = resize_short_side(torch.zeros(1, height, width, 3, dtype=torch.uint8), short_side)
    assert tuple(resized.shape) == (1, *wanted, 3)
    assert resized.dtype == torch.uint8
    assert resized.is_contiguous()


@pytest.mark.parametrize(("height", "width", "short_side"), [(90, 130, 40), (130, 90, 64), (40, 60, 96), (57, 57, 31)])
def test_resizing_agrees_with_torchvision(height, width, short_side):
    """Bilinear with antialiasing, to within one grey level, against float64 arithmetic of torchvision's v2."""
    frames = picture(height, width)
    ours = resize_short_side(frames, short_side)
    assert (ours.double() - _exact(frames, ours.shape[1:3])).abs().max() <= 1
    as_uint8 = TF.resize(frames.permute(0, 3, 1, 2).contiguous(), list(ours.shape[1:3]), antialias=True)
    assert (ours.permute(0, 3, 1, 2).int() - as_uint8.int()).abs().max() <= 1


def test_frames_of_the_right_size_stay_as_they_are():
    frames = picture(40, 64)
    assert torch.equal(resize_short_side(frames, 40), frames)


def test_resizing_frames_together_or_one_by_one_is_the_same():
    frames = picture(60, 80, count=3)
    assert torch.equal(resize_short_side(frames, 33), torch.cat([resize_short_side(f[None], 33) for f in frames]))


def test_a_windows_geometry_over_random_crops():
    """Inside the picture; it begins on the resized grid to 1/128 pixel; it holds what the crop's filter reaches."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(3000):
        native, resized, crop = _draw(rng, _SOURCES, (225, 400), 224)
        resizing = Resizing(native, resized, crop)
        window = resizing.window
        assert resizing.region == crop
        for n, N, first, length, start, size in (
            (native[0], resized[0], crop.top, crop.height, window.top, window.height),
            (native[1], resized[1], crop.left, crop.width, window.left, window.width),
        ):
            if n == N:
                assert (start, size) == (first, length)
                continue
            scale, reach = n / N, max(n / N, 1)
            assert 0 <= start < start + size <= n
            assert abs(start / scale - round(start / scale)) * scale <= 1 / 128 + 1e-9
            assert start <= max(scale * (first + 0.5) - reach, 0) + 1 / 128
            assert start + size >= min(scale * (first + length - 0.5) + reach, n)
        shares.append(window.height * window.width / (native[0] * native[1]))
    assert np.mean(shares) < 0.6


@pytest.mark.parametrize("content", ["noise", "picture"])
def test_resizing_a_window_is_resizing_all_and_cutting(content):
    """Within 4 levels in white noise, the worst there is, and 2 in a picture; the mean a fraction of a level."""
    rng = np.random.default_rng(1)
    worst, mean, exact = 0, [], []
    for trial in range(60):
        native, resized, crop = _draw(rng, _SOURCES[:5], (256, 320), 224)
        noise = torch.from_numpy(rng.integers(0, 256, (1, *native, 3), dtype=np.uint8))
        frames = noise if content == "noise" else picture(*native, count=1, seed=trial)
        ours = _windowed(frames, resized, crop)
        assert tuple(ours.shape) == (1, 224, 224, 3)
        whole = Resizing(native, resized)(frames)
        difference = (ours.int() - crop.cut(whole).int()).abs()
        worst = max(worst, int(difference.max()))
        mean.append(float(difference.float().mean()))
        exact.append(float((ours.double() - crop.cut(_exact(frames, resized))).abs().max()))
    assert worst <= (4 if content == "noise" else 2)
    assert max(exact) <= (4.5 if content == "noise" else 2.5)  # and half a level of rounding
    assert np.mean(mean) < (0.4 if content == "noise" else 0.05)


def test_windows_at_the_upper_left_edges_are_exact():
    rng = np.random.default_rng(2)
    for _ in range(40):
        native, resized, crop = _draw(rng, ((90, 120), (61, 47)), (20, 130), 20)
        corner = crop._replace(top=0, left=0)
        frames = torch.from_numpy(rng.integers(0, 256, (2, *native, 3), dtype=np.uint8))
        whole = Resizing(native, resized)(frames)
        assert torch.equal(_windowed(frames, resized, corner), corner.cut(whole))


def test_small_pictures_and_large_scales():
    """A few pixels, shrunk to a tenth or grown tenfold, crops of any size and at any place."""
    rng = np.random.default_rng(3)
    for _ in range(300):
        native = tuple(rng.integers(3, 60, 2).tolist())
        resized = resized_size(*native, max(int(min(native) * rng.choice([0.1, 0.5, 1, 1.01, 3, 10])), 1))
        height, width = (int(rng.integers(1, side, endpoint=True)) for side in resized)
        crop = Crop(
            int(rng.integers(0, resized[0] - height, endpoint=True)),
            int(rng.integers(0, resized[1] - width, endpoint=True)),
            height,
            width,
        )
        frames = torch.from_numpy(rng.integers(0, 256, (1, *native, 3), dtype=np.uint8))
        wanted = crop.cut(_exact(frames, resized))
        assert (_windowed(frames, resized, crop).double() - wanted).abs().max() <= 4.5


def test_an_axis_that_is_barely_resized():
    """As many pixels may go in as come out: 224 rows of 257 that become 256, say."""
    rng = np.random.default_rng(4)
    for native in (255, 257, 261):
        frames = torch.from_numpy(rng.integers(0, 256, (1, native, 300, 3), dtype=np.uint8))
        resized = resized_size(native, 300, 256)
        for top in range(0, 33, 4):
            crop = Crop(top, 2 * top, 224, 224)
            assert (_windowed(frames, resized, crop) - crop.cut(_exact(frames, resized))).abs().max() <= 4.5


def test_without_resizing_the_window_is_the_crop():
    frames = picture(40, 64)
    crop = Crop(7, 11, 16, 20)
    assert Resizing((40, 64), (40, 64), crop).window == crop
    assert torch.equal(_windowed(frames, (40, 64), crop), crop.cut(frames))
