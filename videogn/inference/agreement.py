"""How far the predictions of two networks agree on the same clips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from videogn.evaluation import clip_probabilities


@dataclass(frozen=True)
class Agreement:
    """Agreement of a network's predictions q with a reference's p, averaged over clips.

    Attributes:
        clips: Number of clips.
        top1_agreement: Share of the clips that both give the same class.
        total_variation: Half the sum over classes of |p - q|, from 0 (equal) to 1.
        kl: Kullback-Leibler divergence, the sum over classes of p log(p / q), in nats.
    """

    clips: int
    top1_agreement: float
    total_variation: float
    kl: float


@torch.inference_mode()
def agreement(network: nn.Module, reference: nn.Module, clips: Iterable[Tensor]) -> Agreement:
    """Measure the agreement of two networks, both as they are (in evaluation mode, say).

    Args:
        network: Network from clips to logits (B, K, T', H', W').
        reference: Network of the same classes.
        clips: Batches of normalised clips (B, 3, T, H, W), at least one.

    Returns:
        The agreement.

    Raises:
        ValueError: A logit is NaN or infinite.
    """
    rows = []
    for batch in clips:
        p, q = (clip_probabilities(net(batch)).double().cpu() for net in (reference, network))
        same = p.argmax(1) == q.argmax(1)
        variation = (p - q).abs().sum(1) / 2
        # As torch.xlogy has it, a class of probability 0 adds nothing; q underflows to 0 where p does not.
        kl = (torch.xlogy(p, p) - torch.xlogy(p, q.clamp(min=torch.finfo(torch.float32).tiny))).sum(1)
        kl = kl.clamp(min=0)  # which it is, but for rounding
        rows.append(torch.stack([same.double(), variation, kl], dim=1))
    values = torch.cat(rows)
    return Agreement(len(values), *values.mean(0).tolist())
