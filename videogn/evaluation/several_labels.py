"""Results of a test of videos that may show several classes each: mean average precision in the place of accuracies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from videogn.evaluation.average_precision import average_precisions, mean_of_known
from videogn.evaluation.results import VideoResult


def with_precisions(
    summary: dict[str, Any], results: Iterable[VideoResult], classes: Sequence[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Put the mean average precision (mAP) into a summary, and compute the average precision of each class.

    The mean is over the classes that a video shows. Over all videos, one that failed is never found; a video without
    finite scores is never found in either.

    Args:
        summary: Return value of `summarise`.
        results: The results; read once. All scores are in memory, 4 bytes a class and video.
        classes: Class names in the order of their numbers.

    Returns:
        The summary, without accuracies; and a row for each class: name, number of videos that decoded, and average
        precision over these.
    """
    scores, shown = [], []
    listed, decoded = np.zeros((2, len(classes)), np.int64)
    for result in results:
        if result.labels is None:
            continue
        flags = np.zeros(len(classes), bool)
        flags[list(result.labels)] = True
        listed += flags
        decoded += flags & result.decoded
        if result.scores is not None:
            scores.append(result.scores)
            shown.append(flags)
    score, flag = np.array(scores).reshape(-1, len(classes)), np.array(shown, bool).reshape(-1, len(classes))
    over: dict[str, Any] = {}
    for name, positives in (("over_all", listed), ("over_decodable", decoded)):
        of_class = average_precisions(score, flag, positives)
        videos = summary[name]["videos"]
        nothing = dict.fromkeys(("top1", "top5", "mean_class_accuracy"))
        over[name] = {**nothing, "map": mean_of_known(of_class) if videos else None, "videos": videos}
    rows = [
        {"class": name, "videos": int(count), "average_precision": value}
        for name, count, value in zip(classes, decoded, of_class, strict=True)
    ]
    return {**summary, **over, "per_clip_top1": None}, rows
