"""Videos in tar shards (layout of WebDataset): one row for each sample, with the path "SHARD/MEMBER".

Samplers divide these rows over processes and workers like files: each video exactly once, shuffled over all shards. A
member is read when its turn comes, at the place where it was listed.
"""

from __future__ import annotations

import glob
import itertools
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from videogn.checks import existing_path, expanded, read_json
from videogn.data.layouts import Row
from videogn.data.video_files import VIDEO_SUFFIXES
from videogn.video.errors import VideoDecodeError, explain
from videogn.video.storage import MemberPath, is_url, read_source, shard_members, size

SUFFIX = ".tar"
_EXPECTED = "a member beside the video with the suffix .cls, .json or .txt, or a folder of the class's name in the tar"
#: The key of a sample is the name of the member up to the first dot of its last part.
_MEMBER = re.compile(r"(?P<key>(?:.*/)?[^./][^/.]*)\.(?P<suffix>[^/]+)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")
#: Shards of the largest source: of a gigabyte each, a petabyte.
_MOST_SHARDS = 1_000_000
_TOO_MANY = f"{{}} stands for more than {_MOST_SHARDS:,} shards: has it a digit too many?"
#: Bytes of the largest member that holds a label.
_LARGEST_LABEL = 1 << 24
#: Number of shards listed at a time: object stores take tens of milliseconds to answer.
_THREADS = 16
_BLOCK = 512


def is_shards(source: str) -> bool:
    """Return whether a source is tar shards: one, a pattern of several, a folder that holds them, or any URL."""
    if is_url(source) or (source.endswith(SUFFIX) and not os.path.isdir(source)):
        return True
    if not os.path.isdir(source):
        return False
    with os.scandir(source) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    # A folder of class folders may hold the archive that it was unpacked from.
    return any(map(_is_shard, visible)) and not any(entry.is_dir() for entry in visible)


def find_shards(source: str) -> list[str]:
    """List the shards of a source.

    Args:
        source: Shard, folder of shards, or pattern with * ? [] or braces, such as "train-{000..099}.tar". Each may be a
            URL.

    Returns:
        Paths or URLs, each once, in the order of the braces, otherwise sorted.

    Raises:
        FileNotFoundError: If there is no such shard.
    """
    found: list[str] = []
    for pattern in _expand_braces(source if source.endswith(SUFFIX) else f"{source.rstrip('/')}/*{SUFFIX}"):
        wild = re.search(r"[*?\[]", pattern) is not None
        shards = _glob(pattern) if wild else [pattern if is_url(pattern) else str(existing_path(pattern))]
        if not shards:
            raise FileNotFoundError(f"no shard {pattern}")
        found += shards
        if len(found) > _MOST_SHARDS:  # several braces multiply
            raise ValueError(_TOO_MANY.format(source))
    return list(dict.fromkeys(found))  # overlapping patterns name a shard twice


def shards_root(shards: Sequence[str]) -> str:
    """Return the deepest folder that holds all the shards, spelt as in their names."""
    folders = [os.path.dirname(shard) for shard in shards]
    if not is_url(folders[0]):
        return os.path.commonpath(folders) or "."
    protocol = folders[0].partition("://")[0]
    return f"{protocol}://" + posixpath.commonpath([folder.partition("://")[2] for folder in folders])


def read_shards(shards: Sequence[str]) -> list[Row]:
    """List the samples of tar shards, by reading the headers and the members that hold labels.

    Args:
        shards: Paths or URLs.

    Returns:
        A row for each sample, shard by shard. A sample without a video has an error.

    Raises:
        ValueError: If a shard is missing, cut short or no tar file, a sample has two videos, or labels are missing or
            of different kinds.
    """
    with ThreadPoolExecutor(min(_THREADS, len(shards))) as pool:
        samples = list(itertools.chain.from_iterable(pool.map(_samples, shards)))
    kinds: dict[str | None, Row] = {}
    for row, kind in samples:
        kinds.setdefault(kind, row)
    if None in kinds:
        raise ValueError(f"{kinds[None].where} has no label; expected {_EXPECTED}")
    if len(kinds) > 1:
        (first, one), (second, other) = list(kinds.items())[:2]
        raise ValueError(f"{one.where} has its label in {first}, but {other.where} in {second}; use one kind")
    return [row for row, _ in samples]


