"""Files that are no whole checkpoints, unpack to more than they are or would wait for ever are refused unread."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import pytest
import torch

from videogn.models.checkpoint_file import check_whole
from videogn.models.weight_sources import read_checkpoint

CONTENT = {"state_dict": {"net.w": torch.arange(1000.0)}, "epoch": 3}


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.ckpt"
    torch.save(CONTENT, path)
    return path


@pytest.mark.parametrize("old", [False, True])
def test_whole_files(tmp_path, old):
    """Those of torch before 1.6 too, which have no check sums."""
    torch.save(CONTENT, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    read = read_checkpoint(tmp_path / "a.pth")
    assert read["epoch"] == 3
    assert torch.equal(read["state_dict"]["net.w"], CONTENT["state_dict"]["net.w"])


def _flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", "is damaged: it is empty"),
        (lambda data: data[: len(data) // 2], "is damaged: its end is missing"),
        (lambda data: data[:-1], "is damaged: its end is missing"),
        (lambda data: data + b"x", "is damaged: its end is missing"),
        (lambda data: _flipped(data, len(data) // 2), "is damaged: the check sum of 'data/0' in it is wrong"),
        (lambda data: _flipped(data, data.index(b"epoch")), "is damaged: the check sum of 'data.pkl' in it is wrong"),
        (lambda data: _flipped(data, data.rindex(b"data/0")), "is damaged: the check sum of 'eata/0' in it is wrong"),
        (lambda data: b"x" + data, "is not a checkpoint: it is damaged or was not written by torch.save"),
        (lambda data: b"hello", "is not a checkpoint: it is damaged or was not written by torch.save"),
        (lambda data: pickle.dumps(os.system), "is not a checkpoint"),
    ],
)
def test_damaged_files(whole, change, reason):
    """torch.load itself reads the changed tensor without a word."""
    whole.write_bytes(change(whole.read_bytes()))
    with pytest.raises(ValueError, match=rf"^{whole} {reason}"):
        check_whole(whole)


def _archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_file_that_unpacks_to_more_than_itself(tmp_path):
    bomb = _archive(tmp_path / "bomb.ckpt", {"a/data/0": bytes(8 << 20)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(ValueError, match=rf"its \d+ bytes unpack to {8 << 20}, while torch\.save compresses nothing"):
        read_checkpoint(bomb)


def test_plain_values_without_end(tmp_path):
    """A byte of a pickle may take 60 in memory."""
    lists = b"\x80\x02" + b"]" * (17 << 20) + b"."
    with pytest.raises(ValueError, match="bytes of it are no tensors, at most"):
        read_checkpoint(_archive(tmp_path / "new.ckpt", {"a/data.pkl": lists}))
    with pytest.raises(ValueError, match="it holds millions of values that are no tensors"):
        read_checkpoint(_archive(tmp_path / "less.ckpt", {"a/data.pkl": lists[: 3 << 20]}))
    head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {}))
    (tmp_path / "old.pth").write_bytes(head + lists[:1000] + b"\x8a\xff" * 10)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        read_checkpoint(tmp_path / "old.pth")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10**6, 10**6),
        torch.zeros(3, device="meta"),
        torch.eye(3).to_sparse(),
    ],
    ids=["larger than the file", "without memory", "sparse"],
)
def test_tensors_that_are_no_plain_ones(tmp_path, tensor):
    torch.save({"state_dict": {"a": [{"b": (tensor,)}]}}, tmp_path / "odd.ckpt")
    with pytest.raises(
        ValueError, match=r"odd\.ckpt is not a checkpoint: (it holds a tensor that|a tensor in it claims)"
    ):
        read_checkpoint(tmp_path / "odd.ckpt")


def test_tangled_content_ends(tmp_path):
    tangled: list = []
    tangled.append(tangled)
    for _ in range(60):
        tangled = [tangled, tangled]
    torch.save({"a": tangled}, tmp_path / "a.ckpt")
    assert list(read_checkpoint(tmp_path / "a.ckpt")) == ["a"]


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.ckpt")
    for path in (tmp_path / "pipe.ckpt", "/dev/zero"):
        with pytest.raises(ValueError, match=f"^{path} is a pipe, a device or a socket, and the file of a checkpoint"):
            read_checkpoint(path)
    with pytest.raises(ValueError, match=r"is a folder, and the file of a checkpoint is needed$"):
        read_checkpoint(tmp_path)
    for number in (2, 10):
        (tmp_path / f"version_{number}" / "checkpoints").mkdir(parents=True)
        (tmp_path / f"version_{number}" / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(ValueError, match=r"did you mean .*version_10/checkpoints/last\.ckpt\?$"):
        read_checkpoint(tmp_path)


def test_memory_files_of_torch_stay_whole():
    """What torch.save writes through an open file has check sums too."""
    file = io.BytesIO()
    torch.save(CONTENT, file)
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
