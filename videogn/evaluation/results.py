"""The result of testing one video, and the accuracies over many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from videogn.axes import Sample
from videogn.choices import TOP_K
from videogn.evaluation.calibration import brier_score, calibration
from videogn.evaluation.class_accuracy import mean_class_accuracy
from videogn.evaluation.frame_checksum import frames_checksum
from videogn.evaluation.views import video_probabilities
from videogn.system.displayable import displayable


@dataclass(frozen=True)
class VideoResult:
    """Result of testing one video.

    Attributes:
        position: Position of the video in its index.
        path: Path of the file.
        label: Class number, or -1 if unknown.
        top: Pairs of class number and probability, best first, at most `TOP_K`.
        clip_hits: Whether the label is the best class of a clip, for each clip.
        starts: Frame index of the first frame of each clip.
        short: Whether the video is shorter than the span of a clip, so that frames repeat.
        error: Reason why there are no scores, or None.
        fallback: Reason why PyAV decoded it and not the decoder that was asked for, or None.
        decoded: Whether the video could be decoded. If so and the network's output was not finite, `error` says so.
        clips: Probabilities of each clip, float32 (clips, K), or None if they are not kept.
        labels: Class numbers where a video may show several classes; None where it has one, `label`.
        scores: Probabilities of the video, float32 (K,), where it may show several classes; else None.
        frames: Checksum of the frames that were shown, see `frames_checksum`; None if nothing was decoded.
        label_probability: Probability of the label; None where there is not one label, or no probability.
        brier: Brier score, see `calibration.brier_score`; None likewise.
    """

    position: int
    path: str
    label: int
    top: tuple[tuple[int, float], ...] = ()
    clip_hits: tuple[bool, ...] = ()
    starts: tuple[int, ...] = ()
    short: bool = False
    error: str | None = None
    fallback: str | None = None
    decoded: bool = True
    clips: np.ndarray | None = field(default=None, compare=False, repr=False)
    labels: tuple[int, ...] | None = None
    scores: np.ndarray | None = field(default=None, compare=False, repr=False)
    frames: str | None = None
    label_probability: float | None = None
    brier: float | None = None

    def hit(self, k: int) -> bool:
        """Return whether the label is among the best k classes; False for a failed video."""
        return any(number == self.label for number, _ in self.top[:k])


def score_video(sample: Sample, clips: Tensor, *, short: bool = False, keep_clips: bool = False) -> VideoResult:
    """Rank the classes of a video by the mean over its clips.

    Args:
        sample: The decoded video.
        clips: Probabilities of each clip, (clips, K).
        short: Whether the video is shorter than the span of a clip. Default: False.
        keep_clips: Whether the result keeps `clips`. Default: False.

    Returns:
        The result.
    """
    of_video = video_probabilities(clips)
    probabilities, classes = of_video.topk(min(TOP_K, clips.shape[1]))
    whole = of_video.double().cpu().numpy()
    one_label = sample.labels is None and sample.label >= 0
    return VideoResult(
        sample.position,
        sample.path,
        sample.label,
        top=tuple(zip(classes.tolist(), probabilities.tolist(), strict=True)),
        clip_hits=tuple((clips.argmax(dim=1) == sample.label).tolist()),
        starts=sample.starts,
        short=short,
        fallback=sample.fallback,
        clips=clips.float().cpu().numpy() if keep_clips else None,
        labels=sample.labels,
        scores=None if sample.labels is None else of_video.float().cpu().numpy(),
        frames=None if sample.frames is None else frames_checksum(sample.frames),
        label_probability=float(whole[sample.label]) if one_label else None,
        brier=float(brier_score(whole[None], np.array([sample.label]))[0]) if one_label else None,
    )


def summarise(results: Iterable[VideoResult], *, expected: int, num_classes: int) -> dict[str, Any]:
    """Compute the accuracies and counts of a test.

    Every accuracy is given twice: over all videos of the index, where a failed video counts as wrong, and over those
    that decoded, where a video without finite scores still counts as wrong. Otherwise a test that loses videos would
    look better than one that does not.

    Args:
        results: Results of distinct videos; read once.
        expected: Number of videos in the index.
        num_classes: K; "top-5" is top-min(5, K).

    Returns:
        Accuracies in [0, 1], None where there is nothing to divide by; counts; the failed videos, and those that PyAV
        decoded in the place of the decoder that was asked for, with reasons.
    """
    k = min(TOP_K, num_classes)
    counts: Counter[str] = Counter()
    hits: Counter[str] = Counter()  # of labelled videos that decoded
    right, decoded, listed = ([0] * num_classes for _ in range(3))  # labelled videos of each class
    failed, fallbacks = [], []
    for result in results:
        counts["videos"] += 1
        counts["evaluated"] += result.error is None
        counts["failed"] += not result.decoded
        counts["without_scores"] += result.decoded and result.error is not None
        counts["unlabelled"] += result.label < 0 and result.labels is None
        counts["decoded_labelled"] += result.decoded and (result.label >= 0 or result.labels is not None)
        counts["short"] += result.short
        if result.error is not None:
            failed.append({"path": displayable(result.path), "reason": result.error})
        if result.fallback is not None:
            fallbacks.append({"path": displayable(result.path), "reason": result.fallback})
        if result.label >= 0:
            listed[result.label] += 1
            decoded[result.label] += result.decoded
            right[result.label] += result.hit(1)
        if result.label >= 0 and result.decoded:
            hits.update(top1=result.hit(1), top5=result.hit(k))
            hits.update(clips=len(result.clip_hits), right_clips=sum(result.clip_hits))
    not_tested = expected - counts["videos"]

    def accuracies(count: int, videos: Sequence[int]) -> dict[str, Any]:
        by_class = mean_class_accuracy(right, videos) if count else None
        ratios = {"top1": _ratio(hits["top1"], count), "top5": _ratio(hits["top5"], count)}
        return {**ratios, "mean_class_accuracy": by_class, "videos": count}

    return {
        # Part of an index says nothing about all of it.
        "over_all": accuracies(0 if not_tested else expected - counts["unlabelled"], listed),
        "over_decodable": accuracies(counts["decoded_labelled"], decoded),
        "k_of_top5": k,
        "per_clip_top1": _ratio(hits["right_clips"], hits["clips"]),
        "counts": {
            "expected": expected,
            **{name: counts[name] for name in ("evaluated", "failed", "without_scores")},
            "not_tested": not_tested,
            "unlabelled": counts["unlabelled"],
            "shorter_than_a_clip": counts["short"],
        },
        "failed": failed,
        "decoded_by_pyav_instead": fallbacks,
    }


def in_words(summary: dict[str, Any]) -> str:
    """Write a test's counts, and its accuracies over all videos, in one line.

    Args:
        summary: Return value of `summarise`.

    Returns:
        Text such as "8 expected, 8 evaluated, 0 failed; top-1 12.5 %, top-5 62.5 %". Unknown accuracies are left out.
    """
    counts = summary["counts"]
    always = ("expected", "evaluated", "failed")
    rare = [name for name in ("without_scores", "not_tested") if counts[name]]
    text = ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in (*always, *rare))
    accuracies = {1: summary["over_all"]["top1"], summary["k_of_top5"]: summary["over_all"]["top5"]}
    named = {f"top-{k}": value for k, value in accuracies.items()} | {"mAP": summary["over_all"].get("map")}
    known = ", ".join(f"{name} {100 * value:.1f} %" for name, value in named.items() if value is not None)
    return f"{text}; {known}" if known else text


def per_class(results: Iterable[VideoResult], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Compute the top-1 accuracy of each class over its videos that decoded.

    Args:
        results: Results of distinct videos; read once.
        classes: Class names in the order of their numbers.

    Returns:
        One row per class: name, number of videos, and top-1 accuracy (None without videos).
    """
    videos, right = [0] * len(classes), [0] * len(classes)
    for result in results:
        if result.label >= 0 and result.decoded:
            videos[result.label] += 1
            right[result.label] += result.hit(1)
    return [
        {"class": name, "videos": count, "top1": _ratio(hits, count)}
        for name, count, hits in zip(classes, videos, right, strict=True)
    ]


def calibrated(results: Iterable[VideoResult]) -> dict[str, Any]:
    """Compute how far the probabilities of the videos can be believed that have one label and scores.

    Args:
        results: Results of distinct videos; read once.

    Returns:
        As of `videogn.evaluation.calibration.calibration`.
    """
    scored = [
        (result.top[0][1], result.hit(1), result.label_probability, result.brier)
        for result in results
        if result.label_probability is not None
    ]
    confidence, right, of_label, brier = np.array(scored, np.float64).reshape(-1, 4).T
    return calibration(confidence, right.astype(bool), of_label, brier)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
