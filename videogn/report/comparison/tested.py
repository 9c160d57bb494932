"""What a test of `videogn test` left in its folder, read again to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from videogn.checks import existing_path

RESULTS = "results.json"
PREDICTIONS = "predictions.parquet"
CLIPS = "clip_probabilities.parquet"
#: Videos whose probabilities are read at once: a thousand times 10 clips and 400 classes are 16 MB.
_ROWS = 1024


@dataclass(frozen=True)
class Tested:
    """The results of one test, a row a video.

    Attributes:
        folder: Folder of the files.
        summary: Content of results.json.
        classes: Class names in the order of their numbers.
        paths: Paths as they were tested.
        labels: Names of each video's classes: one, or several where a video may show several; none if unknown.
        top: Numbers of the best classes, best first, (N, k); -1 where there are no scores.
        confidence: Probability of the best class, (N,); NaN where there are no scores.
        starts: Frame index of the first frame of each clip, of each video.
        errors: Reason why there are no scores, or None.
    """

    folder: Path
    summary: dict[str, Any]
    classes: tuple[str, ...]
    paths: Sequence[str]
    labels: Sequence[tuple[str, ...]]
    top: np.ndarray
    confidence: np.ndarray
    starts: Sequence[tuple[int, ...]]
    errors: Sequence[str | None]
    several_labels: bool = field(default=False)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Class name -> number."""
        return {name: number for number, name in enumerate(self.classes)}

    @property
    def k(self) -> int:
        """The k of top-k accuracy: 5, or fewer classes."""
        return int(self.summary.get("k_of_top5", min(5, len(self.classes))))

    def scores(self) -> np.ndarray | None:
        """Read the probabilities of every video, the mean over its clips.

        Returns:
            Float32 (N, K), NaN for a video without; None if the test kept none.

        Raises:
            ValueError: The file is not about these videos.
        """
        path = self.folder / CLIPS
        if not path.is_file():
            return None
        scores = np.full((len(self.paths), len(self.classes)), np.nan, np.float32)
        first = 0
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=["path", "clips", "probabilities"]):
                rows = slice(first, first + len(batch))
                if batch["path"].to_pylist() != list(self.paths[rows]):
                    raise ValueError(f"{path} is not about the videos of {PREDICTIONS}: it belongs to another test")
                scores[rows] = _means(batch, len(self.classes))
                first += len(batch)
        return scores


def read_tested(source: str | Path) -> Tested:
    """Read the results of a test.

    Args:
        source: Folder of the results, or its results.json.

    Returns:
        The results.

    Raises:
        FileNotFoundError: There is no such folder, or a file is missing in it.
        ValueError: They are not results of `videogn test`.
    """
    folder = existing_path(source)
    folder = folder if folder.is_dir() else folder.parent
    for name in (RESULTS, PREDICTIONS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} has no {name}: name a folder of results of `videogn test` (--model.results_dir), which has "
                f"{RESULTS} and {PREDICTIONS}, or the folder of a study"
            )
    try:
        summary = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        classes = tuple(row["class"] for row in summary["per_class"])
        several = "map" in summary["over_all"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / RESULTS} is not a {RESULTS} of `videogn test`") from error
    try:
        table = pyarrow.parquet.read_table(folder / PREDICTIONS)
        return _tested(folder, summary, classes, table, several)
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(f"{folder / PREDICTIONS} does not fit {RESULTS} beside it: {error}") from error


def _tested(folder: Path, summary: dict[str, Any], classes: tuple[str, ...], table: pa.Table, several: bool) -> Tested:
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(classes)}
    numbers[None] = -1
    ranks = [name for name in table.column_names if name.startswith("top")]
    columns = [[numbers[name] for name in table[rank].to_pylist()] for rank in ranks]
    labels = table["label"].to_pylist()
    return Tested(
        folder=folder,
        summary=summary,
        classes=classes,
        paths=table["path"].to_pylist(),
        labels=[_labels(text, numbers, several) for text in labels],
        top=np.array(columns, np.int64).reshape(len(ranks), -1).T,
        confidence=np.array(table["score1"].to_pylist(), np.float64),
        starts=[tuple(map(int, text.split())) for text in table["clip_starts"].to_pylist()],
        errors=table["error"].to_pylist(),
        several_labels=several,
    )


def _labels(text: str | None, classes: Iterable[str | None], several: bool) -> tuple[str, ...]:
    """The names of a row's classes; several are joined by ";", which a name may have in it as well."""
    if not text:
        return ()
    if not several:
        return (text,)
    parts, names, begun = text.split(";"), [], ""
    known = set(classes)
    for part in parts:
        begun = f"{begun};{part}" if begun else part
        if begun in known:
            names.append(begun)
            begun = ""
    if begun:
        raise KeyError(f"no classes are named {text!r}")
    return tuple(names)


def _means(batch: pa.RecordBatch, num_classes: int) -> np.ndarray:
    """Mean over clips of each row, NaN without probabilities."""
    means = np.full((len(batch), num_classes), np.nan, np.float32)
    valid = batch["probabilities"].is_valid().to_numpy(zero_copy_only=False)
    clips = batch["clips"].to_numpy()[valid]
    flat = batch["probabilities"].flatten().to_numpy(zero_copy_only=False).reshape(-1, num_classes)  # (clips of all, K)
    if len(flat):
        first = np.cumsum(clips) - clips
        means[valid] = np.add.reduceat(flat, first, axis=0, dtype=np.float64) / clips[:, None]
    return means
