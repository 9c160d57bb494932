"""The job array: what Slurm reads of it, what bash does with it, and signals that stop a cell."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from videogn.study.cell_files import RESULT_FILE, CellResult, read_state
from videogn.study.grid import make_grid
from videogn.study.making import make_study
from videogn.study.slurm import Job, unfinished_cells, write_array
from videogn.study.study_files import cell_folder
from videogn.study.training_log import LAST_CHECKPOINT

PYTHON = sys.executable
JOB = Job(time="24:00:00", gpus=2, cpus=12)

# Stands for python -m videogn study cell: ends with a status of its own, also when it is asked to stop.
STAND_IN = """#!/bin/bash
echo "$PWD|$*|$OMP_NUM_THREADS|$SLURM_JOB_NAME" >> calls.txt
trap 'echo TERM >> calls.txt; sleep 0.5; exit 143' TERM
if [ -n "$STAND_IN_WAITS" ]; then echo waiting >> calls.txt; for i in {1..100}; do sleep 0.1; done; fi
exit "${STAND_IN_STATUS:-0}"
"""


def _options(script):
    """KEY -> VALUE of the lines that sbatch reads; those after the first command are none."""
    lines = script.read_text().splitlines()
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert not [line for line in lines[first_command:] if line.startswith("#SBATCH")]
    words = [shlex.split(line)[1:] for line in lines if line.startswith("#SBATCH")]
    assert all(len(word) == 1 for word in words)
    return dict(word[0].removeprefix("--").partition("=")[::2] for word in words)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A folder with programs that note how they are called; srun must not be needed."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {
        "scontrol": '#!/bin/bash\necho "scontrol $*" >> calls.txt\n',
        "srun": "#!/bin/bash\necho srun >> calls.txt\nexit 99\n",
        "python with spaces": STAND_IN,
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python with spaces"))
    return programs


def _start(script, programs, task=1, **environment):
    variables = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": str(task), "SLURM_JOB_NAME": "videogn"}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(["bash", str(script)], env={**os.environ, **variables, "PATH": path, **environment})


def _calls(directory):
    path = directory / "calls.txt"
    return path.read_text().splitlines() if path.exists() else []


def _array(tmp_path, job=JOB):
    out, directory = tmp_path / "a study's 100% $HOME", tmp_path / "where it began"
    directory.mkdir()
    folders = [out / "cells" / name for name in ("bn one", "gn", "it's")]
    return write_array(folders, out, job, directory=directory), folders, directory


def test_what_slurm_reads(tmp_path):
    script, folders, _ = _array(
        tmp_path, Job("2-12", 2, 12, partition="gpu", at_once=2, options=("mem=64G", "comment=a b"))
    )
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    options = _options(script)
    log = options.pop("output")
    assert options == {
        "job-name": "videogn",
        "array": "1-3%2",
        "nodes": "1",
        "ntasks": "1",
        "cpus-per-task": "12",
        "gres": "gpu:2",
        "partition": "gpu",
        "time": "2-12",
        "signal": "B:USR1@180",
        "requeue": "",
        "open-mode": "append",
        "mem": "64G",
        "comment": "a b",
    }
    assert Path(log.replace("%%", "%")).parent.is_dir()
    assert log.endswith("100%% $HOME/slurm/%A_%a.out")
    assert (script.parent / "cells.txt").read_text().splitlines() == [str(folder) for folder in folders]


def test_what_is_left_to_slurm(tmp_path):
    script, _, _ = _array(tmp_path, Job("60", 0, 1))
    assert not {"gres", "partition"} & set(_options(script))
    assert _options(script)["array"] == "1-3"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"time": "5"}, "at least 10 minutes"),
        ({"time": "00:09:59"}, "at least 10 minutes"),
        ({"time": "a day"}, "as Slurm writes it"),
        ({"gpus": -1}, "gpus must be >= 0"),
        ({"cpus": 0}, "cpus must be >= 1"),
        ({"at_once": 0}, "at_once must be >= 1"),
        ({"options": ("mem 64G",)}, "KEY=VALUE"),
        ({"options": ("mem=1\n#SBATCH --x",)}, "without line breaks"),
        ({"options": ("mem=1\r#SBATCH --x",)}, "without line breaks"),
        ({"partition": "gpu\ntouch pwned"}, "without line breaks"),
    ],
)
def test_wrong_jobs(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        Job(**{"time": "24:00:00", "gpus": 1, "cpus": 1, **arguments})


@pytest.mark.parametrize("name", ["a\ntouch pwned\n#", "a\r#SBATCH --wrap=x", "\x1b[2J"])
def test_folders_that_would_end_a_line_of_the_script(tmp_path, name):
    out = tmp_path / name
    with pytest.raises(ValueError, match=r"the folder of a study must be a text without line breaks .*"):
        write_array([out / "cells" / "gn"], out, JOB, directory=tmp_path)
    assert not out.exists()


@pytest.mark.parametrize("name", ["$(touch pwned)", "`touch pwned`", "; touch pwned #", "-rf", "'\"\\ ü\u202e%A"])
def test_odd_folders_are_names_to_bash(tmp_path, cluster, name):
    out = tmp_path / name
    folder, directory = out / "cells" / "a;$(touch pwned)", tmp_path / f"from {name}"
    directory.mkdir()
    script = write_array([folder], out, JOB, directory=directory, trust=["a;touch pwned"])
    assert _start(script, cluster).wait(20) == 0
    words = f"-P -m videogn study cell {folder} --trust a;touch pwned"
    assert _calls(directory) == [f"{directory}|{words}|12|interactive"]
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("limit", ["10", "10:00", "00:10:00", "1-0", "1-00:00", "0-00:10:00", "2-12:30:00"])
def test_times_as_slurm_writes_them(limit):
    assert Job(time=limit, gpus=0, cpus=1).time == limit


@pytest.mark.parametrize(("status", "requeued"), [(0, False), (1, False), (143, True)])
def test_a_task_runs_its_cell(tmp_path, cluster, status, requeued):
    script, folders, directory = _array(tmp_path)
    for task, folder in enumerate(folders, start=1):
        (directory / "calls.txt").unlink(missing_ok=True)
        assert _start(script, cluster, task, STAND_IN_STATUS=str(status)).wait(20) == status
        expected = [f"{directory}|-P -m videogn study cell {folder}|12|interactive"]
        assert _calls(directory) == expected + [f"scontrol requeue 12_{task}"] * requeued


@pytest.mark.parametrize(("number", "requeued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_signals_reach_the_cell_once(tmp_path, cluster, number, requeued):
    """The time limit's, and that of scancel, after which nothing is requeued."""
    script, _, directory = _array(tmp_path)
    process = _start(script, cluster, STAND_IN_WAITS="yes")
    deadline = time.monotonic() + 20
    while "waiting" not in _calls(directory):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(20) == 143
    assert _calls(directory)[2:] == ["TERM"] + ["scontrol requeue 12_1"] * requeued


