"""Which videos each split has, wherever they come from, and which of them training leaves out."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.axes import VideoRecord
from videogn.data.data_layout import find_splits
from videogn.data.splits import read_splits
from videogn.data.usable import without_missing
from videogn.data.video_index import VideoIndex


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_index(path: Path, splits: list[str | None], statuses: list[str] | None = None, root: str = "/d") -> Path:
    """A Parquet index of two classes in turn, one row for each split given."""
    count = len(splits)
    columns = {
        "path": [f"{root}/{number}.mp4" for number in range(count)],
        "label": [("a", "b")[number % 2] for number in range(count)],
        "split": pa.array(splits, pa.string()),
        "status": statuses or ["ok"] * count,
    }
    stored = {"version": 1, "root": root, "classes": ["a", "b"]}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata({b"videogn.index": json.dumps(stored)}), path)
    return path


def read(root: Path | str | None = None, **options) -> dict[str, VideoIndex]:
    sources = {split: str(options.pop(split)) for split in ("train", "val", "test") if split in options}
    defaults = {"val_fraction": 0.5, "class_names": None, "seed": 0}
    return read_splits(None if root is None else str(root), sources, **{**defaults, **options})


def names(index: VideoIndex) -> list[str]:
    return [Path(record.path).stem for record in index.records]


def sizes(splits: dict[str, VideoIndex]) -> dict[str, int]:
    return {split: len(index) for split, index in splits.items()}


def test_a_parquet_index_as_root_is_divided_by_its_column(tmp_path):
    source = write_index(tmp_path / "x.parquet", ["train", "val", "train", None, "validate", "holdout"])
    assert find_splits(source) == {"train": source, "val": source}
    splits = read(source)
    assert {split: names(index) for split, index in splits.items()} == {
        "train": ["0", "2"],
        "val": ["1", "4"],
        "test": ["1", "4"],
    }
    assert splits["test"] is splits["val"]


def test_a_parquet_index_without_splits_is_divided_class_by_class(tmp_path):
    splits = read(write_index(tmp_path / "x.parquet", [None] * 8), val_fraction=0.25)
    assert sizes(splits) == {"train": 6, "val": 2, "test": 2}
    assert [record.label for record in splits["val"].records] == [0, 1]
    assert splits["train"].checked


def test_rows_of_no_split_are_no_training_videos(tmp_path):
    assert sizes(read(write_index(tmp_path / "x.parquet", ["train", None, "train"]))) == {"train": 2}


def test_a_folder_with_an_index_in_it_is_read_from_that(tmp_path, caplog):
    touch(tmp_path, "train/a/1.mp4", "val/a/1.mp4", "train.csv")
    index = write_index(tmp_path / "index.parquet", ["train", "train", "val"], root="/before")
    with caplog.at_level(logging.INFO):
        splits = read(tmp_path)
    assert sizes(splits) == {"train": 2, "val": 1, "test": 1}
    assert splits["train"].records[0].path == f"{tmp_path}/0.mp4"  # it moved together with its folder
    assert f"{index} is used for {tmp_path}" in caplog.text


@pytest.mark.parametrize("split_names", [["train", "val"], ["train", "train"], [None, None]])
def test_given_sources_may_be_parquet_indices(tmp_path, split_names):
    """The rows of that split where the file has several, otherwise all of it."""
    source = write_index(tmp_path / "x.parquet", split_names)
    touch(tmp_path / "v", "a/1.mp4", "b/2.mp4", "b/3.mp4")
    splits = read(train=tmp_path / "v", val=source)
    assert sizes(splits) == {"train": 3, "val": 1 if "val" in split_names else 2, "test": len(splits["val"])}
    with pytest.raises(ValueError, match="has no split 'test'; those there are: train, val"):
        read(test=write_index(tmp_path / "y.parquet", ["train", "val"]))


def test_shards_are_found_by_name(tmp_path):
    touch(tmp_path, "train-000.tar", "train-001.tar", "val.tar", "test-0.tar.gz", "other.tar")
    assert find_splits(tmp_path) == {"train": tmp_path / "train-*.tar", "val": tmp_path / "val.tar"}
    touch(tmp_path, "val.txt")
    assert find_splits(tmp_path)["val"] == tmp_path / "val.txt"


def test_a_url_is_no_root():
    with pytest.raises(ValueError, match=r"root must be a folder or a Parquet index, got memory://k; give shards"):
        read("memory://k")


# What training leaves out


def index_of(*errors: str | None, checked: bool = True) -> VideoIndex:
    records = [VideoRecord(f"/d/{number}.mp4", 0, None, error) for number, error in enumerate(errors)]
    return VideoIndex(records, ("a",), "/d", checked)


def test_unusable_videos_are_left_out_and_counted_by_status(caplog):
    index = index_of(None, "missing", "corrupt: a: b", None, "missing: gone", "corrupt", "missing")
    assert names(without_missing(index, "train")) == ["0", "3"]
    assert caplog.messages == ["train: 5 of 7 videos are unusable (3 missing, 2 corrupt), for instance /d/1.mp4"]


def test_missing_videos_only(caplog):
    assert names(without_missing(index_of(None, "missing: gone"), "train")) == ["0"]
    assert caplog.messages == ["train: 1 of 2 videos are missing, for instance /d/1.mp4"]


def test_nothing_to_leave_out(caplog):
    index = index_of(None, None)
    assert without_missing(index, "train") is index
    assert not caplog.messages


def test_nothing_left():
    with pytest.raises(ValueError, match=r"all 2 train videos are missing, for instance /d/0\.mp4; is root right\?"):
        without_missing(index_of(None, None, checked=False), "train")
    with pytest.raises(ValueError, match=r"all 2 train videos are unusable \(1 corrupt, 1 empty\), for instance"):
        without_missing(index_of("corrupt", "empty"), "train")


def test_where_nobody_looked_the_disk_is_asked(tmp_path):
    touch(tmp_path, "0.mp4")
    records = [VideoRecord(f"{tmp_path}/{number}.mp4", 0) for number in range(2)]
    records.append(VideoRecord(f"{tmp_path}/0.mp4", 0, error="corrupt"))
    index = VideoIndex(records, ("a",), str(tmp_path))
    assert index.errors().to_pylist() == [None, "missing", "corrupt"]
    assert names(without_missing(index, "train")) == ["0"]
