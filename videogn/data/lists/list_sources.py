"""Which sources are lists, and the official lists in the folder of a data set: by names, before any is read."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from videogn.data.shards import is_shards
from videogn.data.video_files import is_video_name

#: Name of one of HMDB51's many files; `hmdb51.py` says what is in them.
HMDB51_NAME = re.compile(r"(?P<name>.+)_test_split(?P<split>[123])\.txt")
#: Its first line; other lists of such a name have paths and labels.
_HMDB51_LINE = re.compile(r"[^/\n]+[ \t][012]\s*(\n|$)")
#: The files of the first of the three splits.
_FIRST = "*_test_split1.txt"
#: Names of the lists for training and validation. Data sets that have no others are validated on their test videos.
_NAMES = (
    ("trainlist01.txt", "testlist01.txt"),  # UCF101
    ("something-something-v2-train.json", "something-something-v2-validation.json"),
    ("train.json", "validation.json"),  # Something-Something V2, in labels/
    ("jester-v1-train.csv", "jester-v1-validation.csv"),
    ("trainingSet.csv", "validationSet.csv"),  # Moments in Time
    ("Diving48_V2_train.json", "Diving48_V2_test.json"),
    ("EPIC_100_train.csv", "EPIC_100_validation.csv"),
    ("Charades_v1_train.csv", "Charades_v1_test.csv"),
)
#: Folders in which they lie; "" is that of the data set.
_FOLDERS = ("", "ucfTrainTestlist", "labels", "annotations", "Charades")
_HMDB51 = ("", "testTrainMulti_7030_splits", "annotations")


def is_list(source: str) -> bool:
    """Return whether a source is a list of videos: a file that is no video, index or shard, or HMDB51's many."""
    if hmdb51_files(source):
        return True
    other = is_video_name(source) or is_shards(source) or source.lower().endswith(".parquet")
    return os.path.exists(source) and not os.path.isdir(source) and not other


def hmdb51_files(source: str | Path) -> list[Path]:
    """Find the split files of HMDB51 that a source stands for.

    Args:
        source: One such file; a pattern of them, such as "splits/*_test_split2.txt"; or their folder, which stands for
            the first of the three splits.

    Returns:
        The files, sorted; empty if there are none.
    """
    source = Path(source)
    if source.is_dir():
        found = list(source.glob(_FIRST))
    elif not HMDB51_NAME.fullmatch(source.name.replace("*", "x")):
        return []
    else:
        found = [source] if source.is_file() else list(map(Path, glob.glob(str(source))))
    found = sorted(path for path in found if HMDB51_NAME.fullmatch(path.name))
    return found if all(_HMDB51_LINE.match(path.read_text(errors="replace")) for path in found[:1]) else []


def official_splits(root: Path) -> dict[str, Path]:
    """Find the official lists of a data set: the first of three divisions where there are three.

    Args:
        root: Folder of the data set.

    Returns:
        "train" and "val" -> source for `read_index`; empty if there are none.
    """
    for folder in (root / name for name in _FOLDERS):
        for train, val in _NAMES:
            if (folder / train).is_file() and (folder / val).is_file():
                return {"train": folder / train, "val": folder / val}
    for folder in (root / name for name in _HMDB51):
        if hmdb51_files(folder):
            return {"train": folder, "val": folder}  # each file says both
    return {}
