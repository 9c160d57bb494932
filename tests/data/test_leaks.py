"""Videos that occur twice: against a table worked out by hand, and against comparing every pair."""

from __future__ import annotations

import itertools
import random
import re
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from videogn.axes import Segment, VideoRecord
from videogn.data.datamodule import VideoDataModule
from videogn.data.leaks import find_leaks, videos_of
from videogn.data.records import Records
from videogn.data.video_index import VideoIndex


def index(*rows: tuple, root: str = "/d", classes: tuple[str, ...] = ("a", "b", "c")) -> VideoIndex:
    """Rows are (path, label), with a segment and a content if they have one."""
    padded = [(*row, None, None)[:4] for row in rows]
    table = Records.of([VideoRecord(path, label, segment=segment) for path, label, segment, _ in padded]).table
    contents = pa.array([content for *_, content in padded], pa.int64())
    return VideoIndex(
        Records(table.set_column(table.column_names.index("content"), "content", contents)), classes, root
    )


def leaks(**splits: VideoIndex) -> list[str]:
    return find_leaks(videos_of(splits))


def test_nothing_twice():
    assert leaks(train=index(("/d/1", 0), ("/d/2", 1)), val=index(("/d/3", 0))) == []


def test_every_kind_with_counts_and_an_example():
    train = index(("/d/1", 0), ("/d/2", 0), ("/d/3", 0), ("/d/3", 0), ("/d/3", 0), ("/d/4", 0), ("/d/4", 1))
    val = index(("/d/1", 0), ("/d/2", 0), ("/d/5", 2))
    assert leaks(train=train, val=val) == [
        "2 videos are in train and in val, for instance /d/1",
        "1 video is listed twice or more in train, for instance /d/3",
        "1 video has two labels, for instance /d/4: a and b",
    ]
    assert leaks(train=train, val=index(("/d/9", 0)), test=index(("/d/2", 1)))[0] == (
        "1 video is in train and in test, for instance /d/2"
    )


@pytest.mark.parametrize("other", ["/d/x/../1", "/d//1", "/d/./1", "1", "./1", "x/../1"])
def test_paths_are_compared_as_absolute_ones(monkeypatch, other):
    monkeypatch.setattr("os.getcwd", lambda: "/d")
    assert leaks(train=index(("/d/1", 0)), val=index((other, 0), root="/e")) == [
        "1 video is in train and in val, for instance /d/1"
    ]


def test_names_that_are_not_text_and_urls():
    train = index(("/d/\udcff.mp4", 0), ("s3://bucket/1.mp4", 0))
    assert leaks(train=train, val=train) == ["2 videos are in train and in val, for instance /d/\\xff.mp4"]


def test_class_numbers_of_splits_may_differ():
    """A label is its name: "b" is number 1 in one list and 0 in the other, and "a_b" is "a b"."""
    train, val = (
        index(("/1", 1), ("/2", 2), classes=("a", "b", "a_b")),
        index(("/1", 0), ("/2", 1), classes=("b", "a b")),
    )
    assert leaks(train=train, val=val) == ["2 videos are in train and in val, for instance /1"]


def test_a_test_split_that_is_the_validation_split():
    val = index(("/d/1", 0), ("/d/2", 0))
    assert leaks(val=val, test=val) == []
    assert leaks(val=val, test=index(("/d/1", 0), ("/d/2", 0))) == []
    assert leaks(train=val, test=index(("/d/3", 0))) == []
    assert leaks(val=val, test=index(("/d/1", 0))) == ["1 video is in val and in test, for instance /d/1"]


def test_the_same_bytes_under_two_names():
    train = index(("/d/1", 0, None, 7), ("/d/2", 0, None, 7), ("/d/3", 0, None, 8), ("/d/4", 0), ("/d/5", 0))
    val = index(("/d/6", 1, None, 8), ("/d/1", 0, None, 7))
    assert leaks(train=train, val=val) == [
        "1 video is in train and in val, for instance /d/1",
        "1 video exists in train under two names (the same bytes), for instance /d/1 and /d/2",
        "2 videos exist in train and in val under two names (the same bytes), for instance /d/2 and /d/1",
        "1 video has two names and two labels (the same bytes), for instance /d/3 and /d/6: a and b",
    ]


