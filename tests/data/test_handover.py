"""Tensors from loader processes: shared, without /dev/shm."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
import torch
from torch.multiprocessing import get_sharing_strategy
from torch.utils.data import DataLoader, Dataset

from videogn.choices import EvaluationViews
from videogn.data import handover
from videogn.data.dataset import VideoDataset, collate
from videogn.data.handover import check_space, shareable, shareable_empty
from videogn.data.plans import evaluation_plan
from videogn.data.records import Records
from videogn.data.video_files import find_videos

by_descriptor = pytest.mark.skipif(
    get_sharing_strategy() != "file_descriptor" or not hasattr(os, "memfd_create"), reason="files in memory are Linux's"
)


class _Tensors(Dataset):
    """Tensors of several types and shapes, some empty."""

    def __len__(self):
        return 3

    def __getitem__(self, number):
        return [
            shareable(torch.arange(number * 1000).reshape(number, 1000)),
            shareable(torch.full((2, 3), number, dtype=torch.uint8)),
            shareable_empty(0, 4),
        ]


@pytest.mark.parametrize("workers", [0, 1])
def test_values(workers):
    for number, (counts, filled, nothing) in enumerate(DataLoader(_Tensors(), batch_size=None, num_workers=workers)):
        assert torch.equal(counts, torch.arange(number * 1000).reshape(number, 1000))
        assert counts.dtype == torch.int64
        assert torch.equal(filled, torch.full((2, 3), number, dtype=torch.uint8))
        assert nothing.shape == (0, 4)


def _place(tensor):
    descriptor, _ = tensor.untyped_storage()._share_fd_cpu_()
    return os.readlink(f"/proc/self/fd/{descriptor}")


@by_descriptor
def test_a_video_takes_nothing_of_dev_shm(motion):
    """Neither its frames nor its clips."""
    paths = find_videos(motion / "val")[:2]
    records = Records.of_columns(paths, [None] * len(paths))
    views = EvaluationViews(clip_length=4, crop_size=32, short_side=32, num_clips=2)
    dataset = VideoDataset(records, evaluation_plan(views))
    for batch in DataLoader(dataset, batch_size=1, num_workers=1, collate_fn=collate):
        (sample,) = batch.samples
        assert "memfd:videogn" in _place(sample.frames)
        assert "memfd:videogn" in _place(sample.clips)


def test_here_nothing_is_shared():
    assert not shareable_empty(3).is_shared()


class _WithoutMemory(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, number):
        def full(size):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        handover.memory_file = full
        return shareable_empty(5 << 20)


@by_descriptor
def test_no_memory():
    expected = r"no memory for the 5\.0 MiB of a video \(No space left on device\): use fewer loader processes"
    with pytest.raises(OSError, match=expected):
        next(iter(DataLoader(_WithoutMemory(), num_workers=1)))


def _free(monkeypatch, tmp_path, pages):
    monkeypatch.setattr(handover, "_PLACE", tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(f_bavail=pages, f_frsize=4096))


@pytest.mark.parametrize(("workers", "loaders", "pages"), [(0, 2, 0), (1, 1, 16), (2, 2, 40)])
def test_enough_space_for_locks(monkeypatch, tmp_path, workers, loaders, pages):
    _free(monkeypatch, tmp_path, pages)
    check_space(workers, loaders)


@pytest.mark.parametrize(
    ("workers", "loaders", "pages", "message"),
    [
        (1, 1, 15, "has 60.0 KiB free, but the locks of 1 loader process need 64.0 KiB: "),
        (2, 2, 39, "has 156.0 KiB free, but the locks of 4 loader processes need 160.0 KiB: "),
    ],
)
def test_too_little_space_for_locks(monkeypatch, tmp_path, workers, loaders, pages, message):
    _free(monkeypatch, tmp_path, pages)
    with pytest.raises(OSError, match="docker run --shm-size=1g or --ipc=host") as caught:
        check_space(workers, loaders)
    assert f"{tmp_path} {message}" in str(caught.value)


def test_a_system_without_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(handover, "_PLACE", tmp_path / "none")
    check_space(8)


def _small_dev_shm(code):
    """Run Python in a mount namespace of its own, whose /dev/shm has 256 KiB."""
    mount = 'mount -t tmpfs -o size=256k tmpfs /dev/shm && exec "$0" -c "$1"'
    command = ["unshare", "-m", "sh", "-c", mount, sys.executable, textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
@by_descriptor
def test_a_small_dev_shm():
    """Sixteen tensors of 2 MiB, four of them at a time in every process."""
    if shutil.which("unshare") is None or _small_dev_shm("").returncode != 0:
        pytest.skip("needs a mount namespace")
    done = _small_dev_shm(
        """
        import torch
        from torch.utils.data import DataLoader
        from videogn.data.handover import check_space, shareable

        class Tensors(torch.utils.data.Dataset):
            def __len__(self):
                return 16
            def __getitem__(self, number):
                return shareable(torch.full((2 << 20,), number, dtype=torch.uint8))

        check_space(2)
        batches = DataLoader(Tensors(), batch_size=4, num_workers=2, collate_fn=list)
        print([int(each.max()) for batch in batches for each in batch])
        """
    )
    assert done.stdout.strip() == str(list(range(16))), done.stderr
