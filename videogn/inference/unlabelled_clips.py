"""Clips of videos without labels, held in memory as they were decoded: for what runs over the same clips many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from videogn.axes import Sample, VideoRecord
from videogn.choices import TIME_LIMIT, EvaluationViews
from videogn.data.dataset import VideoDataset, collate
from videogn.data.handover import check_space
from videogn.data.plans import evaluation_plan
from videogn.video.decoders.guard import video_opener
from videogn.video.transforms import normalise, views_of


class UnlabelledClips:
    """Batches of normalised clips on a device, the same at every iteration; held as uint8 in the main memory.

    Args:
        clips: Clips, uint8 (C, T, H, W), all of one size.
        mean: Mean of each channel, as a fraction of the full range.
        std: Standard deviation of each channel.
        batch_size: Number of clips in a batch.
        device: Device of the batches.
    """

    def __init__(
        self,
        clips: Sequence[Tensor],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        batch_size: int,
        device: torch.device,
    ) -> None:
        self._clips = clips
        self._batch_size = batch_size
        self._device = device
        self._mean, self._std = (torch.tensor(values, device=device) for values in (mean, std))

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._clips)

    def __iter__(self) -> Iterator[Tensor]:
        """Iterate over batches (B, C, T, H, W), float32; the last one may be smaller."""
        for first in range(0, len(self._clips), self._batch_size):
            batch = torch.stack(list(self._clips[first : first + self._batch_size]))
            yield normalise(batch.to(self._device), self._mean, self._std)


def read_clips(
    records: Sequence[VideoRecord],
    views: EvaluationViews,
    *,
    workers: int = 0,
    time_limit: float = TIME_LIMIT,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[tuple[Tensor, ...]], list[Sample]]:
    """Decode the views of videos.

    Args:
        records: Videos, whose labels are not looked at.
        views: Clips and crops of each video.
        workers: Number of loader processes; 0 decodes in this process. Default: 0.
        time_limit: Seconds that a small video may take to decode. Default: 60.
        progress: Called with (videos done, videos in all).

    Returns:
        The clips of each video that decodes, uint8 (C, T, H, W); and the videos that failed, with their reasons.
    """
    dataset = VideoDataset(records, evaluation_plan(views), opener=video_opener(time_limit))
    check_space(workers)
    loader: DataLoader[Any] = DataLoader(dataset, batch_size=1, num_workers=workers, collate_fn=collate)
    found: list[tuple[Tensor, ...]] = []
    failed: list[Sample] = []
    for number, batch in enumerate(loader, 1):
        found.extend(views_of(sample).unbind() for sample in batch.samples)
        failed.extend(batch.failed)
        if progress is not None:
            progress(number, len(records))
    return found, failed
