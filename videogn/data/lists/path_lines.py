"""Lists of one video a line: "path label", or the path alone where the folder is the class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from videogn.data.layouts import Row
from videogn.data.lists.column_names import PATH_NAMES
from videogn.data.lists.columns import Column, looks_like_video, option
from videogn.data.lists.listed import Listed, ListFile, folder_of
from videogn.data.lists.places import joined, located, sampled
from videogn.data.video_files import VIDEO_SUFFIXES, is_video_name

_SUFFIX = "|".join(map(re.escape, VIDEO_SUFFIXES))
_UP_TO_SUFFIX = re.compile(rf"(?P<path>.+(?:{_SUFFIX}))(?P<separator>\s*[,;]\s*|\s+)(?P<label>.+)", re.IGNORECASE)
_QUOTED_PATH = re.compile(r'"(?P<path>(?:[^"]|"")+)"\s*[,;\s]\s*(?P<label>.+)')
_NUMBER = re.compile(r"[0-9]{1,18}")  # of more digits, it is a name


def read_path_lines(file: ListFile, *, heading: bool, separator: str | None) -> Listed:
    """Read lines of "path label". If no line has a label, the folder that a video lies in is its class.

    Args:
        file: The list.
        heading: Whether the first line is a heading.
        separator: What separates path and label where neither a tab nor a suffix says it.

    Returns:
        The rows. Where labels are numbers and each is one folder, the folders are other spellings of the numbers: a
        list of the same data set may have no labels.

    Raises:
        ValueError: If a line is wrong.
    """
    alone = Column(file.lines[0][1], ()).plain_name in PATH_NAMES  # the heading of a single column
    lines = file.lines[1:] if heading or alone else file.lines
    if lines and all(is_video_name(line) for _, line in lines):
        return _read_unlabelled(file, lines)
    pairs = [_split_line(line, separator, file, number) for number, line in lines]
    names = [path for path, _ in pairs]
    with_suffix = any(map(looks_like_video, sampled(names)))
    paths = joined(file.root, names) if with_suffix else located(names, file.root)
    rows = [
        Row(path, label, file.where(number)) for path, (_, label), (number, _) in zip(paths, pairs, lines, strict=True)
    ]
    return Listed(rows, numbers=True, aliases={name: number for number, name in folders_of_numbers(rows).items()})


def folders_of_numbers(rows: Sequence[Row]) -> Mapping[str, str]:
    """Return number -> folder, in the order of numbers, if all labels are numbers and each is one folder; else {}."""
    if any(not _NUMBER.fullmatch(row.label or "") for row in sampled(rows)):
        return {}
    pairs = {(row.label or "", folder_of(row.path)) for row in rows}
    numbers, folders = {number for number, _ in pairs}, {folder for _, folder in pairs}
    if not len(pairs) == len(numbers) == len(folders) or not all(folders):
        return {}
    if not all(map(_NUMBER.fullmatch, numbers)) or any(map(_NUMBER.fullmatch, folders)):
        return {}
    return dict(sorted(pairs, key=lambda pair: int(pair[0])))


def _read_unlabelled(file: ListFile, lines: Sequence[tuple[int, str]]) -> Listed:
    names = [line for _, line in lines]
    rows = [
        Row(path, folder_of(name), file.where(number))
        for path, name, (number, _) in zip(joined(file.root, names), names, lines, strict=True)
    ]
    for row, (_, line) in zip(rows, lines, strict=True):
        if not row.label:
            raise ValueError(f"{row.where}: {line!r} has no label; expected 'path label', such as 'a/b.mp4 3'")
    if len({row.label for row in rows}) == 1 and len(rows) > 1:
        raise ValueError(
            f"{file.source}: no line has a label, and all videos lie in one folder, {rows[0].label!r}; expected "
            "'path label', or paths whose folders are the classes"
        )
    return Listed(rows)


def _split_line(line: str, separator: str | None, file: ListFile, number: int) -> tuple[str, str]:
    """Separate path and label. Both may have blanks and commas, so a quote, a tab or a video suffix decides first."""
    if match := _QUOTED_PATH.fullmatch(line):
        path, label = match["path"].replace('""', '"'), match["label"]
    elif "\t" in line:
        path, _, label = line.rpartition("\t")
    elif match := _UP_TO_SUFFIX.fullmatch(line):
        path, label = match["path"], match["label"]
        if (match["separator"].strip() or " ") in label and not label.startswith('"'):
            where = file.where(number)
            raise ValueError(
                f"{where}: the label {label!r} has blanks or commas; put a tab before it, or quote it; if it is more "
                f"than a label, say which column is which with {option('path=1,label=2')}"
            )
    elif separator == ";":
        path, _, label = line.partition(";")
    else:
        path, label = line.rpartition(",")[::2] if "," in line else [*line.rsplit(None, 1), ""][:2]
    path, label = path.strip(), label.strip()
    if len(label) > 1 and label[0] == label[-1] == '"':
        label = label[1:-1].replace('""', '"')
    if not path or not label or is_video_name(label):
        raise ValueError(f"{file.where(number)}: {line!r} has no label; expected 'path label', such as 'a/b.mp4 3'")
    return path, label
