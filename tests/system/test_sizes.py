"""Numbers of bytes, read and written."""

from __future__ import annotations

import pytest

from videogn.system.sizes import counted, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        (123, 123),
        ("77", 77),
        ("12B", 12),
        ("500MB", 500_000_000),
        ("2GiB", 2 * 2**30),
        (" 1.5 gib ", 3 * 2**29),
        ("3kB", 3000),
        ("3KiB", 3072),
        ("0.1TB", 10**11),
    ],
)
def test_sizes_that_people_write(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "GiB", "2 gigs", "1e9", "2,5 GB", "nan"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="a size is a number of bytes such as 500MB, 2GiB or 0, got"):
        parse_size(text)


@pytest.mark.parametrize("text", ["9" * 400, "1" * 309 + "TB", 2**63])
def test_more_than_there_is(text):
    with pytest.raises(ValueError, match="a size is less than 8 million TiB, got"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (500_000_000, "476.8 MiB"),
        (2**20 - 1, "1.0 MiB"),  # and not 1024.0 KiB
        (1_288_490_189, "1.2 GiB"),
        (2**50, "1024.0 TiB"),
    ],
)
def test_the_unit_is_the_largest_that_fits(size, text):
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("number", "thing", "text"),
    [(1, "class", "1 class"), (2, "class", "2 classes"), (0, "cell", "0 cells"), (1200, "video", "1,200 videos")],
)
def test_things_are_counted_in_the_plural_unless_there_is_one(number, thing, text):
    assert counted(number, thing) == text
