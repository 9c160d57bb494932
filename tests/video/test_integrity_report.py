"""What a file truly holds: good ones are called good, and cuts and damage are told apart and counted."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import BROKEN, COUNT, H264, MEDIA, RISKY, SAFE, UNEVEN, VP8, numbered, read_numbers, write

from videogn.system.killable import KillableProcess
from videogn.video import integrity_report
from videogn.video.decoders import decoded_file
from videogn.video.decoders.decode import decode_frames
from videogn.video.integrity_report import check_integrity

#: Container and codec of files that are cut: name -> how it is made.
CUT = {
    "faststart.mp4": {"options": H264, "container_options": {"movflags": "faststart"}},
    "fragments.mp4": {"options": H264, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "h264.mkv": {"options": H264},
    "h264.ts": {"options": H264},
    "h264.flv": {"options": H264},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "vp8.webm": {"codec": "libvpx", "options": VP8},
}


def noisy(path: Path, **how: object) -> Path:
    frames = numbered(COUNT)
    frames[:, 48:] = np.random.default_rng(0).integers(0, 256, frames[:, 48:].shape, dtype=np.uint8)
    return write(path, frames, **how)


@pytest.mark.parametrize("name", [*SAFE, *RISKY])
def test_good_files_are_ok(video, name):
    path = video(name)
    report = check_integrity(path)
    assert (report.status, report.reason) == ("ok", "")
    assert report.frames == (len(RISKY[name][2]) if name in RISKY else COUNT)
    assert report.bytes == path.stat().st_size
    assert check_integrity(path, decode=False) == report


def test_the_facts(tmp_path):
    report = check_integrity(write(tmp_path / "a.mp4", numbered(45), options=H264, rotation=90))
    assert json.loads(report.survey)["pts"] == [0, [512, 44]]
    assert asdict(report) == {
        "frames": 45,
        "fps": 30.0,
        "duration": pytest.approx(1.5),
        "width": 64,
        "height": 128,
        "rotation": 90,
        "codec": "h264",
        "bytes": (tmp_path / "a.mp4").stat().st_size,
        "status": "ok",
        "reason": "",
        "notes": (),
        "survey": report.survey,
    }


def test_the_duration_of_a_variable_rate(video):
    report = check_integrity(video("variable_rate.mp4"))
    assert report.duration == pytest.approx((UNEVEN[-1] - UNEVEN[0]) / 30 + 1 / report.fps)


@pytest.mark.parametrize("name", [name for name, (_, words) in BROKEN.items() if words])
def test_what_is_no_video_is_reported(video, name):
    report = check_integrity(video(name))
    expected = {"missing.mp4": "missing", "empty.mp4": "empty"}.get(name, "corrupt")
    assert report.status == expected
    assert BROKEN[name][1] in report.reason
    assert report.frames == 0


@pytest.mark.parametrize("name", CUT)
def test_a_file_cut_anywhere_is_truncated_and_its_frames_counted(tmp_path, name):
    whole = noisy(tmp_path / name, **CUT[name])
    data = whole.read_bytes()
    original = decode_frames(whole, range(COUNT), "pyav")
    counts = []
    for part in np.linspace(0.4, 0.95, 8):
        path = tmp_path / f"cut-{name}"
        path.write_bytes(data[: int(len(data) * part)])
        report = check_integrity(path)
        assert report.status == "truncated", part
        assert "cut short" in report.reason
        assert np.array_equal(decode_frames(path, range(report.frames), "pyav"), original[: report.frames])
        counts.append(report.frames)
    assert counts == sorted(counts)
    assert 1 <= counts[0] < counts[-1] < COUNT


def test_a_lost_index_at_the_end_loses_no_frame(tmp_path):
    data = noisy(tmp_path / "a.mkv", options=H264).read_bytes()
    with av.open(str(tmp_path / "a.mkv")) as container:
        last = max(packet.pos + packet.size for packet in container.demux(video=0) if packet.size)
    (tmp_path / "b.mkv").write_bytes(data[: last + 20])
    assert len(data) > last + 20
    report = check_integrity(tmp_path / "b.mkv")
    assert (report.status, report.frames) == ("ok", COUNT)


@pytest.mark.parametrize("decode", [True, False])
def test_a_cut_between_two_frames_is_seen(tmp_path, decode):
    data = noisy(tmp_path / "a.mkv", options=H264).read_bytes()
    with av.open(str(tmp_path / "a.mkv")) as container:
        ends = sorted(packet.pos + packet.size for packet in container.demux(video=0) if packet.size)
    (tmp_path / "b.mkv").write_bytes(data[: ends[30] + 16])
    report = check_integrity(tmp_path / "b.mkv", decode=decode)
    assert report.status == "truncated"
    assert 20 < report.frames < 35


@pytest.mark.parametrize(("name", "how"), [(name, how) for name, how in CUT.items() if "webm" not in name])
def test_damage_inside_is_corrupt(tmp_path, name, how):
    data = bytearray(noisy(tmp_path / name, **how).read_bytes())
    half = len(data) // 2
    data[half : half + 3000] = bytes(3000)
    (tmp_path / name).write_bytes(data)
    report = check_integrity(tmp_path / name)
    assert report.status == "corrupt"
    assert 10 < report.frames < COUNT


@pytest.mark.parametrize("at", np.linspace(0.2, 0.9, 8).tolist())
def test_one_wrong_bit_in_a_matroska_file_is_seen(tmp_path, at):
    data = bytearray(noisy(tmp_path / "a.mkv", options=H264).read_bytes())
    data[int(len(data) * at)] ^= 4
    (tmp_path / "a.mkv").write_bytes(data)
    assert check_integrity(tmp_path / "a.mkv").status == "corrupt"


def test_frames_built_upon_a_damaged_one_are_not_counted(video):
    path = video("zeroed.mp4")
    report = check_integrity(path)
    assert report.status == "corrupt"
    good = []
    for index in range(COUNT):
        try:
            good += read_numbers(decode_frames(path, [index], "pyav"))
        except Exception:
            continue
    assert report.frames <= len(good) + 3
    assert report.frames < COUNT - 3


def test_in_a_process(video):
    process = KillableProcess("videogn.video.integrity_report:IntegrityChecker")
    try:
        assert 60 < process.call("open", str(video("gop12.mp4")), 60.0, limit=60) < 61
        report = process.call("check", True, 60.0, limit=60)
        assert process.call("open", str(video("empty.mp4")), 60.0, limit=60) == 60
        assert process.call("check", True, 60.0, limit=60).status == "empty"
    finally:
        process.close()
    assert report == check_integrity(video("gop12.mp4"))


class _Clock:
    """A clock that goes on by one second whenever it is read."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 1
        return self._now


