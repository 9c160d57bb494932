"""A file that is replaced or written while it is decoded: its frames would be those of two videos, without an error.

A reader goes by the table that was read when the file was opened, and opens the file again where it cannot go back.
"""

from __future__ import annotations

import os
import stat

from videogn.video.errors import VideoDecodeError
from videogn.video.held_file import HeldFile


class SameFile:
    """Tells whether a file is still the one that was there when this was made.

    Args:
        path: File. Anything else (a folder of images, a member of a shard, a URL, bytes in memory) never changes here:
            it is read at once, or image by image.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._before = None if isinstance(path, HeldFile) else _state(path)

    def check(self) -> None:
        """Check it. A file that is gone is no error: what is open of it stays whole.

        Raises:
            VideoDecodeError: It was replaced, or written to.
        """
        if self._before is not None and _state(self._path) not in (None, self._before):
            raise VideoDecodeError(self._path, "it changed while it was being decoded")


def _state(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
