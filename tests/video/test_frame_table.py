"""What the packets tell: number and time of the frames, where decoding can start, and when decord must not be used."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from video_files import BROKEN, COUNT, H264, MEDIA, RISKY, SAFE, UNEVEN, numbered, write

from videogn.video.decoders.frame_table import read_frame_table
from videogn.video.decoders.packet_list import frame_rate
from videogn.video.decoders.packets import decord_width_fails
from videogn.video.errors import VideoDecodeError
from videogn.video.integrity_report import check_integrity


@pytest.mark.parametrize("name", SAFE)
def test_safe_files_have_all_frames_and_no_risk(video, name):
    table = read_frame_table(video(name))
    assert (table.info.frames, table.readable, table.decord_risk) == (COUNT, COUNT, None)
    assert table.pts.dtype == np.int64
    assert np.all(np.diff(table.pts) > 0)
    assert table.keyframes[0] == 0


@pytest.mark.parametrize("name", RISKY)
def test_risky_files_are_found(video, name):
    _, words, numbers = RISKY[name]
    table = read_frame_table(video(name))
    assert table.info.frames == table.readable == len(numbers)
    assert words in table.decord_risk


@pytest.mark.parametrize("name", [name for name, (_, words) in BROKEN.items() if words])
def test_what_is_no_video_is_named_in_one_line(video, name):
    path = video(name)
    with pytest.raises(VideoDecodeError) as caught:
        read_frame_table(path)
    assert BROKEN[name][1] in caught.value.reason
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    assert "\n" not in str(caught.value)


def test_the_error_crosses_processes():
    error = pickle.loads(pickle.dumps(VideoDecodeError(Path("a b.mp4"), "file is empty")))
    assert (error.path, error.reason, str(error)) == ("a b.mp4", "file is empty", "a b.mp4: file is empty")


def test_key_frames_are_where_the_encoder_put_them(tmp_path):
    options = {**H264, "sc_threshold": "0"}
    table = read_frame_table(write(tmp_path / "a.mp4", numbered(50), options=options, gop=20))
    assert table.keyframes.tolist() == [0, 20, 40]


def test_rate_and_times_of_a_variable_rate(video):
    table = read_frame_table(video("variable_rate.mp4"))
    ticks = (table.pts - table.pts[0])[1:] / (UNEVEN - UNEVEN[0])[1:]
    assert len(set(ticks)) == 1
    assert read_frame_table(video("gop12.mp4")).info.fps == 30


def _timed(path, times, rate):
    """Frames at `times` in 1/1000 s, in a file that says it has `rate` frames per second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={**H264, "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = 64, 128, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for time, picture in zip(times, numbered(len(times)), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = int(time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts", ".flv"])
@pytest.mark.parametrize(
    ("times", "told", "fps"),
    [
        (range(0, 1000, 40), 1000, 25),  # a muxer's default
        (range(0, 1000, 40), 5, 25),
        ([0, 10, 20, 30, 1000], 100, 4),  # n - 1 steps from the first frame to the last one
        (range(500, 1500, 100), 30, 10),
    ],
)
def test_the_rate_is_that_of_the_time_stamps(tmp_path, suffix, times, told, fps):
    path = _timed(tmp_path / f"a{suffix}", times, told)
    table = read_frame_table(path)
    assert table.info.frames == len(times)
    assert table.info.fps == pytest.approx(fps, rel=1e-3)
    report = check_integrity(path)
    assert report.fps == table.info.fps
    assert report.frames / report.duration == pytest.approx(report.fps, rel=1e-3)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(30)])
def test_times_rounded_to_ticks_leave_the_exact_rate(tmp_path, rate):
    times = [round(number * 1000 / rate) for number in range(50)]
    assert read_frame_table(_timed(tmp_path / "a.mkv", times, rate)).info.fps == pytest.approx(float(rate), rel=1e-6)