def is_complete(shard: str) -> bool:
    """Return whether a shard has its end: blocks of zeros. Without them, further samples may have been lost.

    Args:
        shard: Path or URL.

    Raises:
        VideoDecodeError: If the shard is missing, cannot be read, or is not a tar file.
    """
    end = max((start + length for start, length in shard_members(shard).values()), default=0)
    return size(shard) >= -(-end // _BLOCK) * _BLOCK + _BLOCK


def listed_objects(url: str) -> list[str]:
    """List objects of a store.

    Args:
        url: Pattern with * ? or [], or the name of a folder, which ends in "/" and stands for all that is in it.

    Returns:
        URLs, sorted.

    Raises:
        ValueError: If the store cannot be asked.
    """
    import fsspec  # slow to import, and few need it

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        found = filesystem.find(path) if url.endswith("/") else filesystem.glob(path)
    except Exception as error:  # the errors of object stores have no common class
        raise ValueError(f"{url} cannot be listed ({explain(error)})") from error
    return sorted(map(filesystem.unstrip_protocol, found))


def _is_shard(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(SUFFIX) and entry.is_file()


def _expand_braces(pattern: str) -> Iterator[str]:
    braces = _BRACES.search(pattern)
    if braces is None:
        yield pattern
        return
    if numbers := _RANGE.fullmatch(braces[1]):
        first, last = numbers.groups()
        step = 1 if int(first) <= int(last) else -1
        if abs(int(last) - int(first)) >= _MOST_SHARDS:
            raise ValueError(_TOO_MANY.format(pattern))
        choices = [str(n).zfill(len(first)) for n in range(int(first), int(last) + step, step)]
    else:
        choices = braces[1].split(",")
    for choice in choices:
        yield from _expand_braces(pattern[: braces.start()] + choice + pattern[braces.end() :])


def _glob(pattern: str) -> list[str]:
    return listed_objects(pattern) if is_url(pattern) else sorted(glob.glob(str(expanded(pattern))))


def _samples(shard: str) -> list[tuple[Row, str | None]]:
    """The samples of one shard, each with the kind of its label."""
    try:
        members = shard_members(shard)
        if not is_complete(shard):
            raise ValueError(f"{shard} is cut short after {len(members)} members; copy it again, or leave it out")
        samples: dict[str, dict[str, MemberPath]] = {}
        for name, place in members.items():
            if match := _MEMBER.fullmatch(name):
                samples.setdefault(match["key"], {})[match["suffix"].lower()] = MemberPath(f"{shard}/{name}", *place)
        return [_sample(shard, key, named) for key, named in samples.items()]
    except VideoDecodeError as error:
        raise ValueError(str(error)) from error


def _sample(shard: str, key: str, named: Mapping[str, MemberPath]) -> tuple[Row, str | None]:
    """Join the members of a sample; `named` is suffix -> member."""
    where = f"{shard}, sample {key!r}"
    videos = [name for suffix, name in named.items() if f".{suffix}".endswith(VIDEO_SUFFIXES)]
    if len(videos) > 1:
        names = " and ".join(video.removeprefix(f"{shard}/") for video in videos[:2])
        raise ValueError(f"{where} has two videos, {names}; a sample's key ends at the first dot of the name")
    error = None if videos else f"missing: the sample has no video, only {', '.join(named)}"
    label, kind = _label(key, named, where)
    return Row(videos[0] if videos else f"{shard}/{key}", label, where, error), kind


def _label(key: str, named: Mapping[str, MemberPath], where: str) -> tuple[str | None, str | None]:
    """Label of a sample as written, and the kind of place where it is written."""
    for suffix in ("cls", "json", "txt"):
        if suffix not in named:
            continue
        if named[suffix].length > _LARGEST_LABEL:
            raise ValueError(f"{where}: its .{suffix} has {named[suffix].length:,} bytes, too many for a label")
        data = read_source(named[suffix])
        assert isinstance(data, bytes)
        label = _json_label(data, where) if suffix == "json" else data.decode("utf-8", "replace").strip()
        if label:
            return label, f"a .{suffix}"
    folder = os.path.basename(os.path.dirname(key))
    return (folder, "a folder") if folder else (None, None)


def _json_label(data: bytes, where: str) -> str | None:
    content = read_json(data, f"{where}: its .json")
    if not isinstance(content, dict):
        return None
    value = content.get("label", content.get("class"))
    return None if value is None else str(value)
