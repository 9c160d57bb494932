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
from videogn.data.lists.places import located

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
    names: list[str] = []
    found: list[tuple[str, str, str]] = []
    classes = []
    for path in files:
        match = HMDB51_NAME.fullmatch(path.name)
        assert match is not None
        classes.append(match["name"])
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            name, _, use = line.strip().rpartition(" ")
            if use not in _USES or not name:
                raise ValueError(f"{path}, line {number}: {line!r}; expected 'video.avi 1' (1 train, 2 test, 0 unused)")
            if split := _USES[use]:
                names.append(os.path.join(match["name"], name.strip()))
                found.append((match["name"], split, f"{path}, line {number}"))
    paths = located(names, root, suffix=".avi")
    rows = [Row(path, label, where, split=split) for path, (label, split, where) in zip(paths, found, strict=True)]
    return Listed(rows, sorted(classes))
