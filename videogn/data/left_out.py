"""The files of a data set that are not read as videos: counted by suffix, and which of them are worth a word.

`LeftOut` has an entry for each folder of a folder of class folders, also where nothing was left out.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

#: Name of a class folder -> kind of file -> number of files. A kind is a suffix in lower case, or a word below.
LeftOut = Mapping[str, Mapping[str, int]]

HIDDEN = "hidden"
NO_SUFFIX = "without a suffix"
#: Kind of a whole folder that is not looked into.
SYSTEM = "system folder"

#: What lies beside videos as a matter of course: notes, annotations, subtitles, features, sound.
_NOTES = frozenset(
    [
        *(".txt", ".md", ".rst", ".pdf", ".doc", ".docx", ".html", ".htm", ".url", ".lnk", ".nfo", ".log", ".torrent"),
        *(".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".xls", ".xlsx", ".db"),
        *(".srt", ".vtt", ".ass", ".ssa", ".sub", ".idx", ".ytdl", ".sha256", ".md5", ".py", ".ipynb", ".sh"),
        *(".pkl", ".pickle", ".npy", ".npz", ".pt", ".pth", ".h5", ".hdf5", ".mat", ".parquet", ".feather"),
        *(".mp3", ".wav", ".m4a", ".aac", ".flac", ".ogg", ".opus", ".thm", ".eaf", ".bvh", ".c3d"),
    ]
)
_PICTURES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".svg", ".heic", ".avif", ".ico"])
#: Number of classes that a line names.
_NAMED = 3


def strays(names: Iterable[str], videos: Sequence[str]) -> Counter[str]:
    """Count files of a folder that are not read, by suffix. A file named after a video of the folder belongs to that.

    Args:
        names: Names of the files that are not read.
        videos: Names of the videos beside them.

    Returns:
        Suffix -> number of files.
    """
    stems = {os.path.splitext(video)[0] for video in videos}
    found: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        if not any(".".join(parts[:count]) in stems for count in range(1, len(parts))):
            found[os.path.splitext(name)[1].lower() or NO_SUFFIX] += 1
    return found


def are_notes(kinds: Mapping[str, int]) -> bool:
    """Return whether files were left out, and all are notes, annotations and the like: their folder is no class."""
    return bool(kinds) and kinds.keys() <= _NOTES


def suspicious(kinds: Mapping[str, int]) -> dict[str, int]:
    """Return the files that may have been meant as videos: not notes, pictures or hidden files."""
    return {kind: count for kind, count in kinds.items() if kind not in _NOTES | _PICTURES | {HIDDEN, SYSTEM}}


def in_words(kinds: Mapping[str, int]) -> str:
    """Write counts as "6 .xyz, 1 without a suffix", the most frequent first."""
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))


def left_out_lines(left_out: LeftOut, classes: Sequence[str], full: Iterable[str]) -> list[str]:
    """Say in a line or two what may have been meant as a video or a class, but is not read.

    Args:
        left_out: What was left out.
        classes: Names of all classes.
        full: Names of the classes with videos; the others are named with the reason elsewhere.
    """
    lines = []
    files = {name: suspicious(left_out[name]) for name in full if name in left_out}
    if parts := [f"{in_words(kinds)} of class {name}" for name, kinds in files.items() if kinds]:
        lines.append(f"left out: {listed(parts)} (not suffixes of videos; `videogn data show` counts all)")
    others = {name: kinds for name, kinds in left_out.items() if name not in classes and are_notes(kinds)}
    if notes := [f"{name} ({in_words(kinds)})" for name, kinds in others.items()]:
        lines.append(f"no class, since it holds no video: {listed(notes)}")
    return lines


def listed(parts: Sequence[str]) -> str:
    """Join parts with commas; of many, the first three and the number of the others."""
    shown = ", ".join(parts[:_NAMED])
    return shown if len(parts) <= _NAMED else f"{shown} and {len(parts) - _NAMED:,} more"


def left_out_table(left_out: LeftOut, classes: Iterable[str]) -> list[str]:
    """List everything that is left out, a line for each folder; system folders share one.

    Args:
        left_out: What was left out.
        classes: Names of the classes.
    """
    known = set(classes)
    lines = [
        f"{name}{'' if name in known else ' (no class)'}: {in_words(kinds)}"
        for name, kinds in left_out.items()
        if kinds and SYSTEM not in kinds
    ]
    if system := [name for name, kinds in left_out.items() if SYSTEM in kinds]:
        lines.append(f"{', '.join(system)} ({SYSTEM}{'s' if len(system) > 1 else ''})")
    return lines


def joined_left_out(parts: Iterable[LeftOut]) -> LeftOut:
    """Add up what was left out of several folders of class folders."""
    total: dict[str, Counter[str]] = {}
    for part in parts:
        for name, kinds in part.items():
            total.setdefault(name, Counter()).update(kinds)
    return total
