"""The meaning of labels: one of the classes, by name or by number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from videogn.checks import did_you_mean
from videogn.system.sizes import counted

#: A number of a class. Labels of more digits, if all are so, are names, such as hashes.
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_LONG_NUMBER = re.compile(r"-?[0-9]{19,}")
#: Number of classes that a list may make with one label, as a sparse list of ImageNet-21k's 21,841 does; above it, each
#: label that occurs explains so many, up to a bound: what the network has for a class takes memory.
_BELIEVED, _EXPLAINED, _MOST = 30_000, 20, 1_000_000


def number_labels(labels: Mapping[str, str], classes: Sequence[str], *, numbers: bool) -> dict[str, int]:
    """Find the class of every label.

    Args:
        labels: Label -> place where it first occurs, for error messages.
        classes: Class names in order. Names that differ only in "_" for " " are the same.
        numbers: Whether a label that names no class may be a class number.

    Returns:
        Label -> class number.

    Raises:
        ValueError: If a class is given twice, or a label is no class.
    """
    if repeated := [name for name, count in Counter(classes).items() if count > 1]:
        raise ValueError(f"class {min(repeated)!r} is given more than once")
    known = {name.replace("_", " "): number for number, name in enumerate(classes)}
    known |= {name: number for number, name in enumerate(classes)}
    found: dict[str, int] = {}
    for label, where in labels.items():
        number = known.get(label, known.get(label.replace("_", " ")))
        if number is None and not (numbers and _NUMBER.fullmatch(label)):
            raise ValueError(f"{where}: unknown class {label!r}{did_you_mean(label, classes)}")
        found[label] = number = int(label) if number is None else number
        if not 0 <= number < len(classes):
            raise ValueError(f"{where}: class number {number}; it must be 0 to {len(classes) - 1}")
    return found


def known_spelling(label: str, classes: Sequence[str], aliases: Mapping[str, str]) -> str:
    """Return a label as it names a class.

    Args:
        label: Label as written.
        classes: Class names.
        aliases: Other spelling -> label: a list may have the number from 1 of a class, or its name, where another list
            of the same data set has the other.

    Returns:
        The other spelling if only that is a class; otherwise the label.
    """
    other = aliases.get(label)
    return label if other is None or label in classes or other not in classes else other


def check_same_start(here: Mapping[str, str], before: Mapping[str, str], source: str) -> None:
    """Refuse a list that is numbered from 0 where the training list is numbered from 1, or the reverse.

    Args:
        here: Folder -> number of its videos in this list, among other spellings.
        before: The same for the training list.
        source: This list, for the message.

    Raises:
        ValueError: If two or more folders are in both lists, and all numbers differ by 1 in the same direction.
    """
    pairs = [(name, here[name], before[name]) for name in here.keys() & before.keys()]
    pairs = [pair for pair in pairs if _NUMBER.fullmatch(pair[1]) and _NUMBER.fullmatch(pair[2])]
    if len(pairs) > 1 and {int(now) - int(then) for _, now, then in pairs} in ({1}, {-1}):
        name, now, then = min(pairs)
        raise ValueError(
            f"{source}: the videos of {name} have the label {now}, and {then} in the training list: one list is "
            "numbered from 0 and the other from 1"
        )


def class_names(labels: Mapping[str, str]) -> list[str]:
    """Name the classes of labels that are all names, or all numbers.

    Args:
        labels: Label -> place where it first occurs, for error messages.

    Returns:
        The sorted names; for numbers, "0" up to the largest.

    Raises:
        ValueError: If some labels are names and some are numbers, or a number can be no class's.
    """
    long = sorted(label for label in labels if _LONG_NUMBER.fullmatch(label))
    if long and len(long) == len(labels):
        return long
    numbers = {label for label in labels if _NUMBER.fullmatch(label)} | {*long}
    names = sorted(labels.keys() - numbers)
    if numbers and names:
        problem = f"label {names[0]!r:.60} is a name, but {min(numbers)!r} is a number"
        raise ValueError(f"{labels[names[0]]}: {problem}; use one kind, or give the classes")
    largest = long[0] if long else max(numbers, key=int, default="0")
    if long or int(largest) >= min(max(_BELIEVED, _EXPLAINED * len(numbers)), _MOST):
        kinds = counted(len(numbers), "different label")
        raise ValueError(
            f"{labels[largest]}: label {largest:.40}; a class has a number from 0 on, without large gaps, or a name, "
            f"and here are {kinds}"
        )
    return names or [str(number) for number in range(max(int(largest), 0) + 1)]
