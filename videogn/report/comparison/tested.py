"""The results of a test, made ready to be compared with others video by video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from videogn.report.of_test.results_folder import PREDICTIONS_FILE, ResultsFolder, read_results

#: Videos whose probabilities are read at once: a thousand times 10 clips and 400 classes are 16 MB.
_ROWS = 1024


@dataclass(frozen=True)
class Tested:
    """The results of one test, a row a video.

    Attributes:
        results: Its files.
        paths: Paths as they were tested.
        labels: Names of each video's classes: one, or several where a video may show several; none if unknown.
        top: Numbers of the best classes, best first, (N, k); -1 where there are no scores.
        starts: Frame index of the first frame of each clip, of each video.
        errors: Reason why there are no scores, or None.
    """

    results: ResultsFolder
    paths: Sequence[str]
    labels: Sequence[tuple[str, ...]]
    top: np.ndarray
    starts: Sequence[tuple[int, ...]]
    errors: Sequence[str | None]

    @property
    def folder(self) -> Path:
        """Folder of the files."""
        return self.results.folder

    @property
    def summary(self) -> Any:
        """Content of results.json."""
        return self.results.summary

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their numbers."""
        return self.results.classes

    @property
    def confidence(self) -> np.ndarray:
        """Probability of the best class, (N,); NaN where there are no scores."""
        return self.results.confidence

    @property
    def several_labels(self) -> bool:
        """Whether a video may show several classes."""
        return self.results.several_labels

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
        path = self.results.clips_file
        if not path.is_file():
            return None
        scores = np.full((len(self.paths), len(self.classes)), np.nan, np.float32)
        first = 0
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=["path", "clips", "probabilities"]):
                rows = slice(first, first + len(batch))
                if batch["path"].to_pylist() != list(self.paths[rows]):
                    raise ValueError(f"{path} is not about the videos of {PREDICTIONS_FILE}: it is another test's")
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
        ValueError: They are not results of `videogn test`, or name a class that they do not list.
    """
    results = read_results(source)
    table = results.rows
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(results.classes)}
    numbers[None] = -1
    ranks = [name for name in table.column_names if name.startswith("top")]
    try:
        columns = [[numbers[name] for name in table[rank].to_pylist()] for rank in ranks]
        labels = [_labels(text, numbers, results.several_labels) for text in table["label"].to_pylist()]
    except KeyError as error:
        raise ValueError(
            f"{results.folder / PREDICTIONS_FILE} names the class {error}, which results.json does not list: the two "
            "are of different tests"
        ) from error
    return Tested(
        results=results,
        paths=table["path"].to_pylist(),
        labels=labels,
        top=np.array(columns, np.int64).reshape(len(ranks), -1).T,
        starts=[tuple(map(int, text.split())) for text in table["clip_starts"].to_pylist()],
        errors=table["error"].to_pylist(),
    )


def _labels(text: str | None, classes: Iterable[str | None], several: bool) -> tuple[str, ...]:
    """The names of a row's classes; several are joined by ";", which a name may have in it as well."""
    if not text:
        return ()
    if not several:
        return (text,)  # whether it is a class is seen where classes are compared
    parts, names, begun = text.split(";"), [], ""
    known = set(classes)
    for part in parts:
        begun = f"{begun};{part}" if begun else part
        if begun in known:
            names.append(begun)
            begun = ""
    if begun:
        raise KeyError(text)
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
