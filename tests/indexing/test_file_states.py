"""What is said of files, members and objects without opening them."""

from __future__ import annotations

import tarfile

import pytest

from videogn.indexing.file_states import file_state
from videogn.video.storage import state


def test_a_member_changes_with_its_shard(tmp_path):
    """The shard is the component that is a file: a folder may be named like one."""
    (tmp_path / "a.tar").mkdir()
    (tmp_path / "x.mp4").write_bytes(b"12345")
    with tarfile.open(tmp_path / "a.tar" / "s.tar", "w") as shard:
        shard.add(tmp_path / "x.mp4", "x.mp4")
    changed = (tmp_path / "a.tar" / "s.tar").stat().st_mtime_ns
    assert file_state(str(tmp_path / "a.tar" / "s.tar" / "x.mp4")) == (5, changed, None, None)
    assert file_state(str(tmp_path / "a.tar" / "s.tar" / "y.mp4"))[2:] == ("missing", "its shard has no such member")
    assert file_state(str(tmp_path / "a.tar" / "y.mp4"))[2:] == ("missing", "file not found")


def test_an_object_changes_with_what_its_store_says(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    facts = {"size": 3, "ETag": "one"}
    monkeypatch.setattr(type(memory), "info", lambda *_, **__: facts)
    before = state("memory://x.mp4")
    assert before[0] == 3
    assert state("memory://x.mp4") == before
    facts["ETag"] = "other"
    assert state("memory://x.mp4")[1] != before[1]
    assert 0 <= before[1] < 2**63
