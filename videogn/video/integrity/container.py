"""How long a container says it is: what shows that the end is missing where no list of the frames does."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from videogn.video.integrity import asf, boxes, flash, gif, matroska, mpegps, mpegts, ogg, riff
from videogn.video.integrity.matroska import segment_end
from videogn.video.storage import Source, open_source

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_CONTAINERS = (riff, mpegts, mpegps, ogg, flash, asf, gif, boxes)
#: Seconds; a container that says more (or no number at all) is not believed.
_LONGEST = 1e7


def is_cut(source: Source) -> bool:
    """Whether a file ends before its container does; False where the container does not say.

    Args:
        source: of `read_source`.
    """
    with open_source(source) as file:
        length = file.seek(0, io.SEEK_END)
        for end in (segment_end, *(container.end for container in _CONTAINERS)):
            file.seek(0)
            told = end(file, length)
            if told is not None:
                return told > length
    return False


def damage(source: Source) -> str | None:
    """What is broken inside a file, as its container tells; None where nothing is, or it does not say.

    Reads the whole file, and takes no decoding: some damage loses frames, and no decoder reports it.

    Args:
        source: of `read_source`.
    """
    with open_source(source) as file:
        length = file.seek(0, io.SEEK_END)
        for container in _CONTAINERS:
            file.seek(0)
            if found := container.damage(file, length):
                return found
    return matroska.damage(source)


def told_end(container: InputContainer, stream: VideoStream) -> float | None:
    """When Matroska says that its video, or else the longest of its streams, ends.

    Args:
        container: from `open_stream`.
        stream: from `open_stream`.

    Returns:
        Seconds; None where it does not say, or not in earnest.
    """
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        told = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        told = (container.duration or 0) / 1_000_000
    return told if 0 < told < _LONGEST else None
