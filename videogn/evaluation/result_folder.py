"""Names of the files of a test, and how they are read. Nothing here needs torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from videogn.checks import existing_path

RESULTS, CSV, PREDICTIONS, CLIPS = FILES = (
    "results.json",
    "predictions.csv",
    "predictions.parquet",
    "clip_probabilities.parquet",
)
#: The page that is made of them.
PAGES = ("report.md", "report.html")
_OVER = ("over_all", "over_decodable")
#: Columns of the predictions that every test has.
_COLUMNS = ["path", "label", "top1", "score1", "clips", "clip_starts", "error"]


def read_files(folder: str | Path) -> tuple[Path, dict[str, Any], pa.Table]:
    """Read the two files that every test writes.

    Args:
        folder: Folder that `videogn test` wrote, or a file in it.

    Returns:
        The folder; content of results.json; and of predictions.parquet, one row a video.

    Raises:
        FileNotFoundError: The folder does not exist, or a file is missing from it.
        ValueError: A file is damaged.
    """
    path = existing_path(folder)
    path = path if path.is_dir() else path.parent
    for name in (RESULTS, PREDICTIONS):
        if not (path / name).is_file():
            raise FileNotFoundError(f"no {name} in {path}: name a folder that `videogn test` wrote")
    try:
        about = json.loads((path / RESULTS).read_text(encoding="utf-8"))
        counts, classes = about["counts"], about["per_class"]
        sum([counts["expected"], counts["not_tested"], *(about[name]["videos"] for name in _OVER)])
        "".join(row["class"] for row in classes)
        table = pyarrow.parquet.read_table(path / PREDICTIONS, partitioning=None)
        if lacking := [name for name in _COLUMNS if name not in table.column_names]:
            raise KeyError(f"{PREDICTIONS}: {lacking[0]}")
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"the results in {path} are no test's, or damaged ({reason})") from error
    return path, about, table
