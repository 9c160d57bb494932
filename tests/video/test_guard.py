"""Decoding in a process of its own gives the same frames, and nothing that a decoder does there does harm here."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from video_files import COUNT, read_numbers

from videogn.axes import Crop
from videogn.system.killable import StartError
from videogn.video.decoders import decode, guard, shared_buffer
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.decoders.guard import VideoGuard
from videogn.video.decoders.shared_buffer import SharedBuffer
from videogn.video.decoders.time_limit import time_limit
from videogn.video.errors import VideoDecodeError


@pytest.fixture
def guarded() -> Iterator[VideoGuard]:
    guarded = VideoGuard(60)
    yield guarded
    guarded.close()


def process_of(guarded: VideoGuard) -> int:
    pid = guarded._process.pid
    assert pid is not None
    return pid


@pytest.mark.parametrize("name", ["gop12.mp4", "ten_bits.mp4", "cut.mp4"])
def test_the_same_frames_and_facts(video, guarded, name):
    indices = np.arange(0, 30, 7)
    with decode.open_video(video(name)) as here, guarded.open(video(name)) as there:
        assert (there.info, there.decoder) == (here.info, here.decoder)
        assert np.array_equal(there.frames(indices), here.frames(indices))
        window = Crop(3, 5, 20, 30)
        assert np.array_equal(there.frames(indices, window), here.frames(indices, window))
    assert process_of(guarded) != os.getpid()


def test_threads_take_turns(video, guarded):
    names = ("gop12.mp4", "vp9.webm", "width18.mp4")
    indices = np.arange(0, 30, 7)
    found = {}

    def decode_some(name):
        for _ in range(3):
            with guarded.open(video(name)) as opened:
                found[name] = opened.info, opened.frames(indices).copy()

    threads = [threading.Thread(target=decode_some, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        with decode.open_video(video(name)) as here:
            assert here.info == found[name][0]
            assert np.array_equal(here.frames(indices), found[name][1])


def test_a_second_video_at_a_time_is_refused(video, guarded):
    with guarded.open(video("gop12.mp4")), pytest.raises(RuntimeError, match="one video open"):
        guarded.open(video("vp9.webm")).__enter__()
    with guarded.open(video("vp9.webm")) as opened:
        assert read_numbers(opened.frames(np.array([2]))) == [2]


def test_one_process_serves_many_videos(video, guarded):
    pids = set()
    for name in ("gop12.mp4", "vp9.webm", "width18.mp4", "gop250.mp4"):
        with guarded.open(video(name)) as opened:
            assert read_numbers(opened.frames(np.array([2, 50]))) == [2, 50]
            assert read_numbers(opened.frames(np.arange(51, COUNT))) == list(range(51, COUNT))
        pids.add(process_of(guarded))
    assert len(pids) == 1


def test_frames_are_valid_until_the_next_call_also_when_the_memory_grows(video, guarded):
    with guarded.open(video("gop12.mp4")) as opened:
        few = opened.frames(np.array([1]))
        kept = few.copy()
        many = opened.frames(np.arange(2, COUNT))
        assert read_numbers(many) == list(range(2, COUNT))
        assert read_numbers(kept) == [1]
        assert few.shape == kept.shape  # still mapped: reading it does no harm


def test_errors_are_those_of_the_file(video, guarded, tmp_path):
    with pytest.raises(VideoDecodeError, match=r"missing\.mp4: file not found"), guarded.open(tmp_path / "missing.mp4"):
        pass
    pid = process_of(guarded)
    with guarded.open(video("cut.mp4")) as opened, pytest.raises(VideoDecodeError, match="frame 59 of 60 cannot be"):
        opened.frames([59])
    with guarded.open(video("gop12.mp4")) as opened:
        with pytest.raises(ValueError, match="index 60 is out of range"):
            opened.frames([60])
        with pytest.raises(ValueError, match="strictly increasing"):
            opened.frames([3, 3])
        with pytest.raises(ValueError, match="must lie in the picture"):
            opened.frames([3], Crop(0, 0, 99, 99))
        assert read_numbers(opened.frames([3])) == [3]
    with pytest.raises(ValueError, match="decoder"), guarded.open(video("gop12.mp4"), "opencv"):
        pass
    assert process_of(guarded) == pid


@pytest.mark.parametrize("where", ["open", "frames"])
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("hang", r"not decoded within 2 s; the decoder was stopped"),
        ("crash", r"the decoder crashed \(its process was ended by SIGSEGV\)"),
        ("leave", r"the decoder crashed \(its process ended with status 3\)"),
    ],
)
def test_a_video_that_hangs_or_crashes_costs_only_itself(video, tmp_path, monkeypatch, where, what, words):
    monkeypatch.setattr(guard, "_FACTORY", "unruly_decoding:UnrulyDecoding")
    bad = tmp_path / f"{what} in {where}.mp4"
    bad.write_bytes(video("gop12.mp4").read_bytes())
    guarded = VideoGuard(2.0)
    for _ in range(1 if what == "hang" else 2):
        start = time.monotonic()
        with pytest.raises(VideoDecodeError, match=words) as caught, guarded.open(bad) as opened:
            opened.frames([0])
        assert caught.value.path == str(bad)
        assert time.monotonic() - start < 30
        with guarded.open(video("gop12.mp4")) as opened:
            assert read_numbers(opened.frames([7])) == [7]
    guarded.close()


@pytest.mark.parametrize(
    ("what", "where", "words"),
    [
        ("hang", "frames", "not decoded within 2 s; the decoder was stopped"),
        ("crash", "frames", "the decoder crashed (its process was ended by SIGSEGV)"),
        ("leave", "open", "the decoder crashed (its process ended with status 3)"),
    ],
)
def test_pyav_decodes_what_another_decoder_hangs_or_crashes_on(video, tmp_path, monkeypatch, what, where, words):
    pytest.importorskip("decord")
    monkeypatch.setattr(guard, "_FACTORY", "unruly_decoding:UnrulyDecoding")
    path = tmp_path / f"{what} in {where} of decord.mp4"
    path.write_bytes(video("gop12.mp4").read_bytes())
    guarded = VideoGuard(2.0)
    with guarded.open(path, "decord") as opened:
        assert read_numbers(opened.frames([0, 33])) == [0, 33]
        assert read_numbers(opened.frames([34])) == [34]
        assert (opened.decoder, opened.fallback) == ("pyav", words)
    with guarded.open(video("gop12.mp4"), "decord") as opened:
        assert read_numbers(opened.frames([7])) == [7]
        assert (opened.decoder, opened.fallback) == ("decord", None)
    guarded.close()


def test_the_decoder_that_takes_over_in_the_process_is_known_here(video, guarded):
    pytest.importorskip("decord")
    with guarded.open(video("mpegts.ts"), "decord") as opened:
        assert (opened.decoder, opened.fallback) == ("pyav", "container mpegts")


@pytest.mark.parametrize(("index", "seconds"), [(0, 1), (7, 2)])
def test_frames_far_from_the_beginning_have_more_time(video, tmp_path, monkeypatch, index, seconds):
    monkeypatch.setattr(guard, "_FACTORY", "unruly_decoding:UnrulyDecoding")
    monkeypatch.setattr(guard, "time_limit", lambda base, info, frames: base * (1 + frames / 8))
    bad = tmp_path / "hang in frames.mp4"
    bad.write_bytes(video("gop12.mp4").read_bytes())
    guarded = VideoGuard(1.0)
    start = time.monotonic()
    with pytest.raises(VideoDecodeError, match=f"not decoded within {seconds}"), guarded.open(bad) as opened:
        opened.frames([index])
    assert time.monotonic() - start > seconds
    guarded.close()


@pytest.mark.parametrize(
    ("frames", "height", "width", "limit"),
    [(300, 256, 340, 60.5), (361, 2160, 3840, 119.9), (15_000, 2160, 3840, 2548), (10**9, 10_000, 10_000, 1e6)],
)
def test_the_limit_grows_with_the_video(frames, height, width, limit):
    info = VideoInfo(frames, 30.0, height, width)
    assert time_limit(60, info) == pytest.approx(limit, rel=1e-2)
    assert time_limit(60, info, 0) == 60


def test_a_process_killed_from_outside_is_replaced(video, guarded):
    with guarded.open(video("gop12.mp4")) as opened:
        opened.frames([0])
        os.kill(process_of(guarded), signal.SIGKILL)
        with pytest.raises(VideoDecodeError, match=r"the decoder crashed \(its process was ended by SIGKILL\)"):
            opened.frames([1])
    with guarded.open(video("gop12.mp4")) as opened:
        assert read_numbers(opened.frames([1])) == [1]


def test_the_time_between_calls_does_not_count(video):
    guarded = VideoGuard(1.5)
    with guarded.open(video("gop12.mp4")) as opened:
        time.sleep(2.0)
        assert read_numbers(opened.frames([1])) == [1]
    guarded.close()


@pytest.mark.parametrize("limit", [0, -1, 3e6, float("inf"), float("nan")])
def test_limits_that_cannot_be_kept(limit):
    with pytest.raises(ValueError, match="the time limit of a video must be between 0 and 1000000 seconds, got"):
        VideoGuard(limit)


def test_a_process_that_does_not_start_is_not_the_videos_fault(video, guarded, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StartError), guarded.open(video("gop12.mp4")):
        pass


class Guarded(Dataset[torch.Tensor]):
    def __init__(self, path: Path, guarded: VideoGuard) -> None:
        self.path = path
        self.guarded = guarded

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> torch.Tensor:
        with self.guarded.open(self.path) as opened:
            return torch.from_numpy(opened.frames([index * 9]).copy())


@pytest.mark.parametrize(
    ("workers", "start"), [(0, None), (2, "fork"), pytest.param(1, "spawn", marks=pytest.mark.slow)]
)
def test_in_the_workers_of_a_loader(video, guarded, workers, start):
    with guarded.open(video("gop250.mp4")) as opened:  # the parent's process and memory are not the workers'
        opened.frames([5])
    loader = DataLoader(
        Guarded(video("gop12.mp4"), guarded), batch_size=None, num_workers=workers, multiprocessing_context=start
    )
    assert [read_numbers(frames.numpy())[0] for frames in loader] == [0, 9, 18, 27, 36, 45]
    with guarded.open(video("gop250.mp4")) as opened:
        assert read_numbers(opened.frames([5])) == [5]


def test_pickling_leaves_the_process_behind(video, guarded):
    with guarded.open(video("gop12.mp4")) as opened:
        opened.frames([0])
        copy = pickle.loads(pickle.dumps(guarded))
        with copy.open(video("gop12.mp4")) as other:
            assert read_numbers(other.frames([30])) == [30]
        assert read_numbers(opened.frames([1])) == [1]
    assert copy.limit == guarded.limit
    copy.close()


def test_without_inheritable_files_videos_are_decoded_here(video, monkeypatch, caplog):
    guard._say_unguarded.cache_clear()
    monkeypatch.setattr(guard, "ON_POSIX", False)
    guarded = VideoGuard(60)
    for _ in range(2):
        with guarded.open(video("gop12.mp4")) as opened:
            assert read_numbers(opened.frames([3])) == [3]
    assert caplog.text.count("without a time limit") == 1


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_buffer_is_shared_and_grows(monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    ours = SharedBuffer()
    theirs = SharedBuffer(ours.descriptor)
    for side in (3, 50, 7):
        ours.array((2, side, side, 3))[:] = side
        assert (theirs.array((2, side, side, 3)) == side).all()


def test_a_large_buffer_is_given_back(monkeypatch):
    monkeypatch.setattr(shared_buffer, "_KEPT", 1 << 16)
    buffer = SharedBuffer()
    buffer.array((1 << 20,))[:] = 1
    before = os.fstat(buffer.descriptor).st_blocks
    buffer.trim()
    assert os.fstat(buffer.descriptor).st_blocks < before / 2
    assert buffer.array((1 << 20,)).sum() == 1 << 16


def test_the_process_imports_no_torch(guarded, video):
    with guarded.open(video("gop12.mp4")):
        maps = Path(f"/proc/{process_of(guarded)}/maps")
        if not maps.exists():
            pytest.skip("this system does not list a process's libraries")
        assert "libtorch" not in maps.read_text()


@pytest.mark.slow
def test_memory_stays_flat(video, guarded):
    psutil = pytest.importorskip("psutil")
    sizes = []
    for number in range(300):
        with guarded.open(video(("gop12.mp4", "vp9.webm", "mpegts.ts")[number % 3])) as opened:
            opened.frames([7, 40])
        if number in (99, 299):
            sizes.append(sum(psutil.Process(pid).memory_info().rss for pid in (os.getpid(), process_of(guarded))))
    assert sizes[1] - sizes[0] < 4 << 20


def test_closing_gives_the_process_and_its_memory_back(video):
    decoding = VideoGuard(60)
    for _ in range(2):
        with decoding.open(str(video("h264.mkv"))) as opened:
            assert opened.frames([0]).shape[0] == 1
        pid, files = decoding._process.pid, len(os.listdir("/proc/self/fd"))
        decoding.close()
        decoding.close()
        assert not Path(f"/proc/{pid}").exists()
        assert len(os.listdir("/proc/self/fd")) < files
