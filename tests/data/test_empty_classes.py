"""Class folders that are no classes, and classes without a training video: which, why, and when that is an error."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from videogn.axes import VideoRecord
from videogn.data.datamodule import VideoDataModule
from videogn.data.empty_classes import about_empty_classes, empty_classes, refuse_mostly_empty
from videogn.data.left_out import left_out_lines, left_out_table
from videogn.data.sources import read_index
from videogn.data.video_index import VideoIndex


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(path).encode())


def folders(root: Path, *classes: str, videos: int = 3) -> None:
    touch(root, *(f"{name}/{number}.mp4" for name in classes for number in range(videos)))


def listed(*labels: int, classes: int, errors: dict[int, str] | None = None) -> VideoIndex:
    errors = errors or {}
    records = [VideoRecord(f"/d/{n}.mp4", label, error=errors.get(n)) for n, label in enumerate(labels)]
    return VideoIndex(records, tuple(map(str, range(classes))), "/d", checked=True)


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    # Another test of the same process may have let information through.
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_folders_of_the_system_and_of_notes_are_no_classes(tmp_path):
    folders(tmp_path, "left", "right")
    touch(tmp_path, "__MACOSX/left/._0.mp4", "@eaDir/x.jpg", "annotations/a.json", "annotations/deep/b.txt")
    touch(tmp_path, "#recycle/0.mp4", "System Volume Information/x", ".git/config", "left/@eaDir/0.mp4/thumb.mp4")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "empty").mkdir()
    index = read_index(tmp_path)
    assert index.classes == ("empty", "left", "right")
    assert len(index) == 6
    assert left_out_lines(index.left_out, index.classes, ["left", "right"]) == [
        "no class, since it holds no video: annotations (1 .json, 1 .txt)"
    ]
    assert left_out_table(index.left_out, index.classes) == [
        "annotations (no class): 1 .json, 1 .txt",
        "#recycle, @eaDir, System Volume Information, __MACOSX, lost+found (system folders)",
    ]
    assert empty_classes(index) == {"empty": "its folder is empty"}


def test_a_class_whose_files_are_not_read_is_named_with_them(tmp_path):
    folders(tmp_path, "left", "right")
    touch(tmp_path, *(f"down/{number}.xyz" for number in range(6)), "down/.x.mp4", "right/a.xyz", "right/0.json")
    touch(tmp_path, "frames/img_1.jpg", "right/readme.txt", "right/thumb.jpg")
    index = read_index(tmp_path)
    assert index.classes == ("down", "frames", "left", "right")
    assert about_empty_classes(index) == (
        "2 of 4 classes have no training video: down (its folder holds no video, only 6 .xyz, 1 hidden), "
        "frames (its folder holds no video, only 1 .jpg)"
    )
    assert left_out_lines(index.left_out, index.classes, ["left", "right"]) == [
        "left out: 1 .xyz of class right (not suffixes of videos; `videogn data show` counts all)"
    ]


@pytest.mark.parametrize(
    ("labels", "classes", "line"),
    [
        ([1, 2, 3], 4, "class 0 has no training video: do your labels start at 1? Number them from 0, or use names"),
        (
            [0, 1000, 2000],
            2001,
            "1,998 of 2,001 classes have no training video (1, 2, 3 and 1,995 more): are there gaps in your labels? "
            "Number them from 0 on, or use names",
        ),
        (
            [0, 2, 3],
            4,
            "class 1 has no training video: are there gaps in your labels? Number them from 0 on, or use names",
        ),
        ([0, 1, 2], 3, None),
    ],
)
def test_labels_that_are_numbers(labels, classes, line):
    index = listed(*labels, classes=classes)
    assert about_empty_classes(index) == line
    if classes == 2001:
        with pytest.raises(ValueError, match=r"1,998 of 2,001 .*: --data\.allow_empty_classes true$"):
            refuse_mostly_empty(index, line)
    elif line:
        refuse_mostly_empty(index, line)


def test_a_class_of_which_nothing_can_be_used():
    index = listed(0, 0, 1, 1, 1, classes=2, errors={2: "missing", 3: "missing: gone", 4: "corrupt: x"})
    assert about_empty_classes(index) == "class 1 has no training video: all 2 missing, 1 corrupt"
    assert about_empty_classes(index, given=True) == "class 1 has no training video"


def test_missing_files_are_asked_for_once(tmp_path):
    touch(tmp_path, "0.mp4")
    records = [VideoRecord(str(tmp_path / f"{number}.mp4"), number) for number in range(2)]
    index = VideoIndex(records, ("a", "b"), str(tmp_path)).asked()
    assert index.checked
    (tmp_path / "0.mp4").unlink()
    assert empty_classes(index) == {"b": "all 1 missing"}


# The data module


def data(root: Path, **options) -> VideoDataModule:
    return VideoDataModule(str(root), **{"num_workers": 0, "batch_size": 1, **options})


def test_fit_says_it_before_anything_is_built_and_once(tmp_path, caplog):
    folders(tmp_path, "left", "right")
    (tmp_path / "up").mkdir()
    module = data(tmp_path)
    with caplog.at_level(logging.WARNING):
        module.setup("test")
        assert not _warnings(caplog)
        assert module.training_classes == ["left", "right", "up"]
        module.setup("fit")
    assert _warnings(caplog) == ["class up has no training video: its folder is empty"]


def test_more_than_half_is_an_error_unless_allowed_or_given(tmp_path, caplog):
    folders(tmp_path, "left")
    for name in ("right", "up"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=r"2 of 3 classes .* --data\.allow_empty_classes true"):
        data(tmp_path).setup("fit")
    data(tmp_path).setup("validate")
    data(tmp_path, allow_empty_classes=True).setup("fit")
    data(tmp_path, class_names=["left", "right", "up", "down"]).setup("fit")
    assert _warnings(caplog) == [
        "2 of 3 classes have no training video: right (its folder is empty), up (its folder is empty)",
        "3 of 4 classes have no training video: right, up, down",
    ]


def test_a_clean_data_set_says_nothing(tmp_path, caplog):
    folders(tmp_path, "left", "right")
    touch(tmp_path, "left/0.json", "left/readme.txt", "right/1.srt", "right/Thumbs.db", "notes.txt")
    data(tmp_path).setup("fit")
    assert not _warnings(caplog)


@pytest.mark.parametrize("below", ["", "train", "val"])
def test_a_root_one_folder_too_high(tmp_path, below):
    folders(tmp_path / "parent/my_videos" / below, "left", "right")
    if below:
        folders(tmp_path / "parent/my_videos" / ("val" if below == "train" else "train"), "left", "right")
    with pytest.raises(ValueError, match=r"^parent has only one class, my_videos: is its folder my_videos meant\?$"):
        data(tmp_path / "parent")
    assert data(tmp_path / "parent", class_names=["my_videos", "other"]).class_names == ["my_videos", "other"]


def test_one_class_of_videos(tmp_path):
    folders(tmp_path / "set", "left")
    with pytest.raises(ValueError, match=r"^set has only one class, left; at least two are needed$"):
        data(tmp_path / "set")
    (tmp_path / "l.txt").write_text("set/left/0.mp4 x\nset/left/1.mp4 x\n")
    with pytest.raises(ValueError, match=r"^there is only one class, x; at least two are needed$"):
        VideoDataModule(train=str(tmp_path / "l.txt"), num_workers=0)


def test_what_is_left_out_is_said_once_where_the_test_videos_are_the_validation_videos(tmp_path, caplog):
    for split in ("train", "val"):
        folders(tmp_path / split, "left", "right")
        touch(tmp_path / split, f"left/{split}.part")
    data(tmp_path)
    assert _warnings(caplog) == [
        f"{split}: left out: 1 .part of class left (not suffixes of videos; `videogn data show` counts all)"
        for split in ("train", "val")
    ]


def test_where_no_video_is_there_at_all_that_is_what_is_said(tmp_path):
    (tmp_path / "train.txt").write_text("1.mp4 a\n2.mp4 b\n3.mp4 b\n")
    with pytest.raises(ValueError, match=r"all 3 train videos are missing, for instance .*1\.mp4; is root right\?"):
        data(tmp_path).setup("fit")