def test_by_hand_the_script_says_what_to_do(tmp_path, cluster):
    script, _, directory = _array(tmp_path)
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "submit this script with sbatch" in done.stderr
    assert not _calls(directory)


def _content(motion, epochs=2, **trainer):
    fit = {
        "trainer": {"accelerator": "cpu", "log_every_n_steps": 1, "num_sanity_val_steps": 0, **trainer},
        "model": {"arch": "i3d_tiny", "arch_options": {"width": 8}, "crop_size": 32, "short_side": 32},
        "data": {"root": str(motion), "num_workers": 0, "num_clips": 2, "time_limit": 0, "train_short_sides": [32, 36]},
    }
    return {"fit": fit, "axes": {"norm": ["bn", "gn"], "clip": "4x2", "batch_size": 4}, "budget": {"epochs": epochs}}


def test_export_from_the_command_line(videogn, motion, tmp_path, capsys):
    """Cells that are finished have no task; numbers follow the grid."""
    grid, out = tmp_path / "grid.yaml", tmp_path / "the study"
    content = _content(motion)
    grid.write_text(yaml.safe_dump(content))
    assert videogn("study", "export-slurm", grid, "--out", out, "--sbatch", "account=vision", "mem=8G") == 0
    printed = capsys.readouterr().out
    script = out / "array.sbatch"
    assert f"sbatch {shlex.quote(str(script))}" in printed
    assert f"videogn study report {shlex.quote(str(out))}" in printed
    options = _options(script)
    assert "gres" not in options
    wanted = {"array": "1-2", "cpus-per-task": "1", "account": "vision", "mem": "8G"}
    assert wanted.items() <= options.items()
    names = [Path(line).name for line in (out / "cells.txt").read_text().splitlines()]
    assert [re.sub("_.*", "", name) for name in names] == ["bn", "gn"]

    content["fit"]["trainer"]["accelerator"], content["devices"] = "gpu", 4
    content["fit"]["data"]["num_workers"] = 3
    grid.write_text(yaml.safe_dump(content))
    assert videogn("study", "export-slurm", grid, "--out", tmp_path / "gpus") == 0
    assert {"gres": "gpu:4", "cpus-per-task": "16"}.items() <= _options(tmp_path / "gpus" / "array.sbatch").items()
    assert "OMP_NUM_THREADS=4 " in (tmp_path / "gpus" / "array.sbatch").read_text()


