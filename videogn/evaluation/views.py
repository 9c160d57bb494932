"""Logits of views -> probabilities of clips -> probabilities of a video.

The order is fixed, as in the fully convolutional test of the Non-local paper (Wang et al., CVPR 2018, section 4):
softmax at every position, mean over positions, mean over clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def score_views(
    net: Callable[[Tensor], Tensor], views: Iterable[Tensor], num_crops: int, *, several_labels: bool = False
) -> Tensor:
    """Compute the probabilities of a video's clips, a few views at a time.

    Args:
        net: Network from views to logits (v, K, T', H', W').
        views: Chunks (v, C, T, H, W) of all views, the crops of a clip one after the other.
        num_crops: Number of crops per clip, over which the mean is taken.
        several_labels: As for `clip_probabilities`. Default: False.

    Returns:
        Probabilities (clips, K), float32.

    Raises:
        ValueError: A logit is NaN or infinite.
    """
    chunks = [clip_probabilities(net(chunk), several_labels=several_labels) for chunk in views]
    per_view = torch.cat(chunks)  # (clips * crops, K)
    return per_view.unflatten(0, (-1, num_crops)).mean(dim=1)  # (clips, K)


def clip_probabilities(logits: Tensor, *, several_labels: bool = False) -> Tensor:
    """Compute the softmax at every position, then the mean over positions.

    Args:
        logits: Logits (V, K, T', H', W') of any floating dtype.
        several_labels: Whether a video may show several classes, so that each has a probability of its own, the
            sigmoid. Default: False.

    Returns:
        Probabilities (V, K), float64 if the logits are, else float32; rows sum to 1 unless `several_labels`.

    Raises:
        ValueError: A logit is NaN or infinite. Its row would otherwise count as class 0.
    """
    if not torch.isfinite(logits).all():
        raise ValueError("the network gave logits that are not finite (NaN or infinity)")
    wide = logits if logits.dtype == torch.float64 else logits.float()
    at_positions = wide.sigmoid() if several_labels else wide.softmax(dim=1)
    return at_positions.flatten(2).mean(dim=2)  # (V, K)


def video_probabilities(clips: Tensor) -> Tensor:
    """Average the probabilities (clips, K) of a video's clips to those of the video, (K,)."""
    return clips.mean(dim=0)
