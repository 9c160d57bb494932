"""The official lists of data sets as they are downloaded: each video gets the class that its data set says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from videogn.axes import Segment
from videogn.data.data_layout import find_layout
from videogn.data.lists.columns import parse_columns
from videogn.data.sources import read_index
from videogn.data.splits import read_sources, read_splits
from videogn.data.video_index import VideoIndex


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def write_json(path: Path, content: Any) -> Path:
    return write(path, json.dumps(content))


def touch(root: Path, *names: str) -> None:
    for name in names:
        write(root / name)


def rows(index: VideoIndex) -> list[tuple[str, str | None]]:
    return [
        (index.relative_path(record), None if record.label is None else index.classes[record.label])
        for record in index.records
    ]


def splits_of(root: Path | None, **sources: Path) -> dict[str, VideoIndex]:
    given = {split: str(source) for split, source in sources.items()}
    return read_splits(root and str(root), given, val_fraction=0.5, class_names=None, seed=0)


# UCF101: classes are numbered from 1, in an order that is not that of the names here

UCF_TRAIN = ("YoYo/v_YoYo_g08_c01.avi 1", "YoYo/v_YoYo_g08_c02.avi 1", "Archery/v_Archery_g09_c01.avi 2")
UCF_TEST = ("Archery/v_Archery_g01_c01.avi", "YoYo/v_YoYo_g01_c02.avi")
UCF_CLASSES = ("1 YoYo", "2 Archery", "3 Biking")


@pytest.mark.parametrize("class_list", [True, False])
def test_ucf101(tmp_path: Path, class_list: bool) -> None:
    train, test = write(tmp_path / "trainlist01.txt", *UCF_TRAIN), write(tmp_path / "testlist01.txt", *UCF_TEST)
    if class_list:
        write(tmp_path / "classInd.txt", *UCF_CLASSES)
    splits = splits_of(tmp_path / "videos", train=train, val=test) if (tmp_path / "videos").mkdir() is None else {}
    names = ("YoYo", "Archery", "Biking") if class_list else ("YoYo", "Archery")
    assert splits["train"].classes == splits["val"].classes == names
    assert [record.label for record in splits["train"].records] == [0, 0, 1]
    assert [record.label for record in splits["val"].records] == [1, 0]
    assert rows(splits["val"])[0] == ("Archery/v_Archery_g01_c01.avi", "Archery")


def test_numbers_from_0_beside_ucf101s_own(tmp_path: Path) -> None:
    train = write(tmp_path / "trainlist01.txt", *UCF_TRAIN)
    val = write(tmp_path / "val.txt", "YoYo/a.avi 1", "Archery/b.avi 2")
    assert [record.label for record in splits_of(tmp_path, train=train, val=val)["val"].records] == [0, 1]
    with pytest.raises(ValueError, match="one list is numbered from 0 and the other from 1"):
        splits_of(tmp_path, train=train, val=write(val, "YoYo/a.avi 0", "Archery/b.avi 1"))


def test_a_ucf101_list_of_some_classes_has_no_other_classes_numbers(tmp_path: Path) -> None:
    """A test list of the second class alone, with numbers, tested with the names of a checkpoint."""
    source = write(tmp_path / "testlist02.txt", "Archery/v_Archery_g01_c01.avi 2")
    assert [record.label for record in read_index(source, classes=("YoYo", "Archery", "Biking")).records] == [1]
    assert read_index(source).classes == ("Archery",)


def test_a_checkpoint_whose_classes_are_the_numbers_of_ucf101(tmp_path: Path) -> None:
    write(tmp_path / "classInd.txt", *UCF_CLASSES)
    index = read_index(write(tmp_path / "testlist01.txt", *UCF_TEST), classes=("0", "1", "2", "3"))
    assert [record.label for record in index.records] == [2, 1]


def test_the_root_of_ucf101(tmp_path: Path) -> None:
    lists = tmp_path / "ucfTrainTestlist"
    write(lists / "trainlist01.txt", *UCF_TRAIN)
    write(lists / "testlist01.txt", *UCF_TEST)
    write(lists / "classInd.txt", *UCF_CLASSES)
    touch(tmp_path / "UCF-101", "Archery/v_Archery_g01_c01.avi", "YoYo/v_YoYo_g01_c02.avi")
    splits = splits_of(tmp_path)
    assert rows(splits["val"])[0] == ("UCF-101/Archery/v_Archery_g01_c01.avi", "Archery")
    assert splits["val"].missing() == []
    assert splits["val"] is splits["test"]
    assert {split: len(index) for split, index in read_sources(find_layout(tmp_path)).items()} == {"train": 3, "val": 2}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Archery/a.avi 1"], r"line 1: class 1 is YoYo in .*classInd\.txt, but the video lies in Archery"),
        (["Archery/a.avi 2", "YoYo/b.avi 2"], r"line 2: class 2 is Archery in .*, but the video lies in YoYo"),
        (["Archery/a.avi 2", "YoYo/b.avi 0"], r"line 2: 0 is no number of a class in .*classInd\.txt"),
        (["Archery/a.avi 2", "b.avi 1"], r"line 2: 'b\.avi 1'; expected 'Class/video\.avi 1' or 'Class/video\.avi'"),
    ],
)
def test_a_number_that_is_not_that_of_the_folder(tmp_path: Path, lines: list[str], message: str) -> None:
    write(tmp_path / "classInd.txt", *UCF_CLASSES)
    with pytest.raises(ValueError, match=message):
        read_index(write(tmp_path / "trainlist01.txt", *lines))


# HMDB51


def hmdb51(folder: Path) -> Path:
    for split, uses in enumerate(((1, 2, 0), (2, 1, 0), (1, 1, 2)), start=1):
        for name in ("wave", "brush_hair"):
            lines = [f"{name}_{number}.avi {use} " for number, use in enumerate(uses)]
            write(folder / f"{name}_test_split{split}.txt", *lines)
    return folder


def test_hmdb51(tmp_path: Path) -> None:
    source = hmdb51(tmp_path / "splits")
    touch(tmp_path / "videos", *(f"{name}/{name}_{n}.avi" for name in ("wave", "brush_hair") for n in range(3)))
    splits = splits_of(tmp_path / "videos", train=source, val=source)
    assert rows(splits["train"]) == [("brush_hair/brush_hair_0.avi", "brush_hair"), ("wave/wave_0.avi", "wave")]
    assert rows(splits["val"]) == [("brush_hair/brush_hair_1.avi", "brush_hair"), ("wave/wave_1.avi", "wave")]
    assert splits["train"].missing() == splits["val"].missing() == []


def test_the_three_splits_of_hmdb51(tmp_path: Path) -> None:
    source = hmdb51(tmp_path / "splits")
    second, third = (str(source / f"*_test_split{number}.txt") for number in (2, 3))
    assert rows(read_index(second, root=tmp_path, split="train"))[1] == ("wave/wave_1.avi", "wave")
    assert [len(read_index(third, root=tmp_path, split=split)) for split in ("train", "test")] == [4, 2]
    assert rows(read_index(source / "wave_test_split2.txt", root=tmp_path)) == [
        ("wave/wave_0.avi", "wave"),
        ("wave/wave_1.avi", "wave"),
    ]
    with pytest.raises(ValueError, match=r"line 2: 'wave_0\.avi 3'; expected 'video\.avi 1' \(1 train, 2 test"):
        read_index(write(tmp_path / "wave_test_split1.txt", "wave_1.avi 1", "wave_0.avi 3"))


def test_other_lists_of_such_names(tmp_path: Path) -> None:
    index = read_index(write(tmp_path / "my_test_split1.txt", "a/x.mp4 2", "b/y.mp4 0"))
    assert rows(index) == [("a/x.mp4", "2"), ("b/y.mp4", "0")]
    folder = tmp_path / "wave[1]"
    assert len(read_index(write(folder / "wave_test_split1.txt", "a.avi 1 ", "b.avi 0 "))) == 1


def test_files_of_one_name_in_the_folders_of_several_classes(tmp_path: Path) -> None:
    for name in ("wave", "run"):
        write(tmp_path / "splits" / f"{name}_test_split1.txt", "0.avi 1", "1.avi\t2")
    touch(tmp_path / "videos", "run/0.avi", "run/1.avi", "wave/1.avi")
    index = read_index(tmp_path / "splits", root=tmp_path / "videos")
    assert rows(index) == [(f"{name}/{n}.avi", name) for name in ("run", "wave") for n in range(2)]
    assert [Path(record.path).parent.name for record in index.missing()] == ["wave"]


def test_hmdb51_in_one_folder(tmp_path: Path) -> None:
    source = hmdb51(tmp_path / "splits")
    touch(tmp_path / "videos", *(f"{name}_{n}.avi" for name in ("wave", "brush_hair") for n in range(3)))
    index = read_index(source, root=tmp_path / "videos", split="train")
    assert rows(index) == [("brush_hair_0.avi", "brush_hair"), ("wave_0.avi", "wave")]


def test_the_root_of_hmdb51(tmp_path: Path) -> None:
    hmdb51(tmp_path / "testTrainMulti_7030_splits")
    touch(tmp_path, *(f"hmdb51_org/{name}/{name}_{n}.avi" for name in ("wave", "brush_hair") for n in range(3)))
    splits = splits_of(tmp_path)
    assert [len(splits[split]) for split in ("train", "val", "test")] == [2, 2, 2]
    assert rows(splits["val"])[1] == ("hmdb51_org/wave/wave_1.avi", "wave")


# Something-Something and Jester

TEMPLATES = ("Holding [something] next to [something]", "Approaching [something] with your camera")
SSV2_LABELS = {"Holding something next to something": "1", "Approaching something with your camera": "0", "Rest": "2"}


def ssv2(path: Path, *numbers: int) -> Path:
    entries = [
        {"id": str(number), "label": f"holding {number}", "template": TEMPLATES[number % 2], "placeholders": []}
        for number in numbers
    ]
    return write_json(path, entries)


@pytest.mark.parametrize("labels", ["labels.json", "something-something-v2-labels.json", None])
def test_something_something_v2(tmp_path: Path, labels: str | None) -> None:
    if labels:
        write_json(tmp_path / labels, SSV2_LABELS)
    touch(tmp_path, "20bn-something-something-v2/4.webm", "frames/7/000001.jpg")
    train, val = ssv2(tmp_path / "train.json", 4, 7), ssv2(tmp_path / "validation.json", 9)
    splits = splits_of(tmp_path, train=train, val=val)
    assert rows(splits["train"]) == [
        ("20bn-something-something-v2/4.webm", "Holding something next to something"),
        ("frames/7", "Approaching something with your camera"),
    ]
    assert rows(splits["val"]) == [("9.webm", "Approaching something with your camera")]
    assert splits["val"].classes == tuple(sorted(SSV2_LABELS)[: 3 if labels else 2])


def test_the_test_list_of_something_something_v2_has_no_labels(tmp_path: Path) -> None:
    write_json(tmp_path / "labels.json", SSV2_LABELS)
    index = read_index(write_json(tmp_path / "test.json", [{"id": "1420"}, {"id": "3"}]))
    assert [record.label for record in index.records] == [None, None]
    assert index.classes == tuple(sorted(SSV2_LABELS))


def test_jester(tmp_path: Path) -> None:
    write(tmp_path / "jester-v1-labels.csv", "Swiping Right", "Swiping Left", "Doing other things")
    touch(tmp_path, "20bn-jester-v1/1/00001.jpg", "20bn-jester-v1/2/00001.jpg")
    train = write(tmp_path / "jester-v1-train.csv", "1;Swiping Left", "2;Swiping Right")
    val = write(tmp_path / "jester-v1-validation.csv", "3;Swiping Right")
    splits = splits_of(tmp_path, train=train, val=val)
    assert splits["train"].classes == ("Swiping Right", "Swiping Left", "Doing other things")
    assert rows(splits["train"]) == [
        ("20bn-jester-v1/1", "Swiping Left"),
        ("20bn-jester-v1/2", "Swiping Right"),
    ]
    assert rows(splits["val"]) == [("3.webm", "Swiping Right")]
    test = read_index(write(tmp_path / "jester-v1-test.csv", "4", "5"))
    assert rows(test) == [("4.webm", None), ("5.webm", None)]


@pytest.mark.parametrize("name", ["mine.csv", "train.csv"])
def test_a_list_of_ids_and_names_without_a_list_of_classes(tmp_path: Path, name: str) -> None:
    index = read_index(write(tmp_path / name, "1;Swiping Left", "2;Swiping Down"))
    assert index.classes == ("Swiping Down", "Swiping Left")
    assert rows(index) == [("1.webm", "Swiping Left"), ("2.webm", "Swiping Down")]


# Kinetics


@pytest.mark.parametrize("before", ["# from 2017", ""])
def test_kinetics_below_a_comment(tmp_path: Path, before: str) -> None:
    lines = ("label,youtube_id,time_start,time_end,split", "zumba,abc,7,17,val")
    assert rows(read_index(write(tmp_path / "val.csv", before, *lines))) == [
        ("val/zumba/abc_000007_000017.mp4", "zumba")
    ]


def test_kinetics_600_and_700(tmp_path: Path) -> None:
    touch(tmp_path, "train/abseiling/0wR5jVB-WPk_000417_000427.mp4")
    heading = "label,youtube_id,time_start,time_end,split"
    train = write(tmp_path / "train.csv", heading, "abseiling,0wR5jVB-WPk,417,427,train", "zumba,--abc,7,17,train")
    index = read_index(train)
    assert rows(index) == [
        ("train/abseiling/0wR5jVB-WPk_000417_000427.mp4", "abseiling"),
        ("train/zumba/--abc_000007_000017.mp4", "zumba"),
    ]
    test = read_index(write(tmp_path / "test.csv", "youtube_id,time_start,time_end,split", "--6bJUbfpnQ,17,27,test"))
    assert rows(test) == [("test/--6bJUbfpnQ_000017_000027.mp4", None)]
    assert [record.segment for record in index.records] == [None, None]  # the files are cut already


def test_kinetics_json(tmp_path: Path) -> None:
    touch(tmp_path, "a_000010_000020.mp4")
    content = {
        "a": {"annotations": {"label": "zumba", "segment": [10.0, 20.0]}, "duration": 10.0, "subset": "train"},
        "b": {"annotations": {"label": "yoga", "segment": [1.0, 11.0]}, "duration": 10.0, "subset": "train"},
    }
    index = read_index(write_json(tmp_path / "train.json", content))
    assert rows(index) == [("a_000010_000020.mp4", "zumba"), ("train/yoga/b_000001_000011.mp4", "yoga")]


# ActivityNet


ANNOTATED = {
    "one": {
        "subset": "training",
        "duration": 92.1,
        "annotations": [{"label": "Dodgeball", "segment": [5.4, 11.6]}, {"label": "Yoga", "segment": [20, 31.5]}],
    },
    "two": {"subset": "validation", "duration": 9.0, "annotations": [{"label": "Yoga", "segment": [0.0, 9.0]}]},
    "three": {"subset": "testing", "duration": 9.0, "annotations": []},
    "four": {"subset": "training", "duration": 9.0, "annotations": []},
}


@pytest.mark.parametrize("content", [{"version": "1.3", "database": ANNOTATED}, ANNOTATED], ids=["database", "bare"])
def test_activitynet(tmp_path: Path, content: dict[str, Any]) -> None:
    touch(tmp_path, "videos/v_one.mp4", "videos/two.mkv")
    source = write_json(tmp_path / "activity_net.v1-3.min.json", content)
    splits = splits_of(tmp_path, train=source, val=source)
    assert splits["train"].classes == splits["val"].classes == ("Dodgeball", "Yoga")
    found = [(*row, record.segment) for row, record in zip(rows(splits["train"]), splits["train"].records, strict=True)]
    assert found == [
        ("videos/v_one.mp4", "Dodgeball", Segment(5.4, 11.6)),
        ("videos/v_one.mp4", "Yoga", Segment(20.0, 31.5)),
    ]
    assert [record.name for record in splits["val"].records] == [f"{tmp_path}/videos/two.mkv#t=0,9"]
    assert rows(read_index(source, split="test")) == [("v_three.mp4", None)]


def test_a_part_that_ends_before_it_starts_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = [{"label": "x", "segment": [3, 2]}, {"label": "x", "segment": [1, 2]}, {"label": "x", "segment": [5, 5]}]
    index = read_index(write_json(tmp_path / "a.json", {"one": {"subset": "training", "annotations": parts}}))
    assert [record.segment for record in index.records] == [Segment(1, 2)]
    assert "video one: a part from 3 to 2 s is left out; its end must come after its start" in caplog.text
    assert "from 5 to 5 s" in caplog.text


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"label": "x", "segment": [3]}, r"video one: the annotation .*; expected a label and a segment of two times"),
        ({"segment": [3, 4]}, r"expected a label and a segment"),
    ],
)
def test_wrong_annotations(tmp_path: Path, annotation: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_index(write_json(tmp_path / "a.json", {"one": {"subset": "training", "annotations": [annotation]}}))


@pytest.mark.parametrize(
    ("content", "labels", "message"),
    [
        ([{"id": "1", "template": None}], None, "entry 1: .*; expected an id and a template"),
        ([{"id": "1", "template": "A [b]"}, {"id": "2"}], None, "entry 2: .*; expected an id and a template"),
        ([{"id": "1", "template": "A [b]"}], "{", r"labels\.json: expected a number for each label"),
        ([{"id": "1", "template": "A [b]"}], "[1]", r"labels\.json: expected a number for each label"),
        ({"v": {"subset": "training", "annotations": 3}}, None, "video v: expected a list of annotations, got 3"),
    ],
)
def test_json_with_something_wrong_in_it(tmp_path: Path, content: Any, labels: str | None, message: str) -> None:
    if labels:
        write(tmp_path / "labels.json", labels)
    with pytest.raises(ValueError, match=message):
        read_index(write_json(tmp_path / "train.json", content))


# mmaction2


def test_mmaction2_videos_and_folders_of_frames(tmp_path: Path) -> None:
    videos = read_index(write(tmp_path / "videos.txt", "a/0.mp4 1", "a/1.mp4 2"))
    assert [(record.label, record.frames) for record in videos.records] == [(1, None), (2, None)]
    frames = read_index(write(tmp_path / "frames.txt", "a/0 163 1", "a/1 122 2"))
    assert rows(frames) == [("a/0", "1"), ("a/1", "2")]
    assert [record.frames for record in frames.records] == [163, 122]
    offsets = read_index(write(tmp_path / "offsets.txt", "a/0 10 163 1", "a/1 0 122 2"))
    assert [record.segment for record in offsets.records] == [Segment(10, 173, "frames"), Segment(0, 122, "frames")]


def test_names_with_blanks_and_numbers_that_exist_are_no_folders_of_frames(tmp_path: Path) -> None:
    touch(tmp_path, "a/clip 1/00001.jpg", "a/clip 2/00001.jpg")
    index = read_index(write(tmp_path / "train.txt", "a/clip 1 1", "a/clip 2 0"))
    assert rows(index) == [("a/clip 1", "1"), ("a/clip 2", "0")]


def test_several_labels_for_a_video(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lines of 4 and 5 fields; expected 'dir total label' .*several labels"):
        read_index(write(tmp_path / "frames.txt", "a/0 163 1 4", "a/1 122 2 3 7"))
    touch(tmp_path, "a/0/00001.jpg", "a/0/00002.jpg")
    with pytest.raises(ValueError, match=r"line 1: frames 2 to 3 of 2 in .*several labels"):
        read_index(write(tmp_path / "frames.txt", "a/0 2 1 4"))


# Moments, Diving48, EPIC-KITCHENS


def test_moments_in_time(tmp_path: Path) -> None:
    write(tmp_path / "moments_categories.txt", "praying,1", "clapping,0", "jumping,2")
    index = read_index(
        write(tmp_path / "trainingSet.csv", "jumping/a,b.mp4,jumping,3,0", "clapping/c.mp4,clapping,4,1")
    )
    assert index.classes == ("clapping", "praying", "jumping")
    assert rows(index) == [("jumping/a,b.mp4", "jumping"), ("clapping/c.mp4", "clapping")]


def test_diving48(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/-mm_00155.mp4")
    entries = [
        {"vid_name": "-mm_00155", "label": 2, "start_frame": 0, "end_frame": 48},
        {"vid_name": "x_00001", "label": 0, "start_frame": 3, "end_frame": 51},
    ]
    index = read_index(write_json(tmp_path / "Diving48_V2_train.json", entries))
    assert rows(index) == [("rgb/-mm_00155.mp4", "2"), ("x_00001.mp4", "0")]
    assert [record.segment for record in index.records] == [Segment(0, 48, "frames"), Segment(3, 51, "frames")]
    assert index.classes == ("0", "1", "2")


EPIC = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes",
    "P01_01_0,P01,P01_01,00:00:00.560,00:00:00.00,00:00:01.89,1,113,take plate,take,0,plate,2,['plate'],[2]",
    'P01_01_1,P01,P01_01,00:00:02.1,00:01:02.50,01:00:03.25,1,9,"put, down",put,1,cup,0,"[\'cup\', \'lid\']","[0, 3]"',
)


def test_epic_kitchens(tmp_path: Path) -> None:
    touch(tmp_path, "P01/videos/P01_01.MP4")
    source = write(tmp_path / "EPIC_100_train.csv", *EPIC)
    index = read_index(source, columns=parse_columns("label=verb"))
    assert rows(index) == [("P01/videos/P01_01.MP4", "take"), ("P01/videos/P01_01.MP4", "put")]
    assert [record.segment for record in index.records] == [Segment(0.0, 1.89), Segment(62.5, 3603.25)]
    nouns = read_index(source, columns=parse_columns("label=noun_class"))
    assert [record.label for record in nouns.records] == [2, 0]
    with pytest.raises(
        ValueError, match=r"several labels for an action: say which, for instance --data\.columns label="
    ):
        read_index(source)


def test_json_that_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not JSON \(Expecting value"):
        read_index(write(tmp_path / "a.json", "no"))
    for content in ([], {}, [1], {"a": 1}, SSV2_LABELS, [{"path": "a.mp4"}], 3):
        with pytest.raises(ValueError, match="is no list of videos that is known"):
            read_index(write_json(tmp_path / "a.json", content))
    with pytest.raises(ValueError, match="columns are those of a text file"):
        read_index(write_json(tmp_path / "a.json", ANNOTATED), columns={"label": "x"})
