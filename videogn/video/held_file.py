"""A video file that a program holds in memory, in the place of a path."""

from __future__ import annotations


class HeldFile(str):
    """Name of a video whose bytes are held in memory. Formats without a signature are recognised by its suffix.

    Attributes:
        data: Content of the file.
    """

    data: bytes

    def __new__(cls, name: str, data: bytes) -> HeldFile:
        self = super().__new__(cls, name)
        self.data = data
        return self

    def __reduce__(self) -> tuple[type[HeldFile], tuple[str, bytes]]:
        return HeldFile, (str(self), self.data)
