"""What every test gets: fixed seeds, one thread, and one small motion data set a session."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from training import fit_arguments

import videogn.cli.training  # Lightning logs to the standard error that it finds when it is imported
from videogn.cli import main
from videogn.data.synthetic import write_motion_dataset


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  libraries may still draw from it
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The motion data set: 4 training and 2 validation videos a class, 32 frames of 32 x 32. Do not write to it."""
    out = tmp_path_factory.mktemp("motion") / "data set"
    return write_motion_dataset(out, videos_per_class=4, val_videos_per_class=2, size=32, frames=32)


@pytest.fixture(scope="session")
def damaged(motion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The motion data set with 3 of its 32 training videos empty. Do not write to it."""
    root = tmp_path_factory.mktemp("damaged")
    for split in ("train", "val"):
        shutil.copytree(motion / split, root / split)
    for video in sorted((root / "train").rglob("*.mp4"))[::12]:
        video.write_bytes(b"")
    return root


@pytest.fixture
def videogn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a `videogn` command in this process; returns its exit status."""

    # The command logs to the standard error of the moment; a handler of an earlier test's would be closed.
    monkeypatch.setattr(logging.root, "handlers", [])

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["videogn", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0)

    return run


@pytest.fixture(scope="session")
def trained(motion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished `videogn fit`: checkpoints/last.ckpt, config.yaml, metrics.csv. Do not write to it."""
    out = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["videogn", *fit_arguments(motion, out)])
        with pytest.raises(SystemExit) as caught:
            main()
    assert caught.value.code == 0
    return out
