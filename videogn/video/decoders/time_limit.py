"""Time limits of decoding: seconds for a small video, more for a longer or larger one."""

from __future__ import annotations

from videogn.system.killable import LONGEST
from videogn.video.decoders.frame_table import VideoInfo

#: Megapixels for which a limit is added once more: at 60 s, the decoder has to manage 50 megapixels a second, which is
#: six frames of 3840 x 2160.
_ONCE_MORE = 3000


def time_limit(base: float, info: VideoInfo, frames: int | None = None) -> float:
    """Compute how long decoding may take: the base, and as much again for every 3,000 megapixels.

    A video of 300 frames of 340 x 256 has 26 megapixels, one of 15,000 frames of 3840 x 2160 has 124,416.

    Args:
        base: Seconds for a small video.
        info: Facts of the video.
        frames: Number of frames to decode. Default: all.

    Returns:
        Seconds, at most `videogn.system.killable.LONGEST`.
    """
    count = info.frames if frames is None else frames
    return min(base * (1 + count * info.height * info.width / (_ONCE_MORE * 1e6)), LONGEST)


def in_seconds(limit: float) -> str:
    """Write a time limit for a message, such as "60 s"."""
    return f"{limit:.0f} s" if limit >= 10 else f"{limit:.3g} s"
