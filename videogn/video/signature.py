"""What a video shows and how it moves, in a few numbers that survive another size, quality, brightness or beginning.

A perceptual hash of single frames calls all videos of one fixed camera the same. So frames are kept as 8 x 8 grey
means, eight a second: their mean over time is what the video shows, and how they differ from it is how it moves. A
fixed background cancels there. `videogn.data.near_duplicates` compares both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videogn.axes import VideoRecord
from videogn.choices import FRAME_RATE
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import FrameSource
from videogn.video.timeline import make_timeline

#: Height and width of the grey means.
SIDE = 8
#: Samples a second.
RATE = 8.0
#: Most samples of a video, from its middle: eight seconds. It bounds what an hour costs.
MOST = 64
#: Frames that are held in full size at a time.
_AT_ONCE = 8

Signature = NDArray[np.float32]


def signature(video: FrameSource, record: VideoRecord) -> Signature:
    """Compute the signature of an open video.

    Args:
        video: The open video.
        record: Its record: the segment, if it is one, and the number of frames that can be decoded.

    Returns:
        Grey means of the parts of frames, 0 to 255, float32 (T, 64): at most `MOST` frames from the middle.

    Raises:
        VideoDecodeError: If one of the frames cannot be decoded, or the segment holds none.
    """
    places = make_timeline(video, record, RATE)
    first = max(len(places) - MOST, 0) // 2
    frames, rows = np.unique(places[first : first + MOST], return_inverse=True)
    parts = (frames[start : start + _AT_ONCE] for start in range(0, len(frames), _AT_ONCE))
    # Displayed proportions make no difference to the means of 8 x 8 parts.
    means = np.stack([_grey_means(picture) for part in parts for picture in video.pixels(part)])
    return means[rows]


class SignatureMaker:
    """Makes signatures in a killable process: `KillableProcess("videogn.video.signature:SignatureMaker")`."""

    def make(self, record: VideoRecord, frame_rate: float = FRAME_RATE) -> Signature:
        """Open a video and compute its `signature`; `frame_rate` is that of a folder of images."""
        with open_video(record.path, frame_rate=frame_rate) as video:
            return signature(video, record)


def _grey_means(picture: np.ndarray) -> Signature:
    """Means of 8 x 8 equal parts of a picture, uint8 (H, W, 3): float32 (64,)."""
    grey = Image.fromarray(picture).convert("L").convert("F")  # as floats, or the means would be rounded
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32).ravel()
