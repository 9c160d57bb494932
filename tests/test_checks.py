"""Checks of arguments: what passes, and the line that a wrong value gives."""

from __future__ import annotations

import math

import pytest

from videogn.checks import check_choice, nearest, require_at_least, require_positive


@pytest.mark.parametrize("value", [1, 0.001])
def test_positive(value):
    assert require_positive("num_clips", value) is None


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_not_positive(value):
    with pytest.raises(ValueError, match=rf"^num_clips must be > 0, got {value}$"):
        require_positive("num_clips", value)


@pytest.mark.parametrize(("value", "least"), [(0, 0), (3, 2), (1.5, 1.5)])
def test_at_least(value, least):
    assert require_at_least("retries", value, least) is None


@pytest.mark.parametrize(("value", "least"), [(-1, 0), (1, 2), (math.nan, 0), (math.inf, 0)])
def test_too_small(value, least):
    with pytest.raises(ValueError, match=rf"^retries must be >= {least}, got {value}$"):
        require_at_least("retries", value, least)


@pytest.mark.parametrize(
    ("name", "close"), [("GM", "gn"), ("gn", "gn"), ("centre", "center"), ("fll", "full"), ("xyz", None), ("", None)]
)
def test_the_nearest_name(name, close):
    assert nearest(name, ["gn", "full", "center"]) == close


def test_a_choice_that_is_none_of_the_valid_ones():
    check_choice("crops", "full", ["full", "center"])
    with pytest.raises(ValueError, match=r"^crops must be one of full, center, got 'centre'; did you mean 'center'\?$"):
        check_choice("crops", "centre", ["full", "center"])
