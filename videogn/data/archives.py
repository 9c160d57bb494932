"""Archives that cannot be read as they are, named as what they are."""

from __future__ import annotations

import os
from pathlib import Path

from videogn.video.storage import is_url

#: Suffixes of archives other than plain tar files.
ARCHIVE_SUFFIXES = (
    *(".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar.lz4"),
    *(".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".rar"),
)


def is_archive(name: str) -> bool:
    """Return whether a file name or URL ends like a compressed archive."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def refuse_archive(source: str | Path) -> None:
    """Refuse a compressed archive as a source of videos.

    Args:
        source: File, folder or URL.

    Raises:
        ValueError: If it is such an archive.
    """
    text = os.fspath(source)
    if is_archive(text) and (is_url(text) or os.path.isfile(text)):
        raise ValueError(
            f"{text} is a compressed archive; only plain .tar files are read in place, since one video in a compressed "
            "one cannot be reached without unpacking all before it: unpack it, and name the folder"
        )
