"""Kinetics CSV, "path label" lists, class folders -> one table of VideoRecord.

`read_index` is the only entry. Each layout has one reader that returns rows (path, label as written, where it was
written); what a label means, and what is wrong with it, is decided once, in `_build`. No video is opened here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from videogn.axes import VideoRecord
from videogn.data.video_files import VIDEO_SUFFIXES, walk_videos
from videogn.names import did_you_mean, existing_path

SPLIT_NAMES = {"train": ("train",), "val": ("val", "validate", "validation", "valid"), "test": ("test",)}
LAYOUTS = "a folder of class folders, a Kinetics CSV or a text file of 'path label' lines"

_SUFFIX = "|".join(map(re.escape, VIDEO_SUFFIXES))
_UP_TO_SUFFIX = re.compile(rf"(?P<path>.+(?:{_SUFFIX}))(?P<separator>\s*,\s*|\s+)(?P<label>.+)", re.IGNORECASE)
_QUOTED_PATH = re.compile(r'"(?P<path>(?:[^"]|"")+)"\s*[,\s]\s*(?P<label>.+)')
_NUMBER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class VideoIndex:
    """The videos of one split and the names of their classes.

    Attributes:
        records: the videos; their paths are absolute, or relative to the working directory.
        classes: class names; a class's number is its position.
        root: the folder that relative paths, and so the fingerprint, refer to.
    """

    records: tuple[VideoRecord, ...]
    classes: tuple[str, ...]
    root: str

    def __len__(self) -> int:
        return len(self.records)

    def relative_path(self, record: VideoRecord) -> str:
        """Return the record's path relative to `root`, with forward slashes on every system."""
        path, root = os.path.normpath(record.path), os.path.join(os.path.normpath(self.root), "")
        # relpath asks for the working directory each time, which is slow for 300,000 videos.
        relative = path[len(root) :] if path.startswith(root) else os.path.relpath(path, root)
        return relative.replace(os.sep, "/")

    def fingerprint(self) -> str:
        """Hash which videos are listed and the class name of each.

        The SHA-256, in hexadecimal, of the sorted lines "relative posix path, tab, class name" (no name where the class
        is unknown). It does not cover where `root` lies, the records' order, the classes' numbers or file contents.
        """
        names = ["" if record.label is None else self.classes[record.label] for record in self.records]
        paths = map(self.relative_path, self.records)
        return _hash("".join(sorted(f"{path}\t{name}\n" for path, name in zip(paths, names, strict=True))))

    def missing(self) -> list[VideoRecord]:
        """Return the records whose file does not exist, in order."""
        return [record for record in self.records if not os.path.exists(record.path)]


class _Row(NamedTuple):
    path: str
    label: str | None
    where: str


def read_index(
    source: str | Path, *, root: str | Path | None = None, classes: Sequence[str] | None = None
) -> VideoIndex:
    """Read a data set's table of videos, whichever of the three layouts it has.

    Args:
        source: a folder of class folders, a Kinetics CSV, or a text file with one "path label" a line (separated by a
            tab, a comma or blanks; lines that are blank or start with # are skipped).
        root: the folder that a list's relative paths refer to, or below which a Kinetics CSV's videos lie; by default
            the file's own folder. Class folders are their own root.
        classes: the class names in order. By default they are the sorted names that occur, or, where every label of a
            list is a number, "0" up to the largest. Names that differ only in "_" for " " are the same.

    Returns:
        The index. Videos that do not exist stay in it; `VideoIndex.missing` lists them.

    Raises:
        FileNotFoundError: `source` or `root` does not exist.
        ValueError: no layout fits, a line or a label is wrong, or there is no video.
    """
    source = existing_path(source)
    if source.is_dir():
        rows, found = _read_class_folders(source)
        return _build(rows, source, source, found if classes is None else classes)
    if source.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(f"{source} is a video, not an index; expected {LAYOUTS}")
    base = source.parent if root is None else existing_path(root)
    text = _read_text(source)
    header = [name.strip().lower() for name in next(csv.reader(text.split("\n", 1)[:1]), [])]
    if "youtube_id" in header:
        rows = _read_kinetics(text, header, source, base)
        found = sorted({row.label for row in rows if row.label is not None})
        return _build(rows, source, base, found if classes is None else classes)
    rows = _read_list(text, source, base)
    return _build(rows, source, base, _list_classes(rows) if classes is None else classes, numbers=True)


