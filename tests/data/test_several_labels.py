"""Videos that may show several classes: their lists, their index, what is asked of them."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from videogn.axes import VideoRecord
from videogn.data.datamodule import VideoDataModule
from videogn.data.empty_classes import empty_classes
from videogn.data.parquet_index import read_parquet
from videogn.data.records import Records
from videogn.data.sources import read_index
from videogn.data.video_index import VideoIndex, split_index
from videogn.indexing.building import build_index
from videogn.indexing.file_checks import FileChecks
from videogn.video.encode import write_video

NAMES = ("jump", "run, fast", "swim")
SETS = [(0, 2), (1,), (), (0, 1, 2)]


@pytest.fixture
def folder(tmp_path):
    for number in range(len(SETS)):
        write_video(str(tmp_path / f"{number}.mp4"), np.zeros((8, 32, 32, 3), np.uint8))
    return tmp_path


def _write(path, heading, rows, delimiter=","):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([heading, *rows] if heading else rows)
    return path


def _sets(index):
    return [record.labels for record in index.records]


@pytest.mark.parametrize("between", [";", "|"])
@pytest.mark.parametrize("name", ["labels", "classes"])
def test_a_column_in_the_plural_with_several_labels_in_a_field(folder, name, between):
    """A comma is part of a name there."""
    rows = [[f"{place}.mp4", between.join(NAMES[number] for number in each)] for place, each in enumerate(SETS)]
    index = read_index(_write(folder / "list.csv", ["path", name], rows))
    assert index.classes == NAMES
    assert index.several_labels
    assert _sets(index) == SETS
    assert {record.label for record in index.records} == {None}
    assert index.unlabelled() is None


def test_a_column_of_any_name_if_it_is_asked_for(folder):
    rows = [[7, f"{place}.mp4", ",".join("abc"[number] for number in each)] for place, each in enumerate(SETS)]
    source = _write(folder / "list.csv", ["id", "file", "seen"], rows)
    index = read_index(source, columns={"path": "file", "labels": "seen"})
    assert index.classes == ("a", "b", "c")
    assert _sets(index) == SETS


def test_a_column_in_the_plural_with_one_label_in_each_field_is_what_it_was(folder):
    rows = [[f"{place}.mp4", "a" if place else "b"] for place in range(4)]
    index = read_index(_write(folder / "list.csv", ["path", "labels"], rows))
    assert not index.several_labels
    assert [record.label for record in index.records] == [1, 0, 0, 0]


def test_charades_as_downloaded(folder):
    heading = ["id", "subject", "scene", "quality", "relevance", "verified", "script"]
    heading += ["objects", "descriptions", "actions", "length"]
    actions = ["c001 11.90 21.20;c000 0.00 12.60;c001 3 4", "", "c002 0.00 1.00"]
    rows = [
        [str(place), "HR43", "Kitchen", "6", "7", "Yes", "A person, say.", "cup;food", "cup", each, "24.8"]
        for place, each in enumerate(actions)
    ]
    for split in ("train", "test"):
        _write(folder / f"Charades_v1_{split}.csv", heading, rows)
    (folder / "Charades_v1_classes.txt").write_text("c000 Holding some clothes\nc001 Putting\nc002 Taking a cup\n")
    data = VideoDataModule(str(folder), leaks="warn", num_workers=0)
    assert data.class_names == ["Holding some clothes", "Putting", "Taking a cup"]
    assert _sets(data.splits["train"]) == [(0, 1), (), (2,)]
    assert data.splits["train"].records[0].path == str(folder / "0.mp4")
    counts, videos = data.training_counts()
    assert (counts.tolist(), videos) == ([1, 1, 1], 3)


def test_an_index_of_them_keeps_the_labels(folder):
    rows = [[f"{place}.mp4", ";".join(NAMES[number] for number in each)] for place, each in enumerate(SETS)]
    source = _write(folder / "list.csv", ["path", "labels"], rows)
    listed = read_index(source)
    built = build_index(str(source), folder / "index.parquet", FileChecks(decode=False, timeout=20, workers=1))
    index = read_parquet(folder / "index.parquet")
    assert (index.classes, _sets(index)) == (NAMES, SETS)
    assert index.fingerprint() == listed.fingerprint()
    assert {name: sum(of.values()) for name, of in built.catalogue.facts.summary["classes"].items()} == dict(
        zip(NAMES, [2, 2, 2], strict=True)
    )


def _index(sets, **options):
    records = [VideoRecord(f"/d/{place}.mp4", None, labels=each) for place, each in enumerate(sets)]
    return VideoIndex(Records.of(records), ("a", "b", "c"), "/d", checked=True, **options)


def test_what_is_asked_of_the_classes():
    index = _index([(0, 1), (1,), ()])
    assert index.counts().tolist() == [1, 2, 0]
    assert empty_classes(index) == {"c": "none is listed"}
    assert index.fingerprint() != _index([(0,), (1,), ()]).fingerprint()
    assert _index([(0,), None]).unlabelled().path == "/d/1.mp4"


def test_a_division_holds_out_some_of_each_class():
    rng = np.random.default_rng(0)
    index = _index([tuple(np.flatnonzero(rng.random(3) < (0.1, 0.5, 0.9)).tolist()) for _ in range(60)])
    train, val = split_index(index, 0.25)
    assert len(train) + len(val) == 60
    assert {record.path for record in train.records}.isdisjoint(record.path for record in val.records)
    for kept, held in zip(train.counts(), val.counts(), strict=True):
        assert 0.1 < held / (kept + held) < 0.4


def test_what_does_not_go_together(folder):
    several = _write(folder / "train.csv", ["path", "labels"], [["0.mp4", "a;b"], ["1.mp4", "b"]])
    one = _write(folder / "val.csv", ["path", "label"], [["2.mp4", "a"], ["3.mp4", "b"]])
    with pytest.raises(ValueError, match="train lists several labels a video, val one: both must list several"):
        VideoDataModule(train=str(several), val=str(one))
    with pytest.raises(ValueError, match="sampling square_root needs one class a video"):
        VideoDataModule(train=str(several), sampling="square_root")
