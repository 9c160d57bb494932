"""One row a cell, over several studies: for spreadsheets and programs, with columns that keep their names."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from videogn.report.document_blocks import Table
from videogn.report.layout import accuracy
from videogn.report.markdown import markdown_table
from videogn.study.cell import Cell
from videogn.study.cell_files import CellResult, check_complete
from videogn.study.study_files import Study
from videogn.study.transfers import read_transfers
from videogn.system.spreadsheet_text import csv_writer, for_spreadsheet

#: Columns in their order; docs/study.md says what each holds. New ones come last, and none is renamed.
COLUMNS = (
    "study", "cell", "state", "norm", "clip_length", "interval", "batch_size", "seed", "top1", "top5", "videos",
    "folder", "title", "budget", "clips_per_step", "accumulate", "devices", "scaling", "schedule", "memory_mode",
    "init", "norm_options", "arch", "classes", "test_num_clips", "test_crops", "per_clip_top1", "failed_videos",
    "other_clips_top1", "training_seconds", "testing_seconds", "steps", "clips", "planned_peak_bytes",
    "peak_device_bytes", "peak_process_bytes", "index_sha256",
)  # fmt: skip
#: Columns of the Markdown table, which people read.
SHORT = COLUMNS[:11]


def leaderboard_rows(studies: Iterable[Study]) -> list[dict[str, Any]]:
    """Make the rows.

    Args:
        studies: Studies, finished or not.

    Returns:
        A row for each cell, study by study in the order of the grids: column -> value, None where it is not known.
        Accuracies are per cent.
    """
    return [
        {**dict.fromkeys(COLUMNS), **dict(_cell(study, cell)), **(_result(result) if result is not None else {})}
        for study in studies
        for cell in study.cells
        for result in [study.results.get(cell)]
    ]


def leaderboard_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as CSV with every column; an unknown value is empty."""
    text = io.StringIO()
    writer = csv_writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_csv_cell(row[name]) for name in COLUMNS] for row in rows)
    return text.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)  # 97 of 160 videos are 60.625 %, and 60.62499999999999 in float64
    return for_spreadsheet(value) if isinstance(value, str) else value


def leaderboard_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as a Markdown table of the columns in `SHORT`."""
    cells = [[_short(row[column]) for column in SHORT] for row in rows]
    return markdown_table(Table(SHORT, cells, "", text_columns=SHORT.index("clip_length")))


#: Format -> function from rows to text.
LEADERBOARD_FORMATS: dict[str, Callable[[Sequence[Mapping[str, Any]]], str]] = {
    "csv": leaderboard_csv,
    "md": leaderboard_markdown,
}


def _cell(study: Study, cell: Cell) -> Iterator[tuple[str, Any]]:
    """What is known of a cell before it runs."""
    own = ("clip_length", "interval", "batch_size", "seed", "clips_per_step", "accumulate", "devices")
    yield from ((name, getattr(cell, name)) for name in (*own, "scaling", "schedule", "memory_mode", "init"))
    yield "study", study.folder.resolve().name
    yield "title", study.title
    yield "folder", str(study.folder)
    yield "cell", cell.name
    yield "state", study.unfinished.get(cell, ("finished", None))[0]
    yield "norm", cell.norm.name
    yield "norm_options", json.dumps(dict(cell.norm.options)) if cell.norm.options else None
    yield "budget", cell.budget.label


def _result(result: CellResult) -> dict[str, Any]:
    check_complete([result])
    return _facts(result)


def _facts(result: CellResult) -> dict[str, Any]:
    test, protocol, counts = result.test, result.test["protocol"], result.test["counts"]
    others = {clip.name: one.test["over_all"]["top1"] for clip, one in read_transfers(result.folder).items()}
    return {
        "top1": accuracy(result),
        "top5": accuracy(result, "top5"),
        "videos": test["over_all"]["videos"],
        "arch": (test.get("model") or {}).get("arch"),
        "classes": len(test["per_class"]),
        "test_num_clips": protocol["clips"],
        "test_crops": protocol.get("crops"),
        "per_clip_top1": None if test["per_clip_top1"] is None else 100 * test["per_clip_top1"],
        "failed_videos": counts["failed"],
        "other_clips_top1": " ".join(f"{clip}={100 * top1:.2f}" for clip, top1 in others.items() if top1 is not None)
        or None,
        "planned_peak_bytes": result.planned.get("peak_bytes"),
        "index_sha256": test.get("index_sha256"),
        **{name: result.cost.get(name) for name in _COST},
    }


_COST = ("training_seconds", "testing_seconds", "steps", "clips", "peak_device_bytes", "peak_process_bytes")


def _short(value: Any) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
