"""A hash of what a network has learnt, whatever file holds it."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def weights_sha256(net: nn.Module) -> str:
    """Hash the weights and buffers of a network.

    A checkpoint that is saved anew, or without its optimiser, has the same hash; that of its file would change.

    Args:
        net: Network on any device.

    Returns:
        SHA-256, in hexadecimal, of the name, type, shape and values of each entry of the state dict, by name.

    Example:
        >>> from torch import nn
        >>> from videogn.models.weights_hash import weights_sha256
        >>> weights_sha256(nn.Identity())[:16]
        'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    for name, values in sorted(net.state_dict().items()):
        digest.update(f"{name}\t{values.dtype}\t{tuple(values.shape)}\n".encode())
        digest.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
