"""`videogn data split`: what it writes is read by `fit` as it was meant, groups stay whole, nothing is lost."""

from __future__ import annotations

import csv
import os
import shlex
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.data import split_lists
from videogn.data.lists.columns import parse_columns
from videogn.data.splits import read_splits
from videogn.data.video_index import VideoIndex
from videogn.video.encode import write_video


def touch(folder: Path, *names: str) -> Path:
    """Files that are no videos, each of other bytes; nothing here decodes them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def persons(tmp_path) -> Path:
    """Three classes; ten persons, each in every class twice."""
    names = (f"{label}/s{person}_{take}.mp4" for label in "abc" for person in range(10) for take in range(2))
    return touch(tmp_path / "my videos", *names)


def written(folder: Path) -> dict[str, list[dict[str, str]]]:
    return {path.stem: list(csv.DictReader(path.open())) for path in sorted(folder.glob("*.csv"))}


def as_fit_reads(printed: str) -> dict[str, VideoIndex]:
    """The splits that the printed command makes."""
    command = shlex.split(printed.strip().splitlines()[-1].partition("`videogn fit")[2].rstrip("`"))
    options = dict(zip(command[::2], command[1::2], strict=True))
    columns = parse_columns(options.get("--data.columns"))
    sources = {split: options.get(f"--data.{split}") for split in ("train", "val", "test")}
    return read_splits(options.get("--data.root"), sources, val_fraction=0.2, class_names=None, seed=0, columns=columns)


def names(index: VideoIndex) -> list[tuple[str, str]]:
    return [(Path(record.path).name, index.classes[record.label]) for record in index.records]


@pytest.mark.parametrize("when", ["between the lists", "after them"])
def test_a_stop_leaves_one_division(videogn, capsys, persons, monkeypatch, when):
    """Training videos of one division beside validation videos of another would be in both."""
    split = ("data", "split", str(persons), "--near-duplicates", "warn" if when == "after them" else "off")
    assert videogn(*split) == 0
    before, seen = written(persons), []
    if when == "after them":
        monkeypatch.setattr("videogn.cli.data.split._alike", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    else:
        writing = split_lists.write_list
        monkeypatch.setattr(
            split_lists,
            "write_list",
            lambda *given: seen.append(writing(*given)) or len(seen) < 2 or os.kill(os.getpid(), signal.SIGTERM),
        )
    assert videogn(*split, "--overwrite", "--seed", "1") == 143
    line = capsys.readouterr().err.splitlines()[-1]
    kept = f"the lists are written; `videogn data show {persons} --near-duplicates` compares their videos"
    assert line.endswith("the same command begins anew" if seen else kept)
    now = written(persons)
    assert (now == before) is (when == "between the lists")
    paths = [row["path"] for rows in now.values() for row in rows]
    assert len(paths) == len(set(paths)) == 60
    assert {path.name for path in persons.glob("*.csv*")} == {"train.csv", "val.csv", "test.csv"}


def test_class_folders_by_person(videogn, capsys, persons):
    options = ["--by", r"/(s\d+)_", "--near-duplicates", "off", "--val", "0.2", "--test", "0.2"]
    assert videogn("data", "split", str(persons), *options) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        "   train     val    test  class",
        *(f"      12       4       4  {label}" for label in "abc"),
        "      36      12      12  all",
        "   60.0%   20.0%   20.0%  wanted: 60, 20, 20",
        r"10 groups by '/(s\\d+)_', each on one side",
        f"{persons}: lists written; train on them with `videogn fit --config my_videos --data.root '{persons}'`",
    ]
    lists = written(persons)
    people = {split: {row["group"] for row in rows} for split, rows in lists.items()}
    assert {split: len(each) for split, each in people.items()} == {"train": 6, "val": 2, "test": 2}
    assert len(set.union(*people.values())) == 10
    assert all(row["path"] == f"{row['label']}/{Path(row['path']).name}" for row in lists["val"])
    assert all(Path(row["path"]).name.startswith(row["group"] + "_") for rows in lists.values() for row in rows)
    splits = as_fit_reads(printed)
    assert {split: len(index) for split, index in splits.items()} == {"train": 36, "val": 12, "test": 12}
    assert not any(index.missing() for index in splits.values())


def test_once_more(videogn, capsys, persons):
    """The folders are divided, not the lists of the first time."""
    off = ["--near-duplicates", "off"]
    assert videogn("data", "split", str(persons), *off) == 0
    before = written(persons)
    assert videogn("data", "split", str(persons), *off) == 2
    assert "train.csv exists; --overwrite replaces the lists" in capsys.readouterr().err
    touch(persons, "a/new.mp4")
    assert videogn("data", "split", str(persons), *off, "--overwrite", "--test", "0", "--seed", "1") == 0
    after = written(persons)
    assert before.keys() == {"train", "val", "test"}
    assert after.keys() == {"train", "val"}
    assert sum(map(len, after.values())) == 61
    splits = as_fit_reads(capsys.readouterr().out)
    assert splits["test"] is splits["val"]


ODD = ["7 up/a b.mp4", "7 up/a, 'b'.mp4", "#x/#1.mp4", 'say "x"/1.mp4', "7 up/c.mp4", "#x/2.mp4", 'say "x"/2.mp4']


def test_names_that_a_list_could_misread(videogn, capsys, tmp_path):
    root = touch(tmp_path / "d", *ODD)
    options = ["--near-duplicates", "off", "--val", "0.4", "--test", "0"]
    for further in ([], ["--by", r"([^/]+)\.mp4$", "--overwrite"]):
        assert videogn("data", "split", str(root), *options, *further) == 0
        splits = as_fit_reads(capsys.readouterr().out)
        found = names(splits["train"]) + names(splits["val"])
        assert sorted(found) == sorted((Path(name).name, name.partition("/")[0]) for name in ODD)
        assert not splits["train"].missing()
        assert not splits["val"].missing()


def test_a_list_by_its_column_with_a_missing_video(videogn, capsys, tmp_path):
    files = [f"{number}.mp4" for number in range(12)]
    touch(tmp_path, *files)
    person = [*"aabbccdd", *4 * [""]]
    rows = [f"{name},{'xy'[number % 2]},{person[number]}" for number, name in enumerate(files)]
    (tmp_path / "all.csv").write_text("\n".join(["video,label,person", *rows, "gone.mp4,x,a"]) + "\n")
    out = tmp_path / "out"
    options = ["--by", "person", "--output", str(out), "--near-duplicates", "off", "--val", "0.25", "--test", "0"]
    assert videogn("data", "split", str(tmp_path / "all.csv"), *options) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"left out: 1 of 13 videos, for instance {tmp_path}/gone.mp4 (missing)\n")
    assert "8 groups by 'person'" in printed
    lists = written(out)
    assert Counter(row["label"] for rows in lists.values() for row in rows) == {"x": 6, "y": 6}
    sides = {}
    for split, listed in lists.items():
        assert all(row["path"].startswith(str(tmp_path)) for row in listed)
        for row in filter(lambda row: row["group"], listed):
            assert sides.setdefault(row["group"], split) == split
    assert {len(index) for index in as_fit_reads(printed).values()} == {9, 3}


def test_parts_of_videos_and_several_labels(videogn, capsys, tmp_path):
    touch(tmp_path, *(f"{number}.mp4" for number in range(8)))
    lines = [f"{number}.mp4,{'xy'[part]},{part},{part + 1.5}" for number in range(8) for part in range(2)]
    (tmp_path / "parts.csv").write_text("\n".join(["path,label,start,end", *lines]) + "\n")
    labels = [f"{number}.mp4,{'x;y' if number == 3 else 'xy'[number % 2]}" for number in range(8)]
    (tmp_path / "sets.csv").write_text("\n".join(["path,labels", *labels]) + "\n")
    common = ["--near-duplicates", "off", "--val", "0.25", "--test", "0"]
    roles = ["--columns", "start_time=start,end_time=end"]
    assert videogn("data", "split", str(tmp_path / "parts.csv"), *common, *roles, "--output", f"{tmp_path}/o") == 0
    splits = as_fit_reads(capsys.readouterr().out)
    videos = {split: Counter(record.path for record in index.records) for split, index in splits.items()}
    assert videos["train"].keys().isdisjoint(videos["val"])
    assert {*videos["val"].values()} == {2}
    assert {(record.segment.start, record.segment.end) for record in splits["val"].records} == {(0, 1.5), (1, 2.5)}
    assert videogn("data", "split", str(tmp_path / "sets.csv"), *common, "--output", f"{tmp_path}/s") == 0
    splits = as_fit_reads(capsys.readouterr().out)
    found = {Path(each.path).name: each.labels for index in splits.values() for each in index.records}
    assert found == {f"{n}.mp4": (0, 1) if n == 3 else (n % 2,) for n in range(8)}


def test_an_index_by_its_column(videogn, capsys, persons):
    """Its unusable videos are left out, and `fit` is told the lists, since it would take the index."""
    root = str(persons)
    paths = [f"{root}/{label}/s{person}_{take}.mp4" for label in "abc" for person in range(10) for take in range(2)]
    columns = {
        "path": paths,
        "label": [path[len(root) + 1] for path in paths],
        "status": ["corrupt", *["ok"] * 59],
        "frames": [30] * 60,
        "camera": [int(path[-7]) % 5 for path in paths],
    }
    pq.write_table(pa.table(columns), persons / "index.parquet")
    assert videogn("data", "split", root, "--by", "camera", "--near-duplicates", "off") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"left out: 1 of 60 videos, for instance {paths[0]} (corrupt)\n")
    assert "5 groups by 'camera'" in printed
    assert "--data.columns" not in printed
    assert {split: len(index) for split, index in as_fit_reads(printed).items()} == {"train": 36, "val": 11, "test": 12}
    assert videogn("data", "split", root, "--by", "camra", "--near-duplicates", "off", "--overwrite") == 2
    assert "has no column 'camra'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """Class folders in which each video has a copy of another quality."""
    root = tmp_path_factory.mktemp("copied")
    rng = np.random.default_rng(0)
    for number in range(6):
        blocks = np.kron(rng.integers(256, size=(16, 4, 4)), np.ones((1, 12, 12)))
        frames = np.repeat(blocks.astype(np.uint8)[..., None], 3, axis=3)
        for name, crf in (("v", 18), ("w", 30)):
            write_video(root / "ab"[number % 2] / f"{name}{number}.mp4", frames, 8, crf=crf)
    return root


def test_near_duplicates_are_named_or_kept_together(videogn, capsys, copied, tmp_path):
    common = ["--val", "0.34", "--test", "0", "--output"]
    assert videogn("data", "split", str(copied), *common, str(tmp_path / "warn")) == 0
    printed = capsys.readouterr().out
    assert "of videos of train and val look" in printed
    assert "--near-duplicates together keeps them on one side" in printed
    together = ["--near-duplicates", "together"]
    assert videogn("data", "split", str(copied), *common, str(tmp_path / "out"), *together) == 0
    assert "6 pairs of videos look alike:" in capsys.readouterr().out
    sides = {Path(row["path"]).name: split for split, rows in written(tmp_path / "out").items() for row in rows}
    assert all(sides[f"v{number}.mp4"] == sides[f"w{number}.mp4"] for number in range(6))
    assert Counter(sides.values()) == {"train": 8, "val": 4}
    assert videogn("data", "show", str(tmp_path / "out"), "--near-duplicates") == 0
    assert capsys.readouterr().out.endswith("no near-duplicates\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--val", "1"], "--val must lie between 0 and 1, got 1"),
        (["--test", "0.9"], "--test must lie between 0 and 1 - --val = 0.85, got 0.9"),
        (["--by", "persn"], "--by must be folder, a column or a pattern, got 'persn': only a list or an index has"),
        (["--by", "(s"], "--by is no regular expression: missing ), unterminated subpattern at position 0, got '(s'"),
        (["--by", "(s)(.)"], "--by needs one group in parentheses"),
        (["--by", "(s[0-8])_"], "--by '(s[0-8])_' is not found in 6 of 60 paths, for instance a/s9_0.mp4"),
        (["--by", "folder"], "--by folder needs a folder for each group"),
        (["--by", "(mp4)"], "val would be empty: the 60 videos are in 1 group, and no group is divided"),
    ],
)
def test_refusals(videogn, capsys, persons, options, message):
    assert videogn("data", "split", str(persons), "--near-duplicates", "off", *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(persons.glob("*.csv"))


def test_what_is_divided_already(videogn, capsys, tmp_path):
    root = touch(
        tmp_path / "d", *(f"{split}/{label}/{n}.mp4" for split in ("train", "val") for label in "ab" for n in "12")
    )
    assert videogn("data", "split", str(root)) == 2
    assert "is divided already, into train, val" in capsys.readouterr().err
    (root / "all.txt").write_text("\n".join(f"train/{label}/{n}.mp4 {label}" for label in "ab" for n in "12"))
    assert videogn("data", "split", str(root / "all.txt")) == 2
    assert "train is a split already, and a list beside it would take its place" in capsys.readouterr().err


def test_classes_whose_names_are_numbers(videogn, capsys, tmp_path):
    """A list would read them as class numbers from 0."""
    root = touch(tmp_path / "d", *(f"{label}/{n}.mp4" for label in (1, 2, 10) for n in range(6)))
    assert videogn("data", "split", str(root), "--near-duplicates", "off", "--by", r"(\d)\.mp4") == 0
    splits = as_fit_reads(capsys.readouterr().out)
    assert splits["train"].classes == ("1", "10", "2")
    assert {Path(each.path).parent.name for each in splits["val"].records if each.label == 1} == {"10"}


def test_folders_of_persons_and_a_suggested_pattern(videogn, capsys, tmp_path):
    root = touch(tmp_path / "f", *(f"{label}/p{person}/{n}.mp4" for label in "ab" for person in range(8) for n in "12"))
    assert videogn("data", "split", str(root), "--by", "folder", "--near-duplicates", "off") == 0
    assert "8 groups by 'folder', each on one side" in capsys.readouterr().out
    ucf = touch(
        tmp_path / "u", *(f"X/v_X_g{g:02d}_c{c:02d}.avi" for g in range(8) for c in range(4)), "Y/v_Y_g01_c01.avi"
    )
    assert videogn("data", "split", str(ucf), "--near-duplicates", "off", "--test", "0") == 0
    printed = capsys.readouterr().out
    pattern = r"([^/]+)_[^_]*\d+\.\w+$"
    assert f"--by {pattern!r} keeps those of one on one side" in printed
    assert videogn("data", "split", str(ucf), "--by", pattern, "--overwrite", "--near-duplicates", "off") == 0
    assert "9 groups" in capsys.readouterr().out
