"""Saved probabilities of every clip -> the videos that are right with one clip, two, ... all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from videogn.evaluation.calibration import brier_score, calibration
from videogn.study.cell_files import CellResult

#: Videos read at once: a thousand times 10 clips and 400 classes are 16 MB.
_ROWS = 1024


@dataclass(frozen=True, eq=False)
class ClipHits:
    """Videos that a network has right.

    Attributes:
        videos: Hash of paths and labels: only results of the same videos can be paired.
        hits: Whether video i is right with the clips of `spread_clips(V, n)`, at [i, n - 1], bool (N, V); a
            failed video is wrong. Videos without a label are left out.
    """

    videos: str
    hits: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """Whether each video is right with all clips, bool (N,)."""
        videos, clips = self.hits.shape
        return self.hits[:, -1] if clips else np.zeros(videos, dtype=bool)


class ClipFiles:
    """The clip files of a study, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, ClipHits | None] = {}

    def hits(self, result: CellResult) -> ClipHits | None:
        """Read the hits of a cell; None where it has no clip file (or no video with a label)."""
        path = result.clips_file
        if path not in self._read:
            found = read_hits(path, len(result.test["per_class"])) if path.is_file() else None
            self._read[path] = None if found is None or not len(found.hits) else found
        return self._read[path]


def spread_clips(num_clips: int, taken: int) -> list[int]:
    """Choose n of V clips, spread evenly: floor(j V / n), j = 0 .. n-1.

    With the `nonlocal` protocol (starts floor(N j / V)) they are the clips of an n-clip test where n divides V.

        V = 10, n = 5    # . # . # . # . # .
        V = 10, n = 3    # . . # . . # . . .
    """
    return [j * num_clips // taken for j in range(taken)]


def clip_hits(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tell whether the mean over n clips is largest at the label, for n = 1 .. V.

    Args:
        probabilities: Probabilities (N, V, K).
        labels: Labels (N,).

    Returns:
        Hits, bool (N, V); [:, n - 1] is for n clips.
    """
    num_clips = probabilities.shape[1]
    hits = np.empty(probabilities.shape[:2], dtype=bool)
    for taken in range(1, num_clips + 1):
        mean = probabilities[:, spread_clips(num_clips, taken)].mean(axis=1, dtype=np.float64)  # (N, K)
        hits[:, taken - 1] = mean.argmax(axis=1) == labels
    return hits


def read_hits(path: str | Path, num_classes: int) -> ClipHits:
    """Read a clip file of `videogn test`.

    Args:
        path: Parquet with path, label, clips and probabilities (clips x K, clip by clip; null for a failed video).
        num_classes: Number of classes, K.

    Returns:
        The hits.

    Raises:
        ValueError: A row has not V x K probabilities.
    """
    digest = hashlib.sha256()
    numbers = pyarrow.parquet.read_table(path, columns=["clips"])["clips"].to_numpy()
    num_clips = int(numbers.max()) if len(numbers) else 0
    parts = [np.zeros((0, num_clips), dtype=bool)]
    for paths, labels, valid, flat in _batches(path):
        if len(flat) != valid.sum() * num_clips * num_classes:
            raise ValueError(f"{path} must have {num_clips} x {num_classes} probabilities a video, which it has not")
        hits = np.zeros((len(labels), num_clips), dtype=bool)
        hits[valid] = clip_hits(flat.reshape(valid.sum(), num_clips, num_classes), labels[valid])
        parts.append(hits[labels >= 0])
        for name, label in zip(paths, labels, strict=True):
            digest.update(f"{name}\0{label}\0".encode())
    return ClipHits(digest.hexdigest(), np.concatenate(parts))


def read_calibration(path: str | Path, num_classes: int) -> dict[str, Any]:
    """Compute from a clip file what results.json of earlier versions does not say.

    Args:
        path: As for `read_hits`; the clips of a video are averaged.
        num_classes: Number of classes, K.

    Returns:
        As of `videogn.evaluation.calibration.calibration`, over the videos with a label and probabilities.

    Raises:
        ValueError: A row has not V x K probabilities.
    """
    columns = [np.zeros((0, 4))]
    for _, labels, valid, flat in _batches(path):
        if valid.any():
            mean = flat.reshape(valid.sum(), -1, num_classes).mean(axis=1, dtype=np.float64)
            of, mean = labels[valid], mean[labels[valid] >= 0]
            of = of[of >= 0]
            right = mean.argmax(axis=1) == of
            columns.append(np.stack([mean.max(axis=1), right, mean[np.arange(len(of)), of], brier_score(mean, of)], 1))
    confidence, right, of_label, brier = np.concatenate(columns).T
    return calibration(confidence, right.astype(bool), of_label, brier)


def _batches(path: str | Path) -> Iterator[tuple[list[str], np.ndarray, np.ndarray, np.ndarray]]:
    """(paths, labels, whether each has probabilities, all probabilities in one row), some videos at a time."""
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS, columns=["path", "label", "probabilities"]):
            lists = batch.column("probabilities")
            valid = lists.is_valid().to_numpy(zero_copy_only=False)
            flat = lists.flatten().to_numpy(zero_copy_only=False)
            yield batch.column("path").to_pylist(), batch.column("label").to_numpy(), valid, flat
