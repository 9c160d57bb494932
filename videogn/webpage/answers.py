"""An uploaded video -> what the page shows of it, or a sentence why it shows nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videogn.axes import Sample, VideoRecord
from videogn.choices import TIME_LIMIT
from videogn.data.video_files import is_video_name
from videogn.inference.prediction import Prediction
from videogn.inference.predictor import Predictor
from videogn.system.displayable import one_line
from videogn.system.sizes import counted
from videogn.video.decoders.guard import video_opener
from videogn.video.errors import VideoDecodeError


@dataclass(frozen=True)
class Answer:
    """What the page shows of a video.

    Attributes:
        said: A line of plain text: what was seen, or why the video failed.
        scores: Class name -> probability, best first; empty if the video failed.
        course: Rows (second, class name, probability) of every clip and each of these classes, by time.
        clips: Middle frame of every clip, uint8 (H, W, 3), as the network gets it, and the seconds that it spans, by
            time.
    """

    said: str
    scores: dict[str, float]
    course: list[tuple[float, str, float]]
    clips: list[tuple[NDArray[np.uint8], str]]


class Answering:
    """Classifies uploaded videos, one at a time, with limits.

    Args:
        predictor: Predictor.
        top_k: Number of classes to name, at most.
        max_seconds: Longest video, in seconds.
    """

    def __init__(self, predictor: Predictor, *, top_k: int, max_seconds: float) -> None:
        self._predictor = predictor
        self._top_k = top_k
        self._max_seconds = max_seconds
        self._opener = video_opener(TIME_LIMIT)

    def __call__(self, path: str) -> Answer:
        """Classify a file.

        Args:
            path: Path of the file. Its name is shown.
        """
        name = one_line(Path(path).name)
        try:
            seconds = self._seconds(path)
            (sample,) = self._predictor.decode(VideoRecord(path, None))
            (prediction,) = self._predictor.classify([sample], top_k=self._top_k)
            if prediction.error is not None:
                raise VideoDecodeError(path, prediction.error)
        except VideoDecodeError as error:
            return Answer(f"{name}: {error.reason.replace(path, name)}", {}, [], [])
        said = f"{name}: {seconds:.1f} s, seen in {counted(len(prediction.clip_times), 'clip')}"
        order = sorted(range(len(prediction.clip_times)), key=lambda clip: prediction.clip_times[clip])
        scores = {one_line(each): score for each, score in prediction.scores}
        return Answer(said, scores, self._course(prediction, order), _clips(sample, prediction, order))

    def _seconds(self, path: str) -> float:
        """Length of a video, which is refused before it is decoded if it is none by its name, or too long."""
        if not is_video_name(path):
            raise VideoDecodeError(path, "not named as a video: .mp4, .mov, .mkv, .webm, .avi and so on")
        with self._opener(path, "auto") as video:
            seconds = video.info.frames / video.info.fps
        if seconds > self._max_seconds:
            most = f"this page takes videos of at most {self._max_seconds:g} s"
            raise VideoDecodeError(path, f"it lasts {seconds:.0f} s, and {most}")
        return seconds

    def _course(self, prediction: Prediction, order: list[int]) -> list[tuple[float, str, float]]:
        assert prediction.clip_probabilities is not None
        numbers = {name: self._predictor.class_names.index(name) for name, _ in prediction.scores}
        return [
            (sum(prediction.clip_times[clip]) / 2, one_line(name), float(prediction.clip_probabilities[clip, number]))
            for clip in order
            for name, number in numbers.items()
        ]


def _clips(sample: Sample, prediction: Prediction, order: list[int]) -> list[tuple[NDArray[np.uint8], str]]:
    assert sample.frames is not None
    assert sample.clips is not None
    middles = sample.frames[sample.clips[:, sample.clips.shape[1] // 2]].cpu().numpy()
    spans = [f"{start:.1f} to {end:.1f} s" for start, end in prediction.clip_times]
    return [(middles[clip], spans[clip]) for clip in order]
