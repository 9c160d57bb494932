"""Frames to model input: against torchvision, and against slices and formulas in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from videogn.axes import Crop, Sample
from videogn.video.transforms import normalise, resize_short_side, views_of


def _picture(height, width, count=2, seed=0):
    """Smooth shapes and an edge, all colours unlike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    frames = np.empty((count, height, width, 3))
    for n in range(count):
        for c in range(3):
            a, b, p = rng.uniform(2, 30, 3)
            frames[n, ..., c] = 127 + 120 * np.sin(a * x + b * y + p)
        frames[n, : height // 3, : width // 2] = rng.integers(0, 256, 3)
    return torch.from_numpy(frames.clip(0, 255).astype(np.uint8))


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
    resized = resize_short_side(torch.zeros(1, height, width, 3, dtype=torch.uint8), short_side)
    assert tuple(resized.shape) == (1, *wanted, 3)
    assert resized.dtype == torch.uint8
    assert resized.is_contiguous()


@pytest.mark.parametrize(("height", "width", "short_side"), [(90, 130, 40), (130, 90, 64), (40, 60, 96), (57, 57, 31)])
def test_resizing_agrees_with_torchvision(height, width, short_side):
    """Bilinear with antialiasing, to within one grey level, against float64 arithmetic of torchvision's v2."""
    frames = _picture(height, width)
    ours = resize_short_side(frames, short_side)
    exact = TF.resize(frames.permute(0, 3, 1, 2).double(), list(ours.shape[1:3]), antialias=True)
    assert (ours.permute(0, 3, 1, 2).double() - exact).abs().max() <= 1
    as_uint8 = TF.resize(frames.permute(0, 3, 1, 2).contiguous(), list(ours.shape[1:3]), antialias=True)
    assert (ours.permute(0, 3, 1, 2).int() - as_uint8.int()).abs().max() <= 1


def test_frames_of_the_right_size_stay_as_they_are():
    frames = _picture(40, 64)
    assert torch.equal(resize_short_side(frames, 40), frames)


def test_resizing_frames_together_or_one_by_one_is_the_same():
    frames = _picture(60, 80, count=3)
    assert torch.equal(resize_short_side(frames, 33), torch.cat([resize_short_side(f[None], 33) for f in frames]))


def test_views_are_clips_first_then_crops():
    """View v = clip * crops + crop; its pixel (c, t, y, x) is that of frame clips[clip, t] at the crop's place."""
    frames = torch.randint(0, 256, (5, 8, 10, 3), dtype=torch.uint8)
    clips = torch.tensor([[0, 2, 2], [4, 1, 0]])
    crops = (Crop(0, 0, 4, 6), Crop(2, 3, 4, 6), Crop(4, 4, 4, 6, flip=True))
    views = list(views_of(Sample(0, "a.mp4", 1, frames=frames, clips=clips, crops=crops)))
    assert len(views) == 6
    for number, view in enumerate(views):
        clip, crop = clips[number // 3], crops[number % 3]
        assert tuple(view.shape) == (3, 3, 4, 6)
        assert view.dtype == torch.uint8
        for t, frame in enumerate(clip.tolist()):
            part = frames[frame].numpy()[crop.top : crop.top + 4, crop.left : crop.left + 6]
            part = part[:, ::-1] if crop.flip else part
            np.testing.assert_array_equal(view[:, t].numpy(), part.transpose(2, 0, 1))


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
    next(iter(views_of(sample))).fill_(9)
    assert frames.sum() == 0


@pytest.mark.parametrize(("mean", "std"), [((0.45,) * 3, (0.225,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
def test_normalise(mean, std):
    clips = torch.randint(0, 256, (2, 3, 2, 4, 5), dtype=torch.uint8)
    wanted = np.empty(clips.shape)
    for c in range(3):
        wanted[:, c] = (clips[:, c].numpy() / 255 - mean[c]) / std[c]
    out = normalise(clips, mean, std)
    assert out.dtype == torch.float32
    np.testing.assert_allclose(out.numpy(), wanted, atol=2e-6)
