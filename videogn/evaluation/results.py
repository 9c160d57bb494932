"""Per-video results, their summary, and the files they are written to."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from torch import Tensor

from videogn.evaluation.views import video_probabilities
from videogn.system.files import displayable, replacing, write_json

#: How many classes a prediction lists at most, and the k of top-k.
TOP_K = 5
#: Their versions are written beside every result.
_PACKAGES = ("videogn", "torch", "torchvision", "lightning", "pytorchvideo", "torchmetrics", "av", "decord", "numpy")


@dataclass(frozen=True)
class VideoResult:
    """What testing found out about one video.

    Attributes:
        position: where the video stands in its index.
        path: the file.
        label: the class number, or -1 where it is unknown.
        top: (class number, probability), best first, at most TOP_K of them.
        clip_hits: for each clip, whether its best class is the label.
        starts: frame number of each clip's first frame.
        short: whether the video is shorter than a clip's span, so that frames repeat.
        error: why the video failed, or None.
        decoded: whether it decoded. A video that did, but for which the network gave no numbers, has an error as well.
        clips: float32 (number of clips, K), probabilities of each clip, where they are kept.
    """

    position: int
    path: str
    label: int
    top: tuple[tuple[int, float], ...] = ()
    clip_hits: tuple[bool, ...] = ()
    starts: tuple[int, ...] = ()
    short: bool = False
    error: str | None = None
    decoded: bool = True
    clips: np.ndarray | None = field(default=None, compare=False, repr=False)

    def hit(self, k: int) -> bool:
        """Whether the label is among the best k classes; False for a failed video."""
        return any(number == self.label for number, _ in self.top[:k])


def score_video(
    position: int,
    path: str,
    label: int,
    clips: Tensor,
    *,
    starts: Sequence[int] = (),
    short: bool = False,
    keep_clips: bool = False,
) -> VideoResult:
    """Make a video's result from the probabilities of its clips.

    Args:
        position: where the video stands in its index.
        path: the file.
        label: the class number, or -1 where it is unknown.
        clips: (number of clips, K), probabilities.
        starts: frame number of each clip's first frame.
        short: whether frames repeat.
        keep_clips: keep the probabilities of the clips too.

    Returns:
        The result.
    """
    probabilities, classes = video_probabilities(clips).topk(min(TOP_K, clips.shape[1]))
    return VideoResult(
        position,
        path,
        label,
        top=tuple(zip(classes.tolist(), probabilities.tolist(), strict=True)),
        clip_hits=tuple((clips.argmax(dim=1) == label).tolist()),
        starts=tuple(starts),
        short=short,
        clips=clips.float().cpu().numpy() if keep_clips else None,
    )


def summarise(results: Iterable[VideoResult], *, expected: int, num_classes: int) -> dict[str, Any]:
    """Accuracies and counts of a test.

    Every accuracy is given twice: over all videos of the index, where a failed video counts as wrong, and over those
    that decoded, where one for which the network gave no finite numbers still counts as wrong. A test that loses videos
    would otherwise look better than one that does not.

    Args:
        results: one for each video, in any order; a video that appears twice (padding of a distributed sampler) counts
            once.
        expected: videos in the index.
        num_classes: K; top-5 is top-min(5, K).

    Returns:
        Accuracies in [0, 1], None where there is nothing to divide by.
    """
    videos = list({result.position: result for result in results}.values())
    labelled = [r for r in videos if r.label >= 0]
    decoded = [r for r in labelled if r.decoded]
    unlabelled = len(videos) - len(labelled)
    not_tested = expected - len(videos)
    k = min(TOP_K, num_classes)

    def accuracies(count: int) -> dict[str, Any]:
        return {
            "top1": _ratio(sum(r.hit(1) for r in decoded), count),
            "top5": _ratio(sum(r.hit(k) for r in decoded), count),
            "videos": count,
        }

    return {
        # Part of an index says nothing about all of it.
        "over_all": accuracies(0 if not_tested else expected - unlabelled),
        "over_decodable": accuracies(len(decoded)),
        "k_of_top5": k,
        "per_clip_top1": _ratio(sum(sum(r.clip_hits) for r in decoded), sum(len(r.clip_hits) for r in decoded)),
        "counts": {
            "expected": expected,
            "evaluated": sum(r.error is None for r in videos),
            "failed": sum(not r.decoded for r in videos),
            "without_scores": sum(r.decoded and r.error is not None for r in videos),
            "not_tested": not_tested,
            "unlabelled": unlabelled,
            "shorter_than_a_clip": sum(r.short for r in videos),
        },
        "failed": [{"path": displayable(r.path), "reason": r.error} for r in videos if r.error is not None],
    }


def per_class(results: Iterable[VideoResult], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Top-1 accuracy of each class over its decodable videos, with its support.

    Args:
        results: one for each video.
        classes: names, in the order of the class numbers.

    Returns:
        A row for each class: its name, how many videos it had, and top-1 (None without videos).
    """
    hits: list[list[bool]] = [[] for _ in classes]
    for result in {r.position: r for r in results}.values():
        if result.label >= 0 and result.decoded:
            hits[result.label].append(result.hit(1))
    return [
        {"class": name, "videos": len(own), "top1": _ratio(sum(own), len(own))}
        for name, own in zip(classes, hits, strict=True)
    ]


