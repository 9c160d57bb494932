"""Folders of numbered images in a data set: found as videos, trained on, indexed, and told from pictures."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from training import fit_arguments

from videogn.data.class_folders import is_loose, read_class_folders
from videogn.data.datamodule import VideoDataModule
from videogn.data.sources import read_index
from videogn.data.video_files import find_videos
from videogn.indexing.building import build_index
from videogn.indexing.file_checks import FileChecks
from videogn.indexing.listing import read_listing
from videogn.video import decode_frames


def _images(folder, count=16, value=0, name="img_{:05}.jpg", size=32):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((size, size, 3), 10 * number + value, np.uint8)).save(folder / name.format(number + 1))
    return folder


def _touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def _relative(paths, root):
    return [os.path.relpath(path, root) for path in paths]


@pytest.fixture
def classes(tmp_path):
    """left/v0, v1 and right/v0, v1, v2, of 16 images each."""
    for number, name in enumerate(("left/v0", "left/v1", "right/v0", "right/v1", "right/v2")):
        _images(tmp_path / "raw" / name, value=number)
    return tmp_path / "raw"


def test_each_folder_of_images_is_a_video(classes):
    videos = ["left/v0", "left/v1", "right/v0", "right/v1", "right/v2"]
    assert _relative(find_videos(classes), classes) == videos
    index = read_index(classes)
    assert index.classes == ("left", "right")
    assert [record.label for record in index.records] == [0, 0, 1, 1, 1]
    assert not index.missing()
    assert not any(kinds for kinds in read_class_folders(classes).left_out.values())
    assert find_videos(classes / "left" / "v0") == [str(classes / "left" / "v0")]


def test_a_list_names_folders(classes, tmp_path):
    (tmp_path / "train.txt").write_text("raw/left/v0 left\nraw/right/v1 right\n")
    assert [os.path.basename(record.path) for record in read_index(tmp_path / "train.txt").records] == ["v0", "v1"]


def test_pictures_beside_videos_are_none(tmp_path):
    _touch(tmp_path / "a", "x.mp4", "thumb_001.jpg", "thumb_002.jpg")  # in a folder of videos
    _touch(tmp_path / "b", "cover1.jpg")  # above folders of videos
    _touch(tmp_path / "b" / "deep", "y.mp4")
    _touch(tmp_path / "c", "cover.jpg", "logo.png")  # without numbers
    _touch(tmp_path / "@eaDir", "1.jpg", "2.jpg")
    _touch(tmp_path / ".thumbnails", "1.jpg", "2.jpg")
    _touch(tmp_path / "d" / "v0", "1.jpg", "2.jpg")
    _touch(tmp_path / "d", "preview_1.png")
    assert _relative(find_videos(tmp_path), tmp_path) == ["a/x.mp4", "b/deep/y.mp4", "d/v0"]


def test_frames_of_one_video_are_no_classes(tmp_path):
    """Class folders of images are read as images, see test_image_classes.py."""
    _touch(tmp_path / "left", "1.jpg", "2.jpg")
    with pytest.raises(ValueError, match="it holds the images of one video"):
        read_class_folders(tmp_path / "left")


def test_loose_folders_of_images(classes, tmp_path):
    assert not is_loose(classes)
    assert is_loose(classes / "left")
    assert is_loose(f"{classes}/left/")
    assert is_loose(classes / "left" / "v0")
    (tmp_path / "empty").mkdir()
    assert not is_loose(tmp_path / "empty")
    assert _relative(read_listing(classes / "left").table["path"].to_pylist(), classes) == ["left/v0", "left/v1"]


def test_training_takes_the_rate_and_the_frames(classes):
    views = {"clip_length": 4, "interval": 2, "num_clips": 2, "short_side": 32, "crop_size": 32}
    data = VideoDataModule(
        root=str(classes), num_workers=0, time_limit=0, train_short_sides=(32, 32), frame_rate=12, **views
    )
    samples = [sample for batch in data.test_dataloader() for sample in batch.samples]
    assert len(samples) == 2
    for sample in samples:
        assert np.array_equal(sample.frames.numpy(), decode_frames(sample.path, [0, 2, 4, 6, 8, 10, 12, 14]))
        with data._kept_opener(sample.path, "auto") as video:
            assert video.info.fps == 12
    with pytest.raises(ValueError, match="frame_rate must be > 0, got -1"):
        VideoDataModule(root=str(classes), frame_rate=-1, **views)


def test_the_index(classes, tmp_path):
    (classes / "left" / "v1" / "img_00004.jpg").unlink()
    shutil.rmtree(classes / "right" / "v2")
    checks = FileChecks(decode=True, timeout=60, workers=1)
    out = tmp_path / "index.parquet"
    built = build_index(str(classes), out, checks)
    rows = {os.path.relpath(row["path"], classes): row for row in pq.read_table(out).to_pylist()}
    row = rows["left/v0"]
    assert (row["frames"], row["fps"], row["duration"], row["codec"]) == (16, 25, 0.64, "mjpeg")
    assert row["bytes"] == sum(path.stat().st_size for path in (classes / "left" / "v0").iterdir())
    assert (rows["left/v1"]["status"], rows["left/v1"]["frames"]) == ("corrupt", 15)
    assert rows["left/v1"]["reason"].endswith("(no image between img_00003.jpg and img_00005.jpg)")
    assert built.checked == 4
    assert build_index(str(classes), out, checks).checked == 0
    # An image that changes in place changes the folder; another rate is another duration.
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(classes / "right" / "v0" / "img_00001.jpg")
    assert build_index(str(classes), out, checks).checked == 1
    assert build_index(str(classes), out, FileChecks(decode=True, timeout=60, workers=1, frame_rate=10)).checked == 4
    assert [row["fps"] for row in pq.read_table(out).to_pylist()] == [10] * 4


def test_the_commands(videogn, classes, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = classes / "left" / "v0"
    assert videogn("data", "explain", folder, "--clips=1", "--clip-length=4", "--frame-rate=8", "--json") == 0
    video = json.loads(capsys.readouterr().out)["video"]
    assert (video["frames"], video["fps"], video["seconds"], video["codec"]) == (16, 8, 2, "mjpeg")
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert videogn("predict", classes, "--checkpoint", checkpoint, "--clips=1", "--format=json") == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == 5
    assert printed.err.splitlines()[-1] == "5 expected, 5 evaluated, 0 failed"
    assert videogn("data", "index", folder, "--out", "one.parquet", "--frame-rate=8") == 0
    (row,) = pq.read_table("one.parquet").to_pylist()
    assert (row["path"], row["fps"]) == (str(folder), 8)


def test_fit(videogn, classes, tmp_path):
    arguments = [a for a in fit_arguments(classes, tmp_path / "out") if "limit_train" not in a]
    assert videogn(*arguments, "--data.batch_size=3", "--data.frame_rate=12") == 0
