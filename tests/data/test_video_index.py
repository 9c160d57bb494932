"""The three layouts, the split, the fingerprint, and what each error says. Indexing opens no video: files are empty."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from videogn.axes import VideoRecord
from videogn.checks import did_you_mean, existing_path, nearest
from videogn.data.data_layout import find_splits
from videogn.data.sources import read_index
from videogn.data.video_files import VIDEO_SUFFIXES, find_videos
from videogn.data.video_index import VideoIndex, split_index

HEADER = "label,youtube_id,time_start,time_end,split"


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(path: Path, *lines: str, newline: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((newline.join(lines) + newline).encode())
    return path


def table(index: VideoIndex) -> list[tuple[str, str | None]]:
    """The index as (relative path, class name) pairs."""
    return [
        (index.relative_path(record), None if record.label is None else index.classes[record.label])
        for record in index.records
    ]


def made_index(root: str = "/data", classes: int = 4, videos: int = 10) -> VideoIndex:
    names = tuple(f"class {number}" for number in range(classes))
    records = [
        VideoRecord(f"{root}/{names[label]}/{n:03d}.mp4", label) for label in range(classes) for n in range(videos)
    ]
    return VideoIndex(tuple(records), names, root)


# Class folders


def test_class_folders(tmp_path: Path) -> None:
    touch(tmp_path, "swim/b.mp4", "swim/deep/er/a.MKV", "riding a bike/x y.webm", "riding a bike/notes.txt")
    touch(tmp_path, ".cache/c.mp4", "swim/.hidden.mp4", "swim/._b.mp4", "swim/.thumbs/d.mp4", "readme.md")
    index = read_index(tmp_path)
    assert index.classes == ("riding a bike", "swim")
    assert table(index) == [
        ("riding a bike/x y.webm", "riding a bike"),
        ("swim/b.mp4", "swim"),
        ("swim/deep/er/a.MKV", "swim"),
    ]
    assert index.root == str(tmp_path)
    assert len(index) == 3
    assert index.missing() == []


def test_an_empty_class_folder_keeps_its_number(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "c/1.mp4")
    (tmp_path / "b").mkdir()
    index = read_index(str(tmp_path))
    assert index.classes == ("a", "b", "c")
    assert [record.label for record in index.records] == [0, 2]


def test_class_folders_take_given_order_and_forgive_underscores(tmp_path: Path) -> None:
    touch(tmp_path, "riding_a_bike/1.mp4", "swim/1.mp4")
    index = read_index(tmp_path, classes=("swim", "riding a bike", "unused"))
    assert index.classes == ("swim", "riding a bike", "unused")
    assert [record.label for record in index.records] == [1, 0]


def test_exact_class_name_wins_over_its_underscored_twin(tmp_path: Path) -> None:
    touch(tmp_path, "a b/1.mp4", "a_b/1.mp4")
    assert table(read_index(tmp_path)) == [("a b/1.mp4", "a b"), ("a_b/1.mp4", "a_b")]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path / "store", "1.mp4")
    touch(tmp_path / "set", "b/2.mp4")
    (tmp_path / "set/a").symlink_to(tmp_path / "store")
    (tmp_path / "set/b/up").symlink_to(tmp_path / "set")
    index = read_index(tmp_path / "set")
    assert [index.relative_path(record) for record in index.records] == ["a/1.mp4", "b/2.mp4"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.mp4"], r"a\.mp4 lies directly in it; expected .*/<class>/<video>\.mp4"),
        (["cat/a.mp4", "b.mp4"], r"b\.mp4 lies directly in it"),
        (["readme.md"], r"it has no folders; expected"),
        (["cat/readme.md"], r"no video in .*; expected a folder of class folders, a Kinetics CSV, a"),
        (["train/cat/a.mp4", "val/cat/b.mp4"], r"holds splits \(train, val\), not classes; did you mean .*train\?"),
        (["Train/cat/a.mp4", "Test/cat/b.mp4"], r"holds splits \(Test, Train\), not classes; did you mean .*Test\?"),
    ],
)
def test_class_folder_errors(tmp_path: Path, files: list[str], message: str) -> None:
    touch(tmp_path, *files)
    with pytest.raises(ValueError, match=message):
        read_index(tmp_path)


def test_unknown_class_folder_names_the_nearest(tmp_path: Path) -> None:
    touch(tmp_path, "archry/a.mp4")
    with pytest.raises(ValueError, match=r"archry: unknown class 'archry'; did you mean 'Archery'\?"):
        read_index(tmp_path, classes=["Archery", "bowling"])


# "path label" lists


@pytest.mark.parametrize(
    ("line", "path", "label"),
    [
        ("a/b.mp4 swim", "a/b.mp4", "swim"),
        ("a/b.mp4   swim  ", "a/b.mp4", "swim"),
        ("a/b.mp4,swim", "a/b.mp4", "swim"),
        ("a/b.mp4 , riding a bike", "a/b.mp4", "riding a bike"),
        ("a/b.mp4\triding a bike", "a/b.mp4", "riding a bike"),
        ("a/b.mp4\twashing, drying", "a/b.mp4", "washing, drying"),
        ('a/b.mp4,"washing, drying"', "a/b.mp4", "washing, drying"),
        ('a/b.mp4 "riding a bike"', "a/b.mp4", "riding a bike"),
        ("my clip, part 2.mp4 swim", "my clip, part 2.mp4", "swim"),
        ("my clip, part 2.mp4,riding a bike", "my clip, part 2.mp4", "riding a bike"),
        ("a.mp4 copy.MP4 swim", "a.mp4 copy.MP4", "swim"),
        ('"my clip, part 2.mp4",swim', "my clip, part 2.mp4", "swim"),
        ('"my clip" "riding a bike"', "my clip", "riding a bike"),
        ('"the ""best"".mp4"\tswim', 'the "best".mp4', "swim"),
        ("no/suffix/of a video swim", "no/suffix/of a video", "swim"),
        ("no/suffix,riding a bike", "no/suffix", "riding a bike"),
        ("a/b.mp4,massaging person's head", "a/b.mp4", "massaging person's head"),
        ('a/b.mp4,"massaging person\'s head"', "a/b.mp4", "massaging person's head"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_list_lines(tmp_path: Path, line: str, path: str, label: str, newline: str) -> None:
    source = write(tmp_path / "train.txt", "# a comment", "", line, "  ", newline=newline)
    index = read_index(source)
    assert table(index) == [(path, label)]
    assert index.records[0].path == str(tmp_path / path)


def test_list_of_numbers_names_its_classes_by_number(tmp_path: Path) -> None:
    index = read_index(write(tmp_path / "train.txt", "a.mp4 11", "b.mp4 0", "c.mp4 02"))
    assert index.classes == tuple(map(str, range(12)))
    assert [record.label for record in index.records] == [11, 0, 2]


def test_list_of_names_sorts_its_classes_and_keeps_its_order(tmp_path: Path) -> None:
    index = read_index(write(tmp_path / "train.csv", "path,label", "b.mp4,swim", "a.mp4,bowling", "c.mp4,swim"))
    assert index.classes == ("bowling", "swim")
    assert table(index) == [("b.mp4", "swim"), ("a.mp4", "bowling"), ("c.mp4", "swim")]


def test_list_with_byte_order_mark(tmp_path: Path) -> None:
    source = tmp_path / "train.txt"
    source.write_bytes(b"\xef\xbb\xbfa.mp4 0\r\nb\xc3\xa9.mp4 1\r\n")
    assert table(read_index(source)) == [("a.mp4", "0"), ("bé.mp4", "1")]


def test_list_root_absolute_paths_and_missing(tmp_path: Path) -> None:
    touch(tmp_path / "videos", "a.mp4")
    elsewhere = tmp_path / "elsewhere/c.mp4"
    source = write(tmp_path / "lists/train.txt", "a.mp4 0", "b.mp4 1", f"{elsewhere} 1")
    index = read_index(source, root=tmp_path / "videos")
    assert index.root == str(tmp_path / "videos")
    assert [record.path for record in index.missing()] == [str(tmp_path / "videos/b.mp4"), str(elsewhere)]
    assert index.relative_path(index.records[2]) == "../elsewhere/c.mp4"


def test_given_classes_accept_numbers_and_names(tmp_path: Path) -> None:
    source = write(tmp_path / "val.txt", "a.mp4 1", "b.mp4 swim", "c.mp4 riding_a_bike")
    index = read_index(source, classes=("swim", "riding a bike"))
    assert [record.label for record in index.records] == [1, 0, 1]


def test_relative_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "videos/a.mp4")
    write(tmp_path / "train.txt", "./videos/a.mp4 0")
    index = read_index("train.txt")
    assert table(index) == [("videos/a.mp4", "0")]
    assert index.missing() == []
    assert index.fingerprint() == read_index(tmp_path / "train.txt").fingerprint()


@pytest.mark.parametrize(
    ("lines", "classes", "message"),
    [
        (["a.mp4 0", "b.mp4 2"], ["x", "y"], r"train\.txt, line 2: class number 2; it must be 0 to 1"),
        (["a.mp4 -1", "b.mp4 1"], None, r"line 1: class number -1; it must be 0 to 1"),
        (["a.mp4 swim", "", "b.mp4 Swmi"], ["swim"], r"line 3: unknown class 'Swmi'; did you mean 'swim'\?"),
        (["a.mp4 zebra"], ["swim"], r"line 1: unknown class 'zebra'$"),
        (["a.mp4 0", "b.mp4 swim", "c.mp4 1"], None, r"line 2: label 'swim' is a name, but '0' is a number"),
        (["a.mp4 0", "my clip.mp4"], None, r"line 2: 'my clip\.mp4' has no label; expected 'path label'"),
        (["a.mp4"], None, r"line 1: 'a\.mp4' has no label"),
        (["a.mp4,"], None, r"line 1: 'a\.mp4,' has no label"),
        (["a.mp4 riding a bike"], None, r"line 1: the label 'riding a bike' has blanks or commas; put a tab"),
        (["a.mp4,swim,10"], None, r"line 1: the label 'swim,10' has blanks or commas"),
        (["# nothing", ""], None, r"no video in .*train\.txt; expected"),
        (["path label"], None, r"no video in .*train\.txt; expected"),
        (["a.mp4 x"], ["x", "y", "x"], r"class 'x' is given more than once"),
    ],
)
def test_list_errors(tmp_path: Path, lines: list[str], classes: list[str] | None, message: str) -> None:
    source = write(tmp_path / "train.txt", *lines)
    with pytest.raises(ValueError, match=message):
        read_index(source, classes=classes)


def test_a_video_or_a_binary_file_is_no_index(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "list.txt").write_bytes(b"\x00\xff\xfe")
    with pytest.raises(ValueError, match=r"a\.mp4 is a video, not an index; expected a folder of class folders"):
        read_index(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"list\.txt is not UTF-8 text"):
        read_index(tmp_path / "list.txt")


# Kinetics CSV


@pytest.mark.parametrize(
    "place",
    [
        "train/riding a bike/-bcd_000010_000020.mp4",
        "train/riding_a_bike/-bcd_000010_000020.mkv",
        "riding a bike/-bcd_000010_000020.webm",
        "-bcd_000010_000020.MP4",
        "videos/part 0/-bcd_000010_000020.mp4",
        "train/-bcd.mp4",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_kinetics_layouts(tmp_path: Path, place: str, newline: str) -> None:
    touch(tmp_path, place)
    source = write(tmp_path / "train.csv", HEADER, "riding a bike,-bcd,10,20,train", newline=newline)
    index = read_index(source)
    assert table(index) == [(place, "riding a bike")]
    assert index.missing() == []


def test_kinetics_columns_in_any_order_quotes_and_byte_order_mark(tmp_path: Path) -> None:
    source = write(
        tmp_path / "lists/validate.csv",
        "\ufeffyoutube_id,split,is_cc,Label,time_end,time_start",
        'one,validate,0,"massaging person\'s head",20.0,10.0',
        'two,validate,1,"washing, drying",15,5',
        "",
    )
    touch(tmp_path / "v", "washing, drying/two_000005_000015.mp4", "massaging_person's_head/one_000010_000020.mp4")
    index = read_index(source, root=tmp_path / "v")
    assert index.classes == ("massaging person's head", "washing, drying")
    assert table(index) == [
        ("massaging_person's_head/one_000010_000020.mp4", "massaging person's head"),
        ("washing, drying/two_000005_000015.mp4", "washing, drying"),
    ]


def test_kinetics_test_split_without_labels(tmp_path: Path) -> None:
    source = write(tmp_path / "test.csv", "youtube_id,time_start,time_end,split", "one,1,11,test")
    index = read_index(source)
    assert index.records == (VideoRecord(str(tmp_path / "test/one_000001_000011.mp4"), None),)
    assert index.classes == ()
    assert read_index(source, classes=["x"]).classes == ("x",)
    assert len(index.fingerprint()) == 64


def test_kinetics_missing_videos_stay_in_the_index(tmp_path: Path) -> None:
    touch(tmp_path, "train/swim/one_000010_000020.mp4", "train/swim/two_000011_000021.mp4")
    source = write(tmp_path / "train.csv", HEADER, "swim,one,10,20,train", "swim,two,10,20,train")
    index = read_index(source)
    assert len(index) == 2
    assert [record.path for record in index.missing()] == [str(tmp_path / "train/swim/two_000010_000020.mp4")]


@pytest.mark.parametrize(
    ("split", "expected"), [("train", "train"), ("val", "validate"), ("validate", "validate"), ("test", "test")]
)
def test_kinetics_prefers_the_folder_of_the_split(tmp_path: Path, split: str, expected: str) -> None:
    name = "swim/one_000010_000020.mp4"
    touch(tmp_path, *(f"{folder}/{name}" for folder in ("test", "train", "validate")))
    index = read_index(write(tmp_path / "all.csv", HEADER, f"swim,one,10,20,{split}"))
    assert table(index) == [(f"{expected}/{name}", "swim")]


def test_kinetics_prefers_the_folder_of_the_class_within_a_split(tmp_path: Path) -> None:
    touch(tmp_path, "train/bowling/one_000010_000020.mp4", "train/deep_swim/one_000010_000020.mp4")
    index = read_index(write(tmp_path / "train.csv", HEADER, "deep swim,one,10,20,train"))
    assert table(index) == [("train/deep_swim/one_000010_000020.mp4", "deep swim")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, "swim,one,ten,20,train"], r"train\.csv, line 2: time 'ten' to '20'; expected seconds"),
        ([HEADER, "swim,one,10,inf,train"], r"line 2: time '10' to 'inf'"),
        ([HEADER, "swim,one,10,20,train", "swim,two"], r"line 3: 2 fields, but the header has 5"),
        (["label,youtube_id,time_start,split"], r"without the column 'time_end' \(it has label, youtube_id,"),
        ([HEADER], r"no video in .*train\.csv"),
        (
            [HEADER, "swim,one,10,20,train", "bwoling,two,1,2,train"],
            r"line 3: unknown class 'bwoling'; did you mean 'bowling'",
        ),
        ([HEADER, "1,one,10,20,train"], r"line 2: unknown class '1'"),
    ],
)
def test_kinetics_errors(tmp_path: Path, lines: list[str], message: str) -> None:
    source = write(tmp_path / "train.csv", *lines)
    with pytest.raises(ValueError, match=message):
        read_index(source, classes=("swim", "bowling"))


# Finding files


def test_find_videos(tmp_path: Path) -> None:
    names = [f"d{number % 3}/v{number:02d}{suffix}" for number, suffix in enumerate(VIDEO_SUFFIXES)]
    touch(tmp_path, *names, "d0/x.txt", "d0/.h.mp4", ".d/h.mp4", "d1.mp4/inside.MOV")
    assert find_videos(tmp_path) == sorted(str(tmp_path / name) for name in [*names, "d1.mp4/inside.MOV"])
    assert find_videos(tmp_path / "d0/x.txt") == [str(tmp_path / "d0/x.txt")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no video in .*empty: it is empty \(videos end in \.mp4"):
        find_videos(tmp_path / "empty")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], {}),
        (["other/x.mp4"], {}),
        (["train/c/x.mp4", "validate/c/x.mp4"], {"train": "train", "val": "validate"}),
        (["train.csv", "train.txt", "train/c/x.mp4"], {"train": "train.csv"}),
        (["train.txt", "train/c/x.mp4", "test/c/x.mp4"], {"train": "train.txt", "test": "test"}),
        (["valid.csv", "val.txt", "val/c/x.mp4"], {"val": "valid.csv"}),
        (["val/c/x.mp4", "validation/c/x.mp4"], {"val": "val"}),
        (["train", "train.csv/x.mp4"], {}),
        (["Train/c/x.mp4", "Validation/c/x.mp4"], {"train": "Train", "val": "Validation"}),
        (["Train.csv", "TEST.txt", "videos/x.mp4"], {"train": "Train.csv", "test": "TEST.txt"}),
        (["Train/x.mp4", "Bus/x.mp4"], {}),
        (["train/c/x.mp4", "Test/x.mp4"], {"train": "train"}),
    ],
)
def test_find_splits(tmp_path: Path, files: list[str], expected: dict[str, str]) -> None:
    touch(tmp_path, *files)
    assert find_splits(tmp_path) == {split: tmp_path / name for split, name in expected.items()}


@pytest.mark.parametrize("function", [read_index, find_videos, find_splits])
def test_missing_source_names_the_nearest(tmp_path: Path, function) -> None:
    touch(tmp_path, "data/train/c/x.mp4")
    with pytest.raises(
        FileNotFoundError, match=rf"no such file or folder: .*trian; did you mean {tmp_path}/data/train\?$"
    ):
        function(tmp_path / "data/trian")
    with pytest.raises(FileNotFoundError, match=rf"; did you mean {tmp_path}/data\?$"):
        function(tmp_path / "Dta/train")
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*/data/zzz$"):
        function(str(tmp_path / "data/zzz"))


def test_missing_root_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path / "train.txt", "a.mp4 0")
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*videos$"):
        read_index(source, root=tmp_path / "videos")


# Fingerprint


def test_fingerprint_survives_moving_and_reordering(tmp_path: Path) -> None:
    touch(tmp_path / "here", "a/1.mp4", "b/2.mp4")
    first = read_index(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = read_index(tmp_path / "there", classes=("b", "a"))
    assert moved.fingerprint() == first.fingerprint()
    backwards = VideoIndex(first.records[::-1], first.classes, first.root)
    assert backwards.fingerprint() == first.fingerprint()


def test_fingerprint_of_the_same_list_and_folders_agree(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    folders = read_index(tmp_path)
    assert read_index(write(tmp_path / "l.txt", "b/2.mp4 b", "a/1.mp4 a")).fingerprint() == folders.fingerprint()
    assert read_index(write(tmp_path / "l.txt", "b/2.mp4 a", "a/1.mp4 a")).fingerprint() != folders.fingerprint()
    touch(tmp_path, "a/3.mp4")
    assert read_index(tmp_path).fingerprint() != folders.fingerprint()


def naive_fingerprint(index: VideoIndex) -> str:
    """The definition, row by row."""
    lines = []
    for record in index.records:
        path = os.path.relpath(record.path, index.root).replace(os.sep, "/")
        lines.append(f"{path}\t{'' if record.label is None else index.classes[record.label]}\n")
    return hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()


@pytest.mark.skipif(os.name != "posix", reason="POSIX paths")
@pytest.mark.parametrize("root", ["/d", "/d/", ".", "d", "./d", "/d/../e", "/d/é", "../q", "/d\udcff"])
def test_fingerprint_of_untidy_paths(root: str) -> None:
    rng = random.Random(0)
    parts = ["a", "b c", "é", "\udcff", "..", ".", "", "x\ty", "100%", "𝄞", "z.mp4"]
    for _ in range(50):
        names = ["/".join(rng.choices(parts, k=rng.randrange(1, 5))) for _ in range(8)]
        places = ["{root}/{name}", "/{name}", "{root}//{name}", "{root}x/{name}", "e/{name}"]
        records = [
            VideoRecord(rng.choice(places).format(root=root, name=name), rng.choice([None, 0, 1])) for name in names
        ]
        index = VideoIndex(tuple(records), ("x", "é\udcfe"), root)
        assert index.fingerprint() == naive_fingerprint(index)


def test_the_first_video_without_a_class() -> None:
    records = [VideoRecord("/d/a.mp4", 0), VideoRecord("/d/b.mp4", None), VideoRecord("/d/c.mp4", None)]
    assert VideoIndex(records, ("x",), "/d").unlabelled() == records[1]
    assert VideoIndex(records[:1], ("x",), "/d").unlabelled() is None


# Splitting


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("videos", [2, 3, 10])
def test_split_is_stratified_and_disjoint(fraction: float, videos: int) -> None:
    index = made_index(videos=videos)
    train, held = split_index(index, fraction)
    assert train.classes == held.classes == index.classes
    assert not set(train.records) & set(held.records)
    assert set(train.records) | set(held.records) == set(index.records)
    count = min(max(1, round(videos * fraction)), videos - 1)
    assert Counter(record.label for record in held.records) == dict.fromkeys(range(4), count)
    assert list(train.records) == [record for record in index.records if record in set(train.records)]


def test_split_depends_on_paths_and_seed_only() -> None:
    index = made_index()
    held = {path for path, _ in table(split_index(index, 0.3)[1])}
    shuffled = list(index.records)
    random.Random(0).shuffle(shuffled)
    assert {
        path for path, _ in table(split_index(VideoIndex(tuple(shuffled), index.classes, index.root), 0.3)[1])
    } == held
    assert {path for path, _ in table(split_index(made_index(root="/mnt/other/data"), 0.3)[1])} == held
    assert {path for path, _ in table(split_index(index, 0.3, seed=1)[1])} != held


def test_split_keeps_single_videos_and_repeated_paths_on_one_side() -> None:
    records = [VideoRecord(f"/d/{n % 5}.mp4", 0) for n in range(20)] + [VideoRecord("/d/single.mp4", 1)]
    train, held = split_index(VideoIndex(tuple(records), ("a", "b"), "/d"), 0.4)
    assert len(held) == 8
    assert VideoRecord("/d/single.mp4", 1) in train.records
    assert not set(train.records) & set(held.records)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_split_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match="it must lie between 0 and 1"):
        split_index(made_index(), fraction)


def test_split_without_two_videos_of_any_class() -> None:
    with pytest.raises(ValueError, match="no class has two videos or more"):
        split_index(made_index(videos=1), 0.5)


# Names


@pytest.mark.parametrize(
    ("name", "expected"), [("Archry", "archery"), ("BOWLING", "Bowling"), ("zebra", None), ("", None)]
)
def test_nearest(name: str, expected: str | None) -> None:
    assert nearest(name, ["archery", "Bowling"]) == expected
    assert did_you_mean(name, iter(["archery", "Bowling"])) == (f"; did you mean {expected!r}?" if expected else "")


def test_existing_path_expands_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    touch(tmp_path, "a.mp4")
    assert existing_path("~/a.mp4") == tmp_path / "a.mp4"


def test_torch_is_not_imported() -> None:
    code = "import sys, videogn.data.video_index; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_urls_in_a_list_stay_what_they_are(tmp_path):
    (tmp_path / "list.txt").write_text("s3://bucket/a.mp4 0\nb.mp4 1\n")
    index = read_index(tmp_path / "list.txt", root=tmp_path)
    assert [record.path for record in index.records] == ["s3://bucket/a.mp4", str(tmp_path / "b.mp4")]


def test_many_files_are_asked_for_in_order(tmp_path):
    names = [f"{number}.mp4" for number in range(600)]
    for name in names[::3]:
        (tmp_path / name).touch()
    index = VideoIndex([VideoRecord(str(tmp_path / name), 0) for name in names], ("x",), str(tmp_path))
    assert [error is None for error in index.errors().to_pylist()] == [number % 3 == 0 for number in range(600)]
