"""Resized copies: frame for frame, at the same times, and an index of them."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from videogn.cli.data.resize import summary_table
from videogn.data.sources import read_index
from videogn.indexing.building import build_index
from videogn.indexing.catalogue import read_catalogue
from videogn.indexing.file_checks import FileChecks
from videogn.indexing.index_check import check_index
from videogn.indexing.resizing import Copying, copy_paths, resize_index
from videogn.video import decode_frames, read_frame_table
from videogn.video.encode import write_video
from videogn.video.transcode import CopySettings, copied_size, copy_video

SETTINGS = CopySettings(short_side=32, crf=18, gop=12)
_MS = Fraction(1, 1000)
CHECKS = FileChecks(decode=True, timeout=60, workers=2)


def _frames(count: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A bright square that moves by one step a frame over a ramp: every frame differs, and has a way up."""
    ramp = np.linspace(20, 120, height)[:, None] + np.linspace(0, 60, width)[None]
    frames = np.repeat(ramp.astype(np.uint8)[None, :, :, None], count, 0).repeat(3, 3)
    for number in range(count):
        row, column = number % 4 * height // 8, number * width // (count + 8)
        frames[number, row : row + height // 4, column : column + width // 8] = 250
    return frames


def _packets(path: Path) -> tuple[list[float], list[int]]:
    """Times of display in seconds, in order, and numbers of the key frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = sorted((packet for packet in container.demux(stream) if packet.size), key=lambda packet: packet.pts)
        times = [float(packet.pts * stream.time_base) for packet in packets]
        return times, [number for number, packet in enumerate(packets) if packet.is_keyframe]


def _write_uneven(path: Path, frames: np.ndarray, times: np.ndarray, rotation: int = 0, rate: int = 30) -> None:
    """Times in milliseconds, in mkv or mp4, with a rate that need not agree with them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "bf": "2"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.codec_context.time_base = stream.time_base = _MS
        if rotation:
            stream.set_display_rotation(rotation)
        for picture, time in zip(frames, times.tolist(), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, _MS
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _near(copy: np.ndarray, original: np.ndarray) -> None:
    """The copy's frames against the original's, shrunk by Pillow; a neighbouring frame would be far off."""
    height, width = copy.shape[1:3]
    small = np.stack(
        [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC)) for one in original]
    )
    error = np.abs(copy.astype(int) - small).mean((1, 2, 3))
    assert error.max() < 6, error
    shifted = np.abs(copy[1:].astype(int) - small[:-1]).mean((1, 2, 3))
    assert shifted.min() > error.max()


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((720, 1280), 256, (256, 456)),
        ((1280, 720), 256, (456, 256)),
        ((256, 340), 256, (256, 340)),
        ((240, 320), 256, (240, 320)),  # never enlarged
        ((241, 321), 256, (240, 320)),
        ((300, 301), 256, (256, 256)),
        ((1, 9), 16, (2, 8)),
        ((333, 333), 256, (256, 256)),
    ],
)
def test_sizes(size, short_side, expected):
    assert copied_size(*size, short_side) == expected


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_is_kept(tmp_path, suffix):
    frames = _frames(40)
    times = 500 + np.cumsum(np.random.default_rng(0).integers(20, 90, 40))
    source, copy = tmp_path / f"a{suffix}", tmp_path / "b.mp4"
    _write_uneven(source, frames, times)
    assert copy_video(source, copy, SETTINGS) == 40
    shown, keys = _packets(copy)
    assert np.allclose(np.subtract(shown, shown[0]), (times - times[0]) / 1000, atol=1e-3)
    assert max(np.diff([*keys, 40])) <= 12
    assert read_frame_table(copy).info.frames == 40
    assert read_frame_table(copy).info.fps == pytest.approx(39_000 / (times[-1] - times[0]), rel=0.1)
    _near(decode_frames(copy, range(40)), decode_frames(source, range(40)))


