"""mmaction2's lists of folders of frames: "dir total label", or "dir start total label" with offsets.

Its lists of videos, "a/0.mp4 1", are lines of "path label".
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from videogn.axes import Segment
from videogn.data.layouts import Row
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import sampled
from videogn.data.video_files import is_video_name

_LINE = re.compile(r"(?P<path>\S+)(?P<numbers>(?:\s+[0-9]+){2,})")


#: A number of frames: fewer than a year of video has.
_FRAMES = re.compile("[0-9]{1,9}")


def is_rawframes(file: ListFile) -> bool:
    """Whether each line is a folder and two or more numbers, and no path with a blank and a number."""
    lines = [line for _, line in file.lines]
    matches = [_LINE.fullmatch(line) for line in lines]
    if not all(match and not is_video_name(match["path"]) for match in matches):
        return False
    return not any(os.path.exists(os.path.join(file.root, line.rsplit(None, 1)[0])) for line in sampled(lines))


def read_rawframes(file: ListFile) -> Listed:
    """Read a list of folders of frames.

    Returns:
        The rows: with the number of frames, or with offsets as parts [start, start + total) in frames from 0.

    Raises:
        ValueError: If lines have different numbers of fields, or several labels.
    """
    counts = {len(line.split()) for _, line in file.lines}
    if counts == {4}:
        return Listed([_offset_row(file, number, line.split()) for number, line in file.lines], numbers=True)
    if counts != {3}:
        raise ValueError(
            f"{file.source}: lines of {' and '.join(map(str, sorted(counts)))} fields; expected 'dir total label' or "
            "'dir start total label' (several labels for a video are not read)"
        )
    rows = []
    for number, line in file.lines:
        path, total, label = line.split()
        frames = _frames(total, file.where(number), "dir total label")
        if frames < 1:
            raise ValueError(f"{file.where(number)}: {total} frames in {line!r}; expected 'dir total label'")
        rows.append(Row(os.path.join(file.root, path), label, file.where(number), frames=frames))
    return Listed(rows, numbers=True)


def _frames(text: str, where: str, expected: str) -> int:
    if not _FRAMES.fullmatch(text):
        raise ValueError(f"{where}: {text!r:.40} frames; expected {expected!r}")
    return int(text)


def _offset_row(file: ListFile, number: int, fields: Sequence[str]) -> Row:
    path = os.path.join(file.root, fields[0])
    start, total = (_frames(text, file.where(number), "dir start total label") for text in fields[1:3])
    if total < 1:
        raise ValueError(f"{file.where(number)}: {total} frames; expected 'dir start total label'")
    if os.path.isdir(path) and len(os.listdir(path)) < start + total:
        raise ValueError(
            f"{file.where(number)}: frames {start} to {start + total} of {len(os.listdir(path))} in {path}; expected "
            "'dir start total label' (several labels for a video, 'dir total label label', are not read)"
        )
    return Row(path, fields[3], file.where(number), segment=Segment(start, start + total, "frames"))
