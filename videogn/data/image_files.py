"""Image files that are examples by themselves, each a video of one frame, as in ImageNet's class folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping

from videogn.data.video_files import is_system_folder

#: Suffixes of images, those of torchvision's ImageFolder; FFmpeg reads them all.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def is_image_name(name: str) -> bool:
    """Return whether a file name or a path ends in a suffix of `IMAGE_SUFFIXES`."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def walk_images(folder: str) -> Iterator[str]:
    """Find the images below a folder, at every depth; hidden files and folders and system folders are skipped.

    Args:
        folder: Folder to search.

    Yields:
        Paths, in the order of names within each folder.
    """
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not is_system_folder(name))
        for name in sorted(files):
            if is_image_name(name) and not name.startswith("."):
                yield os.path.join(path, name)


def without_images(kinds: Mapping[str, int]) -> Counter[str]:
    """Leave images out of counts of files by suffix."""
    return Counter({kind: count for kind, count in kinds.items() if kind not in IMAGE_SUFFIXES})
