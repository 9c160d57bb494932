"""What the page says about an uploaded file, without the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from videogn.inference import Predictor
from videogn.training.task import VideoClassifier
from videogn.video.encode import write_video
from videogn.webpage.answers import Answering

NAMES = ["jump", "<b>run</b>", "sit"]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    checkpoint = tmp_path_factory.mktemp("network") / "tiny.ckpt"
    task = VideoClassifier("i3d_tiny", class_names=NAMES, clip_length=4, crop_size=32, short_side=32)
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, checkpoint)
    return Predictor(checkpoint, num_clips=3, device="cpu", precision="32")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> str:
    """Two seconds at 10 frames per second whose frames grow brighter."""
    frames = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.full((1, 32, 48, 3), 12, np.uint8)
    path = tmp_path_factory.mktemp("upload") / "a & <b>.mp4"
    write_video(path, frames, fps=10)
    return str(path)


def test_a_video_is_answered_with_what_a_prediction_says(predictor, video):
    answer = Answering(predictor, top_k=2, max_seconds=2)(video)
    (wanted,) = predictor.predict(video, top_k=2)
    assert answer.said == "a & <b>.mp4: 2.0 s, seen in 3 clips"
    assert list(answer.scores.items()) == list(wanted.scores)
    order = np.argsort([start for start, _ in wanted.clip_times])
    assert answer.course == [
        (sum(wanted.clip_times[clip]) / 2, name, pytest.approx(wanted.clip_probabilities[clip, NAMES.index(name)]))
        for clip in order
        for name, _ in wanted.scores
    ]


def test_the_frames_are_those_in_the_middle_of_the_clips(predictor, video):
    (sample,) = predictor.decode(video)
    clips = Answering(predictor, top_k=2, max_seconds=2)(video).clips
    assert [span for _, span in clips] == [f"{start:.1f} to {end:.1f} s" for start, end in sorted(sample.times)]
    for (frame, span), clip in zip(clips, sample.clips[np.argsort(sample.starts)], strict=True):
        # By its brightness a frame tells its number, of 10 in a second.
        start, end = (float(word) for word in span.removesuffix(" s").split(" to "))
        assert start <= frame.mean() / 12 / 10 < end
        assert np.array_equal(frame, sample.frames[clip[len(clip) // 2]])


def test_names_of_classes_cannot_turn_the_line_around(predictor, video, monkeypatch):
    monkeypatch.setattr(predictor, "class_names", ("a\u202eb", "c\nd", "e\u200b"))
    answer = Answering(predictor, top_k=3, max_seconds=2)(video)
    assert set(answer.scores) == {name for _, name, _ in answer.course} == {"a\\u202eb", "c\\nd", "e\\u200b"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"text", "not named as a video"),
        ("notes.mp4", b"text " * 99, "not a readable video"),
        ("empty.mp4", b"", "file is empty"),
        ("long.mp4", None, "it lasts 2 s, and this page takes videos of at most 1.5 s"),
    ],
)
def test_a_bad_file_is_answered_with_a_sentence(predictor, video, tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(Path(video).read_bytes() if content is None else content)
    answer = Answering(predictor, top_k=2, max_seconds=1.5)(str(path))
    assert answer.said.startswith(f"{name}: {reason}")
    assert str(tmp_path) not in answer.said
    assert (answer.scores, answer.course, answer.clips) == ({}, [], [])