def test_what_is_trusted_reaches_the_tasks(motion, tmp_path):
    grid = make_grid(_content(motion))
    out = make_study(grid, tmp_path / "study", command="test")
    script = write_array(unfinished_cells(grid, out), out, JOB, directory=tmp_path, trust=["mine", "a.b"])
    assert '-P -m videogn study cell "$cell" --trust mine a.b &' in script.read_text()


def test_wrong_arguments_before_anything_is_written(videogn, motion, tmp_path, capsys):
    grid = tmp_path / "grid.yaml"
    grid.write_text(yaml.safe_dump(_content(motion)))
    assert videogn("study", "export-slurm", grid, "--out", tmp_path / "study", "--time", "soon") == 2
    assert "as Slurm writes it" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_finished_cells_have_no_task(motion, tmp_path):
    grid = make_grid(_content(motion))
    out = make_study(grid, tmp_path, command="test")
    folders = [cell_folder(out, cell) for cell in grid.cells]
    assert unfinished_cells(grid, out) == folders
    (folders[0] / RESULT_FILE).write_text("{}")
    assert unfinished_cells(grid, out) == folders[1:]
    with pytest.raises(ValueError, match="no cell"):
        write_array([], out, JOB, directory=tmp_path)


@pytest.mark.slow
def test_a_real_cell_at_its_time_limit(motion, tmp_path, cluster, monkeypatch):
    """With what Slurm sets, a checkpoint is written and the next run of the task goes on to the end."""
    monkeypatch.setattr(sys, "executable", PYTHON)
    grid = make_grid(_content(motion, epochs=5))
    out = make_study(grid, tmp_path / "the study", command="test")
    directory = tmp_path / "work"
    directory.mkdir()
    script = write_array(unfinished_cells(grid, out), out, Job("60", 0, 1), directory=directory)
    folder = cell_folder(out, grid.cells[1])
    # Lightning would take over: 3 tasks, and 1 device.
    slurm = {"SLURM_JOB_ID": "13", "SLURM_NTASKS": "3", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    process = _start(script, cluster, task=2, **slurm)
    deadline = time.monotonic() + 120
    while not (folder / LAST_CHECKPOINT).exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(90) == 143
    assert read_state(folder)["phase"] == "stopped"
    assert _calls(directory) == ["scontrol requeue 12_2"]
    assert _start(script, cluster, task=2, **slurm).wait(180) == 0
    result = CellResult.read(folder)
    assert result is not None
    assert result.attempts == 2
    assert [point.epoch for point in result.curve] == list(range(1, 6))
    assert _calls(directory) == ["scontrol requeue 12_2"]
    assert CellResult.read(cell_folder(out, grid.cells[0])) is None
    assert "SLURM auto-requeueing" not in (folder / "log.txt").read_text()
