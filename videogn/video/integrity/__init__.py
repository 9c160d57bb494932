"""Containers without a decoder: where a file ends by its own account, and where its structure is broken.

Demuxers skip the parts that they do not understand, so that frames are lost without an error. Each module is one
family of formats. To add one, write a module with FFmpeg's name of the format and list it in `CONTAINERS`. It has two
functions of a file that stands at its beginning, and of its length in bytes:

    end(file, length)     Position at which the file ends by its own account; more than `length` if it is cut short.
                          None if it does not say, or is of another format. Fast, because every file that is opened for
                          decoding may be asked.
    damage(file, length)  Yields a `Damage` for each thing that is broken inside, up to the first one that concerns the
                          video. It may read the whole file. A missing end is no damage.

The check of a whole file, decoding included, is `videogn.video.integrity_report.check_integrity`.
"""

from __future__ import annotations

import importlib
import io
from types import ModuleType
from typing import BinaryIO, NamedTuple

from videogn.video.storage import Source, open_source

#: Modules of this room, by FFmpeg's names of their formats.
CONTAINERS = ("asf", "avi", "flv", "gif", "matroska", "mp4", "mpeg", "mpegts", "ogg")
_ALIASES = {"asf_o": "asf", "live_flv": "flv"}


class Damage(NamedTuple):
    """Something that is broken inside a file.

    Attributes:
        what: One line that says what and where.
        of_video: Whether it may be the video's own data: its pictures, their times, or what holds them together.
            Otherwise the frames are whole if they decode.
    """

    what: str
    of_video: bool = True


def is_cut(source: Source, formats: str) -> bool:
    """Return whether a file ends before its container does; False if the container does not say.

    Args:
        source: Result of `read_source`.
        formats: FFmpeg's names of the container format, separated by commas.
    """
    container = _container(formats)
    with open_source(source) as file:
        length = _length(file)
        end = None if container is None else container.end(file, length)
    return end is not None and end > length


def damage(source: Source, formats: str) -> list[Damage]:
    """Return what is broken inside a file according to its container, up to the first damage of the video.

    Reads the whole file and decodes nothing: some damage loses frames, and no decoder reports it.

    Args:
        source: Result of `read_source`.
        formats: FFmpeg's names of the container format, separated by commas.
    """
    container = _container(formats)
    with open_source(source) as file:
        return [] if container is None else list(container.damage(file, _length(file)))


def _container(formats: str) -> ModuleType | None:
    """The module of a format. Only that one is imported."""
    names = [_ALIASES.get(name, name) for name in formats.split(",")]
    name = next((name for name in names if name in CONTAINERS), None)
    return None if name is None else importlib.import_module(f"{__name__}.{name}")


def _length(file: BinaryIO) -> int:
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return length
