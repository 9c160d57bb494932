"""Pictures that are passed over in files known to be intact: never one that changes or loses a wanted frame.

The frames are compared with those of the same file opened by its plain path, which decodes every picture: tolerance 0.
"""

from __future__ import annotations

import os
import pickle
import shutil

import numpy as np
import pytest
from video_files import COUNT, H264, MEDIA, RISKY, SAFE, numbered, write

from videogn.video import decode_frames, open_video, read_frame_table
from videogn.video.decoders import unneeded
from videogn.video.decoders.guard import VideoGuard
from videogn.video.decoders.packets import is_non_reference
from videogn.video.decoders.stream import open_stream, packets
from videogn.video.decoders.unneeded import Unneeded
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import CheckedFile

#: Settings of x264 that change which pictures refer to which, and what the stream says about their order.
X264 = {
    "pyramid none": "b-pyramid=none:bframes=4:b-adapt=0",
    "pyramid strict": "b-pyramid=strict:bframes=5:b-adapt=0:ref=4",
    "pyramid normal": "b-pyramid=normal:bframes=7:b-adapt=0:ref=6:direct=temporal",
    "weighted": "weightp=2:weightb=1:bframes=3:b-adapt=0:direct=spatial",
    "fields": "tff=1:bframes=3:b-adapt=0",
    "slices": "slices=4:bframes=3:b-adapt=0",
    "open": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0",
    "no deblocking, one reference": "no-deblock=1:ref=1:bframes=2:b-adapt=0",
    "delimiters": "aud=1:bframes=3:b-adapt=0:nal-hrd=vbr:vbv-maxrate=2000:vbv-bufsize=2000",
}


def checked(path) -> CheckedFile:
    state = os.stat(path)
    return CheckedFile(str(path), state.st_size, state.st_mtime_ns)


@pytest.fixture
def passed(monkeypatch) -> list[int]:
    """Time stamps of the packets that are passed over."""
    stamps: list[int] = []
    decide = Unneeded.__call__

    def counting(self: Unneeded, packet: object) -> bool:
        over = decide(self, packet)
        stamps.extend([packet.pts] * over)
        return over

    monkeypatch.setattr(Unneeded, "__call__", counting)
    return stamps


