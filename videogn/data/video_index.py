"""A data set's table of videos, and `read_index`, the only entry that makes one.

Each layout has one reader, in a module of its own; what a label means, and what is wrong with it, is decided once, in
`labels`. No video is opened here.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from videogn.axes import VideoRecord
from videogn.checks import existing_path
from videogn.data.labels import class_names, number_labels
from videogn.data.layouts import LAYOUTS, Row, read_class_folders, read_kinetics, read_list, read_text
from videogn.data.parquet_index import SUFFIX as PARQUET_SUFFIX
from videogn.data.parquet_index import read_parquet
from videogn.data.records import Records
from videogn.data.shards import find_shards, is_shards, read_shards, shards_root
from videogn.data.stored_paths import opened_path, stored_path
from videogn.data.video_files import VIDEO_SUFFIXES
from videogn.video.storage import exists, is_url

#: Paths of which only Python can tell what lies where: "a//b", "a/./b", "a/../b", "a/" and names that are not UTF-8.
_UNTIDY = r"//|/\.{1,2}(/|$)|/$"


#: Threads that ask whether files exist; a network file system answers many questions at once.
_ASKING = 16
_ROWS_A_THREAD = 256


@dataclass(frozen=True)
class VideoIndex:
    """The videos of one split and the names of their classes.

    Attributes:
        records: the videos; their paths are absolute, or relative to the working directory.
        classes: class names; a class's number is its position.
        root: the folder that relative paths, and so the fingerprint, refer to.
        probed: the records' errors say which videos are unusable, so that the disk need not be asked again.
    """

    records: Records
    classes: tuple[str, ...]
    root: str
    probed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "records", Records.of(self.records))

    def __len__(self) -> int:
        return len(self.records)

    def relative_path(self, record: VideoRecord) -> str:
        """Return the record's path relative to `root`, with forward slashes on every system."""
        return _relative(record.path, self._prefix())

    def fingerprint(self) -> str:
        """Hash which videos are listed and the class name of each.

        The SHA-256, in hexadecimal, of the sorted lines "relative posix path, tab, class name" (no name where the class
        is unknown). It does not cover where `root` lies, the records' order, the classes' numbers or file contents.
        """
        ends = [f"\t{name}\n".encode("utf-8", "surrogatepass") for name in (*self.classes, "")]
        labels = pc.fill_null(self.records.table["label"].chunk(0), len(self.classes))
        lines = pc.binary_join_element_wise(
            self.relative_paths(), pa.array(ends, pa.large_binary()).take(labels), pa.scalar(b"", pa.large_binary())
        )
        # The order of UTF-8's bytes is that of the characters.
        lines = lines.take(pc.array_sort_indices(lines))
        return hashlib.sha256(b"".join(lines.to_pylist())).hexdigest()

    def relative_paths(self) -> pa.Array:
        """`relative_path` of every record, as UTF-8 (lone surrogates included): a large_binary array."""
        paths = self.records.table["path"].chunk(0)
        prefix = self._prefix()
        plain = os.sep == "/" and stored_path(prefix) == prefix
        tidy = pc.starts_with(paths, prefix) if plain else pa.array(np.zeros(len(paths), bool))
        tidy = pc.and_not(tidy, pc.match_substring_regex(paths, _UNTIDY))
        cut = pc.binary_replace_slice(paths.cast(pa.large_binary()), 0, len(os.fsencode(prefix)), b"")
        others = [_relative(opened_path(path), prefix) for path in paths.filter(pc.invert(tidy)).to_pylist()]
        encoded = pa.array([path.encode("utf-8", "surrogatepass") for path in others], pa.large_binary())
        return pc.replace_with_mask(cut, pc.invert(tidy), encoded)

    def errors(self) -> pa.Array:
        """Why each video is unusable, as the records say or, where nobody has looked, because it does not exist.

        Returns:
            A string array: a status, mostly followed by a colon and the reason; null where nothing is known against
            the video.
        """
        errors = self.records.table["error"].chunk(0)
        if self.probed:
            return errors
        paths = self.records.table["path"].chunk(0)
        parts = [paths.slice(first, _ROWS_A_THREAD) for first in range(0, len(paths), _ROWS_A_THREAD)]
        with ThreadPoolExecutor(_ASKING) as pool:
            missing = pa.array(itertools.chain.from_iterable(pool.map(_missing, parts)), pa.bool_())
        return pc.if_else(pc.and_(missing, pc.is_null(errors)), "missing", errors)

    def missing(self) -> list[VideoRecord]:
        """Return the records whose file does not exist, in order."""
        return list(self.records.take(pc.fill_null(pc.starts_with(self.errors(), "missing"), False)))

    def unlabelled(self) -> VideoRecord | None:
        """Return the first record whose class is unknown, if there is one."""
        labels = self.records.table["label"].chunk(0)
        return self.records[pc.index(pc.is_null(labels), True).as_py()] if labels.null_count else None

    def _prefix(self) -> str:
        root = self.root if is_url(self.root) else os.path.normpath(self.root)
        return os.path.join(root, "")


