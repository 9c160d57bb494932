"""Damage beside the video: a note where no frame can depend on it, and damage of the video where one may."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_files import COUNT, H264, MEDIA, VP8, numbered, write

from videogn.video import VideoDecodeError, decode_frames
from videogn.video.integrity import damage
from videogn.video.integrity.matroska import wrong_byte
from videogn.video.integrity_report import check_integrity

_CLUSTER = bytes.fromhex("1f43b675")


def with_sound(path: Path, codec: str, options: dict[str, str], sound: str = "libopus") -> bytearray:
    """A video of 60 frames with two seconds of noise beside it."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=30, options={"threads": "1", **options})
        video.height, video.width, video.pix_fmt = 64, 128, "yuv420p"
        video.codec_context.gop_size = 12
        audio: Any = container.add_stream(sound, rate=48000, layout="mono")
        noise = np.random.default_rng(0).integers(-9000, 9000, (1, 96000), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.sample_rate = 48000
        resampler = av.AudioResampler(
            format=audio.format, layout="mono", rate=48000, frame_size=audio.frame_size or 960
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(audio.encode(part))
        container.mux(audio.encode())
        for picture in numbered(COUNT):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
    return bytearray(path.read_bytes())


def middle_packet(path: Path, kind: str) -> tuple[int, int]:
    """Position and size of a large packet near the middle of a stream."""
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        found = [(packet.pos, packet.size, bytes(packet)) for packet in container.demux(stream) if packet.size]
    _, size, content = max(found[len(found) // 3 :], key=lambda packet: packet[1])
    return path.read_bytes().index(content), size


def flip_one(data: bytearray, at: int) -> None:
    data[at] ^= 0x10


def zero_some(data: bytearray, at: int) -> None:
    data[at : at + 24] = bytes(24)


@pytest.mark.parametrize("spoil", [flip_one, zero_some])
@pytest.mark.parametrize(("codec", "options"), [("libx264", H264), ("libvpx", VP8)])
def test_damaged_sound_is_a_note(tmp_path, codec, options, spoil):
    path = tmp_path / "a.mkv"
    data = with_sound(path, codec, options)
    whole = check_integrity(path)
    frames = decode_frames(path, np.arange(COUNT))
    at, size = middle_packet(path, "audio")
    spoil(data, at + size // 2)
    path.write_bytes(data)
    report = check_integrity(path)
    assert (report.status, report.reason, report.frames) == ("ok", "", COUNT)
    assert whole.notes == ()
    (note,) = report.notes
    assert "check sum" in note
    np.testing.assert_array_equal(decode_frames(path, np.arange(COUNT)), frames)


@pytest.mark.parametrize(("codec", "options"), [("libx264", H264), ("libvpx", VP8)])
def test_one_wrong_byte_of_a_picture_beside_sound_is_damage(tmp_path, codec, options):
    """VP8 decodes it without an error: only the check sum tells."""
    path = tmp_path / "a.mkv"
    data = with_sound(path, codec, options)
    at, size = middle_packet(path, "video")
    data[at + size // 2] ^= 0x10
    path.write_bytes(data)
    assert check_integrity(path).status == "corrupt"


def test_more_wrong_bytes_of_a_picture_are_what_the_decoder_says_they_are(tmp_path):
    """Beside sound, their place is unknown: H.264's decoder reports them, and VP8's does not."""
    for codec, options, status in (("libx264", H264, "corrupt"), ("libvpx", VP8, "ok")):
        path = tmp_path / f"{codec}.mkv"
        data = with_sound(path, codec, options)
        at, size = middle_packet(path, "video")
        data[at + size // 2] ^= 0x5A
        data[at + size // 2 + 9] ^= 0x33
        path.write_bytes(data)
        report = check_integrity(path)
        assert report.status == status
        assert len(report.notes) == 1


def test_wrong_bytes_in_a_file_of_pictures_alone_are_damage(tmp_path):
    path = write(tmp_path / "a.mkv", numbered(COUNT), codec="libvpx", options=VP8)
    data = bytearray(path.read_bytes())
    at, size = middle_packet(path, "video")
    data[at + size // 2] ^= 0x5A
    data[at + size // 2 + 9] ^= 0x33
    path.write_bytes(data)
    assert decode_frames(path, np.arange(COUNT)).shape[0] == COUNT  # without an error
    assert check_integrity(path).status == "corrupt"


def _in_check_sum(data: bytearray) -> int:
    return data.index(b"\xbf\x84", data.index(_CLUSTER)) + 3


def _in_cues(data: bytearray) -> int:
    return data.index(b"\xbf\x84", data.rindex(bytes.fromhex("1c53bb6b"))) + 10


def _in_sound_entry(data: bytearray) -> int:
    return data.index(b"A_OPUS") + 3


def _in_picture_entry(data: bytearray) -> int:
    return data.index(b"avcC" if b"avcC" in data else b"V_MPEG4/ISO/AVC") + 3


@pytest.mark.parametrize(
    ("place", "status"),
    [(_in_check_sum, "ok"), (_in_cues, "ok"), (_in_sound_entry, "ok"), (_in_picture_entry, "corrupt")],
)
def test_where_one_wrong_byte_lies_decides(tmp_path, place: Callable[[bytearray], int], status):
    path = tmp_path / "a.mkv"
    data = with_sound(path, "libx264", H264)
    data[place(data)] ^= 1
    path.write_bytes(data)
    report = check_integrity(path)
    assert report.status == status
    assert len(report.notes) == (status == "ok")


def test_a_block_that_says_it_is_sound_may_have_been_a_picture(tmp_path):
    """Its first byte is the number of its stream."""
    path = tmp_path / "a.mkv"
    data = with_sound(path, "libx264", H264)
    at, _ = middle_packet(path, "video")
    assert data[at - 4] == 0x81
    data[at - 4] = 0x82
    path.write_bytes(data)
    assert check_integrity(path).status == "corrupt"


@pytest.mark.parametrize("length", [1, 5, 4000])
def test_the_place_of_a_wrong_byte(length):
    draw = np.random.default_rng(length)
    data = draw.integers(0, 256, length, dtype=np.uint8).tobytes()
    for at in {0, length // 2, length - 1}:
        for change in (1, 0x80, 0xFF):
            spoilt = bytearray(data)
            spoilt[at] ^= change
            assert wrong_byte(length, zlib.crc32(data) ^ zlib.crc32(spoilt)) == at


def test_two_wrong_bytes_have_no_place():
    data = bytes(4000)
    spoilt = bytearray(data)
    spoilt[7] = spoilt[3000] = 1
    assert wrong_byte(4000, zlib.crc32(data) ^ zlib.crc32(spoilt)) is None


def test_a_damaged_page_of_sound_in_ogg_is_a_note(tmp_path):
    path = tmp_path / "a.ogv"
    data = with_sound(path, "libvpx", VP8)
    at, size = middle_packet(path, "audio")
    zero_some(data, at + size // 2)
    path.write_bytes(data)
    report = check_integrity(path)
    assert (report.status, report.frames) == ("ok", COUNT)
    assert "of another stream than the video" in report.notes[0]
    at, size = middle_packet(path, "video")
    data[at + size // 2] ^= 1
    path.write_bytes(data)
    assert check_integrity(path).status == "corrupt"


def test_packets_of_sound_marked_as_damaged_are_a_note(tmp_path):
    path = tmp_path / "a.ts"
    data = with_sound(path, "libx264", H264, "mp2")
    streams = {data[at + 1] & 0x1F | data[at + 2] for at in range(0, len(data), 188)}
    assert len(streams) > 2
    with av.open(str(path)) as container:
        sound, pictures = container.streams.audio[0].id, container.streams.video[0].id
    for stream, status in ((sound, "ok"), (pictures, "corrupt")):
        of_stream = [
            at for at in range(0, len(data), 188) if (data[at + 1] & 0x1F) << 8 | data[at + 2] == stream and at > 5000
        ]
        data[of_stream[len(of_stream) // 2] + 1] |= 0x80
        path.write_bytes(data)
        report = check_integrity(path)
        assert report.status == status
        if status == "ok":
            assert report.notes == ("packets marked as damaged, of other streams than the video: 1",)


@pytest.mark.parametrize("name", ["sample_with_chapters.mkv", "sample_with_null_terminated_srt.mkv"])
def test_files_as_found(name):
    path = MEDIA / name
    if not path.exists():
        pytest.skip("the collection of real files is not here")
    assert not any(found.of_video for found in damage(str(path), "matroska,webm"))
    report = check_integrity(path)
    assert (report.status, len(report.notes)) == ("ok", 1)
    with pytest.raises((VideoDecodeError, ValueError), match="out of range"):
        decode_frames(path, [report.frames])
