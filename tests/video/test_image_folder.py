"""Folders of numbered images as videos: which image is which frame, and the same door as for files."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from video_files import numbered, read_numbers

from videogn.axes import Crop, VideoRecord
from videogn.choices import EvaluationViews
from videogn.data.plans import evaluation_plan
from videogn.data.sample import load_sample
from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.guard import VideoGuard, video_opener
from videogn.video.decoders.image_folder import has_numbered_images, read_image_folder
from videogn.video.decoders.readers import DECODERS, check_decoder
from videogn.video.errors import VideoDecodeError
from videogn.video.integrity_report import check_integrity
from videogn.video.transcode import CopySettings, copy_video
from videogn.video.window import resize_short_side


def write_images(folder: Path, frames: np.ndarray, name: str = "img_{:05}.png", first: int = 1, step: int = 1) -> Path:
    """Write frames as PNG (exact) or JPEG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / name.format(first + number * step), quality=95)
    return folder


@pytest.fixture
def images(tmp_path):
    """30 frames that show their numbers, from img_00001.png on."""
    return write_images(tmp_path / "images", numbered(30))


@pytest.mark.parametrize(
    ("name", "first", "step"),
    [
        ("img_{:05}.png", 1, 1),  # mmaction2
        ("img_{:05}.jpg", 0, 1),
        ("{:06}.jpg", 1, 1),  # Something-Something
        ("46GP8-{:06}.jpg", 1, 1),  # Charades
        ("-5KQ66BBWC4_{:06}.jpg", 1, 1),  # AVA
        ("frame{}.png", 0, 1),  # no zeros in front: 10 comes after 9
        ("IMG {}.JPEG", 998, 1),
        ("v_g08_c01.{:04}.png", 100, 5),  # each fifth frame of a longer video
        ("{}.png", 1403636579763555584, 50_000_000),
    ],
)
def test_frames_are_in_the_order_of_the_numbers(tmp_path, name, first, step):
    frames = numbered(30)
    folder = write_images(tmp_path / "v", frames, name, first, step)
    (folder / "labels.txt").touch()
    (folder / "._img_00001.jpg").touch()
    for decoder in DECODERS:
        try:
            check_decoder(decoder)
        except ValueError:
            continue
        with open_video(folder, decoder, 12) as video:
            assert (video.info.frames, video.info.fps, video.info.height, video.info.width) == (30, 12, 64, 128)
            assert video.info.codec == ("png" if name.endswith("png") else "mjpeg")
            assert video.decoder == "pyav"
            assert video.fallback == (None if decoder in ("auto", "pyav") else "its frames are image files")
            assert np.array_equal(video.times(), np.arange(30) / 12)
            shown = video.frames(range(30))
            assert np.array_equal(video.frames([3, 11], Crop(5, 7, 30, 21)), shown[[3, 11], 5:35, 7:28])
    assert read_numbers(shown) == list(range(30))
    assert np.abs(shown.astype(int) - frames).mean() < 3
    assert np.array_equal(decode_frames(folder, [20, 3, 20]), shown[[20, 3, 20]])


def test_png_is_exact_and_jpeg_as_another_library_decodes_it(tmp_path):
    y, x = np.mgrid[:48, :64] / 64
    smooth = (127 + 100 * np.stack([np.sin(5 * x + y), np.cos(3 * y), np.sin(4 * x * y)], -1)).astype(np.uint8)
    for kind, most in (("png", 0), ("jpg", 8)):
        folder = write_images(tmp_path / kind, smooth[None], f"{{}}.{kind}")
        expected = np.asarray(Image.open(folder / f"1.{kind}").convert("RGB")).astype(int)
        assert np.abs(decode_frames(folder, [0])[0] - expected).max() <= most
    for mode in ("L", "P", "RGBA"):
        folder = tmp_path / mode
        folder.mkdir()
        Image.fromarray(smooth).convert(mode).save(folder / "0.png")
        expected = np.asarray(Image.open(folder / "0.png").convert("RGB"))
        assert np.array_equal(decode_frames(folder, [0])[0], expected)


def test_the_rate_is_25_unless_it_is_given(images):
    assert read_frame_table(images).info.fps == 25
    assert read_frame_table(images, 30000 / 1001).time_base == Fraction(1001, 30000)
    report = check_integrity(images, frame_rate=10)
    assert (report.fps, report.duration, report.status, report.frames) == (10, 3, "ok", 30)
    assert report.bytes == sum(path.stat().st_size for path in images.iterdir())
    with pytest.raises(ValueError, match="frame_rate must be > 0, got 0"):
        video_opener(60, 0)


def test_only_the_images_that_are_asked_for_are_read(images):
    for path in list(images.iterdir())[1:]:
        if path.name not in ("img_00001.png", "img_00008.png"):
            path.write_bytes(b"")
    assert read_numbers(decode_frames(images, [7])) == [7]


def test_the_guard_and_the_cache_give_the_same(images):
    frames = decode_frames(images, [2, 9])
    guard, cache = VideoGuard(60, 12), FrameCache(2**24, video_opener(0, 12))
    for opener in (guard.open, cache.open, cache.open):
        with opener(str(images), "auto") as video:
            assert video.info.fps == 12
            assert np.array_equal(video.frames(np.array([2, 9])), frames)
    guard.close()


