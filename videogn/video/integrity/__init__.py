"""Containers without a decoder: where a file ends by its own account, and where its structure is broken.

Demuxers skip the parts that they do not understand, so that frames are lost without an error. Each module is one family
of formats. To add one, write a module with two functions and name it in `CONTAINERS`. Both functions get a file that
stands at its beginning, and its length in bytes:

    end(file, length)     Position at which the file ends by its own account; more than `length` if it is cut short.
                          None if it does not say, or is of another format. Fast, because every file that is opened for
                          decoding may be asked.
    damage(file, length)  One line that says what is broken inside, or None. It may read the whole file. A missing end
                          is no damage.

The check of a whole file, decoding included, is `videogn.video.integrity_report.check_integrity`.
"""

from __future__ import annotations

import importlib
import io
from types import ModuleType
from typing import BinaryIO

from videogn.video.storage import Source, open_source

#: FFmpeg's name of a format -> module in this room.
CONTAINERS = {
    "mp4": "boxes",
    "matroska": "matroska",
    "avi": "riff",
    "mpegts": "mpegts",
    "mpeg": "mpegps",
    "ogg": "ogg",
    "flv": "flash",
    "live_flv": "flash",
    "asf": "asf",
    "asf_o": "asf",
    "gif": "gif",
}


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


def damage(source: Source, formats: str) -> str | None:
    """Return what is broken inside a file according to its container, or None.

    Reads the whole file and decodes nothing: some damage loses frames, and no decoder reports it.

    Args:
        source: Result of `read_source`.
        formats: FFmpeg's names of the container format, separated by commas.
    """
    container = _container(formats)
    with open_source(source) as file:
        found: str | None = None if container is None else container.damage(file, _length(file))
    return found


def _container(formats: str) -> ModuleType | None:
    """The module of a format. Only that one is imported."""
    names = [CONTAINERS[name] for name in formats.split(",") if name in CONTAINERS]
    return importlib.import_module(f"{__name__}.{names[0]}") if names else None


def _length(file: BinaryIO) -> int:
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return length
