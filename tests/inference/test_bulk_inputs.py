"""Inputs of bulk scoring: words, lists, shards, indexes, stores."""

from __future__ import annotations

import io
import os
import tarfile
import threading

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videogn.axes import Segment
from videogn.inference.bulk.inputs import Inputs, Shard, parse_shard


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Files of a few bytes: nothing is decoded."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.mp4", "a.mp4", "deep/c d.mkv", "deep/.hidden.mp4", "deep/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")


def names(*words, **options):
    return [record.name for record in Inputs(words, **options)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["b.mp4", "a.mp4"], ["b.mp4", "a.mp4"]),
        ([".", "b.mp4"], ["./a.mp4", "./b.mp4", "./deep/c d.mkv", "b.mp4"]),
        (["*.mp4"], ["a.mp4", "b.mp4"]),
        (["**/*.mkv"], ["deep/c d.mkv"]),
        (["d*"], ["deep/c d.mkv"]),
        (["[ab].mp4#t=1,2"], ["a.mp4#t=1,2", "b.mp4#t=1,2"]),
        (["deep#frames=2,9"], ["deep/c d.mkv#frames=2,9"]),
        (["missing.mp4", "a.mp4"], ["missing.mp4", "a.mp4"]),
        (["s3://bucket/a.mp4?version=1"], ["s3://bucket/a.mp4?version=1"]),
    ],
)
def test_words(words, expected):
    assert names(*words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["c.mp4"], "no such file or folder: c.mp4; did you mean [ab].mp4"),
        (["*.webm"], "no file matches"),
        (["x-*.tar"], "no shard"),
        (["a.mp4#t=2,1"], "its end must come after its start"),
    ],
)
def test_a_word_that_names_nothing_is_wrong_alone_and_fails_among_others(words, message):
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        Inputs(words)
    assert names("b.mp4", *words) == ["b.mp4", *words]


def test_a_wrong_part_among_others_says_why():
    assert [record.error for record in Inputs(["b.mp4", "a.mp4#t=2,1"])][1].endswith("must come after its start")


NAMES = [b"a.mp4", b" blanks .mp4", "ümläut.mp4".encode(), b"\xff\xfe.mp4", b"# no comment.mp4", b"a.mp4#t=1,2"]


def test_lists_of_lines(tmp_path):
    """Blank lines are skipped; the byte order mark and the carriage returns of Windows are no part of a name."""
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + b"\r\n\n".join(NAMES))
    assert names(lists=["list.txt"]) == [os.fsdecode(name) for name in NAMES]
    assert Inputs((), ["list.txt"]).count() == len(NAMES)


def test_lists_with_nul(tmp_path):
    odd = [*NAMES, b"new\nline.mp4", b"return\r"]
    (tmp_path / "list").write_bytes(b"\0".join(odd) + b"\0")
    assert names(lists=["list"], null=True) == [os.fsdecode(name) for name in odd]
    with pytest.raises(ValueError, match=r"list, line 1: a NUL byte; .* --null"):
        names(lists=["list"])


