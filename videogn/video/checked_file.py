"""Path of a video of which an index says that every frame decodes."""

from __future__ import annotations

import os


class CheckedFile(str):
    """Path of a file all frames of which were decoded by a full check, with its state at that time.

    Attributes:
        size: Size in bytes.
        changed: Time of the last change in nanoseconds.
    """

    size: int
    changed: int

    def __new__(cls, path: str, size: int, changed: int) -> CheckedFile:
        self = super().__new__(cls, path)
        self.size, self.changed = size, changed
        return self

    def __reduce__(self) -> tuple[type[CheckedFile], tuple[str, int, int]]:
        return CheckedFile, (str(self), self.size, self.changed)

    def is_unchanged(self) -> bool:
        """Return whether it is a file whose size and time of change are still those of the check."""
        try:
            found = os.stat(self)
        except (
            OSError,
            ValueError,
        ):  # an object in a store among others, which would have to be asked over the network
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.changed)
