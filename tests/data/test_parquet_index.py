"""Reading a Parquet index: what becomes of its columns, where its videos lie, and what each error says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.axes import VideoRecord
from videogn.data.parquet_index import parquet_splits
from videogn.data.sources import read_index
from videogn.data.stored_paths import path_array

COLUMNS = {
    "path": ["/d/a/1.mp4", "/d/b/2.mp4", "/d/b/3.mp4", "/d/a/4.mp4", "/d/a/5.mp4"],
    "label": ["a", "b", "b", "a", None],
    "split": ["train", "train", "val", "val", None],
    "frames": [10, None, 30, 4, 7],
    "status": ["ok", "missing", "short", "truncated", "corrupt"],
    "reason": [None, "", None, "the end is missing", "frame 3 is damaged"],
}


def write(path: Path, columns: dict[str, Any] | None = None, *, drop: str = "", **metadata: Any) -> Path:
    """A Parquet index of `columns` with what it says of itself."""
    table = pa.table({name: values for name, values in (columns or COLUMNS).items() if name not in drop.split()})
    stored = {"version": 1, "root": "/d", "classes": ["a", "b", "unused"], **metadata}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({b"videogn.index": json.dumps(stored)}), path, row_group_size=2)
    return path


def test_columns(tmp_path):
    index = read_index(write(tmp_path / "i.parquet"))
    assert index.records == [
        VideoRecord("/d/a/1.mp4", 0, 10),
        VideoRecord("/d/b/2.mp4", 1, None, "missing"),
        VideoRecord("/d/b/3.mp4", 1, 30),
        VideoRecord("/d/a/4.mp4", 0, 4, "truncated: the end is missing"),
        VideoRecord("/d/a/5.mp4", None, 7, "corrupt: frame 3 is damaged"),
    ]
    assert index.classes == ("a", "b", "unused")
    assert index.root == "/d"
    assert index.unlabelled() == index.records[4]


def test_statuses_are_believed_and_the_disk_is_not_asked(tmp_path, monkeypatch):
    index = read_index(write(tmp_path / "i.parquet"))
    monkeypatch.setattr(os.path, "exists", lambda path: pytest.fail(f"asked for {path}"))
    assert index.missing() == [index.records[1]]
    assert index.errors().to_pylist() == [record.error for record in index.records]


def test_truncated_videos_can_be_used(tmp_path):
    index = read_index(write(tmp_path / "i.parquet"), use_truncated=True)
    assert index.records[3] == VideoRecord("/d/a/4.mp4", 0, 4)
    assert index.records[4].error == "corrupt: frame 3 is damaged"


@pytest.mark.parametrize(("split", "rows"), [("train", [0, 1]), ("val", [2, 3]), (None, range(5))])
def test_splits(tmp_path, split, rows):
    source = write(tmp_path / "i.parquet")
    everything = read_index(source)
    assert read_index(source, split=split).records == [everything.records[row] for row in rows]
    assert parquet_splits(source) == ("train", "val")


def test_kinetics_names_of_splits(tmp_path):
    source = write(tmp_path / "i.parquet", {**COLUMNS, "split": ["test", "holdout", "validate", "validate", "train"]})
    assert parquet_splits(source) == ("train", "val", "test", "holdout")
    assert len(read_index(source, split="val")) == 2
    assert len(read_index(source, split="holdout")) == 1


def test_other_columns_may_be_absent(tmp_path):
    """A table that somebody else wrote: nothing is known of the files, so the disk is asked as for any list."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.mp4").touch()
    columns = {"path": ["a/1.mp4", f"{tmp_path}/a/2.mp4"], "label": ["x", "y"]}
    pq.write_table(pa.table(columns), tmp_path / "i.parquet")
    index = read_index(tmp_path / "i.parquet")
    assert index.records == [VideoRecord(f"{tmp_path}/a/1.mp4", 0), VideoRecord(f"{tmp_path}/a/2.mp4", 1)]
    assert index.classes == ("x", "y")
    assert index.missing() == [index.records[1]]


def test_given_classes_renumber(tmp_path):
    source = write(tmp_path / "i.parquet")
    assert [record.label for record in read_index(source, classes=["b", "c", "a"]).records] == [2, 0, 0, 2, None]
    with pytest.raises(ValueError, match=r"i\.parquet: unknown class 'b'"):
        read_index(source, classes=["a", "c"])


