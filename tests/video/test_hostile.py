"""Files that make a parser raise: whatever it is, it is that file's fault and told as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video_files import COUNT, H264, numbered, write

from videogn.video import decode_frames, integrity_report, open_video
from videogn.video.decoders.pyav_reader import PyAVReader
from videogn.video.errors import EmptyVideoError, VideoDecodeError, reading
from videogn.video.integrity import damage, is_cut
from videogn.video.integrity_report import check_integrity

#: More than any file system holds: seeking there fails.
HUGE = b"\x01\x80\0\0\0\0\0\x23"
#: A packet of MPEG-TS with the start of a sound stream that no table lists.
STRAY = (b"\x47\x41\xff\x10" + bytes.fromhex("000001c000148080052100010001fffb9064")).ljust(188, b"\0")


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> bytes:
    """A Matroska file with noise in its pictures, so that a cut falls among them."""
    frames = numbered(COUNT)
    frames[:, 48:] = np.random.default_rng(0).integers(0, 256, frames[:, 48:].shape, dtype=np.uint8)
    return write(tmp_path_factory.mktemp("hostile") / "a.mkv", frames, options=H264).read_bytes()


@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("seconds", [b"inf", b"nan", b"1e300", b"-5"])
def test_a_cut_file_that_says_it_lasts_no_time_there_is(large, tmp_path, seconds, decoded):
    data = large[: len(large) * 6 // 10].replace(b"00:00:02.000000000", (b"00:00:" + seconds).ljust(18))
    assert seconds in data
    path = tmp_path / "a.mkv"
    path.write_bytes(data)
    report = check_integrity(path, decode=decoded)
    assert report.status in ("truncated", "corrupt")  # the check sum of what was changed is wrong too
    assert 20 < report.frames < 40
    with open_video(path) as video:
        assert report.frames < video.info.frames <= COUNT


@pytest.mark.parametrize("element", ["header", "segment", "cluster"])
def test_elements_larger_than_the_file(large, tmp_path, element):
    start, size = {"header": (4, 1), "segment": (large.index(b"\x18\x53\x80\x67") + 4, 8)}.get(
        element, (large.index(b"\x1f\x43\xb6\x75") + 4, 2)
    )
    data = large[:start] + HUGE + large[start + size :]
    if element == "cluster":  # which must not go beyond its segment
        segment = large.index(b"\x18\x53\x80\x67") + 4
        data = data[:segment] + b"\x01\xc0\0\0\0\0\0\0" + data[segment + 8 :]
    path = tmp_path / "a.mkv"
    path.write_bytes(data)
    assert is_cut(str(path), "matroska,webm") == (element != "header")
    assert damage(str(path), "matroska,webm") == []
    assert check_integrity(path).status in ("ok", "truncated", "corrupt")


def test_a_stream_that_appears_on_the_way_does_no_harm(video, tmp_path):
    data = video("mpegts.ts").read_bytes()
    path = tmp_path / "a.ts"
    path.write_bytes(data + 3 * STRAY + data)
    assert check_integrity(path).bytes == 2 * len(data) + 3 * 188
    indices = range(0, COUNT, 7)
    assert np.array_equal(decode_frames(path, indices), decode_frames(video("mpegts.ts"), indices))


@pytest.mark.parametrize("error", [IndexError("list index out of range"), OverflowError(), MemoryError(), OSError(22)])
def test_whatever_reading_raises_is_the_files_fault(video, monkeypatch, error):
    path = video("gop12.mp4")

    def fail(*_: object) -> None:
        raise error

    with open_video(path) as opened:
        monkeypatch.setattr(opened._reader, "read", fail)
        with pytest.raises(VideoDecodeError, match="cannot be read"):
            opened.frames([0])
        with pytest.raises(ValueError, match="out of range"):  # not the file's
            opened.frames([COUNT])
    monkeypatch.setattr(PyAVReader, "__init__", fail)
    with pytest.raises(VideoDecodeError, match="cannot be read"), open_video(path):
        pass
    monkeypatch.setattr(integrity_report, "read_frame_table", fail)
    assert check_integrity(path).status == "corrupt"


def test_what_is_said_already_is_not_said_again():
    with pytest.raises(EmptyVideoError), reading("a.mp4"):
        raise EmptyVideoError("a.mp4", "file is empty")
    with pytest.raises(KeyboardInterrupt), reading(Path("a.mp4")):
        raise KeyboardInterrupt
