"""Logits of views -> probabilities of a video. The order is fixed: softmax, then positions, then clips.

That order is the fully convolutional test of the Non-local paper (Wang et al., CVPR 2018, section 4): the classifier's
softmax at every position, the average over positions, the average over clips.
"""

from __future__ import annotations

import torch
from torch import Tensor


def clip_probabilities(logits: Tensor) -> Tensor:
    """Softmax at every position, then the mean over positions.

    Args:
        logits: (V, K, T', H', W'), any floating dtype.

    Returns:
        float32 (or float64 when the logits are) (V, K); rows sum to 1.

    Raises:
        ValueError: a logit is NaN or infinite. Such a row would otherwise count as class 0.
    """
    if not torch.isfinite(logits).all():
        raise ValueError("the network gave logits that are not finite (NaN or infinity)")
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return wide.softmax(dim=1).flatten(2).mean(dim=2)  # (V, K)


def video_probabilities(clips: Tensor) -> Tensor:
    """The mean over clips.

    Args:
        clips: (V, K), probabilities of each view.

    Returns:
        (K,), probabilities of the video.
    """
    return clips.mean(dim=0)  # (K,)
