"""UCF101: trainlist01.txt ("Class/video.avi 1"), testlist01.txt ("Class/video.avi"), classInd.txt ("1 Class").

Classes are numbered from 1.
"""

from __future__ import annotations

import re
from pathlib import Path

from videogn.data.layouts import Row, read_text
from videogn.data.lists.columns import is_video_there
from videogn.data.lists.listed import Listed, ListFile, folder_of
from videogn.data.lists.places import sampled

CLASS_LIST = "classInd.txt"
#: Folder of the videos as they are distributed.
_VIDEOS = "UCF-101"
_NAME = re.compile(r"(train|test)list0[123]\.txt")
_LINE = re.compile(r"(?P<path>\S+)(?:\s+(?P<number>[0-9]+))?")


def is_ucf101(file: ListFile) -> bool:
    """Whether a list is one of UCF101's: by its name or the class list beside it, and by its first line."""
    known = _NAME.fullmatch(file.source.name) or file.beside(CLASS_LIST)
    match = _LINE.fullmatch(file.lines[0][1])
    return bool(known) and match is not None and bool(folder_of(match["path"]))


def read_ucf101(file: ListFile) -> Listed:
    """Read a list of UCF101. The folder of a video is its class.

    Returns:
        The rows; their labels are class names. The order of the classes is that of the class list or of the numbers.
        The numbers are other spellings of the names.

    Raises:
        ValueError: If a line is wrong, or its number is not that of its folder.
    """
    class_list = file.beside(CLASS_LIST)
    names = {} if class_list is None else _read_class_list(class_list)
    found = []
    for number, line in file.lines:
        match = _LINE.fullmatch(line)
        if match is None or not (folder := folder_of(match["path"])):
            raise ValueError(f"{file.where(number)}: {line!r}; expected 'Class/video.avi 1' or 'Class/video.avi'")
        if match["number"] and class_list is not None and match["number"] not in names:
            raise ValueError(f"{file.where(number)}: {match['number']} is no number of a class in {class_list}")
        name = names.setdefault(match["number"], folder) if match["number"] else folder
        if name != folder:
            raise ValueError(
                f"{file.where(number)}: class {match['number']} is {name}"
                f"{f' in {class_list}' if class_list else ''}, but the video lies in {folder}"
            )
        found.append((number, match["path"], folder))
    root = _root(file, [path for _, path, _ in found])
    rows = [Row(str(root / path), folder, file.where(number)) for number, path, folder in found]
    in_order = [names[number] for number in sorted(names, key=int)]
    aliases = names | {name: number for number, name in names.items()}
    return Listed(rows, in_order or None, aliases=aliases)


def _read_class_list(path: Path) -> dict[str, str]:
    pairs = [line.split() for line in read_text(path).splitlines() if line.strip()]
    if any(len(pair) != 2 or not (pair[0].isdecimal() and len(pair[0]) < 10) for pair in pairs) or len(
        dict(pairs)
    ) < len(pairs):
        raise ValueError(f"{path}: expected lines such as '1 ApplyEyeMakeup', each number once")
    return {number: name for number, name in pairs}  # noqa: C416  mypy does not see that they are pairs


def _root(file: ListFile, paths: list[str]) -> Path:
    """The folder of the videos: the root, or the folder UCF-101 in it or beside the lists' folder."""
    for root in (file.root, file.root / _VIDEOS, file.source.parent.parent / _VIDEOS):
        if any(is_video_there(root, path) for path in sampled(paths)):
            return root
    return file.root