def test_no_row_has_a_label(tmp_path):
    index = read_index(write(tmp_path / "i.parquet", {**COLUMNS, "label": pa.nulls(5, pa.string())}, classes=[]))
    assert index.classes == ()
    assert {record.label for record in index.records} == {None}


def test_fingerprint_is_that_of_the_list_it_was_made_of(tmp_path):
    lines = [f"{path}\t{label}" for path, label in zip(COLUMNS["path"][:4], COLUMNS["label"], strict=False)]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    columns = {name: values[:4] for name, values in COLUMNS.items()}
    listed = read_index(tmp_path / "list.txt", root="/")
    assert read_index(write(tmp_path / "i.parquet", columns, root="/")).fingerprint() == listed.fingerprint()


# Where the videos lie


def paths(source: Path, root: Path | None = None) -> list[str]:
    return [record.path for record in read_index(source, root=root).records]


def test_a_data_set_that_was_moved(tmp_path):
    odd = os.fsdecode(b"/d/b/\xff.mp4") if os.name == "posix" else "/d/b/odd.mp4"
    stored = path_array(["/d/a/1.mp4", odd, "/data/2.mp4", "r.mp4"])
    source = write(tmp_path / "i.parquet", {"path": stored, "label": list("abab")})
    assert paths(source) == ["/d/a/1.mp4", odd, "/data/2.mp4", "/d/r.mp4"]
    here = tmp_path / "näw"
    here.mkdir()
    moved = read_index(source, root=here)
    assert [record.path for record in moved.records] == [
        f"{here}/a/1.mp4", f"{here}{odd.removeprefix('/d')}", "/data/2.mp4", f"{here}/r.mp4"
    ]  # fmt: skip
    assert moved.root == str(here)


def test_a_root_above_the_stored_one_moves_nothing(tmp_path):
    stored = tmp_path / "data/train"
    stored.mkdir(parents=True)
    columns = {"path": [f"{stored}/a/1.mp4"], "label": ["a"]}
    source = write(tmp_path / "i.parquet", columns, root=str(stored))
    assert paths(source, root=tmp_path) == paths(source, root=stored) == paths(source) == columns["path"]
    fingerprint = read_index(source).fingerprint()
    stored.rename(tmp_path / "elsewhere")
    assert paths(source, root=tmp_path / "elsewhere") == [f"{tmp_path}/elsewhere/a/1.mp4"]
    assert read_index(source, root=tmp_path / "elsewhere").fingerprint() == fingerprint


# Errors


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"drop": "label"}, {}, r"i\.parquet: an index without the column 'label' \(it has path, split, frames,"),
        ({"drop": "path"}, {}, r"i\.parquet: an index without the column 'path'"),
        ({}, {"split": "test"}, r"i\.parquet has no split 'test'; those there are: train, val$"),
        ({"drop": "split"}, {"split": "test"}, r"i\.parquet has no split 'test': it has no column 'split'"),
        ({"version": 2}, {}, r"i\.parquet was written by another version of videogn; run `videogn data index` again"),
        ({"columns": {"path": pa.array([], pa.string()), "label": pa.array([], pa.string())}}, {}, "no video in"),
    ],
)
def test_errors(tmp_path, change, options, message):
    source = write(tmp_path / "i.parquet", **change)
    with pytest.raises(ValueError, match=message) as caught:
        read_index(source, **options)
    assert "\n" not in str(caught.value)


def test_something_else_than_parquet(tmp_path):
    for content in (b"", b"path label\n", b"PAR1" + bytes(100) + b"PAR1"):
        (tmp_path / "i.parquet").write_bytes(content)
        with pytest.raises(ValueError, match=r"i\.parquet cannot be read as a Parquet index \(.+\)$") as caught:
            read_index(tmp_path / "i.parquet")
        assert "\n" not in str(caught.value)


def test_metadata_that_is_no_json(tmp_path):
    source = write(tmp_path / "i.parquet")
    pq.write_table(pq.read_table(source).replace_schema_metadata({b"videogn.index": b"{"}), source)
    with pytest.raises(ValueError, match=r"is not JSON"):
        read_index(source)
