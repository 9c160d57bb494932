"""The files that a test writes: `results.json`, `predictions.csv` and `.parquet`, `clip_probabilities.parquet`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from videogn.choices import TOP_K
from videogn.evaluation.collection import ResultCollection
from videogn.evaluation.joined_labels import join_labels
from videogn.evaluation.result_folder import FILES, PAGES
from videogn.evaluation.results import VideoResult, calibrated, per_class, summarise
from videogn.system.displayable import displayable
from videogn.system.files import remove_unfinished, replacing, write_json
from videogn.system.spreadsheet_text import for_spreadsheet
from videogn.system.versions import package_versions


def write_results(
    folder: str | Path,
    results: ResultCollection,
    *,
    classes: Sequence[str],
    expected: int,
    about: dict[str, Any],
    several_labels: bool = False,
) -> dict[str, Any]:
    """Write `results.json` and one table twice, as `predictions.csv` and `predictions.parquet`.

    In the CSV a name that a spreadsheet would take for a formula begins with an apostrophe.

    `clip_probabilities.parquet` is written if the probabilities of clips were kept, and removed otherwise: that of an
    earlier test would not belong to these results. So are the page of an earlier test, and unfinished files of a killed
    one. A few results are in memory at a time.

    Args:
        folder: Output folder; made if it does not exist.
        results: Results of the test.
        classes: Class names in the order of their numbers.
        expected: Number of videos in the index.
        about: Further entries of results.json: protocol, seed, hash of the index, checkpoint.
        several_labels: Whether a video may show several classes. Default: False.

    Returns:
        Content of results.json.
    """
    folder = Path(folder)
    summary = summarise(results, expected=expected, num_classes=len(classes))
    if several_labels:
        from videogn.evaluation.several_labels import with_precisions  # few tests need it

        summary, of_classes = with_precisions(summary, results, classes)
    else:
        of_classes = per_class(results, classes)
        summary["calibration"] = calibrated(results)
    summary = {**summary, **about, "per_class": of_classes, "versions": package_versions()}
    remove_unfinished(folder, FILES)
    json_path, csv_path, predictions_path, clips_path = (folder / name for name in FILES)
    predictions_schema, clips_schema = predictions_table([], classes).schema, clips_table([]).schema
    # All files are written before the first is renamed, and results.json, entered first, is renamed last.
    with ExitStack() as files:
        json_file = files.enter_context(replacing(json_path))
        csv_file = files.enter_context(replacing(csv_path))
        parquet_file = files.enter_context(replacing(predictions_path))
        with (
            pyarrow.csv.CSVWriter(csv_file, predictions_schema) as text,
            pyarrow.parquet.ParquetWriter(parquet_file, predictions_schema) as predictions,
        ):
            for block in results.blocks():
                table = predictions_table(block, classes)
                text.write_table(with_text(table, for_spreadsheet))
                predictions.write_table(table)
        kept = any(result.clips is not None for result in results)
        if kept:
            clips_file = files.enter_context(replacing(clips_path))
            with pyarrow.parquet.ParquetWriter(clips_file, clips_schema, compression="zstd") as clips:
                for block in results.blocks():
                    clips.write_table(clips_table(block))
        write_json(json_file, summary)
        if not kept:
            clips_path.unlink(missing_ok=True)
        for name in PAGES:
            (folder / name).unlink(missing_ok=True)
    return summary


def predictions_table(results: Sequence[VideoResult], classes: Sequence[str]) -> pa.Table:
    """Make a table with one row per video: path, label, best classes with probabilities, clips, frames, error.

    Several labels are joined by ";".

    Args:
        results: Results in the order of the rows.
        classes: Class names in the order of their numbers.

    Returns:
        Table of flat columns, so that it can be CSV as well; what does not apply is null.
    """
    columns: dict[str, tuple[pa.DataType, list[Any]]] = {
        "path": (pa.string(), [displayable(r.path) for r in results]),
        "label": (pa.string(), [_named(r, classes) for r in results]),
    }
    for rank in range(min(TOP_K, len(classes))):
        columns[f"top{rank + 1}"] = (pa.string(), [classes[r.top[rank][0]] if r.top else None for r in results])
        columns[f"score{rank + 1}"] = (pa.float64(), [r.top[rank][1] if r.top else None for r in results])
    columns["clips"] = (pa.int64(), [len(r.starts) for r in results])
    columns["clip_starts"] = (pa.string(), [" ".join(map(str, r.starts)) for r in results])
    columns["frames_checksum"] = (pa.string(), [r.frames for r in results])
    columns["error"] = (pa.string(), [r.error for r in results])
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


def with_text(table: pa.Table, change: Callable[[str], str]) -> pa.Table:
    """Change every text of a table."""
    for number, field in enumerate(table.schema):
        if field.type == pa.string():
            texts = [None if text is None else change(text) for text in table.column(number).to_pylist()]
            table = table.set_column(number, field, pa.array(texts, field.type))
    return table


def _named(result: VideoResult, classes: Sequence[str]) -> str | None:
    if result.labels is not None:
        return join_labels(classes[number] for number in result.labels)
    return classes[result.label] if result.label >= 0 else None


def clips_table(results: Sequence[VideoResult]) -> pa.Table:
    """Make a table with one row per video: path, label (-1 if unknown), number of clips, probabilities.

    Args:
        results: Results in the order of the rows.

    Returns:
        Table; the probabilities are float32, clips x K numbers clip by clip, null where they were not kept.
    """
    kept = [r.clips for r in results]
    columns = {
        "path": pa.array([displayable(r.path) for r in results], pa.string()),
        "label": pa.array([r.label for r in results], pa.int64()),
        "clips": pa.array([0 if clips is None else len(clips) for clips in kept], pa.int64()),
        "probabilities": pa.array([None if clips is None else clips.ravel() for clips in kept], pa.list_(pa.float32())),
    }
    return pa.table(columns)
