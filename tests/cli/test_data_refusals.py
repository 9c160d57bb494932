"""`fit` and `test` over data that are not what they seem: what is refused, in one line, and what is said."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from training import evaluation_arguments, fit_arguments


def _numbered(motion: Path, folder: Path, numbers: dict[str, int], shared: bool = False) -> Path:
    """Lists of the motion data set with class numbers for its classes; with `shared`, val has a training video."""
    for split in ("train", "val"):
        videos = sorted((motion / split).rglob("*.mp4"))
        videos += sorted((motion / "train").rglob("*.mp4"))[:1] if shared and split == "val" else []
        lines = [f'"{video}" {numbers[video.parent.name]}\n' for video in videos]
        (folder / f"{split}.txt").write_text("".join(lines))
    return folder


def _numbers(motion: Path, step: int, start: int) -> dict[str, int]:
    names = sorted(folder.name for folder in (motion / "train").iterdir() if folder.is_dir())
    return {name: start + step * number for number, name in enumerate(names)}


def test_labels_with_gaps_are_refused_before_anything_is_built(videogn, capsys, motion, tmp_path):
    root = _numbered(motion, tmp_path, _numbers(motion, 100, 0))
    assert videogn(*fit_arguments(root, tmp_path / "out")) == 2
    printed = capsys.readouterr().err.strip().splitlines()
    assert printed[-1] == (
        "videogn: error: 693 of 701 classes have no training video (1, 2, 3 and 690 more): are there gaps in your "
        "labels? Number them from 0 on, or use names; if that is what you want: --data.allow_empty_classes true"
    )
    assert not (tmp_path / "out").exists()


def test_leaks_are_refused_if_asked(videogn, capsys, motion, tmp_path):
    root = _numbered(motion, tmp_path, _numbers(motion, 1, 0), shared=True)
    assert videogn(*fit_arguments(root, tmp_path / "out"), "--data.leaks=error") == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("videogn: error: 1 video is in train and in val, for instance ")
    assert not (tmp_path / "out").exists()


def test_a_fit_says_each_once_and_a_test_of_its_checkpoint_only_leaks(videogn, caplog, motion, tmp_path):
    """Labels from 1; a fit goes on all the same, and a test has the classes of the checkpoint."""
    root = _numbered(motion, tmp_path, _numbers(motion, 1, 1), shared=True)
    out = tmp_path / "out"
    with caplog.at_level(logging.INFO):
        assert videogn(*fit_arguments(root, out)) == 0
    said = [line.split(":")[0].split(",")[0] for line in caplog.messages]
    assert said[:2] == ["1 video is in train and in val", "class 0 has no training video"]
    assert said.count(said[0]) == said.count(said[1]) == 1
    caplog.clear()
    checkpoint = out / "checkpoints" / "last.ckpt"
    assert videogn(*evaluation_arguments("test", root, out, checkpoint)) == 0
    said = [line.split(":")[0].split(",")[0] for line in caplog.messages]
    assert said.count("1 video is in train and in val") == 1
    assert not any("has no training video" in line for line in said)


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_root_one_folder_too_high(videogn, capsys, motion, trained, tmp_path, command):
    (tmp_path / "parent").mkdir()
    shutil.copytree(motion / "val", tmp_path / "parent" / "my_videos")
    arguments = fit_arguments(tmp_path / "parent", tmp_path / "out")
    if command == "test":  # of initial weights: a checkpoint has its own classes
        weights = trained / "checkpoints" / "last.ckpt"
        arguments = ["test", *arguments[1:], f"--model.init_from={weights}"]
    assert videogn(*arguments) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line == "videogn: error: parent has only one class, my_videos: is its folder my_videos meant?"
