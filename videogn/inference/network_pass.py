"""Decoded videos through a network, and one result of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from videogn.axes import Sample
from videogn.inference.precision import Precision
from videogn.video.transforms import normalise, view_chunks, views_of

Result = TypeVar("Result")
#: (network, chunks (v, C, T, H, W) of views, number of crops of a clip) -> one row a clip, such as `score_views`.
OfViews = Callable[[Callable[[Tensor], Tensor], Iterable[Tensor], int], Tensor]


@dataclass(frozen=True)
class NetworkPass:
    """A network on its device, with its arithmetic and the normalisation of its input.

    Attributes:
        net: Network.
        device: Its device.
        precision: What it computes in.
        layout: Memory layout of its input.
        mean: Mean of each channel, on the device.
        std: Standard deviation of each channel, on the device.
    """

    net: nn.Module
    device: torch.device
    precision: Precision
    layout: torch.memory_format
    mean: Tensor
    std: Tensor

    def results(
        self,
        samples: Sequence[Sample],
        at_once: int,
        of_views: OfViews,
        made: Callable[[Sample, Tensor], Result],
        failed: Callable[[Sample, str], Result],
    ) -> list[Result]:
        """Pass videos of one shape: all views together, or those of one video some at a time.

        Args:
            samples: Videos, decoded.
            at_once: Number of views in a pass, at most, of one video.
            of_views: What is computed of the views.
            made: (video, its rows (clips, ...) on the CPU) -> result.
            failed: (video, reason why the network does not take it) -> result.
        """
        try:
            rows = self._rows(samples, at_once, of_views)
        except ValueError as error:  # a file too small for the network, say
            if len(samples) == 1:
                return [failed(samples[0], str(error))]
            return [self.results([sample], at_once, of_views, made, failed)[0] for sample in samples]
        return [made(*each) for each in zip(samples, rows, strict=True)]

    @torch.inference_mode()
    def _rows(self, samples: Sequence[Sample], at_once: int, of_views: OfViews) -> list[Tensor]:
        lengths = [self._on_device(sample) for sample in samples]
        views = view_chunks(samples[0], at_once) if len(samples) == 1 else [views_of(*samples)]
        chunks = (normalise(some, self.mean, self.std, self.layout) for some in views)
        logits = partial(self.precision.logits, self.net)
        return list(of_views(logits, chunks, len(samples[0].crops)).cpu().split(lengths))

    def _on_device(self, sample: Sample) -> int:
        """Move a video there; its number of clips."""
        assert sample.frames is not None
        assert sample.clips is not None
        sample.frames = sample.frames.to(self.device, non_blocking=True)
        sample.clips = sample.clips.to(self.device, non_blocking=True)
        return len(sample.clips)
