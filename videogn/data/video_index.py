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

    def counts(self) -> NDArray[np.int64]:
        """Count the videos of each class, (K,)."""
        labels = self.records.table["label"].chunk(0).drop_null().to_numpy(zero_copy_only=False)
        return np.bincount(labels, minlength=len(self.classes))

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
            unknown); the path of a segment is followed by its fragment, as in "a.mp4#t=5.4,11.6". It does not depend on
            the place of `root`, the order of the records, the numbers of the classes or the contents of the files.
        """
        ends = [f"\t{name}\n".encode("utf-8", "surrogatepass") for name in (*self.classes, "")]
        labels = pc.fill_null(self.records.table["label"].chunk(0), len(self.classes))
        lines = pc.binary_join_element_wise(
            self._relative_names(), pa.array(ends, pa.large_binary()).take(labels), pa.scalar(b"", pa.large_binary())
        )
        # UTF-8 bytes sort like the characters.
        lines = lines.take(pc.array_sort_indices(lines))
        return hashlib.sha256(b"".join(lines.to_pylist())).hexdigest()

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
        labels = self.records.table["label"].chunk(0)
        return self.records[pc.index(pc.is_null(labels), True).as_py()] if labels.null_count else None

    def _prefix(self) -> str:
        root = self.root if is_url(self.root) else os.path.normpath(self.root)
        return os.path.join(root, "")


def split_index(index: VideoIndex, fraction: float, seed: int = 0) -> tuple[VideoIndex, VideoIndex]:
    """Hold out a fraction of each class. The choice depends neither on the order of the records nor on `root`.

    A path that is listed twice lies on one side, and so do all segments of a video. If a class has two or more videos,
    at least one lies on each side; a single video stays in training. A video that has segments of several classes is
    assigned once, for the rarest of them, so that a side may be without a class.

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
    labels = pc.fill_null(index.records.table["label"].chunk(0), -1)
    names = [*index.classes, ""]
    numbers = labels.unique().to_pylist()
    videos = {names[label]: paths.filter(pc.equal(labels, label)).unique().to_pylist() for label in numbers}
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
