"""Names of the files of a test, and how they are read. Nothing here needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from videogn.checks import existing_path, read_json

RESULTS, CSV, PREDICTIONS, CLIPS = FILES = (
    "results.json",
    "predictions.csv",
    "predictions.parquet",
    "clip_probabilities.parquet",
)
#: The page that is made of them.
PAGES = ("report.md", "report.html")
_NEEDED = ("counts.expected", "counts.not_tested", "over_all.videos", "over_decodable.videos", "per_class")
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
    from videogn.evaluation.stated_results import SUMMARY  # no test needs them
    from videogn.stated_shapes import check_present, check_shape

    path = existing_path(folder)
    path = path if path.is_dir() else path.parent
    for name in (RESULTS, PREDICTIONS):
        if not (path / name).is_file():
            raise FileNotFoundError(f"no {name} in {path}: name a folder that `videogn test` wrote")
    try:
        about = read_json((path / RESULTS).read_bytes(), path / RESULTS)
        check_shape(about, SUMMARY)
        check_present(about, _NEEDED)
        "".join(row["class"] for row in about["per_class"])
        table = pyarrow.parquet.read_table(path / PREDICTIONS, partitioning=None)
        if lacking := [name for name in _COLUMNS if name not in table.column_names]:
            raise KeyError(f"{PREDICTIONS}: {lacking[0]}")
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"the results in {path} are no test's, or damaged ({reason})") from error
    return path, about, table
