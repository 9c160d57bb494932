"""The classes of tests that are compared: by name, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from videogn.report.comparison.tested import Tested

#: Names that a message lists.
_NAMED = 5


def common_classes(tests: Sequence[Tested], *, intersect: bool) -> tuple[str, ...]:
    """Find the classes that all tests have.

    Args:
        tests: Results of tests, at least two.
        intersect: Whether the tests may have different classes.

    Returns:
        Names, in the order of the first test.

    Raises:
        ValueError: The classes differ and `intersect` is False, or there are none in common.
    """
    first = tests[0]
    common = tuple(name for name in first.classes if all(name in other.numbers for other in tests[1:]))
    if not common:
        raise ValueError(
            f"{tests[0].folder} and {tests[-1].folder} have no class in common, for instance "
            f"{first.classes[0]!r} and {tests[-1].classes[0]!r}: tests of different data sets cannot be compared"
        )
    different = next((other for other in tests[1:] if set(other.classes) != set(first.classes)), None)
    if different is not None and not intersect:
        only = [_listed(sorted(set(a.classes) - set(b.classes))) for a, b in ((first, different), (different, first))]
        raise ValueError(
            f"the classes differ: only in {first.folder}: {only[0]}; only in {different.folder}: {only[1]}; "
            f"--intersect compares the videos of the {len(common)} that all have"
        )
    return common


def _listed(names: Sequence[str]) -> str:
    return some(names) if names else "none"


def some(names: Iterable[str], most: int = _NAMED) -> str:
    """List the first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
