"""The official lists in the folder of a data set, by their names."""

from __future__ import annotations

from pathlib import Path

from videogn.data.lists.hmdb51 import hmdb51_files

#: Names of the lists for training and validation. Data sets that have no others are validated on their test videos.
_NAMES = (
    ("trainlist01.txt", "testlist01.txt"),  # UCF101
    ("something-something-v2-train.json", "something-something-v2-validation.json"),
    ("train.json", "validation.json"),  # Something-Something V2, in labels/
    ("jester-v1-train.csv", "jester-v1-validation.csv"),
    ("trainingSet.csv", "validationSet.csv"),  # Moments in Time
    ("Diving48_V2_train.json", "Diving48_V2_test.json"),
    ("EPIC_100_train.csv", "EPIC_100_validation.csv"),
)
#: Folders in which they lie; "" is that of the data set.
_FOLDERS = ("", "ucfTrainTestlist", "labels", "annotations")
_HMDB51 = ("", "testTrainMulti_7030_splits", "annotations")


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
