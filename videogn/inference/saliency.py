"""Where in space and time a class came from: Integrated Gradients of the clips that were classified.

Integrated Gradients (Sundararajan et al., ICML 2017) follow the class's logit while a clip emerges from a clip of one
colour, and give each pixel its share of what the logit gains over those of the other classes. captum computes them, for
any network that has gradients.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.axes import Sample
from videogn.video.transforms import normalise, view_chunks

#: Points of the path, of Gauss and Legendre; on videos of moving squares, 16 find nothing that 4 do not.
_STEPS = 4
#: Single pixels say little: shares are averaged over squares of this part of the frame's shorter side.
_SQUARE = 1 / 7


def explain(net: nn.Module, sample: Sample, class_number: int, mean: Tensor, std: Tensor) -> NDArray[np.float32]:
    """Compute how much each place of each frame counted for a class.

    Args:
        net: Network in evaluation mode. Its parameters ask for no gradients afterwards.
        sample: Decoded video.
        class_number: Class, in [0, K).
        mean: Mean of each channel, as a fraction of the full range, on the device of the network.
        std: Standard deviation of each channel, likewise.

    Returns:
        The evidence at each pixel of `sample.frames`, float32 (N, H, W): the mean over its surroundings and over all
        views that show it, or 0 where that speaks against the class. It has no unit, so that only places and times of
        one video compare.

    Raises:
        ModuleNotFoundError: captum is not installed.
    """
    assert sample.frames is not None
    assert sample.clips is not None
    net.requires_grad_(False)  # only those of the pixels are wanted, which saves memory
    total = torch.zeros(sample.frames.shape[:3])
    shown = torch.zeros(sample.frames.shape[:3])
    for number, view in enumerate(view_chunks(sample, 1)):
        clip, crop = divmod(number, len(sample.crops))
        shares = pixel_shares(net, normalise(view.to(mean.device), mean, std), class_number)
        evidence = _smooth(shares)[0].clamp(min=0).cpu()
        frames = sample.clips[clip].cpu()  # a short video has some of them twice
        for sums, values in ((total, evidence), (shown, torch.ones_like(evidence))):
            sample.crops[crop].cut(sums[..., None])[..., 0].index_add_(0, frames, values)
    return (total / shown.clamp(min=1)).numpy()


def pixel_shares(net: nn.Module, clips: Tensor, class_number: int) -> Tensor:
    """Compute each pixel's share of what a class's logit gains, by Integrated Gradients.

    Args:
        net: Network from clips to logits (B, K, T', H', W'), whose parameters ask for no gradient.
        clips: Input of the network (B, 3, T, H, W).
        class_number: Class, in [0, K).

    Returns:
        (B, T, H, W), negative where a pixel speaks against the class. A clip's sum is about the difference of its score
        to that of the clip of its mean colour, where the score is the class's logit, less the mean of all K, in the
        mean over positions.

    Raises:
        ModuleNotFoundError: captum is not installed.
    """
    try:
        from captum.attr import IntegratedGradients
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to explain a class takes captum: pip install 'videogn[explain]'") from error

    def score(inputs: Tensor) -> Tensor:
        logits = net(inputs).flatten(2).mean(2)  # (B, K)
        difference: Tensor = logits[:, class_number] - logits.mean(1)
        return difference

    plain = clips.mean(dim=(2, 3, 4), keepdim=True).expand_as(clips)
    # One point of the path at a time is in memory.
    shares = IntegratedGradients(score).attribute(clips, plain, n_steps=_STEPS, internal_batch_size=len(clips))
    summed: Tensor = shares.sum(1).detach()
    return summed


def _smooth(evidence: Tensor) -> Tensor:
    """Average (B, T, H, W) over squares around each pixel."""
    reach = round(min(evidence.shape[2:]) * _SQUARE / 2)
    size = 2 * reach + 1
    return F.avg_pool2d(evidence, size, stride=1, padding=reach, count_include_pad=False)
