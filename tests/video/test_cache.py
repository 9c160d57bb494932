"""Decoded videos kept in memory are what decoding gives, and no more of them than fit."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from video_files import numbered, write

from videogn.axes import Crop
from videogn.video import VideoDecodeError, decode_frames, open_video, read_frame_table
from videogn.video.decoders.cache import FrameCache
from videogn.video.decoders.guard import VideoGuard

_SIZE = 12 * 32 * 64 * 3  # of each of the videos


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Five videos of 12 frames of 32 x 64."""
    folder = tmp_path_factory.mktemp("cache")
    return [str(write(folder / f"{n}.mp4", numbered(60, 32, 64)[n : n + 12])) for n in range(5)]


class Counting:
    """Opens as `open_video` and notes what was opened."""

    def __init__(self):
        self.opened = []

    @contextmanager
    def open(self, path, decoder="auto"):
        self.opened.append(path)
        with open_video(path, decoder) as video:
            yield video


def _read(cache, path, indices=(0, 5, 11), window=None):
    with cache.open(path, "pyav") as video:
        assert video.info == read_frame_table(path).info
        return video.frames(np.array(indices), window)


@pytest.mark.parametrize("chunk", [1, 10**9])
def test_it_decodes_once_and_gives_the_same_frames(videos, chunk, monkeypatch):
    monkeypatch.setattr("videogn.video.decoders.cache.CHUNK_BYTES", chunk)
    counting = Counting()
    cache = FrameCache(10 * _SIZE, counting.open)
    for indices in ((0, 5, 11), (7,)):
        frames = _read(cache, videos[0], indices)
        np.testing.assert_array_equal(frames, decode_frames(videos[0], indices, "pyav"))
        frames[:] = 0  # a copy
    window = Crop(3, 20, 16, 30)
    wanted = decode_frames(videos[0], [2, 3], "pyav")[:, 3:19, 20:50]
    np.testing.assert_array_equal(_read(cache, videos[0], (2, 3), window), wanted)
    assert counting.opened == [videos[0]]
    assert cache.nbytes == _SIZE


def test_it_keeps_no_more_than_it_may_and_what_it_keeps_stays(videos):
    counting = Counting()
    cache = FrameCache(2 * _SIZE + 100, counting.open)
    for number in (0, 1, 0, 2, 0, 1, 2):
        np.testing.assert_array_equal(_read(cache, videos[number]), decode_frames(videos[number], [0, 5, 11], "pyav"))
        assert cache.nbytes <= cache.max_bytes
    assert counting.opened == [videos[number] for number in (0, 1, 2, 2)]


@pytest.mark.parametrize("budget", [0, _SIZE - 1])
def test_a_video_that_does_not_fit_is_decoded_every_time(videos, budget):
    counting = Counting()
    cache = FrameCache(budget, counting.open)
    for _ in range(2):
        assert _read(cache, videos[0]).shape == (3, 32, 64, 3)
    assert cache.nbytes == 0
    assert counting.opened == [videos[0]] * 2


def test_memory_while_it_fills(videos, monkeypatch):
    """What does not fit is not decoded first."""
    seen = []
    original = np.empty

    def empty(shape, *arguments, **options):
        if len(np.atleast_1d(shape)) == 4 and shape[0] == 12:
            seen.append(cache.nbytes + int(np.prod(shape)))
        return original(shape, *arguments, **options)

    cache = FrameCache(3 * _SIZE, Counting().open)
    monkeypatch.setattr(np, "empty", empty)
    for number in np.random.default_rng(0).integers(0, 5, 20):
        _read(cache, videos[number], (0,))
    assert max(seen) <= cache.max_bytes


def test_behind_a_guard(videos):
    """Whose frames are overwritten by the next."""
    cache = FrameCache(4 * _SIZE, VideoGuard(60).open)
    for number in (0, 1, 0, 1):
        np.testing.assert_array_equal(_read(cache, videos[number]), decode_frames(videos[number], [0, 5, 11], "pyav"))


def test_a_bad_file_is_not_kept(tmp_path):
    (tmp_path / "empty.mp4").touch()
    cache = FrameCache(10**6)
    for _ in range(2):
        with pytest.raises(VideoDecodeError, match="file is empty"), cache.open(str(tmp_path / "empty.mp4")):
            pass


def test_of_a_damaged_video_the_good_frames_are_had(video):
    """It is not kept, and what was asked for is decoded as without a cache."""
    path = str(video("cut.mp4"))
    cache = FrameCache(10**9)
    np.testing.assert_array_equal(_read(cache, path, (0, 3)), decode_frames(path, [0, 3], "pyav"))
    assert cache.nbytes == 0
    with pytest.raises(VideoDecodeError, match="cannot be decoded"):
        _read(cache, path, (59,))
    guarded = FrameCache(10**9, VideoGuard(60).open)
    np.testing.assert_array_equal(_read(guarded, path, (0, 3)), decode_frames(path, [0, 3], "pyav"))


def test_a_negative_size():
    with pytest.raises(ValueError, match="max_bytes of a cache must be >= 0, got -1"):
        FrameCache(-1)
