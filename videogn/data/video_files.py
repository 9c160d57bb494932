"""Suffixes of videos and images, names of folders that are nobody's data, and the search for files below a folder."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from videogn.checks import existing_path
from videogn.data.archives import refuse_archive
from videogn.data.left_out import HIDDEN, in_words, strays
from videogn.system.displayable import displayable
from videogn.video.decoders.image_folder import has_numbered_images

_log = logging.getLogger(__name__)

#: Suffixes of what FFmpeg reads as video: containers, cameras' and recorders' names for them, and raw streams. Those
#: that mostly mean something else (.dat, .ps, .bin, .apng) or lack their size (.yuv) are not among them.
VIDEO_SUFFIXES = (
    # ISO files and QuickTime
    *(".mp4", ".m4v", ".mov", ".qt", ".f4v", ".3gp", ".3gpp", ".3g2", ".3gp2", ".ismv", ".mp4v", ".mj2", ".mjp2"),
    *(".insv", ".lrv", ".360"),
    # Matroska, AVI, Ogg, Flash, Windows Media, RealMedia
    *(".mkv", ".mk3d", ".webm", ".avi", ".divx", ".xvid", ".ogv", ".ogm", ".ogx", ".flv", ".swf"),
    *(".wmv", ".asf", ".wm", ".dvr-ms", ".wtv", ".rm", ".rmvb"),
    # MPEG program and transport streams
    *(".mpg", ".mpeg", ".mpe", ".m2p", ".vob", ".vro", ".evo", ".mod"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".tp", ".trp", ".tod"),
    # professional, DV and others
    *(".mxf", ".gxf", ".dv", ".dif", ".nut", ".ivf", ".amv", ".nsv", ".nuv", ".viv", ".roq", ".flc", ".fli", ".gif"),
    # raw streams
    *(".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".h266", ".266", ".vvc", ".av1", ".obu", ".vc1", ".cavs"),
    *(".m1v", ".m2v", ".mp2v", ".mpv", ".mpv2", ".m4e", ".h261", ".h263", ".drc", ".mjpeg", ".mjpg", ".y4m"),
)

#: Suffixes of images that are examples by themselves, those of torchvision's ImageFolder; FFmpeg reads them all.
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

#: Folders that operating systems, file servers and tools put beside data, in lower case. Hidden ones need no entry.
_SYSTEM_FOLDERS = frozenset(
    {
        "__macosx",
        "network trash folder",
        "temporary items",
        "thevolumesettingsfolder",
        "$recycle.bin",
        "recycle.bin",
        "system volume information",
        "found.000",
        "lost+found",
        "@eadir",
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "@sharebin",
        "@sharesnap",
        "#recycle",
        "#snapshot",
        "__pycache__",
    }
)


def is_system_folder(name: str) -> bool:
    """Return whether a folder of this name belongs to the system or a tool, such as "@eaDir" or "__MACOSX"."""
    return name.lower() in _SYSTEM_FOLDERS


def is_video_name(name: str) -> bool:
    """Return whether a file name or a path ends in a suffix of `VIDEO_SUFFIXES`."""
    return name.lower().endswith(VIDEO_SUFFIXES)


def is_image_name(name: str) -> bool:
    """Return whether a file name or a path ends in the suffix of an image, which is a video of one frame."""
    return name.lower().endswith(_IMAGE_SUFFIXES)


def find_videos(path: str | Path) -> list[str]:
    """List the videos at a path.

    Args:
        path: File with any suffix, or folder, searched at every depth. Hidden files and folders and system folders are
            skipped. A folder of numbered images is a video.

    Returns:
        The file itself, or the videos in the folder, sorted; the folder itself if it holds the images of one video.

    Raises:
        FileNotFoundError: If `path` does not exist.
        ValueError: If the folder holds no video, or the file is a compressed archive.
    """
    path = existing_path(path)
    if not path.is_dir():
        refuse_archive(path)
        return [str(path)]
    left_out: Counter[str] = Counter()
    videos = sorted(walk_videos(str(path), left_out=left_out))
    if not videos:
        there = f"only {in_words(left_out)}" if left_out else "it is empty"
        raise ValueError(f"no video in {path}: {there} (videos end in .mp4, .mkv, .avi, .ts and so on)")
    return videos


def walk_videos(
    folder: str, above: frozenset[str] = frozenset(), left_out: Counter[str] | None = None
) -> Iterator[str]:
    """Find the videos below a folder, at every depth; hidden files and folders and system folders are skipped.

    A folder of numbered images is one video if neither it nor a folder below it holds others: pictures beside videos
    are none.

    Args:
        folder: Folder to search.
        above: Real paths of the folders above, for the recursion.
        left_out: Counts the other files, see `videogn.data.left_out.strays`. Default: they are not counted.

    Yields:
        Paths, in the order of names.
    """
    real = os.path.realpath(folder)
    # Links are followed, except those that lead back up: their videos would be counted twice.
    if any(os.path.join(folder_above, "").startswith(os.path.join(real, "")) for folder_above in above):
        return
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except PermissionError as error:
        if not above:  # the first folder
            raise
        _log.warning("%s: %s; its videos are left out", displayable(folder), error.strerror)
        return
    videos, others, unseen, deeper = [], [], 0, False
    for entry in entries:
        hidden = entry.name.startswith(".")
        if _is_folder(entry):
            if not hidden and not is_system_folder(entry.name):
                for path in walk_videos(entry.path, above | {real}, left_out):
                    deeper = True
                    yield path
        elif hidden:
            # "._a.mp4" is no video: it holds what a Mac cannot store in the a.mp4 of another file system.
            unseen += is_video_name(entry.name) and not entry.name.startswith("._")
        elif is_video_name(entry.name):
            videos.append(entry.name)
            yield entry.path
        else:
            others.append(entry.name)
    if not videos and not deeper and has_numbered_images(others):
        yield folder
        others = [] if left_out is None else [name for name in others if not has_numbered_images([name])]
    if left_out is not None:
        left_out.update({HIDDEN: unseen} if unseen else {}, **strays(others, videos))


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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; opening it gives the error
        return False
