"""Pictures stored after the first key frame and displayed before it: frames where they decode, never broken ones."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_files import MEDIA, OPEN_GOP, numbered, read_numbers, remux, write

from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.decoders.readers import reader_class
from videogn.video.errors import VideoDecodeError
from videogn.video.integrity_report import check_integrity

COUNT, GOP, BEFORE = 36, 12, 3
_X265 = "pools=1:log-level=none:bframes=3:b-adapt=0:scenecut=0:keyint=12:min-keyint=12"
#: Streams whose second key frame shows 12, with pictures before it: codec, options, whether those can be decoded.
STREAMS: dict[str, tuple[str, dict[str, str], bool]] = {
    "hevc_radl": ("libx265", {"preset": "ultrafast", "x265-params": f"{_X265}:open-gop=0:radl={BEFORE}"}, True),
    "hevc_rasl": ("libx265", {"preset": "ultrafast", "x265-params": f"{_X265}:open-gop=1"}, False),
    "h264_open": ("libx264", OPEN_GOP, False),
    "mpeg4_open": ("mpeg4", {"bf": "2"}, False),
    "mpeg2_open": ("mpeg2video", {"bf": "2", "b": "2000000"}, False),
}
#: Suffix, options of the container, and shift in frames. An mp4 would hide the leading pictures by an edit list, and a
#: Matroska file whose key frame is at time zero loses their times.
CONTAINERS: dict[str, tuple[str, dict[str, str], int]] = {
    "ts": (".ts", {}, 0),
    "mkv": (".mkv", {}, 0),
    "mkv_below_zero": (".mkv", {"avoid_negative_ts": "disabled"}, -GOP),
    "mp4": (".mp4", {"use_editlist": "0"}, 0),
}


@pytest.fixture(scope="module", params=STREAMS)
def stream(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bool]:
    """A whole stream, and whether the leading pictures of its second key frame can be decoded."""
    codec, options, decodable = STREAMS[request.param]
    path = tmp_path_factory.mktemp("leading") / f"{request.param}.ts"
    return write(path, numbered(COUNT), codec=codec, options=options, gop=GOP), decodable


def cut(source: Path, target: Path, options: dict[str, str], shift: int = 0) -> Path:
    """The packets of a stream from its second key frame on, whose picture is then at frame 12 + `shift`."""
    keys: list[int] = []

    def keep(number: int, packet: Any) -> bool:
        keys.extend([number] * packet.is_keyframe)
        return len(keys) > 1

    with av.open(str(source)) as container:  # MPEG-TS begins at a time of its own
        video = container.streams.video[0]
        start = min(packet.pts for packet in container.demux(video) if packet.size)
        shift -= round(start * video.time_base * 30) if shift else 0
    return remux(source, target, keep=keep, shift=shift, container_options=options)


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_decodes_counts_and_containers_agree(stream, tmp_path, container):
    source, decodable = stream
    suffix, options, shift = CONTAINERS[container]
    path = cut(source, tmp_path / f"cut{suffix}", options, shift)
    shown = list(range(GOP - BEFORE if decodable else GOP, COUNT))
    whole = decode_frames(source, shown)

    table = read_frame_table(path)
    assert (table.info.frames, table.readable) == (len(shown), len(shown))
    np.testing.assert_array_equal(decode_frames(path, np.arange(len(shown))), whole)
    report = check_integrity(path)
    assert (report.status, report.frames, report.reason) == ("ok", len(shown), "")


@pytest.mark.parametrize("container", CONTAINERS)
def test_random_access_gives_what_decoding_in_order_gives(stream, tmp_path, container):
    source, _ = stream
    suffix, options, shift = CONTAINERS[container]
    path = cut(source, tmp_path / f"cut{suffix}", options, shift)
    frames = read_frame_table(path).info.frames
    in_order = decode_frames(path, np.arange(frames))
    order = np.random.default_rng(0).permutation(frames)
    with open_video(path) as video:
        for index in order.tolist():
            np.testing.assert_array_equal(video.frames([index])[0], in_order[index], err_msg=str(index))


@pytest.mark.parametrize("decoder", ["decord", "torchcodec"])
def test_other_decoders_give_the_same_frames_or_refuse(stream, tmp_path, decoder):
    if reader_class(decoder).problem():
        pytest.skip(f"{decoder} cannot be used here")
    source, _ = stream
    path = cut(source, tmp_path / "cut.mkv", {})
    frames = np.arange(read_frame_table(path).info.frames)
    with suppress(VideoDecodeError):  # refused
        assert read_numbers(decode_frames(path, frames, decoder)) == read_numbers(decode_frames(path, frames))


def test_an_edit_list_hides_leading_pictures(stream, tmp_path):
    source, _ = stream
    path = cut(source, tmp_path / "cut.mp4", {})
    assert read_numbers(decode_frames(path, [0, 1, 2])) == [GOP, GOP + 1, GOP + 2]
    assert read_frame_table(path).info.frames == COUNT - GOP


def test_the_key_frame_is_no_longer_the_first(tmp_path):
    codec, options, _ = STREAMS["hevc_radl"]
    source = write(tmp_path / "whole.ts", numbered(COUNT), codec=codec, options=options, gop=GOP)
    table = read_frame_table(cut(source, tmp_path / "cut.mkv", {}))
    assert table.keyframes.tolist() == [BEFORE, BEFORE + GOP]
    assert np.diff(table.pts).min() > 0
    assert table.decord_risk is not None


def test_times_that_begin_anew_on_the_way_lose_no_frame(tmp_path):
    """Two recordings in one transport stream, the second one earlier than the first."""
    first = write(tmp_path / "first.mp4", numbered(24), options={"preset": "veryfast", "bf": "0"})
    parts = [remux(first, tmp_path / f"{shift}.ts", shift=shift).read_bytes() for shift in (300, 100)]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    table = read_frame_table(tmp_path / "joined.ts")
    assert table.info.frames == 48
    assert read_numbers(decode_frames(tmp_path / "joined.ts", np.arange(48))) == [*range(24), *range(24)]


@pytest.mark.skipif(not (MEDIA / "sample_vvc.mp4").exists(), reason="no file as found")
def test_a_vvc_file_as_found():
    path = MEDIA / "sample_vvc.mp4"
    with av.open(str(path)) as container:
        plain = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert read_frame_table(path).info.frames == len(plain) == 120
    chosen = [0, 5, 22, 23, 24, 119]
    for index in chosen[::-1]:
        np.testing.assert_array_equal(decode_frames(path, [index])[0], plain[index])