def split_index(index: VideoIndex, fraction: float, seed: int = 0) -> tuple[VideoIndex, VideoIndex]:
    """Hold part of an index out, class by class; neither the order of the records nor `root` changes the choice.

    A path listed twice lies on one side. Of two videos or more in a class, at least one lies on each side; a single
    one stays in training.

    Args:
        index: the videos to divide.
        fraction: the part of each class to hold out, in (0, 1).
        seed: another seed gives another choice.

    Returns:
        The training and the held-out index, each in the order of `index`.

    Raises:
        ValueError: `fraction` is not in (0, 1), or no class has two videos.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction to hold out is {fraction}; it must lie between 0 and 1")
    by_class: dict[int | None, set[str]] = defaultdict(set)
    for record in index.records:
        by_class[record.label].add(index.relative_path(record))
    held: set[str] = set()
    for paths in by_class.values():
        count = min(max(1, round(len(paths) * fraction)), len(paths) - 1)
        held.update(sorted(paths, key=lambda path: _hash(f"{seed}\t{path}"))[:count])
    if not held:
        raise ValueError(f"nothing of {index.root} can be held out: no class has two videos or more")
    sides: tuple[list[VideoRecord], list[VideoRecord]] = ([], [])
    for record in index.records:
        sides[index.relative_path(record) in held].append(record)
    return replace(index, records=tuple(sides[0])), replace(index, records=tuple(sides[1]))


def find_splits(root: str | Path) -> dict[str, Path]:
    """Find the sources of "train", "val" (or "validate", "validation", "valid") and "test" in a data set's folder.

    Args:
        root: the folder. `train.csv` is taken before `train.txt`, and that before the folder `train`.

    Returns:
        Split -> source to give to `read_index`, for those that exist.

    Raises:
        FileNotFoundError: `root` does not exist.
    """
    root = existing_path(root)
    found: dict[str, Path] = {}
    for split, names in SPLIT_NAMES.items():
        for source in (root / (name + suffix) for suffix in (".csv", ".txt", "") for name in names):
            if source.is_file() if source.suffix else source.is_dir():
                found.setdefault(split, source)
    return found


def _hash(text: str) -> str:
    # A file name need not be valid Unicode; such names reach Python as lone surrogates.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; expected {LAYOUTS}") from None


def _build(rows: list[_Row], source: Path, root: Path, classes: Sequence[str], *, numbers: bool = False) -> VideoIndex:
    """Turn labels into class numbers; `numbers` says that a label may be a number already."""
    if not rows:
        raise ValueError(f"no video in {source}; expected {LAYOUTS}")
    if repeated := [name for name in set(classes) if list(classes).count(name) > 1]:
        raise ValueError(f"class {min(repeated)!r} is given more than once")
    known = {name.replace("_", " "): number for number, name in enumerate(classes)}
    known |= {name: number for number, name in enumerate(classes)}
    label_numbers: dict[str | None, int | None] = {None: None}
    for row in rows:
        if row.label is None or row.label in label_numbers:
            continue
        number = known.get(row.label, known.get(row.label.replace("_", " ")))
        if number is None and not (numbers and _NUMBER.fullmatch(row.label)):
            raise ValueError(f"{row.where}: unknown class {row.label!r}{did_you_mean(row.label, classes)}")
        label_numbers[row.label] = number = int(row.label) if number is None else number
        if not 0 <= number < len(classes):
            raise ValueError(f"{row.where}: class number {number}; it must be 0 to {len(classes) - 1}")
    records = tuple(VideoRecord(row.path, label_numbers[row.label]) for row in rows)
    return VideoIndex(records, tuple(classes), str(root))


def _read_class_folders(source: Path) -> tuple[list[_Row], list[str]]:
    entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if entry.suffix.lower() in VIDEO_SUFFIXES and entry not in folders]
    if loose or not folders:
        what = f"{loose[0].name} lies directly in it" if loose else "it has no folders"
        raise ValueError(f"{source} is not a folder of class folders: {what}; expected {source}/<class>/<video>.mp4")
    names = [folder.name for folder in folders]
    if set(names) <= {name for aliases in SPLIT_NAMES.values() for name in aliases}:
        raise ValueError(f"{source} holds splits ({', '.join(names)}), not classes; did you mean {folders[0]}?")
    # An empty class folder is still a class: its videos may be missing, and the others must keep their numbers.
    rows = [_Row(path, folder.name, str(folder)) for folder in folders for path in sorted(walk_videos(str(folder)))]
    return rows, names


def _read_kinetics(text: str, header: list[str], source: Path, root: Path) -> list[_Row]:
    if absent := {"time_start", "time_end"} - set(header):
        raise ValueError(f"{source}: a Kinetics CSV without the column {min(absent)!r} (it has {', '.join(header)})")
    files: dict[str, list[str]] = defaultdict(list)
    for path in walk_videos(str(root)):
        files[os.path.splitext(os.path.basename(path))[0]].append(path)
    rows = []
    reader = csv.reader(io.StringIO(text))
    for fields in itertools.islice(reader, 1, None):
        where = f"{source}, line {reader.line_num}"
        if any(fields) and len(fields) < len(header):
            raise ValueError(f"{where}: {len(fields)} fields, but the header has {len(header)}")
        if any(fields):
            row = {name: field.strip() for name, field in zip(header, fields, strict=False)}
            rows.append(_Row(_kinetics_path(row, where, files, root), row.get("label") or None, where))
    return rows


def _kinetics_path(row: dict[str, str], where: str, files: dict[str, list[str]], root: Path) -> str:
    video, start, end = row["youtube_id"], row["time_start"], row["time_end"]
    try:
        stem = f"{video}_{int(float(start)):06d}_{int(float(end)):06d}"
    except (ValueError, OverflowError):
        raise ValueError(f"{where}: time {start!r} to {end!r}; expected seconds, such as 10 or 10.0") from None
    split, label = row.get("split", ""), row.get("label", "")
    found = files.get(stem) or files.get(video) or [os.path.join(root, split, label, stem + ".mp4")]
    splits = next((names for names in SPLIT_NAMES.values() if split in names), (split,))

    def agreement(path: str) -> tuple[bool, bool]:
        folders = os.path.relpath(path, root).replace("_", " ").split(os.sep)[:-1]
        return not set(splits).isdisjoint(folders), label.replace("_", " ") in folders

    return found[0] if len(found) == 1 else max(found, key=agreement)


def _read_list(text: str, source: Path, root: Path) -> list[_Row]:
    rows: list[_Row] = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{source}, line {number}"
        path, label = _split_line(line, where)
        # A heading such as "path,label" would otherwise become a video and a class.
        is_video = path.lower().endswith(VIDEO_SUFFIXES)
        if number > 1 or is_video or label.lower() not in ("label", "class", "target"):
            rows.append(_Row(os.path.join(root, path), label, where))
    return rows


def _split_line(line: str, where: str) -> tuple[str, str]:
    """Separate path and label. Both may hold blanks and commas, so a quote, a tab or a video suffix decides first."""
    if match := _QUOTED_PATH.fullmatch(line):
        path, label = match["path"].replace('""', '"'), match["label"]
    elif "\t" in line:
        path, _, label = line.rpartition("\t")
    elif match := _UP_TO_SUFFIX.fullmatch(line):
        path, label = match["path"], match["label"]
        if (match["separator"].strip() or " ") in label and not label.startswith('"'):
            raise ValueError(f"{where}: the label {label!r} has blanks or commas; put a tab before it, or quote it")
    else:
        path, label = line.rpartition(",")[::2] if "," in line else [*line.rsplit(None, 1), ""][:2]
    path, label = path.strip(), label.strip()
    if len(label) > 1 and label[0] == label[-1] == '"':
        label = label[1:-1].replace('""', '"')
    if not path or not label or label.lower().endswith(VIDEO_SUFFIXES):
        raise ValueError(f"{where}: {line!r} has no label; expected 'path label', such as 'a/b.mp4 3'")
    return path, label


def _list_classes(rows: list[_Row]) -> list[str]:
    where = {row.label or "": row.where for row in reversed(rows)}
    numbers = {label for label in where if _NUMBER.fullmatch(label)}
    names = sorted(where.keys() - numbers)
    if numbers and names:
        problem = f"label {names[0]!r} is a name, but {min(numbers)!r} is a number"
        raise ValueError(f"{where[names[0]]}: {problem}; use one kind, or give the classes")
    return names or [str(number) for number in range(max([0, *map(int, numbers)]) + 1)]
