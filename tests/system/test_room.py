"""A full disk: which file, why, and what is free, in a line; nothing is lost and nothing half is left."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from full_disk import files_of_at_most

from videogn.system import room
from videogn.system.files import replacing, replacing_together, write_text
from videogn.system.journal import Journal, read_journal
from videogn.system.room import NO_ROOM, WriteError, free_bytes, no_room, why
from videogn.video.encode import write_video


def _torch(path: Path) -> None:
    with open(path, "wb") as file:
        torch.save({"weight": torch.zeros(100_000)}, file)


def _video(path: Path) -> None:
    write_video(path, np.random.default_rng(0).integers(0, 255, (30, 128, 128, 3), np.uint8))


WRITERS = {
    "text": lambda path: path.write_text("x" * 100_000),
    "torch": _torch,
    "parquet": lambda path: pq.write_table(pa.table({"a": np.random.default_rng(0).random(50_000)}), path),
    "video": _video,
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("together", [False, True])
def test_a_file_without_room_keeps_the_old_one(tmp_path, writer, together):
    path = tmp_path / "a.mp4"
    path.write_text("old")
    said = r"a\.mp4 cannot be written \(File too large, see ulimit -f\)"
    writing = replacing_together if together else replacing
    with files_of_at_most(20_000), pytest.raises(WriteError, match=said) as refused, writing(path) as temporary:
        WRITERS[writer](temporary)
    assert refused.value.errno == errno.EFBIG
    assert ".partial" not in str(refused.value).replace("a.mp4", "", 1)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]
    WRITERS[writer](path)  # there is room again


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_every_kind_is_named_in_one_line(tmp_path, number):
    with pytest.raises(WriteError, match=r"a\.txt cannot be written \(") as refused, replacing(tmp_path / "a.txt"):
        raise OSError(number, os.strerror(number))
    text = str(refused.value)
    assert NO_ROOM.search(text)
    assert "\n" not in text
    assert "[Errno" not in text
    assert (" free" in text) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert str(pickle.loads(pickle.dumps(refused.value))) == text, "it comes from other processes too"


def test_what_is_free_and_what_is_needed(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    full = OSError(errno.ENOSPC, "")
    monkeypatch.setattr(room, "free_bytes", lambda place: 4096)
    assert why(full, path) == "No space left on device, 4.0 KiB free and more needed"
    assert why(full, path, written=1024) == "No space left on device, 5.0 KiB free and more needed"
    assert why(full, path, needed=10_000) == "No space left on device, 4.0 KiB free and about 9.8 KiB needed"
    monkeypatch.setattr(room, "free_bytes", lambda place: 1 << 30)
    assert why(full, path).endswith("1.0 GiB free: perhaps it holds as many files as it can, see df -i")
    monkeypatch.setattr(room, "free_bytes", lambda place: None)
    assert why(full, path) == "No space left on device"


def test_free_space_of_what_does_not_exist_yet(tmp_path):
    stated = os.statvfs(tmp_path)
    found = free_bytes(tmp_path / "new" / "newer")
    assert found == pytest.approx(stated.f_bavail * stated.f_frsize, rel=0.2)


def test_the_cause_of_an_error_of_others():
    """torch says RuntimeError where the system said that the disk is full."""
    cause = OSError(errno.ENOSPC, "")
    error = RuntimeError("unexpected pos 704 vs 598")
    error.__context__ = cause
    assert no_room(error) is cause
    assert no_room(OSError(errno.ENOENT, "")) is None
    assert no_room(None) is None


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError, match="input"), replacing(tmp_path / "a.txt"):
        raise FileNotFoundError("input")
    with pytest.raises(RuntimeError, match="of the network"), replacing(tmp_path / "a.txt"):
        raise RuntimeError("of the network")


def test_cplusplus_that_gives_no_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "free_bytes", lambda place: 100)
    said = r"net\.xml cannot be written \(No space left"
    with pytest.raises(WriteError, match=said), replacing_together(tmp_path / "net.xml") as temporary:  # noqa: PT012
        temporary.write_text("x")
        raise RuntimeError("Exception from serialize.cpp:1279: check failed")


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(WriteError, match=r"a\.txt cannot be written \(No space left"):
        write_text(tmp_path / "new" / "a.txt", "x")


def test_a_journal_keeps_its_lines_and_goes_on(tmp_path):
    path = tmp_path / "work.journal"
    with Journal(path) as lines:
        lines.append({"n": 1})
        with files_of_at_most(50), pytest.raises(WriteError, match=r"work\.journal cannot be written"):
            lines.append({"n": "x" * 100})
    with Journal(path) as lines:
        lines.append({"n": 2})
    assert [line["n"] for line in read_journal(path)] == [1, 2]
