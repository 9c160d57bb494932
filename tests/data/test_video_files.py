"""Finding videos below a folder, whatever else lies there."""

from __future__ import annotations

import os

import pytest

from videogn.data.video_files import find_videos, walk_videos


def test_a_link_to_itself_is_a_file_that_cannot_be_opened(tmp_path):
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "real.mp4").touch()
    assert [os.path.basename(path) for path in find_videos(tmp_path)] == ["loop.mp4", "real.mp4"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch, caplog):
    closed = tmp_path / "closed"
    closed.mkdir()
    (tmp_path / "open.mp4").touch()
    scandir = os.scandir

    def refuse(folder):  # root may read everything, so permissions cannot be taken away
        if folder == str(closed):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [os.path.basename(path) for path in walk_videos(str(tmp_path))] == ["open.mp4"]
    assert f"{closed}: Permission denied" in caplog.text
    with pytest.raises(PermissionError):
        list(walk_videos(str(closed)))
