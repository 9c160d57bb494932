"""The videos of one split: records, class names, and the questions that a data set asks of them."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from videogn.axes import VideoRecord
from videogn.data.left_out import LeftOut
from videogn.data.records import Records
from videogn.data.stored_paths import opened_path, stored_path
from videogn.data.video_files import is_image_name
from videogn.video.storage import exists, is_url

#: Paths that only Python can make relative: "a//b", "a/./b", "a/../b", "a/" and names that are not UTF-8.
_UNTIDY = r"//|/\.{1,2}(/|$)|/$"
#: Threads that ask whether files exist; a network file system answers many questions at once.
_ASKING = 16
_ROWS_A_THREAD = 256


@dataclass(frozen=True)
class VideoIndex:
    """The videos of one split and the names of their classes.

    Attributes:
        records: Videos; their paths are absolute, or relative to the working directory.
        classes: Class names; the number of a class is its position.
        root: Folder that relative paths, and so the fingerprint, refer to.
        checked: Whether the errors of the records say which videos are unusable, so that the disk need not be asked.
        left_out: Files in class folders that are not read, by folder; empty for other sources.
        aliases: Other spelling of a label -> label, for the lists of the other splits.
    """

    records: Records
    classes: tuple[str, ...]
    root: str
    checked: bool = False
    left_out: LeftOut = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "records", Records.of(self.records))

    def __len__(self) -> int:
        return len(self.records)

    @property
    def several_labels(self) -> bool:
        """Whether a video may show several classes, or none."""
        labels = self.records.table["labels"]
        return labels.null_count < len(labels)

    @property
    def example(self) -> str:
        """What its records are called: "video", or "image" where they are files of images; see `check_splits`."""
        return "image" if len(self) and is_image_name(self.records[0].path) else "video"

    def label_pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row of each label and its class number: one label for each video that has one, or all of each."""
        table = self.records.table
        if self.several_labels:
            sets = table["labels"].chunk(0)
            rows, classes = pc.list_parent_indices(sets), pc.list_flatten(sets)
        else:
            labels = table["label"].chunk(0)
            rows, classes = pc.indices_nonzero(pc.is_valid(labels)), labels.drop_null()
        return rows.to_numpy(zero_copy_only=False).astype(np.int64), classes.to_numpy(zero_copy_only=False)

    def counts(self) -> NDArray[np.int64]:
        """Count the videos of each class, (K,)."""
        return np.bincount(self.label_pairs()[1], minlength=len(self.classes))

    def has_segments(self) -> bool:
        """Return whether some records are parts of videos."""
        table = self.records.table
        return not table["start_time"].null_count == table["start_frame"].null_count == len(table)

    def relative_path(self, record: VideoRecord) -> str:
        """Return the path of a record relative to `root`, with forward slashes on every system."""
        return _relative(record.path, self._prefix())

    def fingerprint(self) -> str:
        """Hash the listed videos with their class names.

        Returns:
            SHA-256, in hexadecimal, of the sorted lines "relative posix path, tab, class name" (no name if the class is
            unknown, several joined by ";"); the path of a segment is followed by its fragment, as in
            "a.mp4#t=5.4,11.6". It does not depend on the place of `root`, the order of the records, the numbers of the
            classes or the contents of the files.
        """
        ends = [f"\t{name}\n".encode("utf-8", "surrogatepass") for name in (*self.classes, "")]
        labels = pc.fill_null(self.records.table["label"].chunk(0), len(self.classes))
        ends = pa.array(ends, pa.large_binary()).take(labels) if not self.several_labels else self._joined_labels()
        lines = pc.binary_join_element_wise(self._relative_names(), ends, pa.scalar(b"", pa.large_binary()))
        # UTF-8 bytes sort like the characters.
        lines = lines.take(pc.array_sort_indices(lines))
        return hashlib.sha256(b"".join(lines.to_pylist())).hexdigest()

    def _joined_labels(self) -> pa.Array:
        """What follows the paths in the lines of the fingerprint where a video may have several labels."""
        sets = (sorted(self.classes[number] for number in record.labels or ()) for record in self.records)
        ends = ["\t" + ";".join(names) + "\n" for names in sets]
        return pa.array([end.encode("utf-8", "surrogatepass") for end in ends], pa.large_binary())

    def _relative_names(self) -> pa.Array:
        """The relative paths, those of segments with their fragments."""
        paths = self.relative_paths()
        if not self.has_segments():
            return paths
        fragments = ["" if row.segment is None else f"#{row.segment.fragment}" for row in self.records]
        ends = pa.array(fragments).cast(pa.large_binary())
        return pc.binary_join_element_wise(paths, ends, pa.scalar(b"", pa.large_binary()))

    def relative_paths(self) -> pa.Array:
        """Return `relative_path` of every record as UTF-8 (lone surrogates included): a large_binary array."""
        paths = self.records.table["path"].chunk(0)
        prefix = self._prefix()
        plain = os.sep == "/" and stored_path(prefix) == prefix
        tidy = pc.starts_with(paths, prefix) if plain else pa.array(np.zeros(len(paths), bool))
        tidy = pc.and_not(tidy, pc.match_substring_regex(paths, _UNTIDY))
        cut = pc.binary_replace_slice(paths.cast(pa.large_binary()), 0, len(os.fsencode(prefix)), b"")
        others = [_relative(opened_path(path), prefix) for path in paths.filter(pc.invert(tidy)).to_pylist()]
        encoded = pa.array([path.encode("utf-8", "surrogatepass") for path in others], pa.large_binary())
        return pc.replace_with_mask(cut, pc.invert(tidy), encoded)

    def absolute_paths(self) -> pa.Array:
        """Return the absolute path of every record, without "." and "..", as stored: a large_string array."""
        paths = self.records.table["path"].chunk(0)
        here = os.path.join(os.getcwd(), "")
        plain = os.sep == "/" and stored_path(here) == here
        rough = pc.match_substring_regex(paths, _UNTIDY + r"|^\.{1,2}(/|$)") if plain else pa.repeat(True, len(paths))
        whole = pc.binary_join_element_wise(pa.scalar(here, paths.type), paths, pa.scalar("", paths.type))
        whole = pc.if_else(pc.starts_with(paths, "/"), paths, whole)
        others = [opened_path(path) for path in paths.filter(rough).to_pylist()]
        found = [stored_path(path if is_url(path) else os.path.abspath(path)) for path in others]
        return pc.replace_with_mask(whole, rough, pa.array(found, paths.type))

    def errors(self) -> pa.Array:
        """Return why each video is unusable: as the records say, or if they were not checked, because it is missing.

        Returns:
            A string array: a status, usually followed by a colon and the reason; null for a usable video.
        """
        errors = self.records.table["error"].chunk(0)
        if self.checked:
            return errors
        paths = self.records.table["path"].chunk(0)
        parts = [paths.slice(first, _ROWS_A_THREAD) for first in range(0, len(paths), _ROWS_A_THREAD)]
        with ThreadPoolExecutor(_ASKING) as pool:
            missing = pa.array(itertools.chain.from_iterable(pool.map(_missing, parts)), pa.bool_())
        return pc.if_else(pc.and_(missing, pc.is_null(errors)), "missing", errors)

    def asked(self) -> VideoIndex:
        """Return the same index with its `errors` in the records, so that the disk is asked only once."""
        if self.checked:
            return self
        table = self.records.table
        place = table.column_names.index("error")
        return replace(self, records=Records(table.set_column(place, "error", self.errors())), checked=True)

    def missing(self) -> list[VideoRecord]:
        """Return the records whose files do not exist, in order."""
        return list(self.records.take(pc.fill_null(pc.starts_with(self.errors(), "missing"), False)))

    def unlabelled(self) -> VideoRecord | None:
        """Return the first record whose class is unknown, or None."""
        labels = self.records.table["labels" if self.several_labels else "label"].chunk(0)
        return self.records[pc.index(pc.is_null(labels), True).as_py()] if labels.null_count else None

    def _prefix(self) -> str:
        root = self.root if is_url(self.root) else os.path.normpath(self.root)
        return os.path.join(root, "")


