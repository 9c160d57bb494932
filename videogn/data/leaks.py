"""Videos that occur twice: in two splits, under two labels, or as the same file under two names.

Paths are compared as absolute paths, without asking the disk, and contents where an index knows them: of 300,000 videos
only those that occur twice become Python objects. Of two segments of a video, only overlapping ones are the same.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from videogn.axes import Segment
from videogn.data.records import segment_of
from videogn.data.stored_paths import opened_path
from videogn.data.video_index import VideoIndex
from videogn.system.displayable import displayable
from videogn.system.sizes import counted

_SEGMENT = ("start_time", "end_time", "start_frame", "end_frame")
#: Columns of the videos of several splits: split, path (absolute, as stored), label (class name), content (see
#: `Records`), and place of a segment.
_VIDEOS = ("split", "path", "label", "content", *_SEGMENT)

#: Kind of repetition, and the splits it concerns -> an example of each.
_Found = dict[tuple[str, ...], list[str]]


class _Use(NamedTuple):
    """One row of a split."""

    split: str
    path: str
    label: str | None
    segment: Segment | None

    @property
    def name(self) -> str:
        path = displayable(opened_path(self.path))
        return path if self.segment is None else f"{path}#{self.segment.fragment}"


def videos_of(splits: Mapping[str, VideoIndex]) -> pa.Table:
    """Join the videos of splits for `find_leaks`.

    Args:
        splits: Split -> index. A test split that is the validation split, or lists the same videos, is left out: so the
            data are meant to be used.

    Returns:
        A row for each video: split, path (absolute, as stored), label (class name), content and place of a segment.
    """
    parts: dict[str, pa.Table] = {}
    for split, index in splits.items():
        table = index.records.table
        names = pa.array([displayable(name).replace("_", " ") for name in index.classes], pa.string())
        labels = names.take(table["label"].chunk(0))
        known = [table[name] for name in ("content", *_SEGMENT)]
        parts[split] = pa.table([index.absolute_paths(), labels, *known], names=_VIDEOS[1:])
    if {"val", "test"} <= parts.keys() and parts["test"].equals(parts["val"]):
        del parts["test"]
    return pa.concat_tables(
        table.add_column(0, "split", pa.repeat(pa.scalar(split, pa.string()), len(table)))
        for split, table in parts.items()
    )


def find_leaks(videos: pa.Table) -> list[str]:
    """Find what is repeated.

    Args:
        videos: Rows as `videos_of` makes them.

    Returns:
        A line for each kind of repetition and the splits it concerns: what, how many, and an example.
    """
    found: _Found = defaultdict(list)
    for uses in _repeated(videos, "path"):
        for same in _overlapping(uses):
            _note_path(same, found)
    for uses in _repeated(videos, "content"):
        _note_content(uses, found)
    return [_line(kind, splits, examples) for (kind, *splits), examples in found.items()]


def _repeated(videos: pa.Table, column: str) -> Iterator[list[_Use]]:
    """The rows that share a value of a column, value by value."""
    codes = videos[column].combine_chunks().dictionary_encode().indices
    numbers = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False)
    counts = np.bincount(numbers + 1)
    counts[0] = 0  # unknown values are not the same value
    rows = np.flatnonzero(counts[numbers + 1] > 1)
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    listed = videos.take(pa.array(rows)).select([name for name in _VIDEOS if name != "content"]).to_pylist()
    for _, group in itertools.groupby(zip(numbers[rows], listed, strict=True), key=lambda pair: pair[0]):
        yield [
            _Use(row["split"], row["path"], row["label"], segment_of(*(row[name] for name in _SEGMENT)))
            for _, row in group
        ]


def _overlapping(uses: Sequence[_Use]) -> Iterator[list[_Use]]:
    """Divide the uses of one file into those whose segments hang together; a whole video hangs together with all."""
    if any(use.segment is None for use in uses):
        yield list(uses)
        return
    reached, together, unit = 0.0, list[_Use](), ""
    segments = [(use.segment, use) for use in uses if use.segment is not None]
    for segment, use in sorted(segments, key=lambda pair: (pair[0].unit, pair[0].start)):
        if together and (segment.unit != unit or segment.start >= reached):
            yield together
            together = []
        reached = max(reached, segment.end) if together else segment.end
        unit = segment.unit
        together.append(use)
    yield together


def _note_path(uses: Sequence[_Use], found: _Found) -> None:
    """Note what is wrong with several uses of one video."""
    for pair in itertools.combinations(dict.fromkeys(use.split for use in uses), 2):
        found["shared", *pair].append(uses[0].name)
    labels = list(dict.fromkeys(use.label for use in uses if use.label is not None))
    if len(labels) > 1:
        found["labels",].append(f"{uses[0].name}: {labels[0]} and {labels[1]}")
    for (split, _), count in Counter((use.split, use.label) for use in uses).items():
        if count > 1:
            found["twice", split].append(uses[0].name)


def _note_content(uses: Sequence[_Use], found: _Found) -> None:
    """Note what is wrong with several uses of the same bytes. What is one path is noted elsewhere."""
    by_split: dict[str, dict[str, _Use]] = defaultdict(dict)
    for use in uses:
        by_split[use.split].setdefault(use.path, use)
    files = []
    for names in by_split.values():  # of a placeholder that ten thousand videos share, three files tell all
        first, *others = names.values()
        files += [first, *others[:1], *[other for other in others[1:] if other.label != first.label][:1]]
    seen = set()
    for one, other in itertools.combinations(files, 2):
        key = ("same file", *dict.fromkeys((one.split, other.split)))
        if one.path == other.path or key in seen:
            continue
        seen.add(key)
        example = f"{one.name} and {other.name}"
        found[key].append(example)
        if one.label != other.label and None not in (one.label, other.label):
            found["same file, labels",].append(f"{example}: {one.label} and {other.label}")


def _line(kind: str, splits: Sequence[str], examples: Sequence[str]) -> str:
    number = len(examples)
    video, there = counted(number, "video"), " and in ".join(filter(None, splits))
    within = f" in {there}" if there else ""
    is_, has, exist = ("is", "has", "exists") if number == 1 else ("are", "have", "exist")
    said = {
        "shared": f"{video} {is_}{within}",
        "labels": f"{video} {has} two labels",
        "twice": f"{video} {is_} listed twice or more{within}",
        "same file": f"{video} {exist}{within} under two names (the same bytes)",
        "same file, labels": f"{video} {has} two names and two labels (the same bytes)",
    }[kind]
    return f"{said}, for instance {examples[0]}"
