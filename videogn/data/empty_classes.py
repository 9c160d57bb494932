"""Classes without a usable training video: which, for what likely reason, and when that is an error.

Such a class becomes part of the network for good, and is never learnt.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from videogn.data.left_out import in_words, listed
from videogn.data.video_index import VideoIndex

#: Share of the classes above which empty ones are an error.
_MOST = 0.5


def empty_classes(index: VideoIndex) -> dict[str, str]:
    """Find the classes without a usable video.

    Args:
        index: Training videos.

    Returns:
        Class name -> likely reason, in the order of the classes.
    """
    rows, classes = index.label_pairs()
    errors = index.errors()
    fine = pc.is_null(errors).to_numpy(zero_copy_only=False)
    counts = np.bincount(classes, minlength=len(index.classes))
    usable = np.bincount(classes[fine[rows]], minlength=len(index.classes))
    found = {}
    for number in np.flatnonzero(usable == 0).tolist():
        name = index.classes[number]
        if counts[number]:
            of_class = errors.take(pa.array(rows[classes == number])).to_pylist()
            statuses = Counter(error.split(":")[0] for error in of_class)
            found[name] = f"all {in_words(statuses)}"
        elif kinds := index.left_out.get(name):
            found[name] = f"its folder holds no video, only {in_words(kinds)}"
        else:
            found[name] = "its folder is empty" if name in index.left_out else "none is listed"
    return found


def about_empty_classes(index: VideoIndex, *, given: bool = False) -> str | None:
    """Say which classes have no usable training video.

    Args:
        index: Training videos.
        given: Whether the class names were given, so that no reason need be sought.

    Returns:
        One line, or None if every class has one.
    """
    empty = empty_classes(index)
    if not empty:
        return None
    number, total = len(empty), len(index.classes)
    who = f"class {next(iter(empty))} has" if number == 1 else f"{number:,} of {total:,} classes have"
    said = f"{who} no training video"
    if given:
        return said if number == 1 else f"{said}: {listed(list(empty))}"
    numbers = index.classes == tuple(map(str, range(total)))
    if numbers and set(empty.values()) == {"none is listed"}:
        if list(empty) == ["0"]:
            return f"{said}: do your labels start at 1? Number them from 0, or use names"
        which = "" if number == 1 else f" ({listed(list(empty))})"
        return f"{said}{which}: are there gaps in your labels? Number them from 0 on, or use names"
    if number == 1:
        return f"{said}: {next(iter(empty.values()))}"
    return f"{said}: {listed([f'{name} ({reason})' for name, reason in empty.items()])}"


def refuse_mostly_empty(index: VideoIndex, line: str) -> None:
    """Refuse training videos where more than half of the classes have none.

    Args:
        index: Training videos.
        line: What `about_empty_classes` says of them.

    Raises:
        ValueError: If it is so.
    """
    if len(empty_classes(index)) > _MOST * len(index.classes):
        raise ValueError(f"{line}; if that is what you want: --data.allow_empty_classes true")
