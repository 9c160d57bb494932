"""The pictures of one classified video."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videogn.axes import Crop, Sample, VideoRecord
from videogn.choices import EvaluationViews
from videogn.pictures.clip_strip import ClipFrame, chosen_clips
from videogn.pictures.drawing import Evidence, RunningPrediction
from videogn.pictures.explanation_figure import explanation_figure
from videogn.pictures.overlay import write_overlay
from videogn.pictures.prediction_figure import prediction_figure
from videogn.report.style import save_figure
from videogn.video.crops import around, evaluation_crops
from videogn.video.decoders.frame_source import Opener
from videogn.video.window import resized_size

if TYPE_CHECKING:
    from videogn.inference.prediction import Prediction


class VideoFile(NamedTuple):
    """A video, or a part of one, and how its file is read.

    Attributes:
        record: The video.
        opener: Function that opens it.
        decoder: Decoder.
        frame_rate: Frames per second of a folder of images.
    """

    record: VideoRecord
    opener: Opener
    decoder: str
    frame_rate: float


def plot_video(path: Path, sample: Sample, prediction: Prediction, class_names: Sequence[str], *, top_k: int) -> None:
    """Write the figure of a prediction; see `prediction_figure`.

    Args:
        path: The PNG file.
        sample: Decoded video.
        prediction: What the network said of it.
        class_names: Names of the K classes.
        top_k: Number of classes that are named.
    """
    assert prediction.clip_probabilities is not None
    frames = [frame for frame, _ in _strip(sample)]
    times, probabilities = prediction.clip_times, prediction.clip_probabilities
    save_figure(prediction_figure(prediction.path, frames, class_names, times, probabilities, top_k=top_k), path)


def overlay_video(
    path: Path,
    file: VideoFile,
    class_names: Sequence[str],
    clip_times: Sequence[tuple[float, float]],
    clip_probabilities: NDArray[np.float32],
) -> None:
    """Write a copy of a video with the running prediction drawn in; see `write_overlay`.

    Args:
        path: The mp4 file.
        file: The video.
        class_names: Names of the K classes.
        clip_times: Start and end of each clip, seconds.
        clip_probabilities: Probabilities of each clip (clips, K).

    Raises:
        VideoDecodeError: A frame cannot be decoded.
    """
    drawing = RunningPrediction(class_names, clip_times, clip_probabilities)
    write_overlay(path, file.record, file.opener, drawing, decoder=file.decoder, frame_rate=file.frame_rate)


def explain_video(
    target: Path,
    file: VideoFile,
    sample: Sample,
    prediction: Prediction,
    class_names: Sequence[str],
    number: int,
    evidence: NDArray[np.float32],
    views: EvaluationViews,
) -> None:
    """Write a figure and a copy of a video that show the evidence for a class.

    Args:
        target: Path of the files without their suffixes, .png and .mp4.
        file: The video.
        sample: The same, decoded.
        prediction: What the network said of it.
        class_names: Names of the K classes.
        number: Number of the class.
        evidence: Evidence at each pixel of `sample.frames`, float32 (N, H, W), >= 0.
        views: What the network sees of a video.

    Raises:
        VideoDecodeError: A frame cannot be decoded.
    """
    assert prediction.clip_probabilities is not None
    heat = _scaled(evidence)
    name, times, probabilities = class_names[number], prediction.clip_times, prediction.clip_probabilities[:, number]
    frames, places = zip(*_strip(sample), strict=True)
    over_time = (sample.frame_times, evidence.mean(axis=(1, 2)))
    figure = explanation_figure(
        prediction.path, name, frames, [heat[place] for place in places], over_time, times, probabilities
    )
    save_figure(figure, target.with_name(f"{target.name}.png"))
    drawing = Evidence(name, times, probabilities, heat, sample.frame_times, partial(seen_region, views=views))
    path = target.with_name(f"{target.name}.mp4")
    write_overlay(path, file.record, file.opener, drawing, decoder=file.decoder, frame_rate=file.frame_rate)


def seen_region(height: int, width: int, *, views: EvaluationViews) -> Crop:
    """Return the part of a frame that a network sees: what is around all crops of the resized frame, in pixels.

    Args:
        height: Height of the frame.
        width: Width of the frame.
        views: What the network sees of a video.
    """
    resized = resized_size(height, width, views.short_side)
    seen = around(evaluation_crops(*resized, views.crop_size, protocol=views.crops))
    down, across = height / resized[0], width / resized[1]
    top, left = round(seen.top * down), round(seen.left * across)
    bottom, right = round((seen.top + seen.height) * down), round((seen.left + seen.width) * across)
    return Crop(top, left, bottom - top, right - left)


def _scaled(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evidence from 0 to 1, which is what all but one pixel in a hundred with any do not reach."""
    some = evidence[evidence > 0]
    return (evidence / np.percentile(some, 99)).clip(0, 1) if some.size else evidence


def _strip(sample: Sample) -> list[tuple[ClipFrame, int]]:
    """The middle frame of some clips, in the order of the clips, and its place among the frames of the sample."""
    assert sample.frames is not None
    assert sample.clips is not None
    middle = sample.clips.shape[1] // 2
    places = [int(sample.clips[clip, middle]) for clip in chosen_clips(len(sample.clips))]
    return [(ClipFrame(sample.frames[place].cpu().numpy(), sample.frame_times[place]), place) for place in places]
