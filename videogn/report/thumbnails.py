"""Small pictures of the frames at which the clips of a video begin, for a page."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from videogn.data.lists.segments import named_video
from videogn.report.document_blocks import Still
from videogn.video.decoders.frame_source import FrameSource
from videogn.video.decoders.guard import VideoGuard
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import exists, is_url

#: Pictures of a video, and the longer side of each, pixels: about 4 kB of JPEG.
_STILLS = 4
_SIDE = 160
_QUALITY = 70
#: Seconds that one small video may take; see `VideoGuard`.
_LIMIT = 10.0


@dataclass(frozen=True)
class Stills:
    """What can be shown of a video.

    Attributes:
        pictures: First frames of some of its clips, in order of time; empty where there are none.
        link: Address of the file ("file:///..."), or None where it is not there, or no file of its own.
        problem: Why there are no pictures, or None.
    """

    pictures: tuple[Still, ...] = ()
    link: str | None = None
    problem: str | None = None


def read_stills(videos: Iterable[tuple[str, Sequence[int]]], *, seconds: float = 30.0) -> list[Stills]:
    """Read the first frames of up to four clips of each video, spread evenly over them.

    A decoder that hangs or crashes loses its video alone. Objects in a store are not fetched.

    Args:
        videos: Name of each video (`VideoRecord.name`), and the frame index at which each of its clips begins.
        seconds: Time after which no further video is opened. Default: 30.

    Returns:
        One for each video.
    """
    end = time.monotonic() + seconds
    with closing(VideoGuard(_LIMIT)) as guard:
        return [_stills(guard, name, starts, end) for name, starts in videos]


def chosen_starts(starts: Sequence[int]) -> list[int]:
    """Choose the distinct first frames that are shown, in order of time.

    Example:
        >>> from videogn.report.thumbnails import chosen_starts
        >>> chosen_starts([0, 30, 60, 90, 120, 150, 180, 210, 240, 270])
        [0, 90, 180, 270]
    """
    distinct = sorted(set(starts))
    places = np.linspace(0, len(distinct) - 1, min(_STILLS, len(distinct))).round().astype(int)
    return [distinct[place] for place in places]


def _stills(guard: VideoGuard, name: str, starts: Sequence[int], end: float) -> Stills:
    path = named_video(name).path
    if is_url(path):
        return Stills(problem="in an object store: not fetched")
    if not (os.path.isdir(path) or exists(path)):
        return Stills(problem="the file is not there")
    link = Path(os.path.abspath(path)).as_uri() if os.path.exists(path) else None  # a member of a shard has none
    if not starts:
        return Stills(link=link)
    if time.monotonic() > end:
        return Stills(link=link, problem="no picture: the time for pictures was up")
    try:
        with guard.open(path) as video:
            return Stills(tuple(_pictures(video, chosen_starts(starts))), link)
    except (VideoDecodeError, ValueError) as error:  # a frame index that this file does not have
        reason = error.reason if isinstance(error, VideoDecodeError) else str(error)
        return Stills(link=link, problem=f"no picture: {reason}")


def _pictures(video: FrameSource, starts: Sequence[int]) -> list[Still]:
    times = video.times()
    # One frame at a time: each is much smaller once it is shrunk.
    return [
        Still(_jpeg(video.frames(np.array([start]))[0]), f"frame {start}, {times[start]:.1f} s") for start in starts
    ]


def _jpeg(frame: np.ndarray) -> bytes:
    picture = Image.fromarray(frame)
    picture.thumbnail((_SIDE, _SIDE))
    if max(picture.size) < _SIDE:  # small videos: enlarged, or their captions would be wider than they are
        scale = _SIDE / max(picture.size)
        picture = picture.resize([max(round(side * scale), 1) for side in picture.size], Image.Resampling.NEAREST)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=_QUALITY)
    return data.getvalue()
