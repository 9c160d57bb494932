"""Damage that no decoder reports: what the containers themselves tell of lost and broken parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_files import COUNT, H264, VP8, VP9, numbered, read_numbers, write

from videogn.video.decoders.decode import decode_frames
from videogn.video.decoders.frame_table import read_frame_table
from videogn.video.errors import VideoDecodeError
from videogn.video.integrity import damage, is_cut
from videogn.video.integrity_report import check_integrity

FRAGMENTS = {"options": H264, "container_options": {"movflags": "frag_keyframe+empty_moov"}}
GIF = {"codec": "gif", "pix_fmt": "rgb8"}

#: Files of each family of containers: name -> how it is made.
FAMILIES: dict[str, dict[str, Any]] = {
    "a.ts": {"options": H264},
    "a.m2ts": {"options": H264, "container_options": {"mpegts_m2ts_mode": "1"}},
    "a.flv": {"options": H264},
    "a.avi": {"codec": "mpeg4"},
    "a.ogv": {"codec": "libvpx", "options": VP8},
    "a.wmv": {"codec": "wmv2"},
    "a.gif": GIF,
    "a.mp4": FRAGMENTS,
}
#: FFmpeg's names of their formats.
FORMATS = {
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".flv": "flv",
    ".avi": "avi",
    ".ogv": "ogg",
    ".wmv": "asf",
    ".gif": "gif",
    ".mp4": "mov,mp4,m4a,3gp,3g2,mj2",
}


def made(path: Path) -> bytearray:
    return bytearray(write(path, numbered(COUNT), **FAMILIES[path.name]).read_bytes())


def _after(data: bytearray, mark: bytes, share: float = 0.5) -> int:
    return data.index(mark, int(len(data) * share))


#: Where, in each of them, 16 bytes of zeros break the structure.
BREAKS: dict[str, Callable[[bytearray], int]] = {
    "a.ts": lambda data: len(data) // 376 * 188,
    "a.m2ts": lambda data: len(data) // 384 * 192,
    "a.flv": lambda data: _after(data, b"\x09\x00", 0.5) - 4,
    "a.avi": lambda data: _after(data, b"00dc"),
    "a.ogv": lambda data: _after(data, b"OggS"),
    "a.wmv": lambda data: data.index(b"\x82\0\0", len(data) // 2),
    "a.gif": lambda data: _after(data, b"\x21\xf9\x04") - 1,
    "a.mp4": lambda data: _after(data, b"moof") - 4,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_whole_file_is_neither_damaged_nor_cut(tmp_path, name):
    made(tmp_path / name)
    formats = FORMATS[Path(name).suffix]
    assert read_frame_table(tmp_path / name).container == formats
    assert damage(str(tmp_path / name), formats) == []
    assert not is_cut(str(tmp_path / name), formats)
    report = check_integrity(tmp_path / name)
    assert (report.status, report.frames) == ("ok", COUNT)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_broken_structure_is_damage(tmp_path, name):
    data = made(tmp_path / name)
    at = BREAKS[name](data)
    data[at : at + 16] = bytes(16)
    assert "damaged" in damage(bytes(data), FORMATS[Path(name).suffix])[0].what
    (tmp_path / name).write_bytes(data)
    assert check_integrity(tmp_path / name).status == "corrupt"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_missing_end_is_no_damage(tmp_path, name):
    data = bytes(made(tmp_path / name))
    for part in (0.5, 0.7, 0.9):
        cut = data[: int(len(data) * part) | 1]
        assert damage(cut, FORMATS[Path(name).suffix]) == []
        assert is_cut(cut, FORMATS[Path(name).suffix])


def test_a_lost_packet_of_a_transport_stream_is_damage(tmp_path):
    data = made(tmp_path / "a.ts")
    at = len(data) // 376 * 188
    while data[at + 1] & 0x40 or data[at + 1 : at + 3] == b"\0\0":  # neither the first of a picture nor a table
        at += 188
    assert "packets are missing" in damage(bytes(data[:at] + data[at + 188 :]), "mpegts")[0].what


def test_a_lost_page_is_damage(tmp_path):
    data = made(tmp_path / "a.ogv")
    at = _after(data, b"OggS")
    assert "pages are missing" in damage(bytes(data[:at] + data[data.index(b"OggS", at + 1) :]), "ogg")[0].what


@pytest.mark.parametrize("sizes", [((64, 128), (64, 128)), ((64, 128), (96, 160))])
def test_joined_transport_streams_are_whole(tmp_path, sizes):
    parts = [
        write(tmp_path / f"{number}.ts", numbered(30, *size), options=H264).read_bytes()
        for number, size in enumerate(sizes)
    ]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    report = check_integrity(tmp_path / "a.ts")
    assert (report.status, report.frames) == ("ok", 60)


def test_joined_transport_streams_that_are_cut_are_truncated(tmp_path):
    """Their times repeat, and frames are counted by decoding them."""
    part = write(tmp_path / "part.ts", numbered(30), options=H264).read_bytes()
    (tmp_path / "whole.ts").write_bytes(part + part)
    for cut in (100, 1000, 2000):
        path = tmp_path / "a.ts"
        path.write_bytes((part + part)[:-cut])
        report = check_integrity(path)
        assert report.status == "truncated"
        assert 40 < report.frames < 60
        frames = range(report.frames)
        assert np.array_equal(decode_frames(path, frames), decode_frames(tmp_path / "whole.ts", frames))


def test_a_cut_animation_is_truncated(tmp_path):
    data = made(tmp_path / "a.gif")
    whole = decode_frames(tmp_path / "a.gif", range(COUNT))
    (tmp_path / "a.gif").write_bytes(data[: len(data) // 2])
    report = check_integrity(tmp_path / "a.gif")
    assert report.status == "truncated"
    assert 20 < report.frames < 40
    frames = decode_frames(tmp_path / "a.gif", range(report.frames))
    assert np.array_equal(frames, whole[: report.frames])


def test_frames_lost_before_the_last_displayed_one_are_missed(tmp_path):
    """With reordering, the last frame on display is stored before others."""
    options = {**H264, "x264-params": "b-adapt=0:b-pyramid=0"}
    data = write(tmp_path / "a.mkv", numbered(COUNT), options=options, gop=250).read_bytes()
    with av.open(str(tmp_path / "a.mkv")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        last = max(range(COUNT), key=lambda number: packets[number].pts)
        end = packets[last].pos + packets[last].size
    lost = COUNT - 1 - last
    assert lost > 0
    (tmp_path / "b.mkv").write_bytes(data[: end + 24])
    report = check_integrity(tmp_path / "b.mkv")
    assert report.status == "truncated"
    assert read_frame_table(tmp_path / "b.mkv").info.frames == COUNT
    assert report.frames < COUNT - lost
    assert read_numbers(decode_frames(tmp_path / "b.mkv", range(report.frames))) == list(range(report.frames))


def test_frames_that_the_tags_promise_are_missed(tmp_path):
    """As where the sizes of its elements are damaged, so that the demuxer skips the rest."""
    data = write(tmp_path / "a.webm", numbered(COUNT), codec="libvpx-vp9", options=VP9).read_bytes()
    told = data.index(b"00:00:02.0", data.index(b"DURATION"))
    (tmp_path / "a.webm").write_bytes(data[:told] + b"00:00:04.0" + data[told + 10 :])
    report = check_integrity(tmp_path / "a.webm")
    assert (report.status, report.frames) == ("truncated", COUNT)
    assert read_frame_table(tmp_path / "a.webm").info.frames == 2 * COUNT


def test_a_destroyed_first_key_frame_is_no_other_beginning(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(COUNT), options=H264)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start : start + 4], "big") + 4  # x264's text comes first
    data[start : start + size + 60] = bytes(size + 60)
    path.write_bytes(data)
    with pytest.raises(VideoDecodeError, match="first key frame is damaged"):
        read_frame_table(path)
    assert check_integrity(path).status == "corrupt"


@pytest.mark.parametrize("codec", ["h263", "h263p"])
def test_packets_marked_as_key_frames_that_are_none_are_not_started_at(tmp_path, codec):
    path = write(tmp_path / "a.avi", numbered(COUNT, 96, 128), codec=codec)
    assert read_frame_table(path).keyframes.tolist() in ([0], [])
    whole = decode_frames(path, range(COUNT))
    for index in (11, 29, 50):
        assert np.array_equal(decode_frames(path, [index])[0], whole[index])


def test_key_frames_only_can_all_be_started_at(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(20), options=H264, gop=1)
    assert read_frame_table(path).keyframes.tolist() == list(range(20))


def test_a_stream_without_marks_begins_at_its_first_packet(tmp_path):
    source = write(tmp_path / "source.mkv", numbered(COUNT), codec="msmpeg4")
    with av.open(str(source)) as reader, av.open(str(tmp_path / "a.mkv"), "w") as writer:
        out = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.size:
                packet.is_keyframe, packet.stream = False, out
                writer.mux(packet)
    report = check_integrity(tmp_path / "a.mkv")
    assert (report.status, report.frames) == ("ok", COUNT)
    assert np.array_equal(decode_frames(tmp_path / "a.mkv", [40, 7]), decode_frames(source, [40, 7]))


@pytest.mark.parametrize("name", ["list.mp4", "list.avi", "list.txt"])
def test_a_list_of_files_is_no_video(tmp_path, name):
    write(tmp_path / "a.mp4", numbered(4), options=H264)
    (tmp_path / name).write_text("ffconcat version 1.0\nfile a.mp4\n")
    with pytest.raises(VideoDecodeError, match="not a readable video"):
        read_frame_table(tmp_path / name)
