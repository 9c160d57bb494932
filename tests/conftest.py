"""What every test gets: fixed seeds, one thread, and one small motion data set a session."""

from __future__ import annotations

import gc
import logging
import math
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stand_in import StandIn
from training import fit_arguments
from undrawn import module_that_draws_nothing

from videogn import memory
from videogn.choices import MotionSettings
from videogn.cli import main
from videogn.cli.lightning_cli import VideoCLI  # Lightning logs to the standard error that it finds when imported
from videogn.data.synthetic.writing import write_motion_dataset
from videogn.memory import StepPlan, StepSetting
from videogn.memory.allocations import AllocationLog
from videogn.study import planning

# Processes that tests start, several at once, each want one thread as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As in a terminal: nohup, and a shell for what it runs in the background, let signals be ignored by all that follows.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Keep the garbage collector off what is there to stay: PyTorch and the tests, a million objects."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many drawn cases the tests of tests/fuzz have run, in all processes."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    counts = [dict(report.user_properties).get("fuzz cases", 0) for report in reports if report.when == "call"]
    if total := sum(counts):
        terminalreporter.write_line(f"fuzzing: {total:,} cases in {sum(map(bool, counts))} tests")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  libraries may still draw from it
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _known_once() -> Iterator[None]:
    """Let all plans share what operations give, as those of one call do: most of the time of a plan.

    tests/memory/test_planned.py compares such plans with some that find it out anew.
    """
    make = AllocationLog.__init__
    known: dict[Any, Any] = {}

    def share(self: AllocationLog, own: dict[Any, Any] | None = None, *, seconds: float = math.inf) -> None:
        make(self, known if seconds > 0 else own, seconds=seconds)  # without any time, what is known does not count

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AllocationLog, "__init__", share)
        yield


@pytest.fixture(scope="session", autouse=True)
def _planned_once() -> Iterator[None]:
    """Plan a step of a training once for all trainings of the same step: a fifth of what they take, in small ones."""
    plan = memory.plan_steps
    plans: dict[str, list[StepPlan]] = {}

    def plan_once(settings: Sequence[StepSetting], **options: Any) -> list[StepPlan]:
        progress = options.pop("progress", None)
        key = repr((settings, options))
        if key not in plans:
            plans[key] = plan(settings, **options | ({"progress": progress} if progress else {}))
        elif progress:
            progress(total := len(set(map(repr, settings))), total)
        return plans[key]

    with pytest.MonkeyPatch.context() as patch:
        for owner in (memory, planning):
            patch.setattr(owner, "plan_steps", plan_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _parsers_once() -> Iterator[None]:
    """Make the two parsers of fit, of validate and of test once: near half of what a small training takes."""
    make = VideoCLI._prepare_subcommand_parser
    made: dict[tuple[str, bool, str], tuple[Any, Any]] = {}

    def make_once(self: VideoCLI, klass: type, subcommand: str, **options: Any) -> Any:
        key = (subcommand, self._linked, repr(options))
        if key not in made:
            parser = make(self, klass, subcommand, **options)
            made[key] = parser, self._subcommand_method_arguments[subcommand]
        parser, self._subcommand_method_arguments[subcommand] = made[key]
        return parser

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VideoCLI, "_prepare_subcommand_parser", make_once)
        yield


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave curves empty; the tests of them are marked `draws`."""
    if request.node.get_closest_marker("draws") is None:
        undrawn = module_that_draws_nothing()
        monkeypatch.setitem(sys.modules, undrawn.__name__, undrawn)


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
        patch.setattr("sys.argv", ["videogn", *fit_arguments(motion, out, "--data.time_limit=60")])
        with pytest.raises(SystemExit) as caught:
            main()
    assert caught.value.code == 0
    return out


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    """A stand-in for the two commands of every cell."""
    stand_in = StandIn(tmp_path / "stand_in.py")
    monkeypatch.setattr(
        "videogn.study.running._videogn", lambda command: [sys.executable, str(stand_in.script), command]
    )
    return stand_in