def package_versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that a result depends on; None for one that is not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def write_results(
    folder: str | Path, results: Iterable[VideoResult], *, classes: Sequence[str], expected: int, about: dict[str, Any]
) -> dict[str, Any]:
    """Write `results.json`, `predictions.csv` and `predictions.parquet` (the same table twice).

    Where the probabilities of the clips were kept, `clip_probabilities.parquet` has them.

    Args:
        folder: where to; made if it does not exist.
        results: one for each video.
        classes: names, in the order of the class numbers.
        expected: videos in the index.
        about: what else the result must carry: protocol, seed, index hash, checkpoint.

    Returns:
        What was written to results.json.
    """
    folder = Path(folder)
    videos = sorted({r.position: r for r in results}.values(), key=lambda r: r.position)
    table = predictions_table(videos, classes)
    summary = {
        **summarise(videos, expected=expected, num_classes=len(classes)),
        **about,
        "per_class": per_class(videos, classes),
        "versions": package_versions(),
    }
    clips_path = folder / "clip_probabilities.parquet"
    clips_path.unlink(missing_ok=True)  # of an earlier test, it would not be about these videos
    if any(r.clips is not None for r in videos):
        with replacing(clips_path) as clips_file:
            pyarrow.parquet.write_table(clips_table(videos), clips_file, compression="zstd")
    # All three are written before the first is renamed, and results.json, entered first, is renamed last.
    with (
        replacing(folder / "results.json") as json_file,
        replacing(folder / "predictions.csv") as csv_file,
        replacing(folder / "predictions.parquet") as parquet_file,
    ):
        pyarrow.csv.write_csv(table, csv_file)
        pyarrow.parquet.write_table(table, parquet_file)
        write_json(json_file, summary)
    return summary


def predictions_table(videos: Sequence[VideoResult], classes: Sequence[str]) -> pa.Table:
    """One row for each video: path, label, best classes with probabilities, clips used, error.

    Args:
        videos: in the order of the rows.
        classes: names, in the order of the class numbers.

    Returns:
        A table of flat columns, so that it can be CSV as well; what does not apply is null.
    """
    columns: dict[str, list[Any]] = {
        "path": [displayable(r.path) for r in videos],
        "label": [classes[r.label] if r.label >= 0 else None for r in videos],
    }
    for rank in range(min(TOP_K, len(classes))):
        columns[f"top{rank + 1}"] = [classes[r.top[rank][0]] if r.top else None for r in videos]
        columns[f"score{rank + 1}"] = [r.top[rank][1] if r.top else None for r in videos]
    columns["clips"] = [len(r.starts) for r in videos]
    columns["clip_starts"] = [" ".join(map(str, r.starts)) for r in videos]
    columns["error"] = [r.error for r in videos]
    text = {name for name in columns if not name.startswith(("score", "clips"))}
    types = {name: pa.string() if name in text else pa.float64() for name in columns} | {"clips": pa.int64()}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})


def clips_table(videos: Sequence[VideoResult]) -> pa.Table:
    """One row for each video: path, label (-1 unknown), number of clips, probabilities (clips x K, clip by clip).

    Args:
        videos: in the order of the rows; one without kept probabilities has null.

    Returns:
        The table; probabilities are float32.
    """
    return pa.table(
        {
            "path": pa.array([displayable(r.path) for r in videos], pa.string()),
            "label": pa.array([r.label for r in videos], pa.int64()),
            "clips": pa.array([0 if r.clips is None else len(r.clips) for r in videos], pa.int64()),
            "probabilities": pa.array(
                [None if r.clips is None else r.clips.ravel() for r in videos], pa.list_(pa.float32())
            ),
        }
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
