"""Clips to compare networks on: of given videos, or drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videogn.axes import VideoRecord
from videogn.bench.workload import Workload
from videogn.choices import NetworkInput, chosen
from videogn.data.plans import centre_plan
from videogn.data.synthetic.motion import MOTIONS, draw_video
from videogn.video.transforms import normalise, views_of


def clips_of_videos(
    records: Sequence[VideoRecord], about: Mapping[str, Any], failed: Callable[[str, str], None]
) -> list[Tensor]:
    """Take the clip in the middle of each video and of its frames, as large as in training.

    Args:
        records: Videos.
        about: What the network expects, see `videogn.inference.load_network`.
        failed: Called with path and reason for each video that cannot be decoded.

    Returns:
        Normalised clips (1, 3, T, H, W), float32, of the other videos.

    Raises:
        ValueError: There are none.
    """
    workload = Workload(records, centre_plan(chosen(NetworkInput, about)))
    clips = []
    for number in range(len(records)):
        sample = workload.load(number)
        if sample.error is None:
            clips.append(normalise(views_of(sample), about["mean"], about["std"]))
        else:
            failed(sample.path, sample.error)
    if not clips:
        raise ValueError(f"none of the {len(records)} videos can be decoded")
    return clips


def drawn_clips(count: int, about: Mapping[str, Any]) -> list[Tensor]:
    """Draw clips of the synthetic motion data set, the same ones every time.

    Args:
        count: Number of clips.
        about: What the network expects.

    Returns:
        Normalised clips (1, 3, T, H, W), float32.
    """
    view, motions = chosen(NetworkInput, about), list(MOTIONS.values())
    clips = []
    for number in range(count):
        rng = np.random.default_rng([0, number])
        size = view.crop_size + view.crop_size % 2
        span = view.clip_length * view.interval
        frames = draw_video(motions[number % len(motions)], size=size, num_frames=span, rng=rng)
        clip = torch.from_numpy(frames[:: view.interval, : view.crop_size, : view.crop_size]).permute(3, 0, 1, 2)[None]
        clips.append(normalise(clip, about["mean"], about["std"]))
    return clips
