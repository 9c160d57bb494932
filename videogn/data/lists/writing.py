"""A list of videos as a CSV that is read as it was meant: paths below its folder are relative, and all is quoted."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from videogn.data.stored_paths import opened_path
from videogn.data.video_index import VideoIndex
from videogn.system.displayable import displayable
from videogn.system.files import replacing

#: Roles that a list is not read for by the names of its columns: `--data.columns` has to name them.
_TO_NAME = ("labels", "start_time", "end_time", "start_frame", "end_frame", "frames")


def list_columns(index: VideoIndex) -> list[str]:
    """Return the columns of the list of some videos: path, label or labels, and what else their records have.

    The path alone, of which the folder is the class, where classes are called 1, 2, 3: a list has numbers from 0.
    """
    table = index.records.table
    if _are_other_numbers(index.classes) and all(_in_its_class(index)):
        return ["path"]
    label = "labels" if index.several_labels else "label"
    return ["path", label, *(name for name in _TO_NAME[1:] if table[name].null_count < len(table))]


def roles_to_name(columns: Sequence[str]) -> str | None:
    """Return the value of --data.columns that a list with these columns needs, or None."""
    if not (named := [name for name in columns if name in _TO_NAME]):
        return None
    return ",".join(f"{name}={name}" for name in ["path", *(["label"] if "label" in columns else []), *named])


def write_list(path: Path, index: VideoIndex, columns: Sequence[str], further: Mapping[str, Sequence[str]]) -> None:
    """Write a list under a temporary name and rename it.

    Args:
        path: File to write.
        index: The videos.
        columns: Columns, as `list_columns` returns them for the videos of all splits.
        further: Further columns: name -> value of each video; left out where the list has the paths alone.

    Raises:
        ValueError: If a path cannot be written in a list.
    """
    folder = os.path.join(os.path.abspath(path.parent), "")
    paths = [_written(opened_path(each), folder) for each in index.absolute_paths().to_pylist()]
    values = [_values(index, name) for name in columns[1:]]
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        if columns == ["path"]:  # neither heading nor further columns, or it would be read for its labels
            file.writelines(f"{each}\n" for each in paths)
            return
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow([*columns, *further])
        writer.writerows(zip(paths, *values, *further.values(), strict=True))


def _written(path: str, folder: str) -> str:
    """A path as it stands in a list in a folder."""
    if path != displayable(path) or "\n" in path or "\r" in path:
        raise ValueError(f"{displayable(path)!r} cannot be written in a list: rename it, or use an index")
    relative = path.removeprefix(folder).replace(os.sep, "/")
    return f"./{relative}" if relative.startswith("#") else relative  # a line that begins with # is a comment


def _are_other_numbers(classes: Sequence[str]) -> bool:
    """Whether all names are numbers, and not 0, 1, 2 and so on."""
    return all(map(str.isdigit, classes)) and set(classes) != {str(number) for number in range(len(classes))}


def _in_its_class(index: VideoIndex) -> Iterator[bool]:
    """Whether each video lies in a folder of the name of its class."""
    return (Path(each.path).parent.name == index.classes[each.label or 0] for each in index.records)


def _values(index: VideoIndex, name: str) -> list[str]:
    """The values of a column."""
    column = index.records.table[name].to_pylist()
    if name == "label":
        return [index.classes[label] for label in column]
    if name == "labels":
        return [";".join(index.classes[label] for label in labels or ()) for labels in column]
    return ["" if value is None else f"{value:.12g}" for value in column]
