"""What every test gets: fixed seeds, one thread, and one small motion data set a session."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training import fit_arguments

import videogn.cli.lightning_cli  # Lightning logs to the standard error that it finds when it is imported
from videogn.choices import MotionSettings
from videogn.cli import main
from videogn.data.synthetic.writing import write_motion_dataset

# Processes that tests start, several at once, each want one thread as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
    return write_motion_dataset(out, MotionSettings(videos_per_class=4, val_videos_per_class=2, size=32, frames=32))


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
def downloads(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torch's folder of downloads, empty, on a machine without a network."""

    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("no route to host\nmore")

    home = tmp_path_factory.mktemp("torch")
    monkeypatch.setenv("TORCH_HOME", str(home))
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that are no part of videogn, importable here and in the processes that the test starts."""
    folder = Path(__file__).parent / "outside"
    monkeypatch.syspath_prepend(folder)
    for module in folder.glob("*.py"):  # an earlier test may have imported it
        monkeypatch.delitem(sys.modules, module.stem, raising=False)
    known = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, known)))
    return folder


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


#: Plays `videogn fit` and `videogn test`: notes the call, does what the test told this cell, writes what they write.
_STAND_IN = """
import json, os, pathlib, signal, subprocess, sys, time
command, *arguments = sys.argv[1:]
options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
folder, beside = pathlib.Path(options["trainer.default_root_dir"]), pathlib.Path(__file__).parent
last = folder / "checkpoints" / "last.ckpt"
names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
call = {"command": command, "cell": folder.name, "resumed": "ckpt_path" in options, "pid": os.getpid()}
with (beside / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({**call, **{name: os.environ.get(name) for name in names}}) + "\\n")
told = json.loads((beside / "told.json").read_text())
exec(told.get(f"{command} {folder.name}") or told.get(command) or "")
if command == "fit":
    last.parent.mkdir(exist_ok=True)
    last.touch()
    (folder / "metrics.csv").write_text("epoch,step,train/loss_step,val/top1\\n0,1,2.0,\\n0,1,,0.25\\n1,3,1.0,0.75\\n")
    (folder / "cost.json").write_text(json.dumps({"training_seconds": 2.0, "steps": 4}))
else:
    (folder / "results.json").write_text(json.dumps({"over_all": {"top1": 0.75}}))
"""


class StandIn:
    """What the stand-in for `videogn` is told, and what it was called for."""

    def __init__(self, beside: Path) -> None:
        self.script = beside / "stand_in.py"
        self.script.write_text(_STAND_IN)
        self.tell({})

    def tell(self, told: dict[str, str]) -> None:
        """Python to run first, by "fit CELL", "test CELL", "fit" or "test"."""
        (self.script.parent / "told.json").write_text(json.dumps(told))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """command, cell, resumed, pid and what it saw of the environment, call by call."""
        path = self.script.parent / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    """A stand-in for the two commands of every cell."""
    stand_in = StandIn(tmp_path)
    monkeypatch.setattr(
        "videogn.study.running._videogn", lambda command: [sys.executable, str(stand_in.script), command]
    )
    return stand_in
