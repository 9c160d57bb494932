"""A checkpoint takes the place of the last one whole, or says in one line why it cannot."""

from __future__ import annotations

import errno
import os

import pytest
import torch

from videogn.system import room
from videogn.training.callbacks.checkpoints import WholeFiles


@pytest.mark.parametrize(("free", "reason"), [(0, os.strerror(errno.ENOSPC)), (1 << 40, "unexpected pos 128 vs 0")])
def test_what_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch, free, reason):
    last = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"epoch": 1}, last)

    def fail(checkpoint, path):
        path.write(b"half")
        raise RuntimeError("unexpected pos 128 vs 0\nand a stack")

    monkeypatch.setattr(torch, "save", fail)
    monkeypatch.setattr(room, "free_bytes", lambda path: free)
    with pytest.raises(OSError, match=rf"last\.ckpt cannot be written \({reason}"):
        WholeFiles().save_checkpoint({"epoch": 2}, last)
    monkeypatch.undo()
    assert torch.load(last, weights_only=True) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