def test_segments_of_one_video_are_the_same_where_they_overlap():
    def seconds(start, end):
        return Segment(start, end)

    train = index(("/d/1", 0, seconds(0, 10)), ("/d/1", 1, seconds(10, 20)), ("/d/2", 0, seconds(0, 1)), ("/d/3", 0))
    assert leaks(train=train, val=index(("/d/1", 0, seconds(20, 30)), ("/d/2", 0, seconds(1, 2)))) == []
    assert leaks(train=train, val=index(("/d/1", 1, seconds(19.5, 30)))) == [
        "1 video is in train and in val, for instance /d/1#t=10,20"
    ]
    assert leaks(train=train, val=index(("/d/3", 0, seconds(5, 6)))) == [
        "1 video is in train and in val, for instance /d/3"
    ]
    frames = index(("/d/4", 0, Segment(0, 10, "frames")), ("/d/4", 1, Segment(9, 20, "frames")))
    assert leaks(train=frames) == ["1 video has two labels, for instance /d/4#frames=0,10: a and b"]


@pytest.mark.parametrize("seed", range(20))
def test_as_comparing_every_pair(seed):
    """The numbers of paths in two splits, with two labels, and repeated, counted one pair after the other."""
    rng = random.Random(seed)
    rows = {
        split: [(f"/d/{rng.randrange(12)}", rng.randrange(3)) for _ in range(8)] for split in ("train", "val", "test")
    }
    paths = {path for split in rows.values() for path, _ in split}
    expected = set()
    for one, other in itertools.combinations(rows, 2):
        if both := {path for path, _ in rows[one]} & {path for path, _ in rows[other]}:
            expected.add((len(both), f"in {one} and in {other}"))
    if two := [
        path for path in paths if len({label for split in rows.values() for p, label in split if p == path}) > 1
    ]:
        expected.add((len(two), "two labels"))
    for split, listed in rows.items():
        if again := {row for row in listed if listed.count(row) > 1}:
            expected.add((len(again), f"listed twice or more in {split}"))
    found = leaks(**{split: index(*listed) for split, listed in rows.items()})
    said = {(int(line.split()[0]), what) for line in found for _, what in expected if what in line}
    assert said == expected
    assert len(found) == len(expected)


def test_three_hundred_thousand_videos_are_cheap():
    paths = [f"/data/kinetics/train/class {n % 400}/{n:06d}_000010_000020.mp4" for n in range(320_000)]
    whole = Records.of_columns(paths, (np.arange(320_000) % 400).tolist())
    classes = tuple(f"class {n}" for n in range(400))
    train = VideoIndex(whole.take(np.arange(300_000)), classes, "/data")
    val = VideoIndex(whole.take(np.arange(299_998, 320_000)), classes, "/data")
    started = time.process_time()
    assert re.match("2 videos are in train and in val", leaks(train=train, val=val)[0])
    assert time.process_time() - started < 3


# The data module


def lists(folder: Path, **lines: list[str]) -> Path:
    for split, listed in lines.items():
        (folder / f"{split}.txt").write_text("".join(f"{line}\n" for line in listed))
    return folder


def test_fit_and_test_warn_or_refuse(tmp_path, caplog):
    root = str(lists(tmp_path, train=["1.mp4 a", "2.mp4 b", "3.mp4 b"], val=["1.mp4 a", "4.mp4 b"]))
    VideoDataModule(root, num_workers=0)
    assert caplog.messages == [f"1 video is in train and in val, for instance {tmp_path}/1.mp4"]
    with pytest.raises(ValueError, match=r"^1 video is in train and in val.*; --data\.leaks warn goes on"):
        VideoDataModule(root, num_workers=0, leaks="error")
    with pytest.raises(ValueError, match="leaks must be one of warn, error, got 'no'"):
        VideoDataModule(root, num_workers=0, leaks="no")


def test_fit_finds_the_same_bytes_without_an_index(tmp_path, caplog):
    root = lists(tmp_path, train=["1.mp4 a", "2.mp4 b", "3.mp4 b"], val=["4.mp4 a", "5.mp4 b"])
    for name, content in (("1", b"same"), ("2", b"mine"), ("3", b"longer"), ("4", b"same")):
        (tmp_path / f"{name}.mp4").write_bytes(content)
    VideoDataModule(str(root), num_workers=0)
    assert caplog.messages == [
        "1 video exists in train and in val under two names (the same bytes), for instance "
        f"{tmp_path}/1.mp4 and {tmp_path}/4.mp4"
    ]
    with pytest.raises(ValueError, match="the same bytes"):
        VideoDataModule(str(root), num_workers=0, leaks="error")


def test_without_leaks_nothing_is_said(tmp_path, caplog):
    root = str(lists(tmp_path, train=["1.mp4 a", "2.mp4 b"], val=["4.mp4 b"]))
    VideoDataModule(root, num_workers=0, leaks="error")
    assert not caplog.messages