@pytest.mark.parametrize(
    ("ticks", "told", "fps"),
    [
        ([0, 1, 2, 3, 4], 15, 15),
        ([0, 1, 2, 3, 5], 15, 12),  # in coarse ticks, one is no rounding
        ([7], 15, 15),
        (None, 15, 15),
        (None, None, 30),
    ],
)
def test_the_mean_rate(ticks, told, fps):
    stream = SimpleNamespace(average_rate=told and Fraction(told), guessed_rate=None, time_base=Fraction(1, 15))
    assert frame_rate(stream, None if ticks is None else np.array(ticks)) == pytest.approx(fps)


@pytest.mark.parametrize("told", [1000, 5])
def test_a_wrong_rate_does_not_change_how_many_frames_a_cut_file_lost(tmp_path, told):
    path = _timed(tmp_path / "a.mkv", range(0, 2000, 40), told)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    table = read_frame_table(path)
    assert table.readable < 40
    assert table.info.frames == pytest.approx(50, abs=5)


@pytest.mark.parametrize(("name", "frames", "fps"), [("raw.h264", 20, 25), ("one.mkv", 1, 30)])
def test_without_two_time_stamps_the_containers_word_counts(tmp_path, name, frames, fps):
    assert read_frame_table(write(tmp_path / name, numbered(frames), options=H264)).info.fps == fps


@pytest.mark.skipif(not MEDIA.exists(), reason="no files as found")
def test_the_rates_of_files_as_found():
    for path in sorted(MEDIA.iterdir()):
        report = check_integrity(path)
        if report.frames > 1:
            assert report.frames / report.fps == pytest.approx(report.duration, rel=0.08), path.name


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation(tmp_path, degrees):
    table = read_frame_table(write(tmp_path / "a.mp4", numbered(4), options=H264, rotation=degrees))
    assert table.info.rotation == degrees
    assert table.coded_size == (64, 128)
    assert (table.info.height, table.info.width) == ((128, 64) if degrees % 180 else (64, 128))


def test_a_cut_file_counts_what_it_lists(video):
    table = read_frame_table(video("cut.mp4"))
    assert table.info.frames == COUNT
    assert 25 < table.readable < 40
    assert table.decord_risk == "the file is cut short"


def test_a_cut_between_two_frames_is_seen(tmp_path, video):
    whole = video("cut.mp4").with_name("whole.mp4")
    write(whole, numbered(COUNT), options=H264, container_options={"movflags": "faststart"})
    with av.open(str(whole)) as container:
        end = next(packet.pos for number, packet in enumerate(container.demux(video=0)) if number == 30)
    (tmp_path / "a.mp4").write_bytes(whole.read_bytes()[:end])
    table = read_frame_table(tmp_path / "a.mp4")
    assert table.info.frames == COUNT
    assert 20 < table.readable <= 30


def test_widths_that_decord_cannot_pad():
    assert [width for width in range(2, 400, 2) if decord_width_fails(width)] == [2, 4, 6, 8, 12, 16, 24, 48, 72]


def test_relative_paths_are_not_taken_for_protocols(tmp_path, monkeypatch):
    write(tmp_path / "a.mp4", numbered(4), options=H264).rename(tmp_path / "concat:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert read_frame_table("concat:a.mp4").info.frames == 4


def test_files_as_found():
    if not MEDIA.is_dir():
        pytest.skip("the collection of real files is not here")
    risky = {path.name: read_frame_table(path).decord_risk for path in sorted(MEDIA.iterdir())}
    assert "edit list" in risky.pop("discard_first_keyframe.mp4")
    assert "odd height" in risky.pop("testsrc2_odd_height_and_width_vp9.mp4")
    assert "codec" in risky.pop("av1_video.mkv")
    assert "codec" in risky.pop("sample_vvc.mp4", "codec")
    assert "open groups" in risky.pop("h265_video.mp4")
    assert set(risky.values()) == {None}
