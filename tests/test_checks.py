"""Checks of arguments: what passes, and the line that a wrong value gives."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from videogn.checks import check_choice, existing_path, expanded, nearest, require_at_least, require_positive


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


def test_home_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    assert expanded("~/videos") == Path("/home/me/videos")
    assert expanded(Path("~")) == Path("/home/me")
    assert expanded("~root/videos") == Path(os.path.expanduser("~root")) / "videos"
    assert expanded("videos~/~") == Path("videos~/~")


@pytest.mark.parametrize("name", ["~nobody_has_this_name.mp4", "~", "~root", "~/video.mp4"])
def test_a_name_with_a_tilde_that_exists(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.touch()
    assert existing_path(name) == Path(name)


def test_a_name_with_a_tilde_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("~vide.mp4").touch()
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: ~video\.mp4; did you mean ~vide\.mp4"):
        existing_path("~video.mp4")


def test_one_place_expands_home_folders():
    """Everywhere else a file of exactly this name would be missed, or a user that nobody is would be an error."""
    import videogn

    package = Path(videogn.__file__).parent
    found = [str(path.relative_to(package)) for path in package.rglob("*.py") if "expanduser" in path.read_text()]
    assert found == ["checks.py"]
