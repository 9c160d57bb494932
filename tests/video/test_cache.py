"""Decoded videos kept in memory are what decoding gives."""

from __future__ import annotations

import numpy as np
import pytest

from videogn.video import cache as cache_module
from videogn.video.cache import FrameCache
from videogn.video.decode import VideoDecodeError, decode_frames, probe


def test_it_decodes_once_and_gives_the_same_frames(motion, monkeypatch):
    path = str(next(motion.glob("train/pulse/*.mp4")))
    opened = []
    real = cache_module.open_video
    monkeypatch.setattr(cache_module, "open_video", lambda *a, **k: opened.append(a[0]) or real(*a, **k))
    cache = FrameCache()
    for indices in (np.array([0, 5, 31]), np.array([7])):
        with cache.open(path) as video:
            assert video.info == probe(path)
            np.testing.assert_array_equal(video.frames(indices), decode_frames(path, indices))
    assert opened == [path]


def test_a_bad_file_is_not_kept(tmp_path):
    (tmp_path / "empty.mp4").touch()
    cache = FrameCache()
    for _ in range(2):
        with pytest.raises(VideoDecodeError, match="file is empty"), cache.open(str(tmp_path / "empty.mp4")):
            pass
