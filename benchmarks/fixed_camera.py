"""Clips in memory for small training runs: drawn ones of a camera that never moves, and those of video files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videogn.axes import VideoRecord
from videogn.choices import EvaluationViews
from videogn.data.sources import read_index
from videogn.inference.unlabelled_clips import read_clips

#: Clips of a training video, evenly spread over it.
CLIPS = 3


@dataclass(frozen=True)
class Clips:
    """Clips with their classes.

    Attributes:
        train: uint8 (videos, clips of a video, 3, T, H, W).
        labels: Class numbers of the training videos, int64 (videos,).
        held_out: One clip of each video that is not trained on, uint8 (videos, 3, T, H, W).
        held_out_labels: int64 (videos,).
    """

    train: Tensor
    labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor


def draw_fixed_camera(
    contrast: float,
    *,
    shared: float = 40.0,
    noise: float = 8.0,
    classes: int = 6,
    videos: int = 12,
    size: int = 32,
    frames: int = 8,
    seed: int = 0,
) -> Clips:
    """Draw videos with one background, and in a window of each a drifting grating whose orientation is the class.

    Args:
        contrast: Amplitude of the grating, grey levels: what differs between videos.
        shared: Standard deviation of the background, grey levels: what all videos have in common.
        noise: Standard deviation of the noise of every pixel, grey levels.
        classes: Number of orientations K.
        videos: Number of training videos of each class, and of held-out ones.
        size: Height and width in pixels; the window, at a random place, has half of each.
        frames: Number of frames T.
        seed: Seed of everything.
    """
    rng = np.random.default_rng(seed)
    background = np.kron(rng.standard_normal((3, size // 4, size // 4)), np.ones((4, 4))) * shared + 115
    y, x = np.mgrid[:size, :size]

    def draw(label: int) -> np.ndarray:
        top, left = rng.integers(0, size // 2 + 1, 2)
        window = (y >= top) & (y < top + size // 2) & (x >= left) & (x < left + size // 2)
        angle, phase = np.pi * label / classes, rng.uniform(0, 2 * np.pi)
        along = (np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / 6  # wavelength: 6 pixels
        waves = np.stack([np.sin(along + phase + time) for time in range(frames)])
        grain = noise * rng.standard_normal((frames, size, size))
        return np.clip(background[:, None] + contrast * waves * window + grain, 0, 255).round().astype(np.uint8)

    labels = torch.arange(classes).repeat(videos)
    train, held_out = (torch.from_numpy(np.stack([draw(int(label)) for label in labels])) for _ in range(2))
    return Clips(train[:, None], labels, held_out, labels)


def read_videos(
    train: Path, held_out: Path, *, interval: int, every: int = 1, size: int = 64, frames: int = 8
) -> Clips:
    """Decode the clips of two folders or lists.

    Args:
        train: Training videos: a folder of class folders or a list.
        held_out: Other videos of the same classes; one clip, in the middle of each.
        interval: Frames from one frame of a clip to the next.
        every: Every how manyth training video is taken.
        size: Height and width in pixels, a crop from the middle.
        frames: Number of frames T.
    """
    parts = [read_index(train), read_index(held_out)]
    if parts[0].classes != parts[1].classes:
        raise ValueError(f"{held_out} must have the classes of {train}, got {parts[1].classes}")
    train_records, held_out_records = list(parts[0].records)[::every], list(parts[1].records)

    def decoded(records: Sequence[VideoRecord], clips: int) -> Tensor:
        views = EvaluationViews(
            clip_length=frames,
            interval=interval,
            crop_size=size,
            short_side=size,
            num_clips=clips,
            crops="center",
            protocol="mmaction2",
        )
        found, failed = read_clips(records, views, time_limit=0)
        if failed:
            raise ValueError(f"{failed[0].path}: {failed[0].error}")
        return torch.stack([torch.stack(list(video)) for video in found])

    def labels(records: Sequence[VideoRecord]) -> Tensor:
        return torch.tensor([record.label for record in records])

    held_out_clips = decoded(held_out_records, 1)[:, 0]
    return Clips(decoded(train_records, CLIPS), labels(train_records), held_out_clips, labels(held_out_records))
