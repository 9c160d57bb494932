"""Frame numbers to frames: each frame shows its number, so a frame beside the wanted one is seen.

decord against PyAV: the pictures are bit-identical (tolerance 0) on every file that decord is let near. PyAV decodes
the others; those with other colours differ by up to 85 levels, 0.9 in the mean (10 bits, odd heights, interlaced).
"""

from __future__ import annotations

import importlib
import random
import sys
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from video_files import COUNT, H264, MEDIA, RISKY, SAFE, _resized, numbered, read_numbers, write

from videogn.axes import Crop
from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.decoders.readers import DECODERS, check_decoder
from videogn.video.errors import VideoDecodeError


def orders(count: int) -> list[list[int]]:
    """All frames, and scattered, repeated, falling and single ones."""
    draw = random.Random(0)
    scattered = [[draw.randrange(count) for _ in range(6)] for _ in range(4)]
    return [list(range(count)), *scattered, [count - 1, count // 2, 0], [count - 1]]


def installed(*decoders: str) -> list[str]:
    """Those of the decoders that can be used here."""
    found = []
    for decoder in decoders:
        with suppress(ValueError):
            check_decoder(decoder)
            found.append(decoder)
    return found


def needs(decoder: str) -> None:
    """Skip a test of a decoder that cannot be used here."""
    if not installed(decoder):
        pytest.skip(f"{decoder} cannot be used here")


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", SAFE)
def test_safe_files_in_all_decoders(video, name, decoder):
    needs(decoder)
    path = video(name)
    everything = decode_frames(path, range(COUNT), "pyav")
    assert read_numbers(everything) == list(range(COUNT))
    for indices in orders(COUNT):
        assert np.array_equal(decode_frames(path, indices, decoder), everything[indices])


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
@pytest.mark.parametrize("name", RISKY)
def test_risky_files_are_decoded_by_pyav(video, name, decoder):
    path, numbers = video(name), RISKY[name][2]
    with open_video(path, decoder) as opened:
        assert opened.decoder == "pyav"
        everything = opened.frames(range(len(numbers)))
    assert read_numbers(everything) == numbers
    for indices in orders(len(numbers)):
        assert np.array_equal(decode_frames(path, indices, decoder), everything[indices])


@pytest.mark.parametrize("name", RISKY)
def test_pyav_takes_the_place_of_decord_where_that_is_wrong(video, name):
    pytest.importorskip("decord")
    _, words, numbers = RISKY[name]
    with open_video(video(name), "decord") as opened:
        assert opened.decoder == "pyav"
        assert words in opened.fallback
        assert read_numbers(opened.frames(range(len(numbers)))) == numbers


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_pictures_stand_upright(tmp_path, video, degrees, decoder):
    needs(decoder)
    path = write(tmp_path / "a.mp4", numbered(COUNT), options=H264, rotation=degrees)
    upright = np.rot90(decode_frames(video("gop12.mp4"), [7, 50], "pyav"), degrees // 90, axes=(1, 2))
    assert np.array_equal(decode_frames(path, [7, 50], decoder), upright)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_window_is_that_part_of_the_upright_picture(tmp_path, degrees, decoder):
    needs(decoder)
    path = write(tmp_path / "a.mp4", numbered(20), options=H264, rotation=degrees)
    with open_video(path, decoder) as opened:
        whole = opened.frames([3, 11])
        for window in (Crop(5, 7, 30, 21), Crop(0, 0, 1, 1), Crop(opened.info.height - 9, opened.info.width - 4, 9, 4)):
            part = opened.frames([3, 11], window)
            bottom, right = window.top + window.height, window.left + window.width
            assert np.array_equal(part, whole[:, window.top : bottom, window.left : right])
            out = np.zeros_like(part)
            assert opened.frames([3, 11], window, out) is out
            assert np.array_equal(out, part)


@pytest.mark.parametrize("window", [Crop(0, 0, 65, 128), Crop(-1, 0, 5, 5), Crop(0, 120, 5, 9), Crop(0, 0, 0, 5)])
def test_a_window_beyond_the_picture_is_refused(video, window):
    with open_video(video("gop12.mp4")) as opened, pytest.raises(ValueError, match="must lie in the picture"):
        opened.frames([0], window)


# Why PyAV takes the place of torchcodec, of the files where it takes decord's; torchcodec decodes the others exactly.
TORCHCODEC_REFUSED = {
    "mpegts.ts": "torchcodec fails",
    "h264.avi": "time stamps",
    "raw.h264": "time stamps",
    "non_key_start.mp4": "it counts 45 frames, the packets are 37",
    "non_key_start.mkv": "it counts 45 frames, the packets are 37",
    "invisible.webm": "it counts 60 frames, the packets are 58",
    "interlaced.mp4": "interlaced",
    "ten_bits.mp4": "8 bits",
    "odd_height.mp4": "odd height",
}


@pytest.mark.parametrize("name", RISKY)
def test_torchcodec_gives_the_same_frames_or_pyav_does(video, name):
    needs("torchcodec")
    path, indices = video(name), range(len(RISKY[name][2]))
    with open_video(path, "torchcodec") as opened:
        assert np.array_equal(opened.frames(indices), decode_frames(path, indices, "pyav"))
    assert opened.decoder == ("pyav" if name in TORCHCODEC_REFUSED else "torchcodec")
    assert TORCHCODEC_REFUSED.get(name, "") in (opened.fallback or "")


@pytest.mark.parametrize("imported", [False, True])
def test_torchcodec_without_ffmpeg_is_said(video, monkeypatch, imported):
    """Versions before 0.17 cannot be imported; later ones can, and fail when a video is opened."""
    from videogn.video.decoders import torchcodec_reader

    load = importlib.import_module

    def without(name):
        if name == "torchcodec.decoders" and not imported:
            raise RuntimeError("Could not load libtorchcodec\n" * 40)
        if name in ("torchcodec", "torchcodec.decoders"):
            return SimpleNamespace(ffmpeg_major_version=None) if imported else SimpleNamespace()
        return load(name)

    torchcodec_reader.TorchcodecReader.problem.cache_clear()
    monkeypatch.setattr(torchcodec_reader.importlib, "import_module", without)
    try:
        with pytest.raises(VideoDecodeError, match=r"torchcodec finds no FFmpeg libraries .*install FFmpeg$"):
            decode_frames(video("gop12.mp4"), [0], "torchcodec")
        with pytest.raises(ValueError, match="finds no FFmpeg"):
            check_decoder("torchcodec")
    finally:
        torchcodec_reader.TorchcodecReader.problem.cache_clear()


@pytest.mark.parametrize("decoder", DECODERS)
def test_chunks_of_one_open_video(video, decoder):
    needs(decoder)
    with open_video(video("gop12.mp4"), decoder) as opened:
        chunks = [opened.frames(np.arange(start, start + 10, 2)) for start in (0, 10, 30, 50)]
        again = opened.frames([3])
    wanted = [number for start in (0, 10, 30, 50) for number in range(start, start + 10, 2)]
    assert read_numbers(np.concatenate(chunks)) == wanted
    assert read_numbers(again) == [3]
    assert chunks[0].dtype == np.uint8
    assert chunks[0].shape == (5, 64, 128, 3)


def test_pyav_decodes_nothing_twice(video, monkeypatch):
    from videogn.video.decoders import pyav_reader

    decoded = []

    def counting(*args, **kwargs):
        for picture in pictures(*args, **kwargs):
            decoded.append(picture.pts)
            yield picture

    pictures = pyav_reader.pictures
    monkeypatch.setattr(pyav_reader, "pictures", counting)
    with open_video(video("gop12.mp4"), "pyav") as opened:
        for start in range(0, COUNT, 10):
            opened.frames(range(start, start + 10))
    assert len(decoded) == COUNT
    decoded.clear()
    decode_frames(video("gop12.mp4"), [COUNT - 1], "pyav")
    assert len(decoded) <= 12


def test_indices_of_every_kind(video):
    torch = pytest.importorskip("torch")
    for indices in ([5, 5, 2], (5, 5, 2), np.array([5, 5, 2], np.int32), torch.tensor([5, 5, 2])):
        assert read_numbers(decode_frames(video("gop12.mp4"), indices)) == [5, 5, 2]


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ([], "not empty"),
        ([[0]], "one-dimensional"),
        ([0.5], "integers"),
        ([0, 60], "index 60 is out of range: .*gop12.mp4 has 60 frames"),
        ([-1], "index -1 is out of range"),
    ],
)
def test_wrong_indices_are_named(video, indices, words):
    with pytest.raises(ValueError, match=words):
        decode_frames(video("gop12.mp4"), indices)


def test_chunks_must_rise_and_decoders_exist(video):
    with open_video(video("gop12.mp4")) as opened, pytest.raises(ValueError, match="strictly increasing"):
        opened.frames([3, 3])
    with pytest.raises(ValueError, match="auto, pyav, decord, torchcodec"):
        decode_frames(video("gop12.mp4"), [0], "opencv")


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_a_cut_file_gives_what_it_holds(video, decoder):
    path = video("cut.mp4")
    held = read_frame_table(path).readable
    assert read_numbers(decode_frames(path, range(held), decoder)) == list(range(held))
    with pytest.raises(VideoDecodeError, match=f"frame {held} of 60 cannot be decoded .the file is cut short"):
        decode_frames(path, [0, held], decoder)


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_zeros_in_the_middle_lose_only_their_frames(video, decoder):
    path = video("zeroed.mp4")
    good: list[int] = []
    reasons: list[str] = []
    for index in range(COUNT):
        try:
            frames = decode_frames(path, [index], decoder)
        except VideoDecodeError as error:
            reasons.append(error.reason)
            continue
        good.append(index)
        assert read_numbers(frames) == [index]
    assert all("of 60 cannot be decoded" in reason for reason in reasons)
    assert {0, 10, 20} <= set(good)
    assert 10 < len(good) < COUNT - 3
    assert read_numbers(decode_frames(path, good, decoder)) == good


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_a_picture_that_grows_keeps_its_first_size(tmp_path, decoder):
    _resized(tmp_path / "resized.webm")
    frames = decode_frames(tmp_path / "resized.webm", range(60), decoder)
    assert frames.shape == (60, 64, 128, 3)
    assert read_numbers(frames) == [*range(30), *range(30)]


def test_the_info_has_the_displayed_size(tmp_path):
    info = read_frame_table(write(tmp_path / "a.mp4", numbered(9), options=H264, rotation=90)).info
    assert (info.frames, info.fps, info.height, info.width) == (9, 30, 128, 64)


def test_decord_is_asked_for_by_name_only(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    with open_video(video("gop12.mp4")) as opened:
        assert opened.decoder == "pyav"
        assert read_numbers(opened.frames([4, 44])) == [4, 44]
    with pytest.raises(VideoDecodeError, match="decord is not installed"):
        decode_frames(video("gop12.mp4"), [0], "decord")


def test_pyav_takes_the_place_of_decord_that_fails_on_the_way(video, monkeypatch):
    decord = pytest.importorskip("decord")

    def fail(self, indices):
        raise RuntimeError("[01:02:03] /src/video.cc:99: broken\nstack trace")

    monkeypatch.setattr(decord.VideoReader, "get_batch", fail)
    with open_video(video("gop12.mp4"), "decord") as opened:
        assert (opened.decoder, opened.fallback) == ("decord", None)
        assert read_numbers(opened.frames([3, 40])) == [3, 40]
        assert (opened.decoder, opened.fallback) == ("pyav", "decord fails (broken)")
        assert read_numbers(opened.frames([41, 59])) == [41, 59]


def test_what_no_decoder_reads_is_an_error(video):
    pytest.importorskip("decord")
    for path, index in ((video("cut.mp4"), COUNT - 1), (video("text.mp4"), 0)):
        with pytest.raises(VideoDecodeError, match=r"cut short|not a readable video"):
            decode_frames(path, [index], "decord")


def test_decord_bridge_does_not_matter(video):
    decord = pytest.importorskip("decord")
    pytest.importorskip("torch")
    decord.bridge.set_bridge("torch")
    try:
        frames = decode_frames(video("gop12.mp4"), [9], "decord")
    finally:
        decord.bridge.set_bridge("native")
    assert isinstance(frames, np.ndarray)
    assert read_numbers(frames) == [9]


def test_real_files_decode_alike_or_say_why():
    if not MEDIA.is_dir():
        pytest.skip("the collection of real files is not here")
    failed: dict[str, str] = {}
    replaced: dict[tuple[str, str], str] = {}
    for path in sorted(MEDIA.iterdir()):
        indices = np.linspace(0, read_frame_table(path).info.frames - 1, 8).astype(int)
        try:
            expected = decode_frames(path, indices, "pyav")
        except VideoDecodeError as error:
            failed[path.name] = error.reason
            continue
        assert np.array_equal(decode_frames(path, indices), expected), path.name
        for decoder in installed("decord", "torchcodec"):
            with open_video(path, decoder) as opened:
                frames = opened.frames(np.unique(indices))
            assert np.array_equal(frames, expected), (path.name, decoder)
            if opened.fallback is not None:
                replaced[path.name, decoder] = opened.fallback
    assert set(failed) == {"corrupted.mp4"}
    assert "of 50 cannot be decoded" in failed["corrupted.mp4"]
    of_torchcodec = {name for name, decoder in replaced if decoder == "torchcodec"}
    assert of_torchcodec <= {"testsrc2_odd_height_and_width_vp9.mp4", "sample_vvc.mp4"}  # odd height, 10 bits
