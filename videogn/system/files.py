"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from videogn.system.destination import check_folder, copy_through, destination
from videogn.system.partial_files import partial_file, partial_folder, put_in_place
from videogn.system.room import naming, write_error


@contextmanager
def replacing(path: str | Path, *, sweep: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`. On success it is renamed to `path`, on failure it is removed.

    The temporary name has the same suffix, because encoders choose a container by it, and is different for every
    writer; what killed writers of the same file left is removed. Missing parent folders are made. A link is followed;
    a file that is replaced hands on its owner and mode. To a device or a pipe the file is copied when it is whole.

    Args:
        path: File to create or replace, or device or pipe.
        sweep: Whether what killed writers left is looked for, which takes a look at all names in the folder. Default:
            True.

    Yields:
        Path to write to.

    Raises:
        OSError: The path is a folder, or cannot be written. The message names it; of a full disk, also what is free.
    """
    place = destination(path)
    if place.through:
        with _handing_over(path) as folder:
            temporary = folder / f"output{place.path.suffix}"
            with naming(temporary):
                yield temporary
            copy_through(temporary, place.path)
        return
    with naming(path):
        make_folder(place.path.parent, of=path)
        with partial_file(place.path, sweep=sweep) as temporary, naming(path, temporary):
            yield temporary


@contextmanager
def replacing_together(path: str | Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder beside `path`, for a file that has companions.

    On success everything in the folder is renamed to the folder of `path`, `path` last; on failure it is removed. As
    for `replacing`, a link is followed, and a file that has no companions can go to a device or pipe.

    Args:
        path: File to create or replace.

    Yields:
        Path to write to.

    Raises:
        OSError: The path is a folder, or cannot be written; see `replacing`.
    """
    place = destination(path)
    if place.through:
        with _handing_over(path) as folder:
            yield folder / place.path.name
            if len(files := list(folder.iterdir())) > 1:
                raise OSError(f"{path} is a device or pipe, which cannot take {len(files)} files: name a file")
            copy_through(files[0], place.path)
        return
    with naming(path):
        make_folder(place.path.parent, of=path)
        with partial_folder(place.path) as folder, naming(path, folder):
            yield folder / place.path.name
            for made in sorted(folder.iterdir(), key=lambda made: made.name == place.path.name):
                put_in_place(made, destination(place.path.with_name(made.name)).path)


def make_folder(folder: Path, *, of: str | Path | None = None) -> None:
    """Make a folder and those above it, unless it is there.

    Args:
        folder: The folder.
        of: File that is to lie in it, for the message. Default: the folder itself.

    Raises:
        OSError: It cannot be made. The message says why in a line.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        check_folder(folder, of=of)  # says it better where it can
        raise write_error(error, folder if of is None else of) from error


@contextmanager
def _handing_over(path: str | Path) -> Iterator[Path]:
    """A folder for a file that goes to a device or pipe; many formats are not written from beginning to end."""
    with tempfile.TemporaryDirectory(prefix="videogn-") as folder:
        yield Path(folder)


def write_text(path: str | Path, text: str) -> None:
    """Write text to a file, in UTF-8 and by way of a temporary file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a value to a file as indented JSON, by way of a temporary file; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
