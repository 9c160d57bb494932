"""Something-Something V2 (JSON), V1 and Jester (CSV): ids of videos or of folders of frames, and labels as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from videogn.checks import read_json
from videogn.data.layouts import Row, read_text
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import located, sampled

_BRACKETS = re.compile(r"[\[\]]")
_ID = re.compile(r"[0-9]+")
#: Suffix of the path of a missing video, as the data sets are distributed.
_SUFFIX = ".webm"


def is_something_json(content: Any) -> bool:
    """Whether a JSON list is one of Something-Something V2's: entries with ids, and templates unless for testing."""
    return _is_list_of(content, "id") and ("template" in content[0] or set(content[0]) == {"id"})


def read_something_json(file: ListFile, content: Any) -> Listed:
    """Read the JSON list of Something-Something V2; the label is the template without its brackets.

    Returns:
        The rows; those of the test list have no label. The order of the classes is that of the labels beside it.

    Raises:
        ValueError: If an entry is wrong.
    """
    names, labels = [], []
    for number, entry in enumerate(content, start=1):
        labelled = isinstance(entry, dict) and isinstance(entry.get("template"), str)
        if not isinstance(entry, dict) or "id" not in entry or labelled != ("template" in content[0]):
            raise ValueError(f"{file.source}, entry {number}: {entry!r:.80}; expected an id and a template")
        names.append(str(entry["id"]))
        labels.append(_BRACKETS.sub("", entry["template"]) if labelled else None)
    paths = located(names, file.root, _SUFFIX)
    places = (f"{file.source}, id {name}" for name in names)
    rows = [Row(path, label, where) for path, label, where in zip(paths, labels, places, strict=True)]
    return Listed(rows, _json_classes(file))


def is_something_csv(file: ListFile) -> bool:
    """Whether a list is one of Something-Something V1's or Jester's: "1;Swiping Left", or ids beside such labels."""
    some = [line for _, line in sampled(file.lines)]
    if all(_ID.fullmatch(line) for line in some):
        return _class_file(file) is not None
    return all(_ID.fullmatch(line.partition(";")[0].strip()) and ";" in line for line in some)


def read_something_csv(file: ListFile) -> Listed:
    """Read a CSV of Something-Something V1 or Jester.

    Returns:
        The rows; those of the test list have no label. The order of the classes is that of the labels beside it.

    Raises:
        ValueError: If a line is wrong.
    """
    class_file = _class_file(file)
    names, labels = [], []
    unlabelled = ";" not in file.lines[0][1]
    for number, line in file.lines:
        name, separator, label = (part.strip() for part in line.partition(";"))
        if not _ID.fullmatch(name) or (not label and not unlabelled) or (separator and unlabelled):
            raise ValueError(f"{file.where(number)}: {line!r}; expected an id and a label, such as '1;Swiping Left'")
        names.append(name)
        labels.append(label or None)
    paths = located(names, file.root, _SUFFIX)
    rows = [
        Row(path, label, file.where(number)) for path, label, (number, _) in zip(paths, labels, file.lines, strict=True)
    ]
    lines = [] if class_file is None else read_text(class_file).splitlines()
    return Listed(rows, [line.strip() for line in lines if line.strip()] or None, numbers=True)


def _json_classes(file: ListFile) -> list[str] | None:
    path = file.beside(*_labels_names(file), "labels.json", "something-something-v2-labels.json")
    if path is None:
        return None
    try:
        numbers = {name: int(number) for name, number in read_json(read_text(path), path).items()}
    except (AttributeError, TypeError, ValueError):
        numbers = {}
    if not numbers or sorted(numbers.values()) != list(range(len(numbers))):
        raise ValueError(f"{path}: expected a number for each label, from 0 without gaps")
    return sorted(numbers, key=lambda name: numbers[name])


def _class_file(file: ListFile) -> Path | None:
    return file.beside(*_labels_names(file), "labels.csv")


def _labels_names(file: ListFile) -> list[str]:
    """jester-v1-train.csv -> jester-v1-labels.csv; nothing for a list that is not named after a split."""
    name, found = re.subn(r"(train|validation|val|test)(?=\.\w+$)", "labels", file.source.name)
    return [name] if found else []


def _is_list_of(content: Any, key: str) -> bool:
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and key in content[0]
