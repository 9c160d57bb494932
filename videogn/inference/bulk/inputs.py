"""The videos that a command line names, one after the other: a list of a million is read as it is used, not held."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from videogn.axes import Segment, VideoRecord
from videogn.checks import existing_path, expanded_text
from videogn.data.archives import refuse_archive
from videogn.data.lists.segments import named_video, without_fragment
from videogn.data.parquet_index import SUFFIX as INDEX_SUFFIX
from videogn.data.parquet_index import read_parquet
from videogn.data.shards import SUFFIX as SHARD_SUFFIX
from videogn.data.shards import find_shards, is_complete, is_shards, listed_objects
from videogn.data.sources import read_index
from videogn.data.stored_paths import opened_path
from videogn.data.video_files import find_videos, is_video_name, walk_videos
from videogn.inference.bulk.path_lists import checked_list, read_paths
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import MemberPath, is_url, shard_members

#: Files that are lists; any other that is neither an index nor a shard is taken for a video.
_LIST_SUFFIXES = (".txt", ".csv", ".tsv", ".lst", ".list", ".json")
_WILD = re.compile(r"[*?\[]")
#: In a URL, ? begins a query.
_WILD_URL = re.compile(r"[*\[]|/$")
_SHARD_PATTERN = re.compile(r".*[*?\[{].*\.tar", re.DOTALL)
#: Lines that tell whether a list has only paths, or labels too.
_SNIFFED = 20
_SHARD = re.compile(r"(\d+)/(\d+)")


class Source(NamedTuple):
    """Videos of one word of the command line, or of one list.

    Attributes:
        videos: Function that starts to read them.
        counted: Whether they can be read twice, and quickly: not a pipe, nor what lies in an object store.
    """

    videos: Callable[[], Iterator[VideoRecord]]
    counted: bool = True


class Shard(NamedTuple):
    """Every `of`-th input, from the `number`-th on: the part of a job in an array of `of` jobs."""

    number: int
    of: int


def parse_shard(text: str) -> Shard:
    """Read a part such as "3/16".

    Raises:
        ValueError: It is no such part.
    """
    found = _SHARD.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"--shard must be a part such as 3/16, from 1/16 to 16/16, got {text!r}")
    return Shard(int(found[1]), int(found[2]))


class Inputs:
    """The videos that are to be scored, in order.

    Args:
        words: Files; folders, searched at every depth; patterns such as "clips/*.mp4"; indexes of `videogn data index`;
            lists that training reads; tar shards; URLs of fsspec. "#t=5.4,11.6" after a name means that part only.
        lists: Files with one path a line, relative to the working directory; "-" is standard input.
        null: Whether the paths of `lists` are separated by NUL bytes, as those of `find -print0`. Default: False.
        shard: Part of the videos. Default: all.

    Raises:
        FileNotFoundError: A list does not exist, or nothing that the words name does.
        ValueError: No word names a video; or, once they are read, nothing does.
        OSError: A list cannot be read.
    """

    def __init__(
        self, words: Sequence[str], lists: Sequence[str] = (), *, null: bool = False, shard: Shard | None = None
    ) -> None:
        self._shard = shard or Shard(1, 1)
        self._names = [*words, *("standard input" if name == "-" else name for name in lists)]
        self._sources = [*_named(words), *(_listed(name, b"\0" if null else b"\n") for name in lists)]

    def __iter__(self) -> Iterator[VideoRecord]:
        every = itertools.chain.from_iterable(source.videos() for source in self._sources)
        if self._shard.of == 1:
            return self._some(every)
        # Of many parts, some may be empty.
        return itertools.islice(every, self._shard.number - 1, None, self._shard.of)

    def _some(self, videos: Iterator[VideoRecord]) -> Iterator[VideoRecord]:
        first = next(videos, None)
        if first is None:
            raise ValueError(f"{' '.join(self._names)} names no video")
        yield first
        yield from videos

    def count(self) -> int | None:
        """Return the number of videos, by reading all names once; None if they can be read only once, or slowly."""
        return sum(1 for _ in self) if all(source.counted for source in self._sources) else None


def _named(words: Sequence[str]) -> list[Source]:
    """The sources of words. A wrong one fails later, among the others; if all are wrong, the command is."""
    sources: list[Source] = []
    wrong: list[Exception] = []
    for word in words:
        try:
            sources += _sources(word)
        except (FileNotFoundError, ValueError) as error:
            sources.append(_video(word))
            wrong.append(error)
    if wrong and len(wrong) == len(words):
        raise wrong[0]
    return sources


def _sources(word: str) -> list[Source]:
    name = opened_path(word) if "%" in word else expanded_text(word)
    if os.path.lexists(name):
        return _existing(name)
    whole, segment = without_fragment(name)
    if segment is not None:
        return [Source(partial(_parts, source.videos, segment), source.counted) for source in _sources(whole)]
    if _SHARD_PATTERN.fullmatch(name) or (is_url(name) and name.endswith(SHARD_SUFFIX)):
        return list(map(_shard, find_shards(name)))
    if is_url(name):
        refuse_archive(name)
        return [Source(partial(_objects, name), counted=False) if _WILD_URL.search(name) else _video(name)]
    if not _WILD.search(name):
        existing_path(name)  # says what it could have been
    found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise FileNotFoundError(f"no file matches {name}")
    return [source for path in found for source in _named_or_failing(path)]


def _named_or_failing(path: str) -> list[Source]:
    try:
        return _existing(path)
    except (FileNotFoundError, ValueError):  # a link to nothing, an archive
        return [_video(path)]


def _video(name: str) -> Source:
    return Source(lambda: iter([_record(name)]))


def _record(name: str) -> VideoRecord:
    """The video or part of that name; a part that is wrong fails like a bad file, among the others."""
    try:
        return named_video(name)
    except ValueError as error:
        return VideoRecord(name, None, error=str(error).removeprefix(f"{name}: "))


def _parts(videos: Callable[[], Iterator[VideoRecord]], segment: Segment) -> Iterator[VideoRecord]:
    return (replace(record, segment=segment) for record in videos())


def _existing(name: str) -> list[Source]:
    """The videos of a file or folder that exists."""
    if os.path.isdir(name):
        folder = str(Path(name))
        if next(walk_videos(folder), None) is not None:
            return [Source(lambda: map(_whole, walk_videos(folder)))]
        if is_shards(name):
            return list(map(_shard, find_shards(name)))
    (path,) = find_videos(name)  # of a folder without a video or an archive, it says so
    suffix = os.path.splitext(path)[1].lower()
    if suffix == SHARD_SUFFIX:
        return [_shard(path)]
    if suffix == INDEX_SUFFIX:
        records = read_parquet(Path(path)).records
        return [Source(lambda: iter(records))]
    return [_list_of_training(path) if suffix in _LIST_SUFFIXES else Source(lambda: iter([_whole(path)]))]


def _whole(path: str) -> VideoRecord:
    return VideoRecord(path, None)


def _shard(path: str) -> Source:
    return Source(partial(_members, path), counted=not is_url(path))


def _members(shard: str) -> Iterator[VideoRecord]:
    """The videos in a shard, with or without labels; what is lost of a shard is one failed video."""
    try:
        members = shard_members(shard)
        whole = is_complete(shard)
    except VideoDecodeError as error:
        yield VideoRecord(shard, None, error=error.reason)
        return
    for name, place in members.items():
        if is_video_name(name) and not os.path.basename(name).startswith("."):
            yield VideoRecord(MemberPath(f"{shard}/{name}", *place), None)
    if not whole:
        yield VideoRecord(shard, None, error=f"shard is cut short after {len(members)} members; others may be lost")


def _objects(url: str) -> Iterator[VideoRecord]:
    """The objects that a pattern matches, or the videos below a folder."""
    for name in listed_objects(url):
        if is_video_name(name) or _WILD_URL.search(os.path.basename(url)):
            yield VideoRecord(name, None)


def _list_of_training(path: str) -> Source:
    """A list that training reads, whose labels do not matter here, or one of paths alone; relative to its folder."""
    with open(path, "rb") as file:
        first = [line.strip() for line in itertools.islice(file, _SNIFFED)]
    if all(is_video_name(os.fsdecode(line)) for line in first if line):
        folder = os.path.dirname(path)
        return Source(lambda: (_record(os.path.join(folder, name)) for name in read_paths(path, b"\n")))
    records = read_index(path).records
    return Source(lambda: iter(records))


def _listed(name: str, separator: bytes) -> Source:
    return Source(lambda: map(_record, read_paths(name, separator)), counted=checked_list(name))
