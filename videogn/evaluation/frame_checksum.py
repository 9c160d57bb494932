"""A checksum of the frames that a network was shown, by which a test that is repeated knows them again.

It is computed where the frames are: in whole numbers, which every device adds up alike, and on a GPU at no cost for the
processor. A cryptographic hash of all pixels would take as long as decoding them.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

#: Bytes of a word, and frames that are weighed at once.
_WORD, _AT_ONCE = 4, 32


def frames_checksum(frames: Tensor) -> str:
    """Compute a checksum of frames: of their pixels, size, number and order.

    Every frame is read as words of 32 bits, which are multiplied by fixed odd factors of 64 (numpy's PCG64 stream of
    seed 0) and added modulo 2^64: since an odd factor has an inverse, no change of one word goes unseen. The sums of
    all frames are hashed. It finds what differs; it is no seal against somebody who looks for another video of the same
    checksum.

    Args:
        frames: Frames on any device, uint8 (N, H, W, 3).

    Returns:
        32 hexadecimal digits.

    Example:
        >>> import torch
        >>> from videogn.evaluation.frame_checksum import frames_checksum
        >>> black = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
        >>> frames_checksum(black)
        'ea5ee0a647a4246f56c9100dd94c6ac7'
        >>> frames_checksum(black) == frames_checksum(black[:1])
        False
    """
    pixels = frames.flatten(1)
    pixels = F.pad(pixels, (0, -pixels.shape[1] % _WORD)).contiguous()
    words = pixels.view(torch.int32)
    factors = (np.random.PCG64(0).random_raw(words.shape[1]) | np.uint64(1)).view(np.int64)
    weights = torch.from_numpy(factors).to(frames.device)
    sums = torch.cat([(some * weights).sum(dim=1) for some in words.split(_AT_ONCE)])
    digest = hashlib.blake2b(str(tuple(frames.shape)).encode(), digest_size=16)
    digest.update(sums.cpu().numpy().astype("<i8").tobytes())
    return digest.hexdigest()
