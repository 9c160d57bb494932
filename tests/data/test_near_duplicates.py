"""Near-duplicates: copies of encoded videos are found, other videos of the same camera are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from videogn.axes import Segment, VideoRecord
from videogn.data.near_duplicates import find_near_duplicates
from videogn.video.encode import write_video
from videogn.video.signature import MOST, Signature, SignatureMaker

SIZE, FRAMES, FPS = (72, 96), 60, 20


def scene(camera: int, action: int) -> np.ndarray:
    """A fixed background, and a bright blot that wanders over it: uint8 (N, H, W, 3)."""
    back = gaussian_filter(np.random.default_rng(camera).normal(size=SIZE), 6)
    back = 110 + 40 * back / back.std()
    path = gaussian_filter1d(np.random.default_rng(1000 + action).normal(size=(FRAMES, 2)), 5, axis=0, mode="wrap")
    path = np.array(SIZE) * (0.5 + 0.2 * path / path.std())
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    blots = [60 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 150) for y, x in path]
    grey = np.clip(back + np.array(blots), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3)


def resized(frames: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(frame).resize((64, 48))) for frame in frames])


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "re-encoded": lambda frames: frames,
    "rescaled": resized,
    "cropped": lambda frames: frames[:, 2:-2, 2:-2],
    "brighter": lambda frames: np.clip(frames * 1.1 + 12, 0, 255).astype(np.uint8),
    "without its beginning": lambda frames: frames[13:],
    "half of it": lambda frames: frames[14:46],
}


@pytest.fixture(scope="module")
def signed(tmp_path_factory) -> Callable[..., Signature]:
    folder = tmp_path_factory.mktemp("videos")
    maker, count = SignatureMaker(), iter(range(1000))

    def sign(frames: np.ndarray, **settings: object) -> Signature:
        path = folder / f"{next(count)}.mp4"
        write_video(path, frames, FPS, **settings)
        return maker.make(VideoRecord(str(path), 0))

    return sign


@pytest.fixture(scope="module")
def originals(signed) -> list[Signature]:
    """Two cameras with four actions each."""
    return [signed(scene(camera, 4 * camera + action)) for camera in range(2) for action in range(4)]


def test_videos_of_one_camera_are_no_duplicates(originals):
    assert originals[0].shape == (24, 64)
    assert find_near_duplicates(originals) == []


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_and_nothing_else(signed, originals, kind):
    copy = signed(COPIES[kind](scene(1, 5)), crf=30, gop=250)
    assert [pair[:2] for pair in find_near_duplicates([*originals, copy])] == [(5, 8)]


def test_only_videos_of_different_sides_are_compared(originals):
    twice = [originals[0], None, originals[0], originals[0]]
    assert [pair[:2] for pair in find_near_duplicates(twice)] == [(0, 2), (0, 3), (2, 3)]
    assert [pair[:2] for pair in find_near_duplicates(twice, np.array([0, 0, 0, 1]))] == [(0, 3), (2, 3)]
    assert find_near_duplicates([]) == [] == find_near_duplicates([None])


def test_videos_without_movement_are_compared_by_their_picture(signed):
    still = [np.repeat(scene(camera, 0)[:1], 10, axis=0) for camera in (0, 1)]
    signatures = [signed(still[0]), signed(still[1]), signed(still[0], crf=28), signed(scene(0, 0))]
    assert [pair[:2] for pair in find_near_duplicates(signatures)] == [(0, 2)]


def reference(one: np.ndarray, other: np.ndarray) -> float:
    """The best correlation, shift by shift, of differences from the means of what overlaps, in float64."""
    best = -1.0
    least = max(int(np.ceil(min(len(one), len(other)) / 2)), 4)
    for shift in range(-len(other), len(one)):
        pairs = [(i, i - shift) for i in range(len(one)) if 0 <= i - shift < len(other)]
        if len(pairs) >= least:
            first, second = np.array(pairs).T
            x, y = one[first].astype(float), other[second].astype(float)
            x, y = x - x.mean(axis=0), y - y.mean(axis=0)
            best = max(best, (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))
    return best


def test_the_correlation_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    whole = gaussian_filter1d(rng.normal(size=(120, 64)), 3, axis=0) * 40 + rng.normal(size=64) * 30 + 120
    cuts = [(0, 64), (5, 30), (11, 75), (20, 26), (9, 13), (60, 110)]
    signatures = [(whole[a:b] + rng.normal(size=(b - a, 64))).astype(np.float32) for a, b in cuts]
    found = {pair[:2]: pair.similarity for pair in find_near_duplicates(signatures)}
    assert {(0, 1), (0, 2), (1, 2), (0, 3)} <= found.keys()
    for (first, second), similarity in found.items():
        assert similarity == pytest.approx(reference(signatures[first], signatures[second]), abs=1e-4)
    for first in range(len(cuts)):
        for second in range(first):
            expected = reference(signatures[first], signatures[second]) >= 0.75
            pictures = np.corrcoef(signatures[first].mean(axis=0), signatures[second].mean(axis=0))[0, 1]
            assert ((second, first) in found) == (expected and pictures >= 0.8)


def test_a_signature_is_that_of_the_segment_and_of_the_middle_of_a_long_video(tmp_path):
    frames = np.concatenate([scene(0, 0), scene(0, 1), scene(0, 2)])
    path = str(Path(tmp_path, "long.mp4"))
    write_video(path, frames, 10)  # 18 seconds, 144 samples
    maker = SignatureMaker()
    whole, part = maker.make(VideoRecord(path, 0)), maker.make(VideoRecord(path, 0, segment=Segment(6, 12)))
    assert len(whole) == MOST
    assert len(part) == 48
    assert np.abs(part - whole[8:56]).max() < 1e-3
    expected = frames[60:61].mean(axis=3).reshape(8, 9, 8, 12).mean(axis=(1, 3)).ravel()
    assert np.abs(part[0] - expected).max() < 3
