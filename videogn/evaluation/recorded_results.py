"""The results of a test, read again from the folder that it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from videogn.evaluation.result_files import with_text
from videogn.evaluation.result_folder import CLIPS, CSV, PREDICTIONS, RESULTS, read_files
from videogn.system.spreadsheet_text import text_of

#: Probabilities of a video's clips, (clips, K).
Clips = NDArray[np.float32]
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
        has_clips: Whether the probabilities of every clip were saved.
    """

    folder: Path
    about: dict[str, Any]
    videos: list[RecordedVideo]
    has_checksums: bool
    has_clips: bool

    @property
    def classes(self) -> list[str]:
        """Class names in the order of their numbers."""
        return [row["class"] for row in self.about["per_class"]]

    def clips(self) -> Iterator[Clips | None]:
        """Read the probabilities of each video's clips, in the order of the rows; None for one that failed."""
        with pyarrow.parquet.ParquetFile(self.folder / CLIPS) as file:
            for batch in file.iter_batches(_AT_ONCE, columns=["clips", "probabilities"]):
                for count, values in zip(batch["clips"], batch["probabilities"], strict=True):
                    yield values.values.to_numpy().reshape(count.as_py(), -1) if values.is_valid else None

    def clips_agree(self) -> bool:
        """Whether clip_probabilities.parquet has the videos and labels of predictions.parquet, in its order."""
        found = pyarrow.parquet.read_table(self.folder / CLIPS, columns=["path", "label"]).to_pylist()
        if [row["path"] for row in found] != [video.path for video in self.videos]:
            return False
        classes = dict(enumerate(self.classes))
        pairs = zip(found, self.videos, strict=True)
        return all(row["label"] < 0 or classes.get(row["label"]) == video.label for row, video in pairs)

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
        # Earlier tests have no apostrophes before what a spreadsheet would take for a formula.
        return text.equals(parquet) or with_text(text, text_of).equals(parquet)


def read_recorded(folder: str | Path) -> RecordedTest:
    """Read the results of a test.

    Args:
        folder: Folder of results.json and predictions.parquet.

    Raises:
        FileNotFoundError: One of them is missing.
        ValueError: It is not what `videogn test` writes.
    """
    path, about, table = read_files(folder)
    lacking = [key for key in ("protocol", "model", "index_sha256") if key not in about]
    lacking += [f"protocol.{key}" for key in ("clips", "starts", "crops") if key not in about.get("protocol", ())]
    if lacking:
        raise ValueError(f"{path / RESULTS} does not say how it was tested: it has no {lacking[0]}")
    videos = list(map(_video, table.to_pylist()))
    return RecordedTest(
        path, about, videos, "frames_checksum" in table.column_names, has_clips=(path / CLIPS).is_file()
    )


def _video(row: dict[str, Any]) -> RecordedVideo:
    ranks = range(1, sum(name.startswith("score") for name in row) + 1)
    top = tuple((row[f"top{rank}"], row[f"score{rank}"]) for rank in ranks if row[f"top{rank}"] is not None)
    texts = (row["label"], top, row["clips"], row["clip_starts"], row.get("frames_checksum"), row["error"])
    return RecordedVideo(row["path"], *texts)