@pytest.mark.parametrize("told", [1000, 5])
def test_a_wrong_rate_does_not_reach_the_copy(tmp_path, told):
    times = np.arange(40) * 40
    source, copy = tmp_path / "a.mkv", tmp_path / "b.mp4"
    _write_uneven(source, _frames(40), times, rate=told)
    copy_video(source, copy, SETTINGS)
    shown, _ = _packets(copy)
    assert np.allclose(np.subtract(shown, shown[0]), times / 1000, atol=1e-3)
    assert read_frame_table(copy).info.fps == pytest.approx(25)
    assert float(_average_rate(copy)) == pytest.approx(25, rel=1e-3)


def _average_rate(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        return container.streams.video[0].average_rate


def test_rotation_is_baked_in(tmp_path):
    _write_uneven(tmp_path / "a.mp4", _frames(12), np.arange(12) * 33, rotation=90)
    copy_video(tmp_path / "a.mp4", tmp_path / "b.mp4", SETTINGS)
    original, copy = (decode_frames(tmp_path / name, range(12)) for name in ("a.mp4", "b.mp4"))
    assert original.shape[1:3] == (96, 64)
    assert copy.shape[1:3] == (48, 32)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0
    _near(copy, original)


def test_sound_is_dropped_and_the_bytes_are_the_same_each_time(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.height, video.width, video.pix_fmt = 64, 96, "yuv420p"
        sound = container.add_stream("aac", rate=16000)
        for picture in _frames(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16000
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
    for name in ("b.mp4", "c.mp4"):
        copy_video(tmp_path / "a.mkv", tmp_path / name, SETTINGS)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes()


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """train/x: a good and a short video; val/y: the same name with two suffixes, and an empty file."""
    root = tmp_path / "set"
    write_video(root / "train/x/a.mp4", _frames(24), 25, gop=250)
    write_video(root / "train/x/short.mkv", _frames(4), 25)
    write_video(root / "val/y/b.mp4", _frames(20), 25)
    write_video(root / "val/y/b.avi", _frames(21), 25, codec="mpeg4", crf=None)
    (root / "val/y/empty.mp4").touch()
    build_index(str(root), tmp_path / "i.parquet", CHECKS)
    return tmp_path / "i.parquet"


def _resize(index: Path, out: Path, **options):
    return resize_index(index, out, Copying(**{"settings": SETTINGS, "workers": 2, "timeout": 60.0, **options}))


def test_the_index_of_the_copies(index, tmp_path):
    out = tmp_path / "small"
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "set").rglob("*.*")}
    resized = _resize(index, out)
    assert (resized.copied, resized.kept, resized.failures) == (4, 0, {})
    rows = {os.path.relpath(row["path"], out): row for row in read_catalogue(out / "index.parquet").table.to_pylist()}
    found = {name: (row["label"], row["split"], row["status"], row["frames"]) for name, row in rows.items()}
    assert found == {
        "train/x/a.mp4": ("x", "train", "ok", 24),
        "train/x/short.mp4": ("x", "train", "short", 4),
        "val/y/b.avi.mp4": ("y", "val", "ok", 21),
        "val/y/b.mp4": ("y", "val", "ok", 20),
        "val/y/empty.mp4": ("y", "val", "missing", None),
    }
    assert rows["val/y/empty.mp4"]["reason"] == "not copied: the original is empty"
    assert check_index(out / "index.parquet", timeout=60, workers=2).differences == []
    a = rows["train/x/a.mp4"]
    assert (a["width"], a["height"], a["codec"], a["fps"]) == (48, 32, "h264", 25.0)
    assert a["bytes"] == (out / "train/x/a.mp4").stat().st_size
    assert len(read_index(out / "index.parquet")) == 5
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    sizes = [path.stat().st_size for path in out.rglob("*.mp4")]
    assert resized.bytes_after == sum(sizes)


def test_a_video_that_is_listed_twice_counts_once(tmp_path):
    write_video(tmp_path / "set" / "a.mp4", _frames(12), 25)
    (tmp_path / "set" / "list.txt").write_text("a.mp4 0\na.mp4 1\n")
    build_index(str(tmp_path / "set" / "list.txt"), tmp_path / "i.parquet", CHECKS)
    resized = _resize(tmp_path / "i.parquet", tmp_path / "small")
    assert (resized.copied, resized.kept, resized.catalogue.table.num_rows) == (1, 0, 2)
    assert resized.bytes_before == (tmp_path / "set" / "a.mp4").stat().st_size
    assert resized.bytes_after == (tmp_path / "small" / "a.mp4").stat().st_size
    assert " ".join(str(row) for row in summary_table(resized).columns[1].cells) == "1 0 0 0 "


def test_only_what_changed_is_copied_again(index, tmp_path):
    out = tmp_path / "small"
    _resize(index, out)
    again = _resize(index, out)
    assert (again.copied, again.kept) == (0, 4)
    os.utime(tmp_path / "set/train/x/a.mp4", ns=(1, 1))
    (out / "val/y/b.mp4").unlink()
    again = _resize(index, out)
    assert (again.copied, again.kept) == (2, 2)
    other = _resize(index, out, settings=CopySettings(32, 18, 6))
    assert (other.copied, other.kept) == (4, 0)


def test_a_video_that_changed_for_the_worse_is_a_failure(index, tmp_path):
    a = tmp_path / "set/train/x/a.mp4"
    a.write_bytes(a.read_bytes()[:-400])
    (tmp_path / "set/val/y/b.mp4").unlink()
    write_video(tmp_path / "set/train/x/short.mkv", _frames(6), 25)
    out = tmp_path / "small"
    resized = _resize(index, out)
    reasons = {Path(path).name: reason for path, reason in resized.failures.items()}
    assert set(reasons) == {"a.mp4", "b.mp4", "short.mkv"}
    assert reasons["b.mp4"] == "file not found"
    assert reasons["short.mkv"] == "6 frames, but the index says 4"
    rows = {os.path.relpath(row["path"], out): row for row in read_catalogue(out / "index.parquet").table.to_pylist()}
    assert rows["val/y/b.mp4"]["status"] == "missing"
    assert rows["val/y/b.mp4"]["reason"] == "not copied: file not found"
    assert sorted(path.name for path in out.rglob("*.mp4")) == ["b.avi.mp4"]


def test_slow_and_crashing_videos_are_failures(index, tmp_path):
    resized = _resize(index, tmp_path / "small", factory="checkers:BadTranscoder", timeout=1.0)
    assert {Path(path).name: reason for path, reason in resized.failures.items()} == {
        "a.mp4": "not copied within 1 s",
        "b.avi": "crashed the transcoder (SIGSEGV)",
        "b.mp4": "crashed the transcoder (SIGSEGV)",
        "short.mkv": "no",
    }
    assert list((tmp_path / "small").rglob("*.mp4")) == []


def test_the_originals_are_safe(index, tmp_path):
    for out in (tmp_path / "set", tmp_path):
        with pytest.raises(ValueError, match="holds something else"):
            _resize(index, out)
    with pytest.raises(ValueError, match="would replace the videos"):
        copy_paths(["/a/b.mp4"], "/a", Path("/a"))


def test_where_copies_go():
    out = Path("/o")
    assert copy_paths(["/a/b/c.mp4", "/a/d.MKV"], "/a", out) == {"/a/b/c.mp4": "/o/b/c.mp4", "/a/d.MKV": "/o/d.mp4"}
    assert copy_paths(["/x/y/c.mp4", "/x/z/c.mp4"], "/a", out) == {
        "/x/y/c.mp4": "/o/y/c.mp4",
        "/x/z/c.mp4": "/o/z/c.mp4",
    }
    assert copy_paths(["file:///a/%FF.avi"], "/a", out) == {"file:///a/%FF.avi": "/o/\udcff.mp4"}