def askings(count: int) -> list[list[list[int]]]:
    """Calls for frames, one after the other: every n-th, a few at a time, single ones, and backwards."""
    rng = np.random.default_rng(0)
    scattered = np.sort(rng.choice(count, min(9, count), replace=False)).tolist()
    return [
        [list(range(1, count, 2))],
        [list(range(0, count, 3))[:5], list(range(0, count, 3))[5:] or [count - 1]],
        [[number] for number in scattered],
        [scattered, scattered[::3], [0], list(range(count))],
        [[count - 1], [count // 2], [0, count - 1]],
    ]


def check_same(path, count: int) -> None:
    """The frames of a checked file are those of the plain path, in every order of asking."""
    everything = decode_frames(path, range(count))
    for calls in askings(count):
        with open_video(checked(path)) as opened:
            for indices in calls:
                assert np.array_equal(opened.frames(indices), everything[indices]), (str(path), indices)


@pytest.mark.parametrize("name", [*SAFE, *RISKY])
def test_frames_are_the_same_in_every_kind_of_file(video, name):
    check_same(video(name), COUNT if name in SAFE else len(RISKY[name][2]))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("params", X264.values(), ids=X264)
def test_pictures_are_passed_over_whatever_refers_to_which(tmp_path, passed, params, suffix):
    path = write(tmp_path / f"a{suffix}", numbered(COUNT), options={"preset": "veryfast", "x264-params": params})
    check_same(path, COUNT)
    assert len(passed) > COUNT // 4
    passed.clear()
    decode_frames(checked(path), range(1, COUNT, 2))
    wanted = set(read_frame_table(path).pts[1::2].tolist())
    assert not wanted & set(passed)


def test_only_slices_of_non_reference_pictures_are_non_reference(tmp_path):
    """Against the decoder's own opinion: it decodes no non-reference picture with skip_frame NONREF."""
    path = write(tmp_path / "a.mp4", numbered(COUNT), options={"x264-params": X264["pyramid normal"]})
    with open_stream(path) as (container, stream):
        extradata = bytes(stream.codec_context.extradata)
        ours = {packet.pts for packet in packets(container, stream) if is_non_reference(bytes(packet), extradata)}
    with open_stream(path) as (container, stream):
        stream.codec_context.skip_frame = "NONREF"
        decoded = {picture.pts for packet in packets(container, stream) for picture in packet.decode()}
    assert ours == set(read_frame_table(path).pts.tolist()) - decoded
    assert ours


@pytest.mark.parametrize(
    ("units", "non_reference"),
    [
        ([b"\x01ab"], True),
        ([b"\x09\xf0", b"\x06sei", b"\x01ab", b"\x01cd", b"\x0c\xff"], True),
        ([b"\x01ab", b"\x41cd"], False),  # a second field that is referred to
        ([b"\x06sei"], False),  # no slice
        ([b"\x67sps", b"\x01ab"], False),  # parameters for later pictures
        ([b"\x02ab"], False),  # data partitions
        ([b"\x0eab", b"\x01ab"], False),  # scalable or several views
        ([b"\x65ab"], False),
    ],
)
def test_units_of_a_packet(units, non_reference):
    avcc = bytes([1, 100, 0, 31, 0xFF, 0xE1, 0])
    framed = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    assert is_non_reference(framed, avcc) is non_reference
    assert is_non_reference(b"".join(b"\x00\x00\x01" + unit for unit in units), b"") is non_reference
    assert not is_non_reference(framed + b"\x00", avcc)  # not framed as the stream says
    assert not is_non_reference(framed[:-1], avcc)


def test_a_missing_picture_makes_the_reader_decode_all(tmp_path, monkeypatch):
    """Even if key frames were passed over, the frames that come out are right."""
    path = write(tmp_path / "a.mp4", numbered(COUNT), options=H264, gop=20)
    everything = decode_frames(path, range(COUNT))
    monkeypatch.setattr(unneeded, "is_non_reference", lambda data, extradata: True)
    with open_video(checked(path)) as opened:
        assert np.array_equal(opened.frames([5, 33]), everything[[5, 33]])
        assert not opened._reader._unneeded.active
        assert np.array_equal(opened.frames([2, 59]), everything[[2, 59]])


def test_a_file_that_changed_is_decoded_in_full(tmp_path, passed):
    path = write(tmp_path / "a.mp4", numbered(COUNT), options=H264)
    before, state = checked(path), os.stat(path)
    assert before.is_unchanged()
    indices = list(range(1, COUNT, 2))
    decode_frames(before, indices)
    assert passed
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))  # same size, other time
    passed.clear()
    decode_frames(before, indices)
    assert not passed
    with open(path, "ab") as file:
        file.write(bytes(8))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # same time, other size
    decode_frames(before, indices)
    assert not passed
    path.unlink()
    assert not before.is_unchanged()
    assert not CheckedFile("s3://bucket/a.mp4", 1, 1).is_unchanged()


def test_a_plain_path_is_decoded_in_full(video, passed):
    decode_frames(video("gop12.mp4"), range(1, COUNT, 2))
    assert not passed


def test_it_travels_to_the_process_that_decodes(video):
    path = checked(video("gop12.mp4"))
    again = pickle.loads(pickle.dumps(path))
    assert (again, again.size, again.changed) == (str(path), path.size, path.changed)
    everything = decode_frames(str(path), range(COUNT))
    guard = VideoGuard(60)
    with guard.open(path) as opened:
        assert np.array_equal(opened.frames(np.arange(1, COUNT, 2)), everything[1::2])
    guard.close()


def test_real_files(tmp_path):
    if not MEDIA.is_dir():
        pytest.skip("the collection of real files is not here")
    for path in sorted(MEDIA.iterdir()):
        try:
            count = read_frame_table(path).info.frames
            everything = decode_frames(path, range(count))
        except VideoDecodeError:
            continue
        here = shutil.copy(path, tmp_path / path.name)
        for indices in (list(range(1, count, 2)), list(range(0, count, 5)), [count // 2, count - 1]):
            with open_video(checked(here)) as opened:
                assert np.array_equal(opened.frames(np.unique(indices)), everything[np.unique(indices)]), path.name
