"""Any column of a list, video by video, for what is no role of a list: the person, the source, the camera."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from videogn.data.layouts import read_text
from videogn.data.lists.listed import ListFile
from videogn.data.lists.reading import read_list
from videogn.data.lists.tables import divide


def column_values(
    source: Path, root: Path, name: str, columns: Mapping[str, str] | None = None
) -> list[str | None] | None:
    """Read a column of a list.

    Args:
        source: The list.
        root: Folder that its paths refer to.
        name: Name of the column, or its number, from 1, in a list without a heading.
        columns: Role -> name of a column, as for `read_list`.

    Returns:
        Its value for each video, in the order of `read_list`; None where it has none. None if the list has no such
        column.

    Raises:
        ValueError: If the file is no list.
    """
    if source.suffix.lower() == ".json" or not source.is_file():
        return None
    file = ListFile(source, root, read_text(source), columns or {})
    table = divide(file)
    places = [place for place, column in enumerate(table.columns) if column.name == name]
    if not places or len(table.columns) < 2:
        return None
    values = {file.where(line.number): line.fields for line in table.lines()}
    rows = [values.get(row.where, []) for row in read_list(source, root, columns).rows]
    return [fields[places[0]] if len(fields) > places[0] else None for fields in rows]
