"""Numbers of bytes as people write them."""

from __future__ import annotations

import re

_DECIMAL = ("B", "kB", "MB", "GB", "TB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_UNITS = {
    unit.lower(): base**power for base, units in ((1000, _DECIMAL), (1024, _BINARY)) for power, unit in enumerate(units)
}
#: More than 63 bits, which no system has; a float may be infinite.
_TOO_MANY = 2.0**63
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_size(size: str | int) -> int:
    """Read a number of bytes.

    Args:
        size: a whole number, or a number with a unit: B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers
            of 1024), in upper or lower case: "2GiB", "500 MB", "1.5GiB", "0".

    Returns:
        Bytes, >= 0, rounded.

    Raises:
        ValueError: something else.
    """
    found = _SIZE.fullmatch(str(size).strip())
    if found is None or (found[2] or "B").lower() not in _UNITS:
        raise ValueError(f"a size is a number of bytes such as 500MB, 2GiB or 0, got {size!r}")
    number = float(found[1]) * _UNITS[(found[2] or "B").lower()]
    if number >= _TOO_MANY:
        raise ValueError(f"a size is less than 8 million TiB, got {size}")
    return round(number)


def format_size(size: int) -> str:
    """Write a number of bytes with the largest unit of which there is at least one.

    Args:
        size: bytes.

    Returns:
        For instance "1.2 GiB", "500.0 MiB", "12 B".
    """
    if abs(size) < 1024:
        return f"{size} B"
    value = float(size)
    for unit in _BINARY:
        # What would be written as 1024.0 is one of the next unit.
        if round(abs(value), 1) < 1024 or unit == _BINARY[-1]:
            break
        value /= 1024
    return f"{value:.1f} {unit}"
