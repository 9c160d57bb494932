"""What `data show` prints of a source, and `data index` of the same: splits, files left out, classes, repetitions."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from videogn.data.file_hash import equal_files, sha256_of
from videogn.indexing.catalogue import read_catalogue
from videogn.video.encode import write_video


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """train/ and val/ of two classes; one training video has a copy in val under another name and class."""
    root = tmp_path_factory.mktemp("root")
    for split, numbers in (("train", range(3)), ("val", range(3, 5))):
        for place, name in enumerate(("left", "right")):
            for number in numbers:
                grey = np.full((8, 32, 32, 3), 20 * number + 100 * place, np.uint8)
                write_video(root / split / name / f"{number}.mp4", grey)
    (root / "val/right/copy.mp4").write_bytes((root / "train/left/0.mp4").read_bytes())
    (root / "train/__MACOSX").mkdir()
    for name in ("up/0.xyz", "up/1.xyz", "left/0.json", "left/stray.part", "annotations/a.json"):
        (root / "train" / name).parent.mkdir(exist_ok=True)
        (root / "train" / name).touch()
    return root


COPY = [
    "1 video exists in train and in val under two names (the same bytes), for instance {0}/train/left/0.mp4 and "
    "{0}/val/right/copy.mp4",
    "1 video has two names and two labels (the same bytes), for instance {0}/train/left/0.mp4 and "
    "{0}/val/right/copy.mp4: left and right",
]


def test_show_a_root_with_splits(videogn, capsys, root):
    assert videogn("data", "show", str(root)) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if not line.startswith("sha256 ")] == [
        "train: 6 videos, 3 classes, 0 missing",
        "val: 5 videos, 2 classes, 0 missing",
        "   train     val  class",
        "       3       2  left",
        "       3       3  right",
        "       0       0  up",
        "left out:",
        "  annotations (no class): 1 .json",
        "  left: 1 .part",
        "  up: 2 .xyz",
        "  __MACOSX (system folder)",
        "class up has no training video: its folder holds no video, only 2 .xyz",
        *(line.format(root) for line in COPY),
    ]
    assert len([line for line in printed if line.startswith("sha256 ")]) == 2


def test_index_says_the_same_and_keeps_the_hashes(videogn, capsys, root, tmp_path):
    root = Path(shutil.copytree(root, tmp_path / "set"))
    out = root / "index.parquet"
    assert videogn("data", "index", str(root), "--out", str(out), "--workers", "1") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-8:-1] == [
        "left out: annotations (no class): 1 .json",
        "left out: left: 1 .part",
        "left out: up: 2 .xyz",
        "left out: __MACOSX (system folder)",
        "class up has no training video: its folder holds no video, only 2 .xyz",
        *(line.format(root) for line in COPY),
    ]
    rows = read_catalogue(out).table.to_pylist()
    assert [row["sha256"] for row in rows] == [sha256_of(row["path"]) for row in rows]
    # The index alone knows it, also inside a folder, and so does a fit that reads no file.
    assert videogn("data", "show", str(root)) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == str(out)
    assert shown[-2:] == [line.format(root) for line in COPY]


def test_show_loose_videos_and_one_class(videogn, capsys, root):
    assert videogn("data", "show", str(root / "train/left")) == 0
    assert capsys.readouterr().out.splitlines()[0] == "3 videos, 0 classes, 0 missing"


def test_show_a_root_one_folder_too_high(videogn, capsys, root, tmp_path):
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent/set").symlink_to(root)
    assert videogn("data", "show", str(tmp_path / "parent")) == 0
    assert "parent has only one class, set: is its folder set meant?" in capsys.readouterr().out


def test_predict_and_show_name_an_archive(videogn, capsys, tmp_path, trained):
    archive = tmp_path / "videos.tar.gz"
    archive.touch()
    checkpoint = str(trained / "checkpoints" / "last.ckpt")
    for arguments in (["data", "show", archive], ["predict", archive, "--checkpoint", checkpoint]):
        assert videogn(*arguments) == 2
        assert f"{archive} is a compressed archive; only plain .tar files are read" in capsys.readouterr().err


def test_only_files_that_seem_equal_are_read(tmp_path, monkeypatch):
    """Sizes, then both ends, then everything."""
    contents = {"a": b"x" * 9000, "b": b"x" * 9000, "c": b"x" * 4500 + b"y" + b"x" * 4499, "d": b"y" * 9000, "e": b"x"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    read: list[str] = []
    monkeypatch.setattr(
        "videogn.data.file_hash.sha256_of", lambda path: read.append(Path(path).name) or sha256_of(path)
    )
    found = equal_files(
        [*(str(tmp_path / name) for name in contents), str(tmp_path), str(tmp_path / "gone"), "s3://b/a"]
    )
    assert read == ["a", "b", "c"]
    assert {Path(path).name for path in found} == {"a", "b"}
    assert len(set(found.values())) == 1


def test_classes_that_differ_in_a_blank_only_are_two_in_one_folder(videogn, capsys, tmp_path):
    for name in ("a b/1.mp4", "a_b/2.mp4", "a_b/3.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert videogn("data", "show", str(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["       1  a b", "       2  a_b"]


def test_a_class_of_validation_videos_only_has_no_empty_folder(videogn, capsys, root, tmp_path):
    for name in ("train/a/0.mp4", "train/b/1.mp4", "val/a/2.mp4", "val/c/3.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(root / "train/left/1.mp4", tmp_path / name)
    (tmp_path / "val/c/4.xyz").touch()
    assert videogn("data", "index", str(tmp_path), "--out", str(tmp_path / "o.parquet"), "--workers", "1") == 0
    assert "class c has no training video: none is listed" in capsys.readouterr().out.splitlines()
