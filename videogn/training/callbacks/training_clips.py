"""A picture of the first training batch, as the network sees it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from PIL import Image
from torch import Tensor

from videogn.axes import Batch
from videogn.checks import require_positive
from videogn.system.files import replacing

_log = logging.getLogger(__name__)

#: White between two frames, in pixels.
_GAP = 4


class TrainingClips(Callback):
    """Writes `training_clips.png` into the log folder: the clips of the first batch, cropped, augmented and mixed.

    Each row is a clip, with some of its frames from the first to the last.

    Args:
        num_clips: Largest number of clips on the picture.
        num_frames: Largest number of frames of each.
    """

    def __init__(self, num_clips: int = 8, num_frames: int = 8) -> None:
        require_positive("num_clips", num_clips)
        require_positive("num_frames", num_frames)
        self.num_clips = num_clips
        self.num_frames = num_frames
        self._written = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Keep what goes into the network in this step, and write it."""
        if self._written or not trainer.is_global_zero:
            return
        self._written = True

        def write(_: Any, inputs: tuple[Tensor]) -> None:
            hook.remove()
            path = Path(trainer.log_dir or trainer.default_root_dir) / "training_clips.png"
            clips = _pictures(inputs[0].detach()[: self.num_clips], pl_module.input_mean, pl_module.input_std)
            with replacing(path) as temporary:
                Image.fromarray(_sheet(clips, self.num_frames)).save(temporary)
            _log.info("clips of the first batch: %s", path)

        hook = pl_module.net.register_forward_pre_hook(write)


def _pictures(clips: Tensor, mean: Tensor, std: Tensor) -> np.ndarray:
    """Normalised clips (B, 3, T, H, W) back to uint8 (B, T, H, W, 3)."""
    values = clips.float().movedim(1, -1) * std.float() + mean.float()
    return (values * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def _sheet(clips: np.ndarray, num_frames: int) -> np.ndarray:
    """Lay out frames of clips, uint8 (B, T, H, W, 3), on white: uint8 (height, width, 3)."""
    length = clips.shape[1]
    shown = clips[:, np.linspace(0, length - 1, min(num_frames, length)).round().astype(int)]
    framed = np.pad(shown, ((0, 0), (0, 0), (_GAP, 0), (_GAP, 0), (0, 0)), constant_values=255)
    rows, columns, height, width, _ = framed.shape
    sheet = framed.swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return np.pad(sheet, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
