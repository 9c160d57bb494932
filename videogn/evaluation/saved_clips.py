"""The clip probabilities that a test saved, read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from videogn.evaluation.anytime import Course

#: Videos that are read together: of 400 classes and 30 clips, 12 MB.
_AT_ONCE = 256


def saved_course(path: str | Path, *, num_clips: int) -> Course:
    """Read how the classes of tested videos settle, a few videos at a time.

    Args:
        path: File clip_probabilities.parquet of `videogn test --model.save_clip_probabilities true`.
        num_clips: Number of clips of each video.

    Returns:
        The course of the videos that have probabilities: those that did not fail.

    Raises:
        ValueError: It is no such file, or a video has another number of clips.
    """
    courses = []
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_AT_ONCE, columns=["clips", "probabilities"]):
                courses += _courses(batch, num_clips)
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(f"{path} holds no clip probabilities of `videogn test`") from error
    except ValueError as error:
        raise ValueError(f"{path} does not fit: {error}") from error
    if not courses:
        return Course(np.zeros((0, num_clips)), np.zeros((0, num_clips), np.int64))
    return Course(np.concatenate([each.leads for each in courses]), np.concatenate([each.classes for each in courses]))


def _courses(batch: pa.RecordBatch, num_clips: int) -> list[Course]:
    kept = batch.filter(batch["probabilities"].is_valid())
    if len(kept) == 0:
        return []
    counts = set(kept["clips"].to_pylist())
    if counts != {num_clips}:
        raise ValueError(f"a video has {min(counts - {num_clips})} clips, and the test had {num_clips}")
    values = kept["probabilities"].flatten().to_numpy()
    return [Course.of(values.reshape(len(kept), num_clips, -1))]
