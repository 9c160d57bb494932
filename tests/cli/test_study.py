"""videogn study: plan, run and status from the command line, with a stand-in for the trainings."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml
from forked import run_command

from videogn.cli import main
from videogn.cli.study import run as study_run
from videogn.cli.study.grid_options import GridOptions
from videogn.memory import StepSetting, step_memory
from videogn.study import read_grid, read_study, running
from videogn.study.cell_files import read_cell, read_state, write_state
from videogn.study.study_files import cell_folder
from videogn.study.training_log import read_curve

CONTENT = {
    "title": "A study",
    "motion": {"videos_per_class": 2, "val_videos_per_class": 1, "size": 32, "frames": 16},
    "fit": {
        "trainer": {"accelerator": "cpu", "num_sanity_val_steps": 0, "log_every_n_steps": 1},
        "model": {
            "arch": "i3d_tiny",
            "arch_options": {"width": 8},
            "crop_size": 32,
            "short_side": 32,
            "base_batch": 8,
        },
        "data": {"num_workers": 0, "num_clips": 2, "time_limit": 0, "flip": 0.0, "train_short_sides": [32, 36]},
    },
    "axes": {"norm": ["bn", "gn"], "clip": "4x2", "batch_size": 4},
    "budget": {"epochs": 2, "step_clips": 8},
}
NAMES = ["bn_4x2_batch4x2_2epochs_seed0", "gn_4x2_batch4x2_2epochs_seed0"]


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(CONTENT))
    return path


@pytest.fixture
def reported(monkeypatch):
    """The folders that a report was written for."""
    folders: list[Path] = []
    monkeypatch.setattr(study_run, "write_and_print", folders.append)
    return folders


def _json(videogn, capsys, *arguments):
    assert videogn("study", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def _error(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("videogn: error: ")]
    assert len(lines) == 1
    return lines[0]


# plan


def test_a_plan(videogn, capsys, grid, tmp_path):
    rows = _json(videogn, capsys, "plan", grid, "--no-time")
    assert [row["cell"] for row in rows] == NAMES
    for row, norm in zip(rows, ("bn", "gn"), strict=True):
        setting = StepSetting("i3d_tiny", norm, 4, 32, num_classes=8, arch_options={"width": 8})
        assert row["peak_bytes"] == step_memory(setting, 4, device="cpu").peak_bytes
        assert (row["steps"], row["clips_per_step"], row["seconds"]) == (4, 8, None)
    assert [path.name for path in tmp_path.iterdir()] == ["grid.yaml"]  # nothing is written


def test_a_plan_for_people(videogn, capsys, grid):
    assert videogn("study", "plan", grid) == 0
    printed = capsys.readouterr().out
    for words in (*NAMES, "activations", "memory", "MiB", "predicted", "2 cells, one after the other: "):
        assert words in printed


def test_axes_and_options_of_the_command_line(videogn, capsys, grid):
    changes = [
        "--axis",
        "seed=[0,1]",
        "norm=[{name: gn, groups: 4}]",
        "--set",
        "model.crop_size=64",
        "trainer.log_every_n_steps=1",
    ]
    rows = _json(videogn, capsys, "plan", grid, "--no-time", *changes)
    assert [(row["norm"], row["seed"]) for row in rows] == [("GN, groups 4", 0), ("GN, groups 4", 1)]
    setting = StepSetting("i3d_tiny", "gn", 4, 64, num_classes=8, arch_options={"width": 8}, norm_options={"groups": 4})
    assert rows[0]["peak_bytes"] == step_memory(setting, 4, device="cpu").peak_bytes


@pytest.mark.parametrize("option", [("--axis", "seed=[3]"), ("--set", "model.crop_size=64")])
def test_an_option_given_twice_counts_twice(videogn, capsys, grid, option):
    other = {"--axis": "norm=gn", "--set": "model.lr=1"}[option[0]]
    once = _json(videogn, capsys, "plan", grid, "--no-time", *option, *([other] if option[0] == "--axis" else []))
    twice = _json(videogn, capsys, "plan", grid, "--no-time", *option, option[0], other)
    assert twice == once


def test_an_optimiser_with_options_as_in_fit():
    options = ("model.optimizer=AdamW", "model.optimizer.weight_decay=0.05", "model.optimizer.eps=1e-3", "model.lr=1")
    fit = read_grid("motion_smoke", fit={}).base["model"]
    changed = GridOptions("motion_smoke", set=options).read().base["model"]
    assert changed == {
        **fit,
        "optimizer": {"class_path": "AdamW", "init_args": {"weight_decay": 0.05, "eps": 0.001}},
        "lr": 1,
    }


# run and status


def test_a_run(videogn, capsys, stand_in, grid, reported, tmp_path):
    out = tmp_path / "out"
    assert videogn("study", "run", grid, "--out", out, "--jobs", "2", "--threads", "3") == 0
    assert reported == [out]
    assert {call["OMP_NUM_THREADS"] for call in stand_in.calls} == {"3"}
    assert sorted(call["cell"] for call in stand_in.calls if call["command"] == "fit") == NAMES
    study = read_study(out)
    assert [cell.name for cell in study.results] == NAMES
    assert study.command == f"videogn study run {grid} --out {out} --jobs 2 --threads 3"
    capsys.readouterr()
    rows = _json(videogn, capsys, "status", out)
    assert [row["cell"] for row in rows] == NAMES
    wanted = {"phase": "finished", "epochs": 2, "top1": 0.75, "training_seconds": 2.0, "attempts": 1, "reason": None}
    assert all(wanted.items() <= row.items() for row in rows)
    assert videogn("study", "run", grid, "--out", out) == 0
    assert len(stand_in.calls) == 4
    assert reported == [out, out]


def test_a_cell_that_fails(videogn, capsys, stand_in, grid, reported, tmp_path):
    out = tmp_path / "out"
    run = ["study", "run", grid, "--out", out, "--threads", "1"]
    stand_in.tell({f"fit {NAMES[0]}": "sys.exit('torch.OutOfMemoryError: CUDA out of memory.')"})
    assert videogn(*run, "--retries", "1") == 1
    assert re.search(rf"{NAMES[0]} failed: out of memory: torch\.OutOfMemoryError", capsys.readouterr().err)
    rows = _json(videogn, capsys, "status", out)
    assert [(row["phase"], row["attempts"]) for row in rows] == [("failed", 2), ("finished", 1)]
    assert rows[0]["reason"].startswith("out of memory: ")
    assert rows[0]["top1"] is None
    stand_in.tell({})
    assert videogn(*run, "--skip-failed") == 1
    assert len(stand_in.calls) == 4
    assert videogn(*run) == 0
    assert len(stand_in.calls) == 6
    capsys.readouterr()
    assert [row["attempts"] for row in _json(videogn, capsys, "status", out)] == [3, 1]
    assert len(reported) == 3


def test_no_report_of_nothing(videogn, stand_in, grid, reported, tmp_path):
    stand_in.tell({"fit": "sys.exit(1)"})
    assert videogn("study", "run", grid, "--out", tmp_path / "out", "--threads", "1") == 1
    assert reported == []


def test_an_interrupt(videogn, capsys, stand_in, grid, reported, tmp_path):
    out = tmp_path / "out"
    stand_in.tell({"fit": "(folder / 'begun').touch(); time.sleep(60)"})

    def interrupt():
        deadline = time.monotonic() + 60
        while not list(out.glob("cells/*/begun")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert videogn("study", "run", grid, "--out", out, "--jobs", "1", "--threads", "1") == 130
    thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "videogn: error: interrupted: 0 of 2 cells finished; the same command goes on"
    rows = _json(videogn, capsys, "status", out)
    assert [row["phase"] for row in rows] == ["stopped", "waiting"]
    assert reported == []


def test_a_status_for_people(videogn, capsys, stand_in, grid, reported, tmp_path):
    out = tmp_path / "out"
    stand_in.tell({f"test {NAMES[1]}": "sys.exit('because')"})
    videogn("study", "run", grid, "--out", out, "--threads", "1")
    capsys.readouterr()
    assert videogn("study", "status", out) == 0
    printed = capsys.readouterr().out
    for words in (*NAMES, "75.0 %", "0:00:02", "because", "2 cells: 1 finished, 1 failed"):
        assert words in printed


@pytest.mark.parametrize(("gpus", "jobs"), [([], 2), pytest.param(["0"], 2)])
def test_jobs_on_a_cpu(videogn, stand_in, grid, reported, tmp_path, monkeypatch, request, gpus, jobs):
    monkeypatch.setattr("videogn.system.gpus.visible_gpus", lambda: gpus)
    both = "(folder / 'begun').touch()\nfor _ in range(100):\n"
    both += "    if len(list(folder.parent.glob('*/begun'))) == 2: break\n    time.sleep(.02)\nelse: sys.exit('alone')"
    stand_in.tell({"fit": both})
    assert videogn("study", "run", grid, "--out", tmp_path / "out", "--jobs", str(jobs), "--threads", "1") == 0


def test_one_prepared_cell(videogn, capsys, stand_in, grid, reported, tmp_path):
    """What job arrays call: 0 finished, 1 failed."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    out = tmp_path / "out"
    stand_in.tell({"fit": "sys.exit('because')"})
    assert videogn("study", "run", grid, "--out", out, "--threads", "1") == 1
    stand_in.tell({f"fit {NAMES[1]}": "sys.exit('because')"})
    capsys.readouterr()
    try:
        for name, status, words in (
            (NAMES[0], 0, "finished"),
            (NAMES[1], 1, "failed: because"),
            (NAMES[0], 0, "finished"),
        ):
            assert videogn("study", "cell", out / "cells" / name) == status
            assert f"{name} {words}" in capsys.readouterr().err
        assert videogn("study", "cell", out) == 2
        assert "is not the folder of a cell" in _error(capsys)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
            signal.signal(number, handler)


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "gird.yaml"], "no such file or folder: gird.yaml; did you mean grid.yaml?"),
        (["plan", "grid.yaml", "--axis", "sed=[1]"], "axis must be one of .*, got 'sed'; did you mean 'seed'?"),
        (["plan", "grid.yaml", "--axis", "seed"], "--axis takes NAME=VALUE, for instance .*, got 'seed'"),
        (["plan", "grid.yaml", "--set", "=3"], "--set takes NAME=VALUE, for instance data.root=K400, got '=3'"),
        (["plan", "grid.yaml", "--axis", "norm=gm"], "got 'gm'; did you mean 'gn'?"),
        (["plan", "grid.yaml", "--device", "gpu"], "--device must be one of cpu, cuda, got 'gpu'"),
        (["plan", "grid.yaml", "--axis", "batch_size=3"], "got 8 and batch 3"),
        (["run", "grid.yaml"], "required: --out"),
        (
            ["run", "grid.yaml", "--out", "o", "--engine", "rya"],
            "--engine must be one of local, ray, got 'rya'; did you",
        ),
        (["run", "grid.yaml", "--out", "o", "--ray-address", "auto"], "--ray-address needs --engine ray"),
        (["run", "grid.yaml", "--out", "o", "--jbos", "2"], "no option --jbos; did you mean '--jobs'?"),
        (["run", "grid.yaml", "--out", "o", "--memory", "16GB of it"], "16GB of it"),
        (["run", "grid.yaml", "--out", "o", "--memory", "16"], r"got 16 \(16 bytes\): did you mean 16GiB"),
        (["plan", "grid.yaml", "--set", "data.rot=K400"], "option of data must be .*, got 'rot'; did you mean 'root'"),
        (["plan", "grid.yaml", "--set", "model.norm=ln"], "model.norm cannot be set .* decided by the axis norm"),
        (["plan", "grid.yaml", "--set", "trainer.max_epochs=3"], "max_epochs cannot be set .* decided by the budget"),
        (["plan", "grid.yaml", "--set", "data.root=x"], "data.root cannot be set .* decided by motion"),
        (["plan", "."], r"\. is a folder: name a grid"),
        (["run", "grid.yaml", "--out", "grid.yaml"], "grid.yaml is a file: name a folder"),
        pytest.param(
            ["plan", "grid.yaml", "--device", "cuda"],
            "there is no GPU here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
        (["status", "nowhere"], "no such file or folder: nowhere"),
        (["status", "."], r"is not the folder of a study: it has no study\.json"),
        (["statsu", "."], "did you mean 'status'?"),
        (["plan", "grid.yaml", "--axis", "norm=[bn"], "axis norm is not valid YAML"),
        (["plan", "grid.yaml", "--set", "model=1", "model.lr=2"], "--set model.lr sets a part of model"),
    ],
)
def test_mistakes_are_one_line(videogn, capsys, monkeypatch, grid, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert videogn("study", *arguments) == 2
    assert re.search(words, _error(capsys))
    assert [path.name for path in tmp_path.iterdir()] == ["grid.yaml"]


@pytest.mark.parametrize("option", ["--jobs", "--threads", "--retries"])
def test_a_wrong_number_costs_nothing(videogn, capsys, grid, tmp_path, option):
    assert videogn("study", "run", grid, "--out", tmp_path / "out", option, "-1") == 2
    assert "must be >=" in _error(capsys)
    assert not (tmp_path / "out").exists()


def test_the_status_of_a_run_that_is_no_more(videogn, capsys, stand_in, grid, reported, tmp_path):
    stand_in.tell({"fit": "sys.exit(1)"})
    videogn("study", "run", grid, "--out", tmp_path / "out", "--threads", "1")
    write_state(tmp_path / "out" / "cells" / NAMES[0], phase="training")  # as kill -9 leaves it
    capsys.readouterr()
    assert _json(videogn, capsys, "status", tmp_path / "out")[0]["phase"] != "training"


# Everything real.


def _start(grid, out):
    command = [sys.executable, "-c", RUN, "study", "run", grid, "--out", out, "--jobs", "2", "--threads", "1"]
    with (out.parent / "log.txt").open("a") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


#: The command without its report.
RUN = "from videogn.cli import main; from videogn.cli.study import run; run.write_and_print = print; main()"


def _processes(out):
    """Those whose command names the folder, but for the study itself."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            dead = "Z" in (path / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if not dead and any(f"{out}/cells/" in word for word in words):
            found.append(int(path.name))
    return found


def _wait(condition, what):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _comparable(out):
    """All that must not depend on interruptions, and not on where the study is."""
    found = {}
    for cell, result in read_study(out).results.items():
        test = {key: value for key, value in result.test.items() if key not in ("checkpoint", "videos_from")}
        found[cell.name] = (result.curve, test, result.cost["steps"], result.cost["clips"], result.planned)
    return found


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The study, run once to its end."""
    folder = tmp_path_factory.mktemp("whole")
    grid = folder / "grid.yaml"
    grid.write_text(yaml.safe_dump(REAL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "run_command", run_command)
        patch.setattr(study_run, "write_and_print", print)
        patch.setattr(sys, "argv", ["videogn", "study", "run", str(grid), "--out", str(folder / "out")])
        with pytest.raises(SystemExit) as caught:
            main()
    assert caught.value.code == 0
    return folder


REAL = {
    **CONTENT,
    "motion": {**CONTENT["motion"], "videos_per_class": 3},
    # A step after every batch: a stop within an accumulated step is tests/cli/test_training.py's.
    "budget": {"epochs": 4},
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_study_that_is_killed_and_stopped(uninterrupted, tmp_path):
    """At moments of its training drawn at random; then finished: the same results as without."""
    rng = random.Random(20)
    grid, out = uninterrupted / "grid.yaml", tmp_path / "out"
    for number in (signal.SIGKILL, signal.SIGINT):
        _interrupt(grid, out, number, validations=rng.randint(1, 2), seconds=rng.uniform(0, 0.3))
    phases = [read_state(cell_folder(out, cell))["phase"] for cell in read_study(out).unfinished]
    assert set(phases) <= {"stopped", "waiting"}
    assert _start(grid, out).wait(300) == 0
    assert _comparable(out) == _comparable(uninterrupted / "out")
    assert max(result.attempts for result in read_study(out).results.values()) > 1
    assert list(out.glob("cells/*/metrics.0*.csv"))  # it did go on from checkpoints


def _interrupt(grid, out, number, *, validations, seconds):
    """Run the study until so many more validations are logged, and then so long; nothing of it is left running."""
    process = _start(grid, out)
    wanted = _validations(out) + validations
    _wait(lambda: process.poll() is not None or _validations(out) >= wanted, "no cell trains")
    time.sleep(seconds)
    finished = {path: path.stat().st_mtime_ns for path in out.glob("cells/*/result.json")}
    process.send_signal(number)
    assert process.wait(120) == (-number if number == signal.SIGKILL else 130)
    _wait(lambda: not _processes(out), "a training goes on")
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    for path in out.rglob("*.json"):
        json.loads(path.read_text())


def _validations(out):
    """How many are in the logs of all cells."""
    cells = [path for path in out.glob("cells/*") if (path / "cell.json").exists()]
    return sum(len(read_curve(path, read_cell(path)[0])) for path in cells)
