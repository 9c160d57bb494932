"""Processes of one training have to deal out one list of videos."""

from __future__ import annotations

import pytest

from videogn.axes import VideoRecord
from videogn.data import usable
from videogn.data.records import Records
from videogn.data.video_index import VideoIndex


def _index(folder, names):
    return VideoIndex(Records.of([VideoRecord(str(folder / name), 0) for name in names]), ("x",), str(folder))


@pytest.fixture
def two_processes(monkeypatch):
    """Lets the other process answer first; returns where its answer goes."""
    answers = []

    def of_all(own):
        answers.append(own)
        return [answers[0], own]

    monkeypatch.setattr(usable, "world_size", lambda: 2)
    monkeypatch.setattr(usable, "of_all_processes", of_all)


def test_different_disks_are_an_error(two_processes, tmp_path):
    """As many videos, but not the same ones: also in the process that sees them all."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    index = _index(tmp_path, ["a.mp4", "b.mp4", "c.mp4"])
    assert len(usable.without_missing(index, "train")) == 2
    assert len(usable.without_missing(index, "train")) == 2
    (tmp_path / "b.mp4").rename(tmp_path / "c.mp4")
    with pytest.raises(ValueError, match=r"do not see the same train videos \(usable in each: 2, 2\)"):
        usable.without_missing(index, "train")
    for name in ("a.mp4", "c.mp4"):
        (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=r"do not see the same train videos \(usable in each: 2, 0\)"):
        usable.without_missing(index, "train")


def test_other_lists_are_an_error(two_processes, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    usable.without_missing(_index(tmp_path, ["a.mp4", "b.mp4"]), "train")
    with pytest.raises(ValueError, match="do not see the same"):
        usable.without_missing(_index(tmp_path, ["b.mp4", "a.mp4"]), "train")
