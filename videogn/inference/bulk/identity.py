"""What scores are scores of, so that no file holds those of two networks or protocols."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from typing import Any, TypeAlias

from videogn.checks import expanded
from videogn.choices import EvaluationViews

#: Inode, size and time of change of every file of a source.
State: TypeAlias = tuple[tuple[int, int, int], ...]
#: Changes when rows of an earlier version can no longer be continued.
_VERSION = 1


def source_hash(source: str) -> str:
    """Return what tells the source of a network from others: of a file or folder a hash of what is in it.

    Args:
        source: Checkpoint, folder, or name of a published network, perhaps with a file, as in `nonlocal:FILE.pkl`.
    """
    path = _place(source)
    if path is None:
        return source
    names = sorted(_files(path)) if os.path.isdir(path) else [path]
    files = filter(os.path.isfile, names)  # opening a pipe would wait forever
    hashes = hashlib.sha256()
    for each in files:
        with open(each, "rb") as file:
            hashes.update(os.path.relpath(each, path).encode("utf-8", "surrogateescape"))
            hashes.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256 {hashes.hexdigest()}"


def source_state(source: str) -> State:
    """Return sizes and times of change of the files of a source, without reading one: it may be no checkpoint at all.

    Args:
        source: As for `source_hash`.
    """
    path = _place(source)
    if path is None:
        return ()
    found = [os.stat(path), *(entry.stat() for entry in _entries(path))]
    return tuple(sorted((one.st_ino, one.st_size, one.st_mtime_ns) for one in found))


def check_same_state(source: str, state: State) -> None:
    """Refuse a source that changed after it was looked at, as the last checkpoint of a run that still trains.

    Args:
        source: As for `source_hash`.
        state: `source_state` of it before the network was loaded.

    Raises:
        ValueError: It is another one now: nobody knows which of the two was loaded.
    """
    if source_state(source) != state:
        raise ValueError(f"{source} changed while it was being used: give the command again, or a copy of the file")


def identity(
    source: str,
    views: EvaluationViews,
    *,
    state: State,
    decoder: str,
    frame_rate: float,
    top_k: int,
    **others: Any,
) -> dict[str, Any]:
    """Return everything that decides about scores, flat and as JSON has it.

    Args:
        source: Source of the network.
        views: What the network sees of each video.
        state: `source_state` of the source, from before the network was loaded.
        decoder: Decoder.
        frame_rate: Frames per second of folders of images.
        top_k: Number of classes that rows name.
        **others: Further settings of the scoring, plain values. One that is None is as good as one that is not there:
            a setting that is added later is None where it changes nothing.

    Raises:
        ValueError: See `check_same_state`.
    """
    content = source_hash(source)
    check_same_state(source, state)
    seen = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(views).items()}
    settings = {"decoder": decoder, "frame_rate": frame_rate, "top_k": top_k, **others}
    return {"version": _VERSION, "checkpoint": content, **seen, **settings}


def _place(source: str) -> str | None:
    """The file or folder that a source names, if any."""
    places = (str(expanded(name)) for name in (source, source.partition(":")[2]) if name)
    return next(filter(os.path.exists, places), None)


def _entries(path: str) -> list[os.DirEntry[str]]:
    if not os.path.isdir(path):
        return []
    with os.scandir(path) as entries:
        return [entry for entry in entries if entry.is_file()]


def _files(folder: str) -> list[str]:
    return [os.path.join(above, name) for above, _, names in os.walk(folder) for name in names]
