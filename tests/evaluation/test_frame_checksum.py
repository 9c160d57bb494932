"""The checksum of frames against the sum written out in Python's whole numbers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from videogn.evaluation.frame_checksum import frames_checksum


def _by_hand(frames):
    sums = []
    for frame in frames.numpy():
        data = frame.tobytes() + bytes(-frame.size % 4)
        words = [int.from_bytes(data[place : place + 4], "little", signed=True) for place in range(0, len(data), 4)]
        factors = [int(factor) | 1 for factor in np.random.PCG64(0).random_raw(len(words))]
        sums.append(sum(word * factor for word, factor in zip(words, factors, strict=True)) % 2**64)
    digest = hashlib.blake2b(str(tuple(frames.shape)).encode(), digest_size=16)
    digest.update(b"".join(each.to_bytes(8, "little") for each in sums))
    return digest.hexdigest()


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (3, 4, 6, 3), (40, 5, 7, 3), (2, 8, 8, 3)])
def test_the_definition(shape):
    frames = torch.randint(256, shape, dtype=torch.uint8)
    assert frames_checksum(frames) == _by_hand(frames)
    wider = torch.cat([frames, frames], dim=2)
    assert frames_checksum(wider[:, :, : shape[2]]) == _by_hand(frames)  # a view, not contiguous


def test_every_pixel_the_order_and_the_size_count():
    frames = torch.randint(256, (3, 4, 6, 3), dtype=torch.uint8)
    seen = {frames_checksum(frames), frames_checksum(frames.flip(0)), frames_checksum(frames[:2])}
    seen.add(frames_checksum(frames.view(3, 6, 4, 3)))
    for place in range(frames.numel()):
        other = frames.clone()
        other.view(-1)[place] ^= 1 << (place % 8)
        seen.add(frames_checksum(other))
    assert len(seen) == 4 + frames.numel()
