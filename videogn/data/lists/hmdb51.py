"""HMDB51: a file for each class and each of three splits, brush_hair_test_split1.txt, with lines of "video.avi 1".

The number says what a video is used for: 1 training, 2 testing, 0 neither.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from videogn.data.layouts import Row, read_text
from videogn.data.lists.list_sources import HMDB51_NAME
from videogn.data.lists.listed import Listed
from videogn.data.lists.places import find_by_name

_log = logging.getLogger(__name__)

_USES = {"0": None, "1": "train", "2": "test"}


def read_hmdb51(files: Sequence[Path], root: Path) -> Listed:
    """Read split files of HMDB51; the class of a video is in the name of the file.

    Args:
        files: The files, of one of the three splits.
        root: Folder below which the videos are found by name.

    Returns:
        The rows, "train" and "test"; videos of neither are left out. The classes are sorted.

    Raises:
        ValueError: If a line is wrong, or the files are of several splits.
    """
    splits = {match["split"] for path in files if (match := HMDB51_NAME.fullmatch(path.name))}
    if len(splits) > 1:
        raise ValueError(f"{files[0].parent}: files of splits {' and '.join(sorted(splits))}; give those of one")
    if len(files) > 1:
        _log.info("%s: split %s of 3; '*_test_split2.txt' in that folder is another one", files[0].parent, *splits)
    uses: list[tuple[str, str, str, str]] = []
    classes = []
    for path in files:
        match = HMDB51_NAME.fullmatch(path.name)
        assert match is not None
        classes.append(match["name"])
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            name, use = [*line.rsplit(None, 1), ""][:2]
            if use not in _USES:
                raise ValueError(f"{path}, line {number}: {line!r}; expected 'video.avi 1' (1 train, 2 test, 0 unused)")
            if split := _USES[use]:
                uses.append((match["name"], name.strip(), split, f"{path}, line {number}"))
    paths = _paths([(label, name) for label, name, _, _ in uses], root)
    rows = [Row(path, label, where, split=split) for path, (label, _, split, where) in zip(paths, uses, strict=True)]
    return Listed(rows, sorted(classes))


def _paths(videos: Sequence[tuple[str, str]], root: Path) -> list[str]:
    """The path of each (class, file name): in a folder of its class, or in one that is no class's."""
    found = find_by_name(root, {name for label, name in videos} | {f"{label}/{name}" for label, name in videos})
    classes = {label for label, _ in videos}
    loose = {name: path for name, path in found.items() if Path(path).parent.name not in classes}
    return [
        found.get(f"{label}/{name}") or loose.get(name) or os.path.join(root, label, name) for label, name in videos
    ]
