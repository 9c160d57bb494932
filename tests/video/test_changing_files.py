"""Files that change while they are decoded: no result holds frames of two videos."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from video_files import H264, numbered, read_numbers, write

from videogn.axes import VideoRecord
from videogn.video import open_video
from videogn.video.decoders.guard import VideoGuard
from videogn.video.decoders.pyav_reader import PyAVReader
from videogn.video.errors import VideoDecodeError
from videogn.video.held_file import HeldFile
from videogn.video.storage import CheckedFile
from videogn.video.timeline import make_timeline


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two videos of the same times; the second shows other numbers."""
    folder = tmp_path_factory.mktemp("changing")
    frames = numbered(60)
    return write(folder / "a.mp4", frames, options=H264), write(folder / "b.mp4", frames[::-1], options=H264)


def _renamed(path, other):
    shutil.copy(other, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def _relinked(path, other):
    path.unlink()
    path.symlink_to(other)


CHANGES = {
    "renamed over": _renamed,
    "written over": lambda path, other: path.write_bytes(other.read_bytes()),
    "cut": lambda path, _: os.truncate(path, path.stat().st_size // 2),
    "grown": lambda path, _: path.write_bytes(path.read_bytes() * 2),
    "a link that leads elsewhere": _relinked,
}


@pytest.mark.parametrize("opener", [open_video, VideoGuard(60).open], ids=["here", "guarded"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_two_reads(two, tmp_path, change, opener):
    path = tmp_path / "v.mp4"
    shutil.copy(two[0], path)
    with opener(str(path), "auto") as video:
        assert read_numbers(video.pixels(np.array([30]))) == [30]
        CHANGES[change](path, two[1])
        with pytest.raises(VideoDecodeError):  # back to the start: opened again
            video.pixels(np.array([2]))


def test_a_change_between_the_table_and_the_reader(two, tmp_path, monkeypatch):
    path, make = tmp_path / "v.mp4", PyAVReader.__init__
    shutil.copy(two[0], path)

    def made(reader, *arguments):
        _renamed(path, two[1])
        make(reader, *arguments)

    monkeypatch.setattr(PyAVReader, "__init__", made)
    with pytest.raises(VideoDecodeError, match="it changed while it was being decoded"), open_video(path):
        pass


def test_what_is_open_of_a_file_that_went_stays_whole(two, tmp_path):
    path = tmp_path / "v.mp4"
    shutil.copy(two[0], path)
    with open_video(path) as video:
        path.unlink()
        assert read_numbers(video.pixels(np.array([0, 59]))) == [0, 59]


def test_bytes_in_memory_are_no_file_of_that_name(two, tmp_path):
    path = tmp_path / "v.mp4"
    shutil.copy(two[0], path)
    with open_video(HeldFile(str(path), two[0].read_bytes())) as video:
        _renamed(path, two[1])
        assert read_numbers(video.pixels(np.array([30]))) == [30]


@pytest.mark.parametrize(("size", "frames"), [(0, 40), (1, 60)])
def test_frames_that_an_index_counted_in_another_file(two, size, frames):
    """Of a file that is as it was, the number in the index counts."""
    found = os.stat(two[0])
    path = CheckedFile(str(two[0]), found.st_size + size, found.st_mtime_ns)
    with open_video(path) as video:
        assert len(make_timeline(video, VideoRecord(path, 0, 40))) == frames
