"""Pixels that are not square: the displayed size, and frames in displayed proportions in every decoder."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from video_files import COUNT, H264, MEDIA, numbered, read_numbers, write

from videogn.axes import Crop, VideoRecord
from videogn.choices import EvaluationViews
from videogn.data.explanation import explain_clips
from videogn.data.plans import Layout, ViewPlan, evaluation_plan
from videogn.data.sample import load_sample
from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.guard import VideoGuard
from videogn.video.decoders.pixel_aspect import displayed_width
from videogn.video.decoders.readers import DECODERS, check_decoder
from videogn.video.integrity_report import check_integrity
from videogn.video.transcode import CopySettings, copy_video
from videogn.video.transforms import views_of


def _square(path, ratio, *, rotation=None, size=64):
    """A white square on black, as it is displayed, in the middle of 96 x 96 pixels of this ratio."""
    frames = np.zeros((8, 96, 96, 3), np.uint8)
    height, width = (size, size / ratio) if ratio else (size, size)
    left = (96 - width) / 2
    frames[:, (96 - height) // 2 : (96 + height) // 2, round(left) : round(left + width)] = 255
    return write(path, frames, options=H264, ratio=ratio, rotation=rotation)


def _box(frame):
    """Height and width of the white part of a frame."""
    white = frame[..., 0] > 128
    return white.any(1).sum(), white.any(0).sum()


@pytest.mark.parametrize(
    ("width", "ratio", "displayed"),
    [
        (720, Fraction(16, 15), 768),  # PAL, 4:3
        (720, Fraction(64, 45), 1024),  # PAL, 16:9
        (720, Fraction(8, 9), 640),  # NTSC, 4:3
        (1440, Fraction(4, 3), 1920),  # HDV
        (340, Fraction(64, 51), 427),  # 426.67
        (352, Fraction(32, 11), 1024),
        (96, Fraction(1, 4), 24),
        (96, Fraction(4), 384),
        (1, Fraction(1, 4), 1),
        # Unknown, no ratios, absurd ones, and those of a rounded size.
        (96, None, 96),
        (96, Fraction(0), 96),
        (96, Fraction(-2), 96),
        (96, Fraction(1000), 96),
        (96, Fraction(1, 1000), 96),
        (96, Fraction(17, 4), 96),
        (340, Fraction(256, 255), 340),
        (854, Fraction(1280, 1281), 854),
    ],
)
def test_the_displayed_width(width, ratio, displayed):
    assert displayed_width(width, ratio) == displayed


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("rotation", [None, 90, 180, 270])
@pytest.mark.parametrize("ratio", [Fraction(2), Fraction(4, 3), Fraction(1, 2), Fraction(2, 3)])
def test_a_square_is_displayed_as_a_square(tmp_path, decoder, rotation, ratio):
    try:
        check_decoder(decoder)
    except ValueError as error:
        pytest.skip(str(error))
    size = 64 if ratio > 1 else 40
    path = _square(tmp_path / "a.mp4", ratio, rotation=rotation, size=size)
    wide = (96, round(96 * ratio))
    with open_video(path, decoder) as video:
        assert (video.info.height, video.info.width) == (wide[::-1] if rotation in (90, 270) else wide)
        assert video.info.stored == (96, 96)
        assert video.fallback is None
        frames = video.frames([1, 5])
        assert frames.shape == (2, video.info.height, video.info.width, 3)
        for frame in frames:
            assert np.abs(np.array(_box(frame)) - size).max() <= 1
        window = Crop(10, 20, 30, 17)
        assert np.array_equal(video.frames([1, 5], window), window.cut(frames))
        out = np.empty((2, 30, 17, 3), np.uint8)
        assert video.frames([1, 5], window, out) is out
        with pytest.raises(ValueError, match="must lie in the picture"):
            video.frames([1], Crop(0, 0, video.info.height + 1, 1))
    assert np.array_equal(decode_frames(path, [5, 1], decoder), frames[::-1])
    assert np.array_equal(frames, decode_frames(path, [1, 5], "pyav"))


def test_the_stretched_frames_are_the_stored_ones_interpolated(tmp_path):
    """Twice as wide: each displayed pixel is 3/4 of one stored pixel and 1/4 of its neighbour, the edges repeated."""
    path = write(tmp_path / "a.mp4", numbered(3), options=H264, ratio=Fraction(2))
    with open_video(path) as video:
        stored = video.pixels([0, 2]).astype(float)
        shown = video.frames([0, 2])
    padded = np.pad(stored, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")
    left, right = 0.25 * padded[:, :, :-2] + 0.75 * stored, 0.75 * stored + 0.25 * padded[:, :, 2:]
    expected = np.stack([left, right], axis=3).reshape(shown.shape)
    assert np.abs(shown - expected).max() <= 1
    assert read_numbers(shown) == [0, 2]


def test_square_pixels_are_not_touched(tmp_path):
    plain = write(tmp_path / "a.mp4", numbered(4), options=H264)
    for name, ratio in {"b.mp4": Fraction(1), "c.mp4": Fraction(1000), "d.mkv": Fraction(200, 199)}.items():
        path = write(tmp_path / name, numbered(4), options=H264, ratio=ratio)
        assert read_frame_table(path).info.stored is None
        assert np.array_equal(decode_frames(path, range(4)), decode_frames(plain, range(4)))


def test_the_container_decides_over_the_codec(tmp_path):
    source = write(tmp_path / "a.mkv", numbered(4), options=H264, ratio=Fraction(2))
    with av.open(str(source)) as reader, av.open(str(tmp_path / "b.mkv"), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        stream.codec_context.sample_aspect_ratio = Fraction(1)
        for packet in reader.demux(video=0):
            if packet.size:
                packet.stream = stream
                writer.mux(packet)
    with av.open(str(tmp_path / "b.mkv")) as reader:
        ratio = reader.streams.video[0].sample_aspect_ratio  # FFmpeg's av_guess_sample_aspect_ratio
    info = read_frame_table(tmp_path / "b.mkv").info
    assert info.width == round(128 * ratio)


@pytest.mark.parametrize("crops", ["full", "three_crop", "center"])
@pytest.mark.parametrize("rotation", [None, 90])
def test_a_sample_is_the_displayed_picture_resized(tmp_path, crops, rotation):
    """Resized once from the stored pixels, so the square stays one; the same from memory and another process."""
    path = str(_square(tmp_path / "a.mp4", Fraction(2), rotation=rotation))
    views = EvaluationViews(clip_length=2, interval=1, num_clips=2, short_side=48, crop_size=48, crops=crops)
    plan = evaluation_plan(views)
    guard, cache = VideoGuard(60), FrameCache(2**20)
    samples = [
        load_sample(VideoRecord(path, 0), 0, plan, decoder="pyav", rng=np.random.default_rng(0), opener=opener)
        for opener in (open_video, guard.open, cache.open, cache.open)
    ]
    guard.close()
    assert cache.nbytes == 8 * 96 * 96 * 3
    for sample in samples:
        assert sample.error is None
        assert torch.equal(sample.frames, samples[0].frames)
    view = views_of(samples[0])[len(samples[0].crops) // 2, :, 0].permute(1, 2, 0).numpy()
    assert view.shape == ((48, 96, 3) if not rotation else (96, 48, 3)) if crops == "full" else (48, 48, 3)
    assert np.abs(np.array(_box(view)) - 32).max() <= 1
    info = read_frame_table(path).info
    clips = explain_clips(info, np.arange(info.frames), plan, step=1)
    assert clips[0].frame_size == ((48, 96) if not rotation else (96, 48))


def test_a_part_of_the_displayed_picture_is_cut_from_the_stored_one(tmp_path):
    """As a random resized crop is: resized from 80 x 112 displayed pixels, 80 x 56 of the file, to 80 x 112."""
    path = str(_square(tmp_path / "a.mp4", Fraction(2)))
    view, part = (Crop(0, 0, 80, 112),), Crop(8, 40, 80, 112)
    plan = ViewPlan(clips=lambda *_: np.array([[0, 1]]), layout=lambda *_: Layout(part, (80, 112), view))
    sample = load_sample(VideoRecord(path, 0), 0, plan, decoder="pyav", rng=np.random.default_rng(0))
    (shown,) = views_of(sample)
    assert shown.shape == (3, 2, 80, 112)
    assert np.abs(np.array(_box(shown[:, 0].permute(1, 2, 0).numpy())) - 64).max() <= 1


def test_a_copy_has_square_pixels_and_the_index_the_displayed_size(tmp_path):
    path = _square(tmp_path / "a.mp4", Fraction(2))
    copy_video(path, tmp_path / "b.mp4", CopySettings(short_side=64, crf=10, gop=12))
    report = check_integrity(path)
    assert (report.height, report.width, report.status) == (96, 192, "ok")
    table = read_frame_table(tmp_path / "b.mp4")
    assert (table.info.height, table.info.width, table.info.stored) == (64, 128, None)
    assert np.abs(np.array(_box(decode_frames(tmp_path / "b.mp4", [3])[0])) - 64 * 64 / 96).max() <= 1


def test_real_files():
    if not MEDIA.is_dir():
        pytest.skip("the collection of real files is not here")
    for name, shown, stored in [
        ("sar_2x1.mp4", (360, 1280), (360, 640)),
        ("arm_wrestling_kinetics.mp4", (256, 427), (256, 340)),
        ("nasa_13013_rotated.mp4", (480, 270), (480, 270)),
    ]:
        info = read_frame_table(MEDIA / name).info
        assert (info.height, info.width, info.stored_size) == (*shown, stored)
        assert decode_frames(MEDIA / name, [0]).shape == (1, *shown, 3)


def test_numbers_stay_where_they_are(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(COUNT), options=H264, ratio=Fraction(3, 2))
    assert read_numbers(decode_frames(path, range(COUNT))) == list(range(COUNT))
