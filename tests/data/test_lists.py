"""Lists with headings and columns: which line is a heading, which column is what, and what stays as it was."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from videogn.axes import Segment
from videogn.data.lists.columns import parse_columns
from videogn.data.lists.separators import fields_of, find_separator
from videogn.data.sources import read_index
from videogn.data.splits import read_splits
from videogn.data.video_index import VideoIndex

VIDEOS = ("left/a b.mp4", "left/c.mp4", "right/d.mp4", "right/e.mp4")
LABELS = ("left", "left", "right", "right")


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def rows(index: VideoIndex) -> list[tuple[str, str | None]]:
    return [
        (index.relative_path(record), None if record.label is None else index.classes[record.label])
        for record in index.records
    ]


def columns(**named: str) -> dict[str, str]:
    return parse_columns(",".join(f"{role}={name}" for role, name in named.items()))


@pytest.fixture(params=[True, False], ids=["files exist", "files are missing"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param:
        touch(tmp_path, *VIDEOS)
    return tmp_path


@pytest.mark.parametrize(
    "heading",
    [
        "video_path,class_name",
        "filename,action",
        "video_name,tag",
        "file,class_id",
        "Video Path,Class Name",
        "video,what it shows",
        "clip;group",
        "path\tlabel",
        "video-path\tgesture",
        "path label",
        "my_column,its_meaning",
        '"path","label"',
        "source,verb",
    ],
)
def test_a_heading_of_any_names_is_no_video(root: Path, heading: str) -> None:
    separator = next((mark for mark in "\t,;" if mark in heading), " ")
    videos = [name if separator != " " else name.replace(" ", "_") for name in VIDEOS]
    lines = [f"{video}{separator}{label}" for video, label in zip(videos, LABELS, strict=True)]
    index = read_index(write(root / "train.csv", heading, *lines))
    assert rows(index) == list(zip(videos, LABELS, strict=True))
    assert index.classes == ("left", "right")


@pytest.mark.parametrize(
    ("heading", "line"),
    [
        ("id,path,label", "{n},{video},{label}"),
        ("label,path", "{label},{video}"),
        ("tag;video_name", "{label};{video}"),
        ("label\tvideo", "{label}\t{video}"),
        ("idx\tfile\tduration\tclass", "{n}\t{video}\t1.5\t{label}"),
        ("video_id,file_name,label,fps,split", "v{n},{video},{label},30,train"),
        ("a,b,label", "x{n},{video},{label}"),
        (",path,label", "{n},{video},{label}"),
        ('"id","path","label"', '"{n}","{video}","{label}"'),
    ],
)
def test_columns_in_any_order(root: Path, heading: str, line: str) -> None:
    lines = [line.format(n=n, video=VIDEOS[n], label=LABELS[n]) for n in range(4)]
    assert rows(read_index(write(root / "train.csv", heading, *lines))) == list(zip(VIDEOS, LABELS, strict=True))


def test_labels_before_paths_without_a_heading(root: Path) -> None:
    lines = [f"{label},{video}" for video, label in zip(VIDEOS, LABELS, strict=True)]
    assert rows(read_index(write(root / "train.csv", *lines))) == list(zip(VIDEOS, LABELS, strict=True))


def test_labels_before_paths_with_blanks_between_them(tmp_path: Path) -> None:
    """Where the files exist; otherwise "left a.mp4" may be a name with a blank."""
    touch(tmp_path, "a.mp4", "b.mp4")
    assert rows(read_index(write(tmp_path / "train.txt", "0 a.mp4", "1 b.mp4"))) == [("a.mp4", "0"), ("b.mp4", "1")]
    with pytest.raises(ValueError, match="has no label"):
        read_index(write(tmp_path / "val.txt", "0 c.mp4", "1 d.mp4"))


def test_values_that_exist_decide_before_suffixes_and_names(tmp_path: Path) -> None:
    """The column called "path" is that of the originals, and those are not here."""
    touch(tmp_path, *VIDEOS)
    lines = [f"/original/{n}.avi,{VIDEOS[n]},{LABELS[n]}" for n in range(4)]
    index = read_index(write(tmp_path / "train.csv", "path,copy,label", *lines))
    assert rows(index) == list(zip(VIDEOS, LABELS, strict=True))
    assert index.missing() == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["no/suffix swim", "a/b.mp4 bowl"], [("no/suffix", "swim"), ("a/b.mp4", "bowl")]),
        (["clip swim", "a.mp4 swim"], [("clip", "swim"), ("a.mp4", "swim")]),
        (["clip.xyz swim", "a.mp4 bowl"], [("clip.xyz", "swim"), ("a.mp4", "bowl")]),
        (["a;b.mp4 swim", "c;d.mp4 bowl"], [("a;b.mp4", "swim"), ("c;d.mp4", "bowl")]),
        (["a.mp4;swim", "b.mp4;bowl"], [("a.mp4", "swim"), ("b.mp4", "bowl")]),
        (["clip, 1.mp4,swim", "clip, 2.mp4,bowl"], [("clip, 1.mp4", "swim"), ("clip, 2.mp4", "bowl")]),
        (["path,label", "x, 1.mp4,swim", "y.mp4,ride a bike"], [("x, 1.mp4", "swim"), ("y.mp4", "ride a bike")]),
    ],
)
def test_first_lines_that_are_videos_stay_videos(tmp_path: Path, lines, expected) -> None:
    assert rows(read_index(write(tmp_path / "train.txt", *lines))) == expected


def test_a_first_video_without_a_suffix_that_exists_is_no_heading(tmp_path: Path) -> None:
    touch(tmp_path, "clip", "a.mp4")
    assert len(read_index(write(tmp_path / "train.txt", "clip swim", "a.mp4 bowl"))) == 2


@pytest.mark.parametrize("heading", ["video_id,verb", "nr,verb", "clip;verb"])
def test_headings_over_ids(tmp_path: Path, heading: str) -> None:
    separator = heading.strip("_abcdefghijklmnopqrstuvwxyz")
    index = read_index(write(tmp_path / "train.csv", heading, f"17{separator}left", f"18{separator}right"))
    assert rows(index) == [("17", "left"), ("18", "right")]


def test_ids_are_found_by_name_as_files_or_folders_of_frames(tmp_path: Path) -> None:
    touch(tmp_path, "videos/17.webm", "videos/18/00001.jpg", "videos/18/00002.jpg")
    index = read_index(write(tmp_path / "train.csv", "video_id,label", "17,left", "18,right", "19,right"))
    assert rows(index) == [("videos/17.webm", "left"), ("videos/18", "right"), ("19", "right")]


# --data.columns


def test_names_in_folders_are_found_in_those_folders_only(tmp_path: Path) -> None:
    touch(tmp_path, "videos/a/0.mp4", "videos/b/0.mp4", "videos/b/1.mp4")
    lines = ("a/0.mp4,left,train", "b/0.mp4,right,train", "a/1.mp4,left,train", "./b/1,right,train")
    assert rows(read_index(write(tmp_path / "train.csv", "path,label,split", *lines))) == [
        ("videos/a/0.mp4", "left"),
        ("videos/b/0.mp4", "right"),
        ("a/1.mp4", "left"),
        ("videos/b/1.mp4", "right"),
    ]


def test_columns_that_are_asked_for(tmp_path: Path) -> None:
    source = write(tmp_path / "train.csv", "video_name,action,tag", "a.mp4,x,left", "b.mp4,y,right")
    with pytest.raises(ValueError, match="not clear which column is the label"):
        read_index(source)
    assert rows(read_index(source, columns=columns(label="tag"))) == [("a.mp4", "left"), ("b.mp4", "right")]
    assert rows(read_index(source, columns=columns(path="video_name", label="action")))[0] == ("a.mp4", "x")
    assert rows(read_index(source, columns=columns(path="Video Name", label="Tag")))[0] == ("a.mp4", "left")


def test_columns_by_number_without_a_heading(tmp_path: Path) -> None:
    source = write(tmp_path / "train.csv", "0,a.mp4,left,9", "1,b.mp4,right,8")
    assert rows(read_index(source, columns=columns(path="2", label="3"))) == [("a.mp4", "left"), ("b.mp4", "right")]


@pytest.mark.parametrize(
    ("heading", "named", "lines", "segments"),
    [
        (
            "path,label,t0,t1",
            {"start_time": "t0", "end_time": "t1"},
            ["a.mp4,left,5.4,11.6", "a.mp4,right,0:01:05.5,00:01:06"],
            [Segment(5.4, 11.6), Segment(65.5, 66.0)],
        ),
        (
            "path,label,start,end",
            {"start_frame": "start", "end_frame": "end"},
            ["a.mp4,left,12,48", "b.mp4,right,,"],
            [Segment(12, 48, "frames"), None],
        ),
        ("path,label,start,end", {"path": "path", "label": "label"}, ["a.mp4,left,1,2"], [None]),
    ],
)
def test_parts_of_videos(tmp_path: Path, heading: str, named, lines, segments) -> None:
    index = read_index(write(tmp_path / "train.csv", heading, *lines), columns=columns(**named))
    assert [record.segment for record in index.records] == segments


@pytest.mark.parametrize(
    ("lines", "named", "message"),
    [
        (
            ["path,label,start,end", "a.mp4,left,1,2"],
            {},
            r"train\.csv has the columns start and end: for parts of videos give --data\.columns start_time=start,",
        ),
        (
            ["id,path,label_a,label_b", "0,a.mp4,x,y"],
            {},
            r"not clear which column is the label; with commas between the fields, it begins id \| path \| label_a \| "
            r"label_b, then 0 \| a\.mp4 \| x \| y: say which, for instance --data\.columns path=path,label=label_b",
        ),
        (["a,b,label", "v.mp4,w.mp4,x", "x.mp4,y.mp4,z"], {}, "not clear which column is the path"),
        (["file,id", "a.mp4,1", "b.mp4,2"], {}, "not clear which column is the label"),
        (
            ["file,caption", *(f"{n}.mp4,what {n} shows" for n in range(12))],
            {},
            "not clear which column is the label",
        ),
        (["id,path,label", "0,a.mp4,x", "1,b.mp4"], {}, r"line 3: 2 fields \(1 \| b\.mp4\), but the heading has 3"),
        (["id,path,label", "0,a.mp4,x", "1,b.mp4,"], {}, r"line 3: no label in its column"),
        (
            ["id,path,label", "0,a.mp4,x"],
            {"label": "tga"},
            r"no column 'tga' \(columns: label=tga\).*has id, path, lab",
        ),
        (
            ["path,label,s,e", "a.mp4,x,5,2"],
            {"start_time": "s", "end_time": "e"},
            r"line 2: a part from 5 to 2; its end",
        ),
        (
            ["path,label,s,e", "a.mp4,x,a,2"],
            {"start_time": "s", "end_time": "e"},
            r"line 2: a part from 'a' to '2'; exp",
        ),
        (["path,label,s,e", "a.mp4,x,1.5,2"], {"start_frame": "s", "end_frame": "e"}, r"expected frame indices"),
        (["0,a.mp4,x", "1,b.mp4,y"], {"path": "4"}, r"no column '4'"),
        (["a.mp4 99999999999999999999", "b.mp4 1"], {}, r"line 1: label 9{20}; a class has a number from 0 on"),
    ],
)
def test_what_is_not_clear_is_an_error(tmp_path: Path, lines, named, message) -> None:
    with pytest.raises(ValueError, match=message):
        read_index(write(tmp_path / "train.csv", *lines), columns=columns(**named) if named else None)


@pytest.mark.parametrize("heading", ["id,path,label", "label,youtube_id,time_start,time_end,split"])
@pytest.mark.parametrize("lines", [3, 9000])
def test_a_quote_that_is_left_open(tmp_path: Path, heading: str, lines: int) -> None:
    """It would swallow the rest of the file, or end in an error of the csv module."""
    some = "{0},{0}.mp4,swim" if heading.startswith("id") else "swim,{0},1,11,train"
    rows = [some.format(number) for number in range(lines)]
    rows[1] = rows[1].replace("swim", '"swim')
    with pytest.raises(ValueError, match=r"is a double quote left open\?|\d fields, but the header has 5"):
        read_index(write(tmp_path / "train.csv", heading, *rows))


def test_three_columns_without_a_heading_say_how_to_go_on(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(ValueError, match=r"not clear which column is the label; .* it begins 0 \| a\.mp4 \| swim"):
        read_index(write(tmp_path / "train.csv", "0,a.mp4,swim", "1,b.mp4,bowl"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path", "columns must be ROLE=NAME pairs such as path=video_name,label=tag, got 'path'"),
        ("pth=a", "columns has no 'pth'; did you mean 'path'"),
        ("start_time=a,label=b", "columns has start_time without end_time"),
        ("start_time=a,end_time=b,start_frame=c,end_frame=d", "times and frames"),
        ("", "columns must be ROLE=NAME pairs"),
    ],
)
def test_columns_that_are_no_columns(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_columns(text)


def test_columns_are_for_lists(tmp_path: Path) -> None:
    touch(tmp_path, "left/a.mp4", "right/b.mp4")
    with pytest.raises(ValueError, match="is no list: leave it out"):
        read_index(tmp_path, columns=columns(label="tag"))


# Splits, and lists without labels


def test_a_column_of_splits_divides_a_list(tmp_path: Path) -> None:
    lines = ["a.mp4,left,train", "b.mp4,right,training", "c.mp4,left,validation", "d.mp4,right,test"]
    source = str(write(tmp_path / "all.csv", "path,label,split", *lines))
    splits = read_splits(None, {"train": source, "val": source}, val_fraction=0.5, class_names=None, seed=0)
    assert [rows(splits[name]) for name in ("train", "val")] == [
        [("a.mp4", "left"), ("b.mp4", "right")],
        [("c.mp4", "left")],
    ]
    assert len(read_index(source)) == 4
    with pytest.raises(ValueError, match="has no split 'dev'; those there are: test, train, val"):
        read_index(source, split="dev")


def test_a_split_of_another_name_does_not_join_the_others(tmp_path: Path) -> None:
    source = write(tmp_path / "all.csv", "path,label,split", "a.mp4,left,train", "b.mp4,right,dev")
    assert rows(read_index(source, split="train")) == [("a.mp4", "left")]
    with pytest.raises(ValueError, match="has no split 'val'; those there are: dev, train"):
        read_index(source, split="val")


@pytest.mark.parametrize("lines", [("path", "left/a.mp4", "right/b.mp4"), (r"left\a.mp4", r"right\b.mp4")])
def test_paths_alone_under_a_heading_or_from_windows(tmp_path: Path, lines) -> None:
    touch(tmp_path, "left/a.mp4", "right/b.mp4")
    expected = [("left/a.mp4", "left"), ("right/b.mp4", "right")]
    assert rows(read_index(write(tmp_path / "train.csv", *lines))) == expected


def test_where_no_line_has_a_label_the_folder_is_the_class(tmp_path: Path) -> None:
    index = read_index(write(tmp_path / "test.txt", *VIDEOS))
    assert rows(index) == list(zip(VIDEOS, LABELS, strict=True))
    with pytest.raises(ValueError, match="no line has a label, and all videos lie in one folder, 'left'"):
        read_index(write(tmp_path / "one.txt", "left/a.mp4", "left/b.mp4"))
    with pytest.raises(ValueError, match=r"line 2: 'right/b\.mp4' has no label"):
        read_index(write(tmp_path / "some.txt", "left/a.mp4 0", "right/b.mp4"))


@pytest.mark.parametrize("first", [0, 1])
def test_a_list_without_labels_follows_the_numbers_of_the_training_list(tmp_path: Path, first: int) -> None:
    """Folders are numbered in an order that is not alphabetical: a class is the number that its folder has there."""
    numbers = {"right": first, "down": first + 1, "left": first + 2}
    write(tmp_path / "train.txt", *(f"{name}/{n}.mp4 {number}" for name, number in numbers.items() for n in range(2)))
    write(tmp_path / "val.txt", *(f"{name}/9.mp4" for name in numbers))
    splits = read_splits(str(tmp_path), {}, val_fraction=0.5, class_names=None, seed=0)
    assert splits["train"].classes == splits["val"].classes == tuple(map(str, range(first + 3)))
    assert [record.label for record in splits["val"].records] == [first, first + 1, first + 2]


@pytest.mark.parametrize("first", [0, 1])
def test_lists_that_are_numbered_from_0_and_from_1(tmp_path: Path, first: int) -> None:
    names = ("right", "down", "left")
    for split, start in (("train", first), ("val", 1 - first)):
        write(tmp_path / f"{split}.txt", *(f"{name}/{split}.mp4 {n}" for n, name in enumerate(names, start)))
    with pytest.raises(
        ValueError, match=f"of down have the label {2 - first}, and {1 + first} in the training list: on"
    ):
        read_splits(str(tmp_path), {}, val_fraction=0.5, class_names=None, seed=0)


# The pieces


@pytest.mark.parametrize(
    ("line", "separator", "fields"),
    [
        ("a b  c", None, ["a", "b", "c"]),
        ('"a b"  c', None, ["a b", "c"]),
        ("a, b ,", ",", ["a", "b", ""]),
        ('"a, b","c ""d"""', ",", ["a, b", 'c "d"']),
        ("a\t b", "\t", ["a", "b"]),
    ],
)
def test_fields(line: str, separator: str | None, fields: list[str]) -> None:
    assert fields_of(line, separator) == fields
    assert find_separator(line, [line]) == separator


def test_a_hundred_thousand_lines_in_a_moment(tmp_path: Path) -> None:
    rng = random.Random(0)
    lines = [f"{n},c{n % 400}/v{rng.random()}.mp4,class {n % 400}" for n in range(100_000)]
    source = write(tmp_path / "train.csv", "id,video_path,class_name", *lines)
    start = time.process_time()
    assert len(read_index(source)) == 100_000
    assert time.process_time() - start < 3
