"""A reader never sees half a file."""

from __future__ import annotations

import json

import pytest

from videogn.system.files import replacing, write_json, write_text


@pytest.mark.parametrize("name", ["a.mp4", "a", "a b.tar.gz", ".hidden", "é 视频.csv"])
def test_the_file_appears_at_the_end(tmp_path, name):
    """Until then the old one stands; the temporary one lies beside it, hidden, with the same suffix if any."""
    path = tmp_path / "new" / "folder" / name
    with replacing(path) as temporary:
        temporary.write_text("1")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == (path.suffix or ".partial")
        assert temporary.name.startswith(".")
    assert path.read_text() == "1"
    with replacing(str(path)) as temporary:
        temporary.write_text("2")
        assert path.read_text() == "1"
    assert path.read_text() == "2"
    assert [entry.name for entry in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="early"), replacing(tmp_path / "a.txt"):
        raise ValueError("early")
    assert list(tmp_path.iterdir()) == []


def test_nothing_written_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_files_that_differ_in_their_suffix_only_do_not_meet(tmp_path):
    with replacing(tmp_path / "a.csv") as one, replacing(tmp_path / "a.parquet") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert ((tmp_path / "a.csv").read_text(), (tmp_path / "a.parquet").read_text()) == ("1", "2")


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "é 视频\n")
    assert (tmp_path / "a.txt").read_bytes() == "é 视频\n".encode()


def test_json_is_readable_and_strict(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "é", "values": [1, 0.5, None]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "é", "values": [1, 0.5, None]}
    assert "é" in path.read_text(encoding="utf-8")
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            write_json(path, {"value": bad})
    assert json.loads(path.read_text(encoding="utf-8"))["name"] == "é"
