"""Whether the accuracies and counts of a results.json follow from the rows beside it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from videogn.evaluation.calibration import brier_score
from videogn.evaluation.recorded_results import RecordedTest
from videogn.evaluation.results import VideoResult, calibrated, per_class, summarise
from videogn.evaluation.several_labels import with_precisions
from videogn.evaluation.views import video_probabilities

#: What rounding may change in an accuracy, and in what is made of scores, which may have been averaged on a GPU.
_ROUNDING, _ROUNDING_OF_SCORES = 1e-9, 1e-4
_ACCURACIES = ("over_all", "over_decodable", "per_clip_top1")
_CALIBRATION = ("calibration.ece", "calibration.nll", "calibration.brier")
#: Of the counts: those that the rows tell.
_COUNTS = ("evaluated", "failed", "without_scores", "not_tested", "unlabelled")


def summary_differences(test: RecordedTest, *, expected: int, several_labels: bool) -> tuple[list[str], list[str]]:
    """Compute the summary of a test again, by the same functions, and compare.

    Args:
        test: The test.
        expected: Number of videos in the index.
        several_labels: Whether a video may show several classes.

    Returns:
        What differs, such as "over_all.top1 is 0.75, and 0.5 by the rows"; and what cannot be compared.
    """
    try:
        results = list(_results(test, several_labels))
    except KeyError as error:
        return [f"the rows name a class that results.json does not have: {error.args[0]!r}"], []
    summary: dict[str, Any] = summarise(results, expected=expected, num_classes=len(test.classes))
    left_out = set()
    unknown = []
    if several_labels and test.has_clips:
        summary, summary["per_class"] = with_precisions(summary, results, test.classes)
    elif several_labels:
        left_out = {*_ACCURACIES, "per_class"}
        unknown.append("mAP: the scores of all classes are not in the results (--model.save_clip_probabilities true)")
    else:
        summary["per_class"] = per_class(results, test.classes)
        summary["calibration"] = calibrated(results)
        if not test.has_clips:
            left_out = {"per_clip_top1", *_CALIBRATION}
            unknown.append("top-1 of single clips, calibration: the probabilities of clips were not saved")
    if not test.has_checksums and test.about["counts"]["without_scores"]:
        left_out |= {"over_decodable", "per_class", "counts.failed", "counts.without_scores"}
        unknown.append("which of the failed videos decoded: the results are older than checksums of frames")
    if "calibration" not in test.about:  # older results, and several labels
        left_out |= set(_CALIBRATION)
    keys = [*_ACCURACIES, *_CALIBRATION, "k_of_top5", "per_class", "failed", *(f"counts.{name}" for name in _COUNTS)]
    found = []
    for key in (key for key in keys if key not in left_out):
        said, follows = _at(test.about, key), _at(summary, key)
        rounding = _ROUNDING_OF_SCORES if several_labels or key in _CALIBRATION else _ROUNDING
        found += [
            f"{key}{where} is {one}, and {other} by the rows" for where, one, other in _unlike(said, follows, rounding)
        ]
    return found, unknown


def _results(test: RecordedTest, several_labels: bool) -> Iterator[VideoResult]:
    """The rows as results of a test, as far as they say."""
    number = {name: place for place, name in enumerate(test.classes)}
    clips = test.clips() if test.has_clips else itertools.repeat(None)
    for position, (video, probabilities) in enumerate(zip(test.videos, clips, strict=False)):
        names = [] if not video.label else video.label.split(";") if several_labels else [video.label]
        label = -1 if several_labels or not names else number[names[0]]
        hits: tuple[bool, ...] = ()
        scores = None
        if probabilities is not None:
            hits = tuple((probabilities.argmax(axis=1) == label).tolist())
            scores = video_probabilities(torch.tensor(probabilities)).numpy()
        of_label = brier = None
        if scores is not None and label >= 0:
            of_label = float(scores[label])
            brier = float(brier_score(scores[None].astype(np.float64), np.array([label]))[0])
        yield VideoResult(
            position,
            video.path,
            label,
            top=tuple((number[name], score) for name, score in video.top),
            clip_hits=hits,
            error=video.error,
            decoded=video.error is None or video.frames is not None,
            labels=tuple(number[name] for name in names) if several_labels and video.label is not None else None,
            scores=scores if several_labels else None,
            label_probability=of_label,
            brier=brier,
        )


def _at(summary: dict[str, Any], key: str) -> Any:
    first, _, second = key.partition(".")
    return summary[first][second] if second else summary[first]


def _unlike(said: Any, follows: Any, rounding: float, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Places at which two values of JSON differ."""
    if isinstance(said, dict) and isinstance(follows, dict) and said.keys() == follows.keys():
        for key in said:
            yield from _unlike(said[key], follows[key], rounding, f"{where}.{key}")
    elif isinstance(said, list) and isinstance(follows, list) and len(said) == len(follows):
        for place, pair in enumerate(zip(said, follows, strict=True)):
            yield from _unlike(*pair, rounding, f"{where}[{place}]")
    elif isinstance(said, float) and isinstance(follows, int | float):
        if not abs(said - follows) <= rounding:
            yield where, said, follows
    elif said != follows:
        yield where, said, follows
