"""Charades: a CSV with a row for each video and all its actions, "c092 11.90 21.20;c147 0.00 12.60" (seconds)."""

from __future__ import annotations

import csv
import io

from videogn.data.layouts import Row, read_text
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import located

CLASS_LIST = "Charades_v1_classes.txt"
#: Suffix of the path of a missing video, as the data set is distributed.
_SUFFIX = ".mp4"


def is_charades(file: ListFile) -> bool:
    """Whether the heading of a list has the columns id, script and actions."""
    return {"id", "script", "actions"} <= {name.strip().lower() for name in file.lines[0][1].split(",")}


def read_charades(file: ListFile) -> Listed:
    """Read a list of Charades: `Charades_v1_train.csv`, `Charades_v1_test.csv`. When the actions happen is not used.

    Returns:
        One row for each video, with all its actions, or none. Names and order of the classes are those of the class
        list beside it ("c000 Holding some clothes").

    Raises:
        ValueError: If a row or a line of the class list is wrong.
    """
    reader = csv.DictReader(io.StringIO(file.text))
    names, labels, where = [], [], []
    for row in reader:
        place = file.where(reader.line_num)
        if not row.get("id") or row.get("actions") is None:
            raise ValueError(f"{place}: no id, or no column of actions: is a double quote left open?")
        names.append(row["id"])
        actions = filter(None, map(str.strip, row["actions"].split(";")))
        labels.append(tuple(dict.fromkeys(action.split()[0] for action in actions)))
        where.append(place)
    paths = located(names, file.root, _SUFFIX)
    rows = [Row(path, None, place, labels=each) for path, place, each in zip(paths, where, labels, strict=True)]
    known = _class_names(file)
    return Listed(rows, list(known.values()) or None, aliases=known)


def _class_names(file: ListFile) -> dict[str, str]:
    """Code -> name of each class; empty without a class list."""
    class_list = file.beside(CLASS_LIST)
    lines = [] if class_list is None else read_text(class_list).splitlines()
    pairs = [line.strip().partition(" ") for line in lines if line.strip()]
    if any(not name for _, _, name in pairs):
        raise ValueError(f"{class_list}: expected lines such as 'c000 Holding some clothes'")
    return {code: name for code, _, name in pairs}