def read_index(
    source: str | Path,
    *,
    root: str | Path | None = None,
    classes: Sequence[str] | None = None,
    split: str | None = None,
    use_truncated: bool = False,
) -> VideoIndex:
    """Read a data set's table of videos, whichever layout it has.

    Args:
        source: a folder of class folders; a Kinetics CSV; a text file with one "path label" a line (separated by a tab,
            a comma or blanks; lines that are blank or start with # are skipped); the Parquet file of `videogn data
            index`; or tar shards: one, a folder of them, or a pattern such as "train-{000..099}.tar", also at a URL.
        root: the folder that a list's relative paths refer to, or below which a Kinetics CSV's videos lie; by default
            the file's own folder. Of a Parquet index, where its root lies now. Class folders and shards are their own.
        classes: the class names in order. By default those that a Parquet index names; else the sorted names that
            occur, or, where every label of a list or of shards is a number, "0" up to the largest. Names that differ
            only in "_" for " " are the same.
        split: of a Parquet index, take this split only.
        use_truncated: of a Parquet index, use videos whose end is missing as far as they decode.

    Returns:
        The index. Videos that do not exist stay in it; `VideoIndex.missing` lists them.

    Raises:
        FileNotFoundError: `source` or `root` does not exist.
        ValueError: no layout fits, a line or a label is wrong, there is no video, or no such split.
    """
    if is_shards(name := opened_path(os.path.expanduser(source))):
        shards = find_shards(name)
        rows = read_shards(shards)
        names = class_names(_first_places(rows)) if classes is None else classes
        return _build(rows, source, shards_root(shards), names, numbers=True, probed=True)
    source = existing_path(source)
    if source.is_dir():
        rows, folders = read_class_folders(source)
        return _build(rows, source, source, folders if classes is None else classes)
    if source.suffix.lower() == PARQUET_SUFFIX:
        found = read_parquet(source, root=root, classes=classes, split=split, use_truncated=use_truncated)
        return VideoIndex(found.records, found.classes, found.root, found.probed)
    if source.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(f"{source} is a video, not an index; expected {LAYOUTS}")
    return _read_text_file(source, source.parent if root is None else existing_path(root), classes)


def check_root(source: str | Path, root: str | Path | None) -> None:
    """Refuse a root for a source that says itself where its videos lie.

    Args:
        source: as for `read_index`, or a video.
        root: where the videos of a CSV or list are said to lie; None where that is not said.

    Raises:
        FileNotFoundError: `root` does not exist.
        ValueError: `source` is neither a CSV nor a list.
    """
    if root is None:
        return
    existing_path(root)
    path = Path(source).expanduser()
    if is_shards(str(path)) or path.is_dir() or path.suffix.lower() in (PARQUET_SUFFIX, *VIDEO_SUFFIXES):
        raise ValueError(f"--root says where the videos of a CSV or list lie; {source} is neither, leave it out")


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
    paths = index.relative_paths()
    labels = pc.fill_null(index.records.table["label"].chunk(0), -1)
    held: list[pa.Array] = []
    for label in labels.unique():
        listed = paths.filter(pc.equal(labels, label)).unique().to_pylist()
        count = min(max(1, round(len(listed) * fraction)), len(listed) - 1)
        held += sorted(listed, key=lambda path: hashlib.sha256(f"{seed}\t".encode() + path).digest())[:count]
    if not held:
        raise ValueError(f"nothing of {index.root} can be held out: no class has two videos or more")
    side = pc.is_in(paths, pa.array(held, pa.large_binary()))
    return (
        replace(index, records=index.records.take(pc.invert(side))),
        replace(index, records=index.records.take(side)),
    )


def _relative(path: str, prefix: str) -> str:
    # relpath asks for the working directory each time, which is slow for 300,000 videos.
    path = path if is_url(path) else os.path.normpath(path)
    inside = path.startswith(prefix) or is_url(path)
    return (path.removeprefix(prefix) if inside else os.path.relpath(path, prefix)).replace(os.sep, "/")


def _missing(stored: pa.Array) -> list[bool]:
    return [not (os.path.exists(path) or exists(path)) for path in map(opened_path, stored.to_pylist())]


def _first_places(rows: Sequence[Row]) -> dict[str, str]:
    """Each label that occurs -> where it does first, in that order."""
    places: dict[str, str] = {}
    for row in rows:
        if row.label is not None:
            places.setdefault(row.label, row.where)
    return places


def _read_text_file(source: Path, root: Path, classes: Sequence[str] | None) -> VideoIndex:
    text = read_text(source)
    header = [name.strip().lower() for name in next(csv.reader(text.split("\n", 1)[:1]), [])]
    if "youtube_id" in header:
        rows = read_kinetics(text, header, source, root)
        found = sorted(_first_places(rows))
        return _build(rows, source, root, found if classes is None else classes)
    rows = read_list(text, source, root)
    names = class_names(_first_places(rows)) if classes is None else classes
    return _build(rows, source, root, names, numbers=True)


def _build(
    rows: list[Row],
    source: str | Path,
    root: str | Path,
    classes: Sequence[str],
    *,
    numbers: bool = False,
    probed: bool = False,
) -> VideoIndex:
    """Turn labels into class numbers; `numbers` says that a label may be a number already."""
    if not rows:
        raise ValueError(f"no video in {source}; expected {LAYOUTS}")
    label_numbers = number_labels(_first_places(rows), classes, numbers=numbers)
    records = Records.of_columns(
        [row.path for row in rows],
        [None if row.label is None else label_numbers[row.label] for row in rows],
        errors=[row.error for row in rows] if any(row.error for row in rows) else None,
    )
    return VideoIndex(records, tuple(classes), str(root), probed)
