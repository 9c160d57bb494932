"""Features of clips: the pooled input of the classifier, for retrieval and linear probes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from videogn.axes import Sample
from videogn.models.head import classifier_of


@dataclass(frozen=True)
class VideoFeatures:
    """Features of one file, or of a part of it.

    Attributes:
        path: Path of the file; of a part with its place, as in "a.mp4#t=5.4,11.6".
        error: Reason why the file failed, or None.
        fallback: Reason why PyAV decoded the file and not the decoder that was asked for, or None.
        truncated: How much of the file decodes, and why not all of it, where the features are of that part only
            (`use_truncated`); or None.
        clip_times: Start and end of every clip, in seconds from the first frame of the file.
        features: Features of every clip, float32 (clips, C): the input of the classifier, averaged over positions and
            crops; None if the file failed.
    """

    path: str
    error: str | None = None
    fallback: str | None = None
    truncated: str | None = None
    clip_times: tuple[tuple[float, float], ...] = ()
    features: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, sample: Sample, features: Tensor) -> VideoFeatures:
        """Make those of a video from the features (clips, C) of its clips."""
        return cls(
            sample.path,
            fallback=sample.fallback,
            truncated=sample.truncated,
            clip_times=sample.times,
            features=features.numpy(),
        )

    @classmethod
    def failed(cls, sample: Sample, reason: str) -> VideoFeatures:
        """Make those of a video that failed."""
        return cls(sample.path, error=reason, fallback=sample.fallback)


class ClipFeatures:
    """Computes the features of clips with a network; takes the place of `score_views`.

    Args:
        net: Network whose last layer is its classifier.
        num_classes: Number of its classes K.

    Raises:
        ValueError: Its last layer is no classifier.
    """

    def __init__(self, net: nn.Module, num_classes: int) -> None:
        self._classifier, self._axis, _ = classifier_of(net, num_classes)

    def __call__(self, net: Callable[[Tensor], Tensor], views: Iterable[Tensor], num_crops: int) -> Tensor:
        """Compute the features (clips, C), float32, of clips.

        Args:
            net: The network, from views (v, C, T, H, W); not compiled, since compiled code calls no hooks.
            views: Chunks of all views, the crops of a clip one after the other.
            num_crops: Number of crops per clip, over which the mean is taken.

        Raises:
            ValueError: A feature is NaN or infinite.
        """
        rows: list[Tensor] = []
        here = threading.get_ident()

        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if threading.get_ident() != here:  # another thread's clips
                return
            features = inputs[0].float().movedim(self._axis, 1)
            rows.append(features.flatten(2).mean(2) if features.ndim > 2 else features)

        noting = self._classifier.register_forward_pre_hook(note)
        try:
            for chunk in views:
                net(chunk)
        finally:
            noting.remove()
        per_view = torch.cat(rows)  # (clips * crops, C)
        if not torch.isfinite(per_view).all():
            raise ValueError("the network gave features that are not finite (NaN or infinity)")
        return per_view.unflatten(0, (-1, num_crops)).mean(dim=1)
