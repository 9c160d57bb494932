"""Where `videogn predict` puts its rows, checked before the seconds that the network takes to load."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

from videogn.checks import existing_path, expanded
from videogn.system.destination import check_file, destination

Format = Literal["table", "json", "jsonl", "csv", "parquet", "fiftyone", "labelstudio"]

#: Suffix of a file -> format, unless --format says another.
SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".json": "json",
    ".txt": "table",
}


class Output(NamedTuple):
    """A file for rows, or a pipe or device.

    Attributes:
        path: Path without links.
        format: Format of the rows.
        kept: Whether it is a file, whose rows are kept in parts until it is whole; a pipe gets them as they come.
    """

    path: Path
    format: Format
    kept: bool


def checked_output(name: str, form: Format | None, *, overwrite: bool = False) -> Output:
    """Check that rows can be written to an output. Nothing is written.

    Args:
        name: File, pipe or device, as the user named it.
        form: Format. Default: by the suffix; jsonl for a pipe or device without one.
        overwrite: Whether a file that is there may be replaced, whatever it is. Default: False.

    Raises:
        FileNotFoundError: Its folder does not exist.
        ValueError: It is a folder, its suffix stands for no format, or for a table of columns where the format is text
            or the reverse, or it is a file that `videogn predict` did not write, or whose parts are gone.
        OSError: Its folder cannot be written.
    """
    from videogn.inference.bulk.parts import parts_folder

    if (path := expanded(name)).is_dir():
        raise ValueError(f"--output must be a file, got the folder {name}")
    path, through = destination(path)
    kept = not through
    if kept:
        path = Path(os.path.realpath(existing_path(path.parent)), path.name)
    check_file(path)
    usual = SUFFIXES.get(path.suffix.lower())
    if form and usual and "parquet" in {form, usual} and form != usual:
        raise ValueError(f"--format {form} contradicts the suffix {path.suffix} of --output {name}")
    form = form or usual or (None if kept else "jsonl")
    if form is None:
        raise ValueError(f"--output must end in {', '.join(SUFFIXES)}, or --format say what to write, got {name}")
    if not kept:
        return Output(path, form, kept)
    if path.exists() and not parts_folder(path).is_dir() and not overwrite:
        raise ValueError(
            f"{name} exists, and without {parts_folder(path).name} beside it nothing says what it is: name another "
            "--output, or replace it with --overwrite"
        )
    return Output(path, form, kept)