def split_index(index: VideoIndex, fraction: float, seed: int = 0) -> tuple[VideoIndex, VideoIndex]:
    """Hold out a fraction of each class. The choice depends neither on the order of the records nor on `root`.

    A path that is listed twice lies on one side, and so do all segments of a video. If a class has two or more videos,
    at least one lies on each side; a single video stays in training. A video of several classes, as its segments may
    be, is assigned once, for the rarest of them, so that a side may be without a class.

    Args:
        index: Videos to divide.
        fraction: Fraction of each class to hold out, in (0, 1).
        seed: Seed of the choice. Default: 0.

    Returns:
        The training index and the held-out index, each in the order of `index`.

    Raises:
        ValueError: If `fraction` is not in (0, 1), or no class has two videos.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction to hold out is {fraction}; it must lie between 0 and 1")
    paths = index.relative_paths()
    rows, classes = index.label_pairs()
    without = np.setdiff1d(np.arange(len(index)), rows)
    rows, classes = np.append(rows, without), np.append(classes, np.full(len(without), -1))
    names = [*index.classes, ""]
    videos = {
        names[number]: paths.take(pa.array(rows[classes == number])).unique().to_pylist()
        for number in np.unique(classes)
    }
    held: list[bytes] = []
    divided: set[bytes] = set()
    for _, name in sorted((len(listed), name) for name, listed in videos.items()):
        listed = [path for path in videos[name] if path not in divided]
        count = min(max(1, round(len(listed) * fraction)), len(listed) - 1) if listed else 0
        held += sorted(listed, key=lambda path: hashlib.sha256(f"{seed}\t".encode() + path).digest())[:count]
        divided.update(listed)
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
