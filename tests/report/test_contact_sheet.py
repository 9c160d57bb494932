"""The contact sheet: its size, that everything is on it, that nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import imread

from videogn.axes import Crop
from videogn.report.contact_sheet import ClipRow, Thumbnail, write_contact_sheet


def _row(height: int, width: int, marks: list[str | None], crops: tuple[Crop, ...] = (), level: int = 128) -> ClipRow:
    picture = np.full((height, width, 3), level, np.uint8)
    thumbnails = [Thumbnail(picture, f"frame {number}", mark) for number, mark in enumerate(marks)]
    return ClipRow("clip", thumbnails, (height, width), crops)


@pytest.mark.parametrize(("height", "width"), [(256, 340), (480, 270), (8, 8), (16, 400)])
def test_the_sheet_grows_with_rows_and_thumbnails(tmp_path, height, width):
    small = imread(write_contact_sheet([_row(height, width, [None])], tmp_path / "small.png", title="$x_1$ & %"))
    large = imread(write_contact_sheet([_row(height, width, [None] * 3)] * 2, tmp_path / "large.png", title="t"))
    scale = 168 / max(height, width)
    across, down = round(width * scale), round(height * scale)
    assert large.shape[1] - small.shape[1] == pytest.approx(2 * (across + 10), abs=1)
    assert large.shape[0] - small.shape[0] == pytest.approx(down + 30, abs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.png", "small.png"]


def test_crops_and_marks_show_in_grey(tmp_path):
    """Luminance alone tells a marked frame, and where the crops are."""

    def grey(name, row):
        return imread(write_contact_sheet([row], tmp_path / name, title=""))[..., :3].mean(axis=2)

    plain = grey("plain.png", _row(100, 100, [None]))
    marked = grey("marked.png", _row(100, 100, ["wrapped"]))
    cropped = grey("cropped.png", _row(100, 100, [None], (Crop(20, 20, 50, 50),)))
    assert plain.shape == marked.shape == cropped.shape
    assert (np.abs(marked - plain) > 0.3).sum() > 200
    top, left = 46, 118  # of the thumbnail, 168 pixels a side
    changed = np.abs(cropped - plain) > 0.2
    rows, columns = np.nonzero(changed)
    assert rows.min() == pytest.approx(top + 0.2 * 168, abs=4)
    assert rows.max() == pytest.approx(top + 0.7 * 168, abs=4)
    assert columns.min() == pytest.approx(left + 0.2 * 168, abs=4)
    assert columns.max() == pytest.approx(left + 0.7 * 168, abs=4)


def test_a_crop_that_is_the_whole_frame_is_not_drawn(tmp_path):
    plain = write_contact_sheet([_row(50, 60, [None])], tmp_path / "a.png", title="")
    full = write_contact_sheet([_row(50, 60, [None], (Crop(0, 0, 50, 60),))], tmp_path / "b.png", title="")
    assert np.array_equal(imread(plain), imread(full))