@pytest.fixture
def clock(monkeypatch):
    """The same clock for the deadline and for the decoding."""
    each = _Clock()
    for module in (integrity_report, decoded_file):
        monkeypatch.setattr(module, "time", each)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("limit", "status"), [(20.2, "slow"), (100, "ok")])
@pytest.mark.parametrize("name", ["gop12.mp4", "vp8.webm", "mpegts.ts", "open_gop_hevc.mp4"])
def test_a_file_that_decodes_slowly_is_slow_and_its_frames_are_counted(video, name, limit, status):
    report = check_integrity(video(name), limit=limit)
    assert report.status == status
    if status == "ok":
        assert (report.frames, report.reason) == (COUNT, "")
        return
    assert 10 < report.frames <= 20
    assert report.reason == f"{report.frames} of {COUNT} frames were decoded in {limit:.0f} s"
    assert report.duration == pytest.approx(report.frames / 30, abs=0.01)


@pytest.mark.usefixtures("clock")
def test_damage_before_the_time_was_up_is_damage_and_a_missing_end_is_missing(video):
    assert check_integrity(video("zeroed.mp4"), limit=55).status == "corrupt"
    report = check_integrity(video("cut.mp4"), limit=10)
    assert (report.status, report.frames < 10) == ("truncated", True)


def test_real_files():
    if not MEDIA.is_dir():
        pytest.skip("the collection of real files is not here")
    statuses = {path.name: check_integrity(path).status for path in sorted(MEDIA.iterdir())}
    assert statuses.pop("corrupted.mp4") == "corrupt"
    assert set(statuses.values()) == {"ok"}


def test_a_wrong_check_sum_of_chapters_is_no_damage(tmp_path):
    """No frame depends on them, and some muxers leave a wrong one."""
    data = write(tmp_path / "a.mkv", numbered(COUNT), options=H264).read_bytes()
    chapters = bytes.fromhex("1043a770") + b"\x8a" + b"\xbf\x84" + bytes(4) + b"\xec\x82\0\0"
    cluster = data.index(bytes.fromhex("1f43b675"))
    segment = data.index(bytes.fromhex("18538067")) + 4
    size = int.from_bytes(data[segment + 1 : segment + 8], "big") + len(chapters)
    header = data[:segment] + b"\x01" + size.to_bytes(7, "big")
    (tmp_path / "a.mkv").write_bytes(header + data[segment + 8 : cluster] + chapters + data[cluster:])
    report = check_integrity(tmp_path / "a.mkv")
    assert report.status == "ok"
    assert "its chapters is wrong" in report.notes[0]
