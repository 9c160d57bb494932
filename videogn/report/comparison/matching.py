"""Which rows of several tests are about the same video, also where the data were moved in between."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from videogn.report.comparison.tested import Tested

#: Name of a video, and which of its rows it is where it is listed several times.
Key: TypeAlias = tuple[str, int]
_SAME_PLACE = "their paths"
_BELOW_ROOT = "their paths relative to the root of the data (data.root)"


@dataclass(frozen=True)
class Matched:
    """The videos that all tests have, and those that some lack.

    Attributes:
        way: What videos were matched by, in words.
        certain: Whether videos of one name are the same ones by their places or by the hash of the list.
        names: Names of the common videos, in the order of the first test.
        rows: Row of each common video, for each test (N,).
        missing: For each test, the names of the videos that it lacks and another one has, sorted.
    """

    way: str
    certain: bool
    names: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    missing: tuple[tuple[str, ...], ...]


def match(tests: Sequence[Tested]) -> Matched:
    """Find the common videos.

    Videos are the same if their paths are. If no path is in every test, the data were moved: then they are matched by
    their paths relative to the root that each test names; and where a test names none (lists), by as many of the last
    parts of their paths as tell the videos of each test apart.

    Args:
        tests: Results of tests, at least two.

    Returns:
        The match; without common videos it is that by the whole paths.
    """
    paths = [[_normal(path) for path in test.paths] for test in tests]
    roots = [_named_root(test) for test in tests]
    hashes = {test.summary.get("index_sha256") for test in tests}
    same_list = len(hashes) == 1 and None not in hashes
    whole = _joined(paths, _SAME_PLACE, certain=True)
    if whole.names:
        root = roots[0]
        return whole if root is None or len(set(roots)) > 1 else _named_below(whole, root)
    if all(roots):
        below = [[_below(path, str(root)) for path in some] for some, root in zip(paths, roots, strict=True)]
        found = _joined(below, _BELOW_ROOT, certain=True)
        # Two lists below one root that share no path are about different videos.
        if found.names or len(set(roots)) == 1:
            return found if found.names else whole
    number = max(map(_parts_that_tell_apart, paths))
    last: Callable[[str], str] = partial(_last_parts, number=number)
    parts = "file names" if number == 1 else f"the last {number} parts of their paths"
    found = _joined([list(map(last, some)) for some in paths], parts, certain=same_list)
    return found if found.names else whole


def _joined(names: Sequence[Sequence[str]], way: str, *, certain: bool) -> Matched:
    places = [{key: row for row, key in enumerate(_keys(some))} for some in names]
    first = places[0]
    common = [key for key in first if all(key in others for others in places[1:])]
    every = set().union(*places)
    return Matched(
        way=way,
        certain=certain,
        names=tuple(name for name, _ in common),
        rows=tuple(np.array([place[key] for key in common], np.int64) for place in places),
        missing=tuple(tuple(sorted(name for name, _ in every - place.keys())) for place in places),
    )


def _named_below(found: Matched, root: str) -> Matched:
    """Shorter names of the same videos."""
    return replace(
        found,
        names=tuple(_below(name, root) for name in found.names),
        missing=tuple(tuple(_below(name, root) for name in names) for names in found.missing),
    )


def _keys(names: Iterable[str]) -> Iterable[Key]:
    """A video that is listed twice is matched with its first and second rows."""
    seen: Counter[str] = Counter()
    for name in names:
        yield name, seen[name]
        seen[name] += 1


def _normal(path: str) -> str:
    scheme, mark, rest = path.partition("://")
    return f"{scheme}{mark}{posixpath.normpath(rest)}" if mark else posixpath.normpath(path)


def _named_root(test: Tested) -> str | None:
    """The root that a test was told, as its paths begin with it; None where it was told none, or they do not."""
    told = (test.summary.get("videos_from") or {}).get("root")
    root = test.results.former_root
    return _normal(root) if told and root and f"/{_normal(root)}".endswith(f"/{_normal(told).lstrip('/')}") else None


def _below(path: str, root: str) -> str:
    """A path relative to the root, as it is where it does not lie below it."""
    return path.removeprefix(f"{root.rstrip('/')}/")


def _parts_that_tell_apart(paths: Sequence[str]) -> int:
    """The smallest number of last parts by which the paths differ that differ as a whole."""
    distinct = set(paths)
    most = max((path.count("/") + 1 for path in distinct), default=1)
    for number in range(1, most):
        if len({_last_parts(path, number) for path in distinct}) == len(distinct):
            return number
    return most


def _last_parts(path: str, number: int) -> str:
    return "/".join(path.split("/")[-number:])
