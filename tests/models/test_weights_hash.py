"""What changes the hash of weights, and what does not."""

from __future__ import annotations

import copy
import hashlib

import torch
from torch import nn

from videogn.models.weights_hash import weights_sha256


def test_by_hand():
    net = nn.Linear(2, 1)
    text = b"".join(
        f"{name}\ttorch.float32\t{tuple(net.state_dict()[name].shape)}\n".encode()
        + net.state_dict()[name].numpy().tobytes()
        for name in ("bias", "weight")
    )
    assert weights_sha256(net) == hashlib.sha256(text).hexdigest()


def test_values_names_types_and_shapes_count():
    net = nn.Sequential(nn.Conv3d(3, 2, 1), nn.BatchNorm3d(2))
    one = weights_sha256(net)
    assert weights_sha256(copy.deepcopy(net).eval().requires_grad_(False)) == one
    net[1].running_mean[1] += 1e-7
    hashes = {one, weights_sha256(net), weights_sha256(nn.Sequential(net)), weights_sha256(net.bfloat16())}
    assert len(hashes) == 4
    assert weights_sha256(net.to(memory_format=torch.channels_last_3d)) in hashes
