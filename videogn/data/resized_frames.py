"""The part of a video's frames that its crops show: decoded and resized some at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videogn.data.handover import shareable_empty
from videogn.data.plans import ViewPlan
from videogn.video.crops import around
from videogn.video.decoders.frame_source import CHUNK_BYTES, FrameSource
from videogn.video.window import Resizing


class ResizedFrames:
    """The frames of an open video as a plan wants them.

    Args:
        video: The open video.
        plan: Plan of the views.
        rng: Random generator for the plan.

    Attributes:
        crops: Crops of every clip, in pixels of the frames that `decode` returns.
    """

    def __init__(self, video: FrameSource, plan: ViewPlan, rng: np.random.Generator) -> None:
        info = video.info
        part, resized, crops = plan.layout(info.height, info.width, rng)
        region = around(crops)
        self.crops = tuple(crop._replace(top=crop.top - region.top, left=crop.left - region.left) for crop in crops)
        self._video = video
        part = part.scaled((info.height, info.width), info.stored_size)
        self._resizing = Resizing((part.height, part.width), resized, region, antialias=plan.antialias)
        within = self._resizing.window
        self._window = within._replace(top=part.top + within.top, left=part.left + within.left)

    def decode(self, wanted: np.ndarray) -> Tensor:
        """Decode frames.

        Args:
            wanted: Frame indices, int64 (N,), increasing.

        Returns:
            uint8 (N, H, W, 3), a copy.

        Raises:
            VideoDecodeError: One of them cannot be decoded.
        """
        window, region = self._window, self._resizing.region
        frames = shareable_empty(len(wanted), region.height, region.width, 3)
        step = max(CHUNK_BYTES // (window.height * window.width * 3), 1)
        for first in range(0, len(wanted), step):
            part = frames[first : first + step]
            if self._resizing.changes_nothing:
                self._video.pixels(wanted[first : first + step], window, part.numpy())
            else:
                pixels = self._video.pixels(wanted[first : first + step], window)
                part.copy_(self._resizing(torch.from_numpy(pixels)))
        return frames
