"""Videos to measure decoding with: textures that move, a camera that shakes, grain; about as many bits as Kinetics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from videogn.video.encode import write_video

_FRAMES = 300


def _texture(rng: np.random.Generator, side: int, finest: int) -> np.ndarray:
    """A picture with detail at every scale down to `finest` pixels, float (side, side, 3) in [0, 255]."""
    total = np.zeros((side, side, 3))
    for scale in (256, 128, 64, 32, 16, 8, 4, 2):
        if scale >= finest:
            coarse = rng.normal(size=(side // scale, side // scale, 3))
            total += scale**0.5 * np.kron(coarse, np.ones((scale, scale, 1)))
    low, high = np.quantile(total, (0.02, 0.98))
    return np.clip((total - low) / (high - low), 0, 1) * 255


def moving_textures(height: int, width: int, frames: int = _FRAMES, seed: int = 0) -> np.ndarray:
    """Three blobs of texture moving over a panning background, with shake and grain.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        frames: Number of frames. Default: 300.
        seed: Seed of the content; the same seed gives the same frames.

    Returns:
        uint8 (N, H, W, 3).
    """
    rng = np.random.default_rng(seed)
    side = 256 * -(-max(height, width) // 256)
    back, *fronts = (_texture(rng, side, finest) for finest in (4, 2, 2, 4))
    grain = rng.normal(scale=3.0, size=(height + 64, width + 64, 1))
    rows, columns = np.mgrid[:height, :width]
    shake = np.cumsum(rng.normal(scale=0.6, size=(frames, 2)), axis=0)
    video = np.empty((frames, height, width, 3), np.uint8)
    for time in range(frames):
        down, right = shake[time] + (0.1 * time, 0.7 * time)
        picture = np.roll(back, (-round(down), -round(right)), (0, 1))[:height, :width].copy()
        for number, front in enumerate(fronts):
            angle = time / (25 + 10 * number) + number
            centre = height * (0.5 + 0.3 * np.sin(angle)), width * (0.5 + 0.35 * np.cos(0.7 * angle))
            inside = np.hypot(rows - centre[0], columns - centre[1]) < height / 5
            moved = np.roll(front, (round(centre[0]), round(centre[1])), (0, 1))[:height, :width]
            picture[inside] = moved[inside]
        top, left = rng.integers(0, 64, size=2)
        video[time] = np.clip(picture + grain[top : top + height, left : left + width], 0, 255)
    return video


def write_source(path: Path, *, height: int, width: int, gop: int, frames: int = _FRAMES, seed: int = 0) -> Path:
    """Encode `moving_textures` as H.264, 30 frames a second, about 500 kbit a second at 340x256.

    Args:
        path: File to write.
        height: Height in pixels.
        width: Width in pixels.
        gop: Largest number of frames from one key frame to the next.
        frames: Number of frames. Default: 300.
        seed: Seed of the content.

    Returns:
        `path`.
    """
    write_video(path, moving_textures(height, width, frames, seed), crf=23, gop=gop)
    return path