@pytest.mark.parametrize("size", [(1 << 16) - 3, 1 << 16, (1 << 16) + 5])
def test_names_over_the_ends_of_blocks(tmp_path, size):
    expected = [f"{number}/" + "x" * 97 + ".mp4" for number in range(size // 100)]
    (tmp_path / "list").write_text("\n".join(expected))
    assert names(lists=["list"]) == expected


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a.mp4\nb.mp4")))
    inputs = Inputs((), ["-"])
    assert inputs.count() is None
    assert [record.path for record in inputs] == ["a.mp4", "b.mp4"]
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ValueError, match="standard input, which is closed"):
        names(lists=["-"])


def test_lists_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        Inputs((), ["lst.txt"])
    with pytest.raises(ValueError, match="got the folder deep: name it without --list"):
        Inputs((), ["deep"])
    (tmp_path / "long").write_bytes(b"x" * 100_000)
    with pytest.raises(ValueError, match=r"long, line 1: .* bytes are no path"):
        names(lists=["long"])


def test_lists_of_training(tmp_path):
    """With labels that do not matter, or without; relative to the folder of the list."""
    (tmp_path / "deep" / "labels.txt").write_text("c d.mkv 3\n../a.mp4 1\n")
    (tmp_path / "deep" / "paths.txt").write_text("c d.mkv\nmy holiday.mp4\n")
    assert [os.path.normpath(name) for name in names("deep/labels.txt")] == ["deep/c d.mkv", "a.mp4"]
    assert names("deep/paths.txt") == ["deep/c d.mkv", "deep/my holiday.mp4"]


def test_index(tmp_path):
    columns = {"path": ["a.mp4", "b.mp4"], "label": ["run", None], "status": ["ok", "corrupt"], "reason": ["", "cut"]}
    pq.write_table(pa.table(columns | {"start_time": [1.0, None], "end_time": [2.0, None]}), "val.parquet")
    first, second = Inputs(["val.parquet"])
    assert (os.path.basename(first.path), first.segment, first.error) == ("a.mp4", Segment(1, 2), None)
    assert second.error == "corrupt: cut"


@pytest.fixture
def shard(tmp_path):
    """A tar file without labels."""
    with tarfile.open("s.tar", "w") as archive:
        for name in ("x/c.mp4", "x/.d.mp4", "readme.md", "a.mkv"):
            member = tarfile.TarInfo(name)
            member.size = 1000
            archive.addfile(member, io.BytesIO(bytes(1000)))
    return tmp_path / "s.tar"


def test_shards(shard):
    """Videos in the order of the shard; what is lost of one is a failure, not silence."""
    assert names("s.tar") == names("s*.tar") == ["s.tar/x/c.mp4", "s.tar/a.mkv"]
    shard.with_name("cut.tar").write_bytes(shard.read_bytes()[:1600])
    shard.with_name("no.tar").write_bytes(b"text" * 1000)
    *_, lost, wrong = Inputs(["cut.tar", "no.tar"])
    assert lost.error.startswith("shard is cut short after 1 members")
    assert wrong.error.startswith("not a tar file")


def test_stores(shard):
    files = fsspec.filesystem("memory")
    for name in ("/inputs/a.mp4", "/inputs/deep/b.mp4", "/inputs/notes.md"):
        files.pipe(name, b"x")
    files.pipe("/inputs/s.tar", shard.read_bytes())
    inputs = Inputs(["memory://inputs/"])
    assert inputs.count() is None
    assert [record.path for record in inputs] == ["memory:///inputs/a.mp4", "memory:///inputs/deep/b.mp4"]
    assert names("memory://inputs/*.mp4") == ["memory:///inputs/a.mp4"]
    assert names("memory://inputs/s.tar") == ["memory://inputs/s.tar/x/c.mp4", "memory://inputs/s.tar/a.mkv"]
    assert names("memory://inputs/a.mp4", f"file://{shard.parent}/a.mp4")[1] == f"file://{shard.parent}/a.mp4"


def test_parts_of_the_inputs(tmp_path):
    every = [f"{number}.mp4" for number in range(10)]
    (tmp_path / "list").write_text("\n".join(every))
    parts = [names(lists=["list"], shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert parts == [every[0::3], every[1::3], every[2::3]]
    assert Inputs((), ["list"], shard=Shard(2, 3)).count() == 3


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_parts_that_do_not_exist(text):
    assert parse_shard("3/16") == (3, 16)
    with pytest.raises(ValueError, match="--shard must be a part such as 3/16"):
        parse_shard(text)


@pytest.mark.parametrize("text", [b"", b"\n\n"])
def test_an_empty_stream_is_said_to_be_empty(tmp_path, text):
    """It cannot be counted beforehand, unlike a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    inputs = Inputs([], [str(pipe)])
    writer = threading.Thread(target=pipe.write_bytes, args=(text,))
    writer.start()
    with pytest.raises(ValueError, match=r"pipe names no video$"):
        list(inputs)
    writer.join()
    assert not list(Inputs(["a.mp4"], shard=Shard(2, 2)))  # of many parts, some may be empty
