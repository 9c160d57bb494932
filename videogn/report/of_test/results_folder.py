"""What `videogn test` left in a folder, read again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from videogn.checks import existing_path
from videogn.evaluation.confusion import confusion_matrix

RESULTS_FILE = "results.json"
PREDICTIONS_FILE = "predictions.parquet"
CLIPS_FILE = "clip_probabilities.parquet"


@dataclass(frozen=True, eq=False)
class ResultsFolder:
    """The results of a test.

    Attributes:
        folder: Their folder.
        summary: Content of results.json.
        rows: Content of predictions.parquet, one row a video.
        root: Present folder of the data set, if it has moved since the test; else None.
    """

    folder: Path
    summary: Mapping[str, Any]
    rows: pa.Table
    root: str | None = None

    @property
    def clips_file(self) -> Path:
        """Where the probabilities of clips are, if they were saved."""
        return self.folder / CLIPS_FILE

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their numbers."""
        return tuple(row["class"] for row in self.summary["per_class"])

    @property
    def several_labels(self) -> bool:
        """Whether a video may show several classes."""
        return "map" in self.summary["over_all"]

    @cached_property
    def labels(self) -> np.ndarray:
        """Class number of each video, int64 (N,); -1 where it has none, or may have several."""
        return self._numbers("label")

    @cached_property
    def predicted(self) -> np.ndarray:
        """Number of the best class of each video, int64 (N,); -1 where it has no scores."""
        return self._numbers("top1")

    @cached_property
    def confidence(self) -> np.ndarray:
        """Probability of the best class, float64 (N,); NaN where it has no scores."""
        return np.asarray(self.rows["score1"].cast(pa.float64()).to_numpy())

    @cached_property
    def right(self) -> np.ndarray:
        """Whether the best class of each video is its label, bool (N,)."""
        return (self.labels >= 0) & (self.labels == self.predicted)

    @cached_property
    def confusion(self) -> np.ndarray:
        """Numbers of videos that have one label and scores, (K, K): true class, predicted class."""
        return confusion_matrix(self.labels, self.predicted, len(self.classes))

    @cached_property
    def former_root(self) -> str:
        """Folder of the data set when it was tested, as it stands at the beginning of the paths; "" if there is none.

        It is the root that was named. Where none was, or an index, it is the folder that all videos are below.
        """
        paths = [path for path in self.rows["path"].to_pylist() if path]
        named = os.path.normpath((self.summary.get("videos_from") or {}).get("root") or ".")
        if paths and named != ".":
            before, found, _ = f"/{paths[0].lstrip('/')}".partition(f"/{named.strip('/')}/")
            if found and (before == "" or not os.path.isabs(named)):
                return f"{before}/{named.strip('/')}" if paths[0].startswith("/") else named
        try:
            return os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
        except ValueError:  # absolute and relative ones
            return ""

    def below_root(self, path: str) -> str:
        """Return the part of a path of the test below the data set's root; the path itself if it is not below it."""
        return path.removeprefix(os.path.join(self.former_root, "")) if self.former_root else path

    def present(self, path: str) -> str:
        """Return where a file of the test is now."""
        below = self.below_root(path)
        return path if self.root is None or below == path else os.path.join(self.root, below)

    def _numbers(self, column: str) -> np.ndarray:
        places = pc.index_in(self.rows[column], value_set=pa.array(self.classes, pa.string()))
        return np.asarray(pc.fill_null(places, -1).cast(pa.int64()).to_numpy())


def read_results(folder: str | Path, *, root: str | None = None) -> ResultsFolder:
    """Read the results of a test.

    Args:
        folder: Folder that `videogn test` wrote, or its results.json.
        root: Present folder of the data set, if it has moved. Default: where it was.

    Returns:
        The results.

    Raises:
        FileNotFoundError: The folder does not exist, or a file is missing from it.
        ValueError: A file is damaged, or the two are not of one test.
    """
    path = existing_path(folder)
    path = path if path.is_dir() else path.parent
    for name in (RESULTS_FILE, PREDICTIONS_FILE):
        if not (path / name).is_file():
            raise FileNotFoundError(f"no {name} in {path}: name a folder that `videogn test` wrote")
    try:
        summary = json.loads((path / RESULTS_FILE).read_text(encoding="utf-8"))
        counts, _ = summary["counts"], summary["per_class"]
        rows = pq.read_table(path / PREDICTIONS_FILE, partitioning=None)
        tested = counts["expected"] - counts["not_tested"]
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ValueError(f"the results in {path} cannot be read: they are no test's, or damaged ({error})") from error
    if len(rows) != tested:
        raise ValueError(f"{path}: {PREDICTIONS_FILE} has {len(rows)} videos and {RESULTS_FILE} {tested}: of two tests")
    return ResultsFolder(path, summary, rows, None if root is None else str(existing_path(root)))
