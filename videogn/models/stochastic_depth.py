"""Stochastic depth (Huang et al. 2016, arXiv 1603.09382): residual branches that some clips leave out in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn


def leave_out(blocks: Sequence[Any], probability: float) -> None:
    """Let the blocks of a network leave out their branches, the last one with a probability, the first one never.

    The probability grows linearly with the number of the block, as in torchvision and timm; the paper's own first block
    has a small one. Each clip of a batch is drawn for; what is left is divided by the probability of being left. In
    evaluation nothing is left out.

    Args:
        blocks: Residual blocks from the first to the last, with an attribute `drop`.
        probability: That of the last block, in [0, 1). 0 changes nothing.

    Raises:
        ValueError: If it is no such number.
    """
    check_probability(probability)
    if probability == 0:
        return
    from torchvision.ops import StochasticDepth

    for number, block in enumerate(blocks):
        block.drop = StochasticDepth(probability * number / max(len(blocks) - 1, 1), mode="row")


def rescale(network: nn.Module, probability: float, built_with: float) -> None:
    """Change the probabilities of a network of torchvision's, which grow linearly as well.

    Args:
        network: The network, changed in place.
        probability: That of the last block.
        built_with: The one that the network was built with, > 0.

    Raises:
        ValueError: If the probability is not in [0, 1).
    """
    from torchvision.ops import StochasticDepth

    check_probability(probability)
    for module in network.modules():
        if isinstance(module, StochasticDepth):
            module.p *= probability / built_with


def check_probability(probability: float) -> None:
    """Refuse what is no probability, or that of leaving out everything."""
    if not 0 <= probability < 1:
        raise ValueError(f"stochastic_depth must be in [0, 1), got {probability}")
