"""What a predictor says about one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videogn.axes import Sample
from videogn.evaluation.views import video_probabilities


@dataclass(frozen=True)
class Prediction:
    """Classes of one file, or of a part of it.

    Attributes:
        path: Path of the file; of a part with its place, as in "a.mp4#t=5.4,11.6".
        scores: Pairs of class name and probability, best first; empty if the file failed.
        error: Reason why the file failed, or None.
        fallback: Reason why PyAV decoded the file and not the decoder that was asked for, or None.
        truncated: How much of the file decodes, and why not all of it, where the scores are of that part only
            (`use_truncated`); or None.
        clips: Number of clips that were scored, where a rule stopped early (`stopping`); else None.
        clip_times: Start and end of every clip, in seconds from the first frame of the file, by the time stamps of its
            frames. A clip that goes on at the beginning of the video ends where the video does.
        clip_probabilities: Probabilities of every clip, float32 (clips, K), in the order of `clip_times`; None if the
            file failed.
        probabilities: Probabilities of the video, float32 (K,): the mean over its clips; None if the file failed.
    """

    path: str
    scores: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    fallback: str | None = None
    truncated: str | None = None
    clips: int | None = None
    clip_times: tuple[tuple[float, float], ...] = ()
    # Arrays have no truth value, so that they take no part in ==.
    clip_probabilities: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    probabilities: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls, sample: Sample, clips: Tensor, *, class_names: Sequence[str], top_k: int, stopped: bool = False
    ) -> Prediction:
        """Make the prediction of a video from the probabilities (clips, K) of its clips."""
        probabilities = video_probabilities(clips)
        scores, classes = probabilities.topk(min(top_k, len(probabilities)))
        return cls(
            sample.path,
            scores=tuple(zip((class_names[number] for number in classes.tolist()), scores.tolist(), strict=True)),
            fallback=sample.fallback,
            truncated=sample.truncated,
            clips=len(clips) if stopped else None,
            clip_times=sample.times,
            clip_probabilities=clips.numpy(),
            probabilities=probabilities.numpy(),
        )

    @classmethod
    def failed(cls, sample: Sample, reason: str) -> Prediction:
        """Make the prediction of a video that failed."""
        return cls(sample.path, error=reason, fallback=sample.fallback)