def test_a_sample(images):
    plan = evaluation_plan(EvaluationViews(clip_length=4, interval=2, num_clips=2, short_side=32, crop_size=32))
    sample = load_sample(VideoRecord(str(images), 3), 0, plan, decoder="auto", rng=np.random.default_rng(0))
    assert (sample.label, sample.starts, sample.num_frames, sample.fallback) == (3, (0, 15), 30, None)
    wanted = [0, 2, 4, 6, 15, 17, 19, 21]
    assert torch.equal(sample.frames, resize_short_side(torch.from_numpy(decode_frames(images, wanted)), 32))


def test_a_missing_image_is_one_frame_and_its_neighbours_are_named(images):
    (images / "img_00011.png").unlink()
    (images / "img_00012.png").unlink()
    info = read_frame_table(images).info
    assert info.frames == 30
    assert read_numbers(decode_frames(images, [9, 12, 29])) == [9, 12, 29]
    gap = "no image between img_00010.png and img_00013.png"
    with pytest.raises(VideoDecodeError, match=f"frame 11 of 30 cannot be decoded .{gap}.$"):
        decode_frames(images, [9, 11])
    report = check_integrity(images)
    assert (report.status, report.frames) == ("corrupt", 28)
    assert report.reason == f"frame 10 of 30 cannot be decoded ({gap})"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(b""), "img_00008.png is empty"),
        (lambda path: path.write_bytes(b"<html>"), "img_00008.png is no JPEG or PNG image"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "img_00008.png is damaged"),
        (
            lambda path: Image.new("RGB", (128, 60)).save(path),
            "img_00008.png is 128x60, the first image is 128x64",
        ),
    ],
)
def test_a_bad_image_is_named(images, spoil, words):
    spoil(images / "img_00008.png")
    with open_video(images) as video:
        assert read_numbers(video.frames([6])) == [6]
        with pytest.raises(VideoDecodeError, match=f"frame 7 of 30 cannot be decoded .{words}"):
            video.frames([7])
        assert read_numbers(video.frames([8])) == [8]
    report = check_integrity(images)
    assert (report.status, report.frames) == ("corrupt", 29)
    assert words in report.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_images_that_are_cut_short_are_damaged(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "0.jpg", kind)  # the suffix does not decide
    data = (tmp_path / "0.jpg").read_bytes()
    assert decode_frames(tmp_path, [0]).shape == (1, 48, 64, 3)
    for length in (len(data) * 3 // 10, len(data) * 9 // 10, len(data) - 100, len(data) - 1):
        (tmp_path / "0.jpg").write_bytes(data[:length])
        with pytest.raises(VideoDecodeError, match=r"0\.jpg is (damaged|cut short)"):
            read_frame_table(tmp_path)
    (tmp_path / "0.jpg").write_bytes(data + b"appended")
    assert decode_frames(tmp_path, [0]).shape == (1, 48, 64, 3)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, 3), (3, 2), (8, 1)])
def test_an_exif_orientation_turns_the_picture(tmp_path, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(numbered(1)[0]).save(tmp_path / "0.jpg", exif=exif, quality=95)
    plain = write_images(tmp_path / "plain", numbered(1), "{}.jpg")
    frames = decode_frames(tmp_path, [0])
    assert np.array_equal(frames, np.rot90(decode_frames(plain, [0]), turns, axes=(1, 2)))
    assert frames.shape[1:3] == read_frame_table(tmp_path).info.stored_size


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "is a folder without numbered images, such as img_00001.jpg"),
        (["cover.jpg", "a1.txt"], "is a folder without numbered images"),
        (["a_1.jpg", "a_2.jpg", "b_1.jpg", "b_2.jpg"], r"2 series of numbered images, a_\*.jpg and b_\*.jpg"),
        (["1.jpg", "01.jpg"], "two images have the number 1: 01.jpg, then 1.jpg"),
        (["1.jpg", "2.jpg", "900.jpg"], "not numbered one after another: 2.jpg, then 900.jpg"),
    ],
)
def test_folders_that_are_no_videos(tmp_path, names, words):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(VideoDecodeError, match=words) as caught:
        read_image_folder(tmp_path)
    assert caught.value.path == str(tmp_path)
    with pytest.raises(VideoDecodeError, match=words):
        open_video(tmp_path).__enter__()
    assert check_integrity(tmp_path).status == "corrupt"


@pytest.mark.parametrize("flow", [("x_{:05}.jpg", "y_{:05}.jpg"), ("flow_x_{:05}.jpg", "flow_y_{:05}.jpg")])
def test_optical_flow_beside_the_frames_is_not_read(images, flow):
    for name in flow:
        write_images(images, np.zeros((29, 64, 128, 3), np.uint8), name)
    assert read_frame_table(images).info.frames == 30
    assert read_numbers(decode_frames(images, [4])) == [4]


def test_which_names_are_numbered_images():
    assert has_numbered_images(["a.txt", "img_00001.jpg"])
    assert not has_numbered_images(["cover.jpg", "img_1.jpg.tmp", "1.mp4", ".1.jpg", "x1.gif"])


def test_a_copy_has_the_rate(images, tmp_path):
    copy_video(images, tmp_path / "a.mp4", CopySettings(short_side=64, crf=10, gop=12), 12)
    info = read_frame_table(tmp_path / "a.mp4").info
    assert (info.frames, info.fps, info.height, info.width) == (30, 12, 64, 128)
    assert read_numbers(decode_frames(tmp_path / "a.mp4", range(30))) == list(range(30))


def test_links_and_a_slash_at_the_end(images, tmp_path):
    (tmp_path / "link").symlink_to(images)
    assert read_numbers(decode_frames(f"{tmp_path / 'link'}{os.sep}", [5])) == [5]
