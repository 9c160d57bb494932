"""Arrays, tensors and open files are videos too, and give what the file gives."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from videogn.inference import Predictor, VideoArray
from videogn.video import decode_frames, read_frame_table


@pytest.fixture
def path(motion) -> str:
    return str(next(motion.glob("val/contract/*.mp4")))


@pytest.fixture
def frames(path):
    """All frames of the file, uint8 (T, H, W, 3)."""
    return decode_frames(path, range(read_frame_table(path).info.frames))


@pytest.fixture(scope="module")
def predictor(trained):
    return Predictor(trained / "checkpoints" / "last.ckpt", num_clips=2, device="cpu", time_limit=0, precision="32")


def _opened(path):
    return io.BytesIO(Path(path).read_bytes())


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda path, frames: frames, "array"),
        (lambda path, frames: torch.from_numpy(frames), "array"),
        (lambda path, frames: VideoArray(frames, fps=30.0, name="mine"), "mine"),
        (lambda path, frames: VideoArray(torch.from_numpy(frames), 30.0), "array"),
        (lambda path, frames: _opened(path), "file"),
        (lambda path, frames: Path(path).open("rb"), None),  # noqa: SIM115
    ],
    ids=["array", "tensor", "array with its rate", "tensor with its rate", "bytes", "open file"],
)
def test_it_gives_what_the_file_gives(predictor, path, frames, make, name):
    (wanted,) = predictor.predict(path)
    (found,) = predictor.predict(make(path, frames))
    assert found.path == (path if name is None else name)
    assert found.scores == wanted.scores
    np.testing.assert_array_equal(found.clip_probabilities, wanted.clip_probabilities)


def test_they_come_among_files_and_decode_in_workers(predictor, path, frames):
    videos = [path, frames, _opened(path), VideoArray(frames, 30.0)]
    found = list(predictor.predict(iter(videos), workers=1))
    assert [each.error for each in found] == [None] * 4
    assert len({each.scores for each in found}) == 1


def test_the_time_of_clips_is_that_of_the_rate(trained, predictor, frames):
    """Frames 0 to 31; two clips of four frames at interval 2, the first at 0 and the second at 16."""
    (slow,) = predictor.predict(VideoArray(frames, fps=10))
    np.testing.assert_allclose(slow.clip_times, [(0.0, 0.7), (1.6, 2.3)])
    (bare,) = predictor.predict(frames)  # 25 frames a second
    np.testing.assert_allclose(bare.clip_times, [(0.0, 0.28), (0.64, 0.92)])
    at_rate = Predictor(trained / "checkpoints" / "last.ckpt", num_clips=1, fps=5, device="cpu", time_limit=0)
    (found,) = at_rate.predict(VideoArray(frames, fps=10))
    np.testing.assert_allclose(found.clip_times, [(0.0, 1.3)])


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((4, 8, 8, 3), np.float32), r"uint8 \(T, H, W, 3\), got float32 \(4, 8, 8, 3\)"),
        (np.zeros((4, 3, 8, 8), np.uint8), r"got uint8 \(4, 3, 8, 8\)"),
        (np.zeros((8, 8, 3), np.uint8), r"got uint8 \(8, 8, 3\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), r"got uint8 \(0, 8, 8, 3\)"),
    ],
)
def test_what_is_no_video_is_refused(predictor, frames, message):
    with pytest.raises(ValueError, match=message):
        VideoArray(frames, 25)
    with pytest.raises(ValueError, match=message):
        list(predictor.predict(frames))


def test_other_bad_input(predictor, frames):
    with pytest.raises(ValueError, match="fps must be > 0, got 0"):
        VideoArray(frames, 0)
    with pytest.raises(ValueError, match=r"must be open for reading bytes \(mode 'rb'\), its content is str"):
        list(predictor.predict(io.StringIO("text")))
    (empty,) = predictor.predict(io.BytesIO())
    assert (empty.path, empty.error) == ("file", "file is empty")
    (text,) = predictor.predict(io.BytesIO(b"no video at all"))
    assert text.error.startswith("not a readable video")


def test_an_open_file_is_not_taken_for_a_folder_of_its_name(predictor, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").mkdir()
    assert next(predictor.predict(_opened(path))).error is None


def test_a_record_of_an_index_is_one_video(predictor, path):
    from videogn.axes import Segment, VideoRecord

    record = VideoRecord(path, 3)
    assert next(predictor.predict(record)).scores == next(predictor.predict(path)).scores
    part = replace(record, segment=Segment(0, 8, "frames"))
    assert next(predictor.predict(part)).path == f"{path}#frames=0,8"


@pytest.mark.parametrize("video", [3, None, b"a.mp4", {"path": "a.mp4"}], ids=lambda video: type(video).__name__)
def test_what_is_no_video_is_named(predictor, video):
    with pytest.raises(ValueError, match="a video must be a path, frames or an open file, got"):
        list(predictor.predict([video]))
