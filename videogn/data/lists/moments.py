"""Moments in Time: "jumping/a.mp4,jumping,3,0": file, label, and how many people agreed and disagreed; no heading."""

from __future__ import annotations

import os

from videogn.data.layouts import Row, read_text
from videogn.data.lists.listed import Listed, ListFile, folder_of
from videogn.data.lists.places import sampled
from videogn.data.video_files import is_video_name

CLASS_LIST = "moments_categories.txt"


def is_moments(file: ListFile) -> bool:
    """Whether each line is a file in a folder, the name of the folder, and two numbers."""
    some = [_fields(line) for _, line in sampled(file.lines)]
    return all(len(fields) == 4 and _is_moment(*fields) for fields in some)


def read_moments(file: ListFile) -> Listed:
    """Read a list of Moments in Time.

    Returns:
        The rows. The order of the classes is that of the class list beside it ("clapping,0").

    Raises:
        ValueError: If a line is wrong.
    """
    rows = []
    for number, line in file.lines:
        fields = _fields(line)
        if len(fields) != 4 or not is_video_name(fields[0]):
            raise ValueError(f"{file.where(number)}: {line!r}; expected a line such as 'jumping/a.mp4,jumping,3,0'")
        rows.append(Row(os.path.join(file.root, fields[0]), fields[1], file.where(number)))
    class_list = file.beside(CLASS_LIST)
    lines = [] if class_list is None else read_text(class_list).splitlines()
    pairs = [line.strip().rpartition(",") for line in lines if line.strip()]
    if any(not name or not _is_number(number) for name, _, number in pairs):
        raise ValueError(f"{class_list}: expected lines such as 'clapping,0'")
    return Listed(rows, [name for name, _, _ in sorted(pairs, key=lambda pair: int(pair[2]))] or None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _fields(line: str) -> list[str]:
    return [text.strip() for text in line.rsplit(",", 3)]


def _is_moment(path: str, label: str, agreed: str, disagreed: str) -> bool:
    return is_video_name(path) and folder_of(path) == label and agreed.isdigit() and disagreed.isdigit()
