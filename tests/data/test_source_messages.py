"""Sources that cannot be read as they are: what is said, and what is read all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from videogn.data.sources import read_index
from videogn.data.usable import without_missing
from videogn.data.video_files import find_videos
from videogn.data.windows_paths import backslash_hint

pytestmark = pytest.mark.skipif(os.sep == "\\", reason="there, a backslash is a separator")


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


# Backslashes


def test_a_list_from_windows_is_read_where_its_files_lie(tmp_path, caplog):
    touch(tmp_path, "base/left/1.mp4", "base/right/2.mp4")
    source = write(
        tmp_path / "w/train.txt", r"..\base\left\1.mp4 left", r"..\base\right\2.mp4 right", r"..\gone\3.mp4 left"
    )
    index = read_index(source)
    assert [record.path for record in index.missing()] == [f"{tmp_path}/w/../gone/3.mp4"]
    assert index.classes == ("left", "right")
    assert caplog.messages == [f"{source}: its paths have backslashes, as on Windows; they are read as slashes"]


def test_the_root_of_such_a_list_may_have_a_backslash(tmp_path):
    root = tmp_path / "a\\b"
    touch(root, "left/1.mp4")
    index = read_index(write(tmp_path / "train.txt", r"left\1.mp4 left"), root=root)
    assert not index.missing()


def test_a_backslash_that_belongs_to_a_name_stays(tmp_path, caplog):
    touch(tmp_path, "a\\b.mp4", "c.mp4")
    index = read_index(write(tmp_path / "train.txt", "a\\b.mp4 x", "c.mp4 y"))
    assert not index.missing()
    assert not caplog.messages


def test_where_neither_exists_the_backslashes_are_named(tmp_path):
    source = write(tmp_path / "train.txt", r"C:\videos\1.mp4 left", r"C:\videos\2.mp4 right")
    with pytest.raises(ValueError, match=r"all 2 train videos are missing, .*; was the list written on Windows\? Its "):
        without_missing(read_index(source), "train")
    assert backslash_hint("/d/a.mp4") == ""


# Archives


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".TAR.BZ2", ".tar.xz", ".tar.zst", ".zip", ".7z", ".rar"])
def test_compressed_archives_are_named_as_such(tmp_path, suffix):
    touch(tmp_path, f"train{suffix}")
    for read in (read_index, find_videos):
        with pytest.raises(ValueError, match=r"is a compressed archive; only plain \.tar files .*: unpack it"):
            read(tmp_path / f"train{suffix}")


def test_an_archive_at_a_url_or_in_a_root(tmp_path):
    with pytest.raises(ValueError, match="is a compressed archive"):
        read_index("s3://bucket/train.tar.gz")
    touch(tmp_path, "train.tar.gz", "val.tar.gz")
    with pytest.raises(ValueError, match=r"it has no folders; .*; train\.tar\.gz is a compressed archive"):
        read_index(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_index(tmp_path / "gone.zip")


def test_a_folder_may_be_named_like_an_archive(tmp_path):
    touch(tmp_path, "set.zip/left/1.mp4")
    assert len(read_index(tmp_path / "set.zip")) == 1
