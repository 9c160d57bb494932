"""Pages of studies whose clips have one frame speak of images."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from videogn.report.layout import Layout
from videogn.study.budget import Budget
from videogn.study.cell import Cell, Norm, Section


def _section(length):
    cells = [Cell(Norm(norm), length, 1, batch, 1, Budget("epochs", 2)) for norm in ("bn", "gn") for batch in (4, 2)]
    return Section("2 epochs", "", tuple(cells))


@pytest.mark.parametrize(
    ("length", "unit", "head", "label", "of_clip"),
    [
        (1, "image", ["batch size"], "batch 2", "images"),
        (8, "clip", ["clip length x interval", "batch size"], "8 x 1, batch 2", "clips of 8 x 1"),
    ],
)
def test_words(length, unit, head, label, of_clip):
    layout = Layout(_section(length), {})
    row = layout.rows[-1]
    assert (layout.unit, layout.head, layout.label(row)) == (unit, head, label)
    assert layout.of_clip(row.clip) == of_clip
    assert layout.cells(row)[-1] == "2"
    assert len(layout.cells(row)) == len(head)
    assert layout.example == "video"  # nothing was tested


@pytest.mark.parametrize(("clips", "example"), [(1, "image"), (10, "video")])
def test_single_frames_of_videos_are_tests_of_videos(clips, example):
    section = _section(1)
    result = SimpleNamespace(test={"protocol": {"clips": clips, "clip_length": 1}})
    assert Layout(section, dict.fromkeys(section.cells, result)).example == example
