"""Whether a data set that videogn makes lies in a folder already: with the same settings, and all of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from videogn.checks import read_json, reading
from videogn.system.destination import check_folder
from videogn.system.files import write_json


def write_manifest(file: Path, settings: Mapping[str, Any], *, complete: bool) -> None:
    """Write the settings of a data set into its folder: first, so that the folder is known to be ours, and last.

    Args:
        file: The manifest.
        settings: What decides about the files of the data set.
        complete: Whether all of them are written.
    """
    write_json(file, {**settings, "complete": complete})


def is_complete(
    file: Path, settings: Mapping[str, Any], what: str, *, earlier: Mapping[str, Any] = MappingProxyType({})
) -> bool:
    """Whether a data set is whole in its folder.

    Args:
        file: The manifest.
        settings: What decides about the files of the data set.
        what: The kind of data set, for messages, with its article.
        earlier: Settings that earlier versions did not write -> their value. Default: none.

    Raises:
        ValueError: The folder holds something else, or the data set with other settings.
        OSError: The folder cannot be written.
    """
    out = file.parent
    check_folder(out)
    if not out.exists() or not any(out.iterdir()):
        return False
    if not file.is_file():
        raise ValueError(f"{out} holds something else than {what}: name a new or an empty folder")
    with reading(file):
        found = {**earlier, **read_json(file.read_bytes(), file)}
        complete = found.pop("complete", None) is True
    if found != settings:
        raise ValueError(f"{out} holds {what} made with {found}: name another folder, or remove that one")
    return complete
