"""A Slurm job array whose tasks are the cells of a study, each requeued until its cell is finished.

How the time limit reaches a training run: Slurm sends SIGUSR1 to the batch shell alone (`--signal=B:`), three minutes
before the end. The shell sends SIGTERM to `videogn study cell`, and to nothing else, which asks the training run for a
checkpoint and waits for it; it then ends with status 143, and the shell requeues the task. Without "B:" Slurm would
signal what `srun` started, loader processes and decoders included, and never the shell; here nothing runs under `srun`,
which a cell on one machine does not need. `scancel`, a preemption and Slurm's own end of the job send SIGTERM to all
processes: the training run still writes its checkpoint, but the shell does not requeue what somebody cancelled.

Lightning takes a process with SLURM_NTASKS in its environment for one of as many that `srun` started, and to be
requeued by Lightning itself. It leaves jobs named "interactive" alone, so the cell is told that it is one.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from videogn.checks import require_at_least
from videogn.study.grid import Grid
from videogn.study.study_files import cell_folder
from videogn.study.transfers import is_finished
from videogn.system.files import write_text

#: The script, with @NAME@ in the place of what differs.
_TEMPLATE = Path(__file__).with_name("array.sbatch")
#: In the folder of a study.
SCRIPT_FILE = "array.sbatch"
CELLS_FILE = "cells.txt"
LOG_FOLDER = "slurm"
#: Before the time limit; a training run is given a minute of it for its checkpoint. Slurm may be up to a minute early.
_NOTICE_SECONDS = 180
_LEAST_MINUTES = 10
#: What would end a line of #SBATCH, so that the rest of it would be a command.
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_TIME = re.compile(
    r"(?:(?P<days>\d+)-(?P<dh>\d+)(?::(?P<dm>\d+)(?::\d+)?)?)|(?P<h>\d+):(?P<hm>\d+):\d+|(?P<m>\d+)(?::\d+)?"
)


@dataclass(frozen=True)
class Job:
    """Request of a task of the array to Slurm.

    Attributes:
        time: Time limit, as Slurm writes it: MINUTES, HOURS:MINUTES:SECONDS, DAYS-HOURS and so on.
        gpus: Number of GPUs of a cell.
        cpus: Number of CPUs of a cell.
        devices: Number of processes that a cell trains in, which share its CPUs.
        partition: Partition, or None for the cluster's default.
        at_once: Number of cells at once, or None for as many as there is room for.
        options: Further KEY=VALUE or KEY of `sbatch`, without dashes; they come last and win.

    Raises:
        ValueError: A number is out of range, or an option or the time is not written so.
    """

    time: str
    gpus: int
    cpus: int
    devices: int = 1
    partition: str | None = None
    at_once: int | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, least in (("gpus", self.gpus, 0), ("cpus", self.cpus, 1), ("at_once", self.at_once, 1)):
            require_at_least(name, least if value is None else value, least)
        if _minutes(self.time) < _LEAST_MINUTES:
            raise ValueError(
                f"time must be at least {_LEAST_MINUTES} minutes, of which {_NOTICE_SECONDS} s are for the checkpoint, "
                f"got {self.time!r}"
            )
        check_line("partition", self.partition or "")
        for option in self.options:
            check_line("an option of sbatch", option)
            if not re.fullmatch(r"[a-z][a-z-]*(=.+)?", option):
                raise ValueError(f"an option of sbatch is KEY=VALUE, for instance account=vision, got {option!r}")


def check_line(name: str, text: str) -> None:
    """Refuse a text that a script for Slurm cannot hold.

    Args:
        name: What it is, for the message.
        text: The text.

    Raises:
        ValueError: It has a line break or another control character.
    """
    if _CONTROL.search(text):
        raise ValueError(f"{name} must be a text without line breaks or control characters for Slurm, got {text!r}")


def unfinished_cells(grid: Grid, out: Path) -> list[Path]:
    """List the folders of the cells that are not finished, in the order to begin them."""
    folders = [cell_folder(out, cell) for cell in grid.cells]
    return [folder for folder in folders if not is_finished(folder)]


def write_array(folders: Sequence[Path], out: Path, job: Job, *, directory: Path, trust: Collection[str] = ()) -> Path:
    """Write the script, the list of its tasks and the folder of their logs.

    Args:
        folders: Folders of the cells, absolute; task N runs the N-th.
        out: Folder of the study, absolute.
        job: Request of a task.
        directory: Folder that relative paths in the cells' configuration start from.
        trust: As for `run_cell`.

    Returns:
        Path of the script.

    Raises:
        ValueError: There is no cell, or the folder has a name that a script cannot hold.
    """
    if not folders:
        raise ValueError("there is no cell to run")
    check_line("the folder of a study", str(out))
    (out / LOG_FOLDER).mkdir(parents=True, exist_ok=True)  # or Slurm drops the output
    write_text(out / CELLS_FILE, "".join(f"{folder}\n" for folder in folders))
    script = out / SCRIPT_FILE
    write_text(script, _script(folders, out, job, directory, trust))
    return script


def _script(folders: Sequence[Path], out: Path, job: Job, directory: Path, trust: Collection[str]) -> str:
    limit = f"%{job.at_once}" if job.at_once else ""
    # %A and %a are the array and the task.
    log = str(out / LOG_FOLDER).replace("%", "%%") + "/%A_%a.out"
    options = [
        "job-name=videogn",
        f"array=1-{len(folders)}{limit}",
        "nodes=1",
        "ntasks=1",
        f"cpus-per-task={job.cpus}",
        *([f"gres=gpu:{job.gpus}"] if job.gpus else []),
        *([f"partition={job.partition}"] if job.partition else []),
        f"time={job.time}",
        f"signal=B:USR1@{_NOTICE_SECONDS}",
        "requeue",
        "open-mode=append",
        f"output={log}",
        *job.options,
    ]
    values = {
        "HEADER": "\n".join(f"#SBATCH --{_quoted(option)}" for option in options),
        # Slurm keeps a copy of the script from its submission on, so the list of cells is part of it: a later export
        # writes over cells.txt while tasks of an earlier one still wait.
        "CELLS": "\n".join(f"  {shlex.quote(str(folder))}" for folder in folders),
        "DIRECTORY": shlex.quote(str(directory)),
        "PYTHON": shlex.quote(sys.executable),
        "TRUST": f" --trust {shlex.join(trust)}" if trust else "",
        "THREADS": str(max(job.cpus // job.devices, 1)),
    }
    return re.sub("@([A-Z]+)@", lambda found: values[found[1]], _TEMPLATE.read_text(encoding="utf-8"))


def _quoted(option: str) -> str:
    """KEY=VALUE in a line of #SBATCH, where quotes and backslashes mean what they do to a shell."""
    key, separator, value = option.partition("=")
    if re.fullmatch(r"[\w./:%@,+=-]*", value):
        return option
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}{separator}"{escaped}"'


def _minutes(time: str) -> float:
    found = _TIME.fullmatch(time)
    if found is None:
        raise ValueError(f"time must be as Slurm writes it, for instance 24:00:00 or 2-12, got {time!r}")
    days, dh, dm, h, hm, m = (int(found[name] or 0) for name in ("days", "dh", "dm", "h", "hm", "m"))
    return 60 * (24 * days + dh + h) + dm + hm + m
