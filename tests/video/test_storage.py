"""Bytes of files, of members of tar shards and of objects, and decoding from them."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from video_files import COUNT, read_numbers

from videogn.video import decode_frames, open_video
from videogn.video.decoders import frame_table, stream
from videogn.video.decoders.readers import DECODERS, check_decoder
from videogn.video.errors import EmptyVideoError, MissingVideoError, VideoDecodeError
from videogn.video.storage import exists, read_source, shard_members, size


def pack(shard: Path, members: dict[str, bytes], form: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(shard, "w", format=form) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return shard


@pytest.fixture
def shard(tmp_path, video) -> Path:
    videos = {f"{name}.mp4": video(source).read_bytes() for name, source in (("a", "gop12.mp4"), ("b", "gop250.mp4"))}
    return pack(tmp_path / "train-000.tar", {"a.json": b"{}", **videos, "empty.mp4": b""})


@pytest.mark.parametrize("decoder", DECODERS)
def test_members_decode_from_memory_as_files_do(shard, video, decoder):
    try:
        check_decoder(decoder)
    except ValueError as error:
        pytest.skip(str(error))
    with open_video(shard / "b.mp4", decoder) as opened:
        assert opened.decoder == {"auto": "pyav"}.get(decoder, decoder)
        frames = opened.frames(range(0, COUNT, 7))
    assert np.array_equal(frames, decode_frames(video("gop250.mp4"), range(0, COUNT, 7), decoder))


def test_a_member_is_read_once(shard, monkeypatch):
    reads = []

    def counting(path):
        reads.append(path)
        return read_source(path)

    for module in (frame_table, stream):
        monkeypatch.setattr(module, "read_source", counting)
    assert read_numbers(decode_frames(shard / "a.mp4", [40], "pyav")) == [40]
    assert len(reads) == 1


@pytest.mark.parametrize("name", ["raw.h264", "animation.gif", "mpegts.ts", "vp8.webm", "head.mp4"])
def test_formats_without_a_signature_are_known_by_their_names(tmp_path, video, name):
    shard = pack(tmp_path / "x.tar", {f"deep/{name}": video(name).read_bytes()})
    member = shard / "deep" / name
    assert np.array_equal(decode_frames(member, [3, 30], "pyav"), decode_frames(video(name), [3, 30], "pyav"))


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_table_of_a_shard(tmp_path, form):
    members = {"./a.bin": b"1" * 700, "x/" * 60 + "ü.bin": b"22", "b.bin": b""}
    shard = pack(tmp_path / "x.tar", members, form)
    with tarfile.open(shard, "a") as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    table = shard_members(shard)
    assert list(table) == [name.removeprefix("./") for name in members]
    data = shard.read_bytes()
    assert [data[start : start + length] for start, length in table.values()] == list(members.values())


def test_a_changed_shard_is_read_anew(tmp_path):
    shard = pack(tmp_path / "x.tar", {"a": b"1"})
    assert read_source(shard / "a") == b"1"
    pack(shard, {"b": b"2", "a": b"333"})
    os.utime(shard, ns=(1, 1))
    assert read_source(shard / "a") == b"333"
    assert size(shard / "b") == 1


def test_a_folder_may_be_named_as_a_shard(tmp_path, video):
    folder = tmp_path / "videos.tar"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(video("gop12.mp4").read_bytes())
    assert read_source(folder / "a.mp4") == str(folder / "a.mp4")
    assert read_numbers(decode_frames(folder / "a.mp4", [5])) == [5]


def test_what_cannot_be_had_is_named(tmp_path, shard):
    data = shard.read_bytes()
    start, length = shard_members(shard)["b.mp4"]
    (tmp_path / "cut.tar").write_bytes(data[: start + length - 100])
    (tmp_path / "text.tar").write_text("no shard\n" * 999)
    (tmp_path / "none.tar").touch()
    expected = {
        "train-000.tar/c.mp4": (MissingVideoError, "its shard has no such member"),
        "train-001.tar/a.mp4": (MissingVideoError, "its shard not found"),
        "a.mp4": (MissingVideoError, "file not found"),
        "train-000.tar/empty.mp4": (EmptyVideoError, "file is empty"),
        "cut.tar/b.mp4": (VideoDecodeError, rf"its shard is cut short \({length - 100} of {length} bytes\)"),
        "text.tar/a.mp4": (VideoDecodeError, r"its shard: not a tar file \(invalid header\)"),
        "none.tar/a.mp4": (VideoDecodeError, r"its shard: not a tar file \(empty file\)"),
    }
    for name, (kind, words) in expected.items():
        with pytest.raises(kind, match=words) as caught:
            open_video(tmp_path / name).__enter__()
        assert caught.value.path == str(tmp_path / name)
    assert read_numbers(decode_frames(tmp_path / "cut.tar/a.mp4", [9])) == [9]


def test_existence_and_size(tmp_path, shard, video):
    assert size(shard / "a.mp4") == size(video("gop12.mp4")) == video("gop12.mp4").stat().st_size
    assert exists(shard / "a.mp4")
    assert not exists(shard / "c.mp4")
    assert not exists(tmp_path / "c.mp4")


def test_objects_and_their_shards(shard, video):
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/a.mp4", video("gop12.mp4").read_bytes())
    store.pipe("/bucket/train-000.tar", shard.read_bytes())
    for path in ("memory://bucket/a.mp4", "memory://bucket/train-000.tar/a.mp4", f"file://{shard}/a.mp4"):
        assert exists(path)
        assert size(path) == video("gop12.mp4").stat().st_size
        assert read_numbers(decode_frames(path, [11, 31])) == [11, 31]
    with pytest.raises(MissingVideoError, match=r"^memory://bucket/b.mp4: file not found$"):
        decode_frames("memory://bucket/b.mp4", [0])
    with pytest.raises(VideoDecodeError, match=r"cannot be read \(Protocol not known: nowhere"):
        decode_frames("nowhere://bucket/b.mp4", [0])
