"""The results of a test, read again from the folder that it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from videogn.checks import existing_path
from videogn.evaluation.result_files import CLIPS, CSV, PREDICTIONS, RESULTS

#: Videos whose clip probabilities are read together.
_AT_ONCE = 256


@dataclass(frozen=True)
class RecordedVideo:
    """A row of predictions.parquet.

    Attributes:
        path: Path of the file, as it was when the test ran.
        label: Class name; several joined by ";"; None if unknown.
        top: Pairs of class name and probability, best first.
        clips: Number of clips.
        starts: Frame indices of the first frames of the clips, in text.
        frames: Checksum of the frames; None if none were decoded, or if the test was before these were written.
        error: Reason why there are no scores, or None.
    """

    path: str
    label: str | None
    top: tuple[tuple[str, float], ...]
    clips: int
    starts: str
    frames: str | None
    error: str | None


@dataclass(frozen=True)
class RecordedTest:
    """What a test has written.

    Attributes:
        folder: Its folder.
        about: Content of results.json.
        videos: Rows of predictions.parquet, in order.
        has_checksums: Whether the rows have checksums of the frames.
    """

    folder: Path
    about: dict[str, Any]
    videos: list[RecordedVideo]
    has_checksums: bool

    @property
    def classes(self) -> list[str]:
        """Class names in the order of their numbers."""
        return [row["class"] for row in self.about["per_class"]]

    @property
    def has_clips(self) -> bool:
        """Whether the probabilities of every clip were saved."""
        return (self.folder / CLIPS).is_file()

    def clip_rows(self) -> Iterator[tuple[str, int, NDArray[np.float32] | None]]:
        """Read path, label (-1 if it has not one) and probabilities (clips, K) of each video, if they were saved."""
        with pyarrow.parquet.ParquetFile(self.folder / CLIPS) as file:
            for batch in file.iter_batches(_AT_ONCE):
                for row in range(len(batch)):
                    path, label, clips, values = (batch[name][row] for name in batch.schema.names)
                    found = values.values.to_numpy().reshape(clips.as_py(), -1) if values.is_valid else None
                    yield path.as_py(), label.as_py(), found

    def text_agrees(self) -> bool:
        """Whether predictions.csv says what predictions.parquet says."""
        parquet = pyarrow.parquet.read_table(self.folder / PREDICTIONS)
        types = {"column_types": parquet.schema, "strings_can_be_null": True, "quoted_strings_can_be_null": False}
        try:
            text = pyarrow.csv.read_csv(
                self.folder / CSV,
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(**types),
            )
        except pa.ArrowInvalid:
            return False
        return text.equals(parquet)


def read_recorded(folder: str | Path) -> RecordedTest:
    """Read the results of a test.

    Args:
        folder: Folder of results.json and predictions.parquet.

    Raises:
        FileNotFoundError: One of them is missing.
        ValueError: It is not what `videogn test` writes.
    """
    folder = existing_path(folder)
    for name in (RESULTS, PREDICTIONS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing: name the folder of a `videogn test`")
    try:
        about = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        for key in ("over_all", "over_decodable", "counts", "per_class", "protocol", "model", "index_sha256"):
            about[key]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / RESULTS} is not that of a `videogn test`: {error}") from error
    try:
        table = pyarrow.parquet.read_table(folder / PREDICTIONS)
        videos = list(map(_video, table.to_pylist()))
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(f"{folder / PREDICTIONS} is not that of a `videogn test`: {error}") from error
    return RecordedTest(folder, about, videos, "frames_checksum" in table.column_names)


def _video(row: dict[str, Any]) -> RecordedVideo:
    ranks = range(1, sum(name.startswith("score") for name in row) + 1)
    top = tuple((row[f"top{rank}"], row[f"score{rank}"]) for rank in ranks if row[f"top{rank}"] is not None)
    texts = (row["label"], top, row["clips"], row["clip_starts"], row.get("frames_checksum"), row["error"])
    return RecordedVideo(row["path"], *texts)
