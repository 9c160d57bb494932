"""Numbers of bytes and of things, as people write them."""

from __future__ import annotations

import re

_DECIMAL = ("B", "kB", "MB", "GB", "TB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_UNITS = {
    unit.lower(): base**power for base, units in ((1000, _DECIMAL), (1024, _BINARY)) for power, unit in enumerate(units)
}
#: Sizes have less than 63 bits; a float may be infinite.
_TOO_MANY = 2.0**63
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_size(size: str | int) -> int:
    """Read a number of bytes.

    Args:
        size: Number, with or without a unit: B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of
            1024), in upper or lower case, for instance "2GiB", "500 MB", "1.5GiB" or "0".

    Returns:
        Number of bytes, >= 0, rounded.

    Raises:
        ValueError: The size is not such a number, or is too large.
    """
    found = _SIZE.fullmatch(str(size).strip())
    if found is None or (found[2] or "B").lower() not in _UNITS:
        raise ValueError(f"a size is a number of bytes such as 500MB, 2GiB or 0, got {size!r}")
    number = float(found[1]) * _UNITS[(found[2] or "B").lower()]
    if number >= _TOO_MANY:
        raise ValueError(f"a size is less than 8 million TiB, got {size}")
    return round(number)


def format_size(size: int) -> str:
    """Write a number of bytes in the largest unit that it fills, for instance "1.2 GiB", "500.0 MiB" or "12 B"."""
    if abs(size) < 1024:
        return f"{size} B"
    value = float(size)
    for unit in _BINARY:
        # 1024.0 after rounding is 1 of the next unit.
        if round(abs(value), 1) < 1024 or unit == _BINARY[-1]:
            break
        value /= 1024
    return f"{value:.1f} {unit}"


def counted(number: int, thing: str) -> str:
    """Write a number of things: "1 video", "1,200 videos", "2 classes", "3 batches"."""
    ending = "" if number == 1 else "es" if thing.endswith(("s", "ch")) else "s"
    return f"{number:,} {thing}{ending}"
