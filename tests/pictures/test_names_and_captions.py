"""Names of pictures, and letters in frames."""

from __future__ import annotations

import os

import numpy as np
import pytest

from videogn.pictures.caption import Caption
from videogn.pictures.drawing import Evidence
from videogn.system.safe_names import safe_name

ODD = [
    "a\nb.mp4",
    "\udcff.mp4",
    "-rf",
    "..",
    ".hidden",
    "c:con",
    "x" * 300,
    "跳" * 200,
    "a.mp4#t=1,2.5",
    "s.tar//a",
    "$x$",
]


@pytest.mark.parametrize("name", ODD)
def test_names_are_safe(name, tmp_path):
    found = safe_name(f"/clips/{name}")
    assert "/" not in found
    assert "#" not in found
    assert found.isprintable()
    assert found[0] not in ".-"
    path = tmp_path / f".{found}.explained.01234567.partial.png"  # the longest that is written
    path.write_text("")
    assert os.fsencode(path).decode("utf-8")


def test_names_are_unique_and_stay(monkeypatch, tmp_path):
    names = [*ODD, "a/v.mp4", "b/v.mp4", "b/v.mp4#t=1,2", "b/v.mp4#t=1,3", "b/v.mkv"]
    made = [safe_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert made == [safe_name(name) for name in names]
    monkeypatch.chdir(tmp_path)
    assert safe_name("v.mp4") == safe_name(str(tmp_path / "v.mp4"))
    assert safe_name("s3://b/v.mp4").startswith("v.mp4.")


@pytest.mark.parametrize(("height", "width"), [(120, 160), (240, 426), (1080, 1920), (1920, 1080), (16, 2000)])
def test_captions_cover_little_and_bars_are_as_long_as_scores(height, width):
    caption = Caption(height, width)
    picture = np.full((height, width, 3), 200, np.uint8)
    scores = [("putting something upright on the table\n$x$", 0.75), ("跳舞 🎉", 0.2), ("قفز", 0.05)][: caption.lines]
    caption.draw(picture, scores)
    changed = np.any(picture != 200, axis=2)
    covered = changed.any(axis=1).mean()
    assert covered <= 0.3 or caption.lines == 1
    assert changed[-1].all()
    bar = picture[np.flatnonzero(changed.any(axis=1))[0] + 1].astype(int)  # above the letters
    blue = np.flatnonzero(bar[:, 2] - bar[:, 0] > 60)
    assert len(blue) == pytest.approx(0.75 * width, rel=0.06)


def test_captions_keep_within_the_picture():
    caption = Caption(120, 160)
    pictures = [np.zeros((120, 160, 3), np.uint8) for _ in range(2)]
    for picture, name in zip(pictures, ("a" * 400, "a"), strict=True):
        caption.draw(picture, [(name, 0.0)])
    np.testing.assert_array_equal(pictures[0][:, -30:], pictures[1][:, -30:])  # the number is not written over


def test_evidence_colours_the_part_that_was_seen_while_a_clip_was_there():
    heat = np.zeros((2, 8, 8), np.float32)
    heat[1] = 1
    crop = type("", (), {"cut": staticmethod(lambda picture: picture[:60, :40])})
    evidence = Evidence("a", [(0.0, 1.0)], np.ones(1, np.float32), heat, [0.0, 1.0], lambda height, width: crop)
    draw = evidence(120, 160)

    def changed(time):
        return np.any(draw(np.full((120, 160, 3), 50, np.uint8), time) != 50, axis=2)[:100]

    assert not changed(0.0).any()
    assert not changed(2.0).any()
    assert changed(0.5)[:60, :40].all()
    assert not changed(0.5)[:, 40:].any()
    assert not changed(0.5)[60:].any()
