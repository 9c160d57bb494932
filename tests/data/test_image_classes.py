"""Class folders of images: each is a video of one frame."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from videogn.data.class_folders import read_class_folders
from videogn.data.datamodule import VideoDataModule
from videogn.data.loader import VideoLoader
from videogn.data.sources import read_index
from videogn.video.decoders.decode import open_video
from videogn.video.transforms import views_of

VIEWS = {"clip_length": 1, "interval": 1, "num_clips": 1, "crop_size": 8, "short_side": 8, "crops": "center"}


def _save(path, seed=0, size=(8, 8), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if mode == "RGB" else size
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def imagenet(tmp_path):
    """Files named as ImageNet's: numbered, and the numbers leave gaps."""
    for number, split in enumerate(("train", "val")):
        for label, wnid in enumerate(("n01440764", "n01443537")):
            for image in (10026, 10027, 14):
                _save(tmp_path / split / wnid / f"{wnid}_{image}.PNG", seed=100 * number + 10 * label + image)
    return tmp_path


def test_imagenets_layout(imagenet):
    index = read_index(imagenet / "train")
    assert index.classes == ("n01440764", "n01443537")
    assert [os.path.basename(record.path) for record in index.records][:3] == [
        "n01440764_10026.PNG",
        "n01440764_10027.PNG",
        "n01440764_14.PNG",
    ]
    assert not any(index.left_out.values())


def test_loaders_give_the_pictures(imagenet):
    data = VideoDataModule(
        root=str(imagenet), batch_size=2, num_workers=0, time_limit=0, train_short_sides=(8, 8), flip=0.0, **VIEWS
    )
    data.setup("fit")
    loader = data.training_loader(0)
    assert isinstance(loader, VideoLoader)
    for batch in (*loader, *data.val_dataloader()):
        for sample in batch.samples:
            view = views_of(sample)[0, :, 0].permute(1, 2, 0)
            assert np.array_equal(view, Image.open(sample.path))
    assert sum(len(batch.samples) for batch in data.test_dataloader()) == 6


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "pgm", "webp"])
def test_every_suffix_of_an_image_folder(tmp_path, suffix):
    mode = "L" if suffix == "pgm" else "RGB"
    pixels = _save(tmp_path / "a" / f"x.{suffix}", mode=mode)
    if suffix == "webp":
        Image.fromarray(pixels).save(tmp_path / "a" / "x.webp", lossless=True)
    (tmp_path / "b").mkdir()
    (record,) = read_class_folders(tmp_path).rows
    with open_video(record.path) as video:
        assert video.info.frames == 1
        frame = video.frames(np.array([0]))[0]
    assert np.array_equal(frame, pixels if mode == "RGB" else np.repeat(pixels[..., None], 3, -1))


def test_numbered_neighbours_are_no_frames(tmp_path):
    for number in range(3):
        _save(tmp_path / f"{number:05d}.jpg", seed=number)
    with open_video(tmp_path / "00001.jpg") as video:
        assert video.info.frames == 1


def test_what_lies_beside_images_is_left_out(tmp_path):
    _save(tmp_path / "cats" / "deep" / "1.png")
    _save(tmp_path / "dogs" / "rex.jpg")
    for stray in ("cats/notes.txt", "cats/.hidden.png", "dogs/rex.xcf", "@eaDir/x.png"):
        (tmp_path / stray).parent.mkdir(exist_ok=True)
        (tmp_path / stray).touch()
    # A folder of numbered images in a class is a video.
    found = read_class_folders(tmp_path)
    assert [os.path.relpath(row.path, tmp_path) for row in found.rows] == ["cats/deep"]
    (tmp_path / "cats" / "deep" / "1.png").rename(tmp_path / "cats" / "tom.png")
    found = read_class_folders(tmp_path)
    assert [os.path.relpath(row.path, tmp_path) for row in found.rows] == ["cats/tom.png", "dogs/rex.jpg"]
    assert found.left_out["cats"] == {".txt": 1, "hidden": 0} or found.left_out["cats"] == {".txt": 1}
    assert found.left_out["dogs"][".xcf"] == 1


def test_videos_come_first(tmp_path):
    _save(tmp_path / "a" / "thumbnail.jpg")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.mp4").touch()
    assert [row.label for row in read_class_folders(tmp_path).rows] == ["b"]


def test_longer_clips_of_images(imagenet):
    with pytest.raises(ValueError, match=r"clip_length must be 1 for images such as .*\.PNG, got 8; where they"):
        VideoDataModule(root=str(imagenet), **{**VIEWS, "clip_length": 8})
