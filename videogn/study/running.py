"""One cell, from whatever it has come to, to its result: `videogn fit` and `videogn test` in processes of their own.

This is the contract that every engine keeps: it calls `run_cell` with the folder of a prepared cell, wherever it likes.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videogn.study.cell import Cell
from videogn.study.folder import (
    FIT_FILE,
    LAST_CHECKPOINT,
    LOG_FILE,
    TRAINED_FILE,
    locked,
    read_cell,
    read_curve,
    read_state,
    resume_arguments,
    write_curve,
    write_result,
    write_state,
)
from videogn.study.process import COMMAND_MARK, explain, run_command
from videogn.study.results import CellResult


@dataclass(frozen=True)
class CellState:
    """How far a cell is.

    Attributes:
        cell: which one.
        phase: waiting, training, testing, finished, failed or stopped.
        done: part of the training that is done, in [0, 1], where it is known.
        reason: of a failure.
    """

    cell: Cell
    phase: str
    done: float = 0.0
    reason: str | None = None


def run_cell(
    folder: str | Path,
    *,
    environment: Mapping[str, str] | None = None,
    stop: threading.Event | None = None,
    report: Callable[[CellState], None] = lambda state: None,
) -> CellState:
    """Train and test a cell, unless it is finished; go on where it stopped.

    Args:
        folder: of the cell, as `prepare` left it.
        environment: of its processes, in addition to this one's: devices, threads.
        stop: once set, the training writes a checkpoint and the cell is left to go on another time.
        report: called twice a second.

    Returns:
        Its state: finished, failed with the reason, or stopped.

    Raises:
        ValueError: it is not the folder of a cell.
        BlockingIOError: another process is running it.
    """
    folder = Path(folder)
    cell, _ = read_cell(folder)
    with locked(folder):
        if CellResult.read(folder) is not None:
            return CellState(cell, "finished", 1.0)
        # Within a Slurm job Lightning would take the cell for the whole of it; it leaves jobs of this name alone.
        slurm = {"SLURM_JOB_NAME": "interactive"} if "SLURM_JOB_ID" in os.environ else {}
        run = _Run(folder, {**os.environ, **slurm, **(environment or {})}, stop or threading.Event(), report)
        write_state(folder, attempts=read_state(folder)["attempts"] + 1, reason=None)
        state = CellState(cell, "stopped")
        try:
            state = run.to_the_end()
        except Exception as error:
            state = CellState(cell, "failed", reason=" ".join(str(error).split()) or type(error).__name__)
            raise
        finally:
            write_state(folder, phase=state.phase, reason=state.reason)
    report(state)
    return state


class _Run:
    """One attempt at a cell."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], stop: threading.Event, report: Callable[[CellState], None]
    ) -> None:
        self.folder = folder
        self.cell, self.prepared = read_cell(folder)
        self.environment = environment
        self.stop = stop
        self.report = report
        # The trainings run here too, so that relative paths mean what they meant to whoever made the study.
        self.data = [] if self.prepared["data_root"] is None else [f"--data.root={self.prepared['data_root']}"]

    def to_the_end(self) -> CellState:
        """Train, unless that is done; test; write the result."""
        fit, test = self.fit_command(), self.test_command()
        if not (self.folder / TRAINED_FILE).exists():
            resume = resume_arguments(self.folder)
            if problem := self.command("training", [*fit, *resume]):
                return problem
            (self.folder / TRAINED_FILE).touch()
        started = time.monotonic()
        if problem := self.command("testing", test):
            return problem
        curve = read_curve(self.folder, self.cell)
        write_curve(self.folder, curve)
        cost = {**_read(self.folder / "cost.json"), "testing_seconds": round(time.monotonic() - started, 2)}
        write_result(
            CellResult(
                cell=self.cell,
                fingerprint=self.prepared["fingerprint"],
                curve=curve,
                test=_read(self.folder / "results.json"),
                cost=cost,
                planned=self.prepared["planned"],
                attempts=read_state(self.folder)["attempts"],
                machine=machine(self.environment),
                commands=(tuple(fit), tuple(test)),
                folder=self.folder,
            )
        )
        return CellState(self.cell, "finished", 1.0)

    def command(self, phase: str, command: list[str]) -> CellState | None:
        """Run a command; what became of the cell, unless all is well."""
        write_state(self.folder, phase=phase)
        log = self.folder / LOG_FILE
        with log.open("a", encoding="utf-8") as lines:
            lines.write(f"{COMMAND_MARK}{' '.join(command)}\n")

        def tick() -> None:
            self.report(CellState(self.cell, phase, part_done(self.folder, self.cell)))

        tick()
        ended = run_command(command, log, environment=self.environment, stop=self.stop, tick=tick)
        if ended.stopped:
            return CellState(self.cell, "stopped")
        if ended.status != 0:
            return CellState(self.cell, "failed", reason=explain(ended.status, log))
        return None

    def fit_command(self) -> list[str]:
        """The `videogn fit` that trains the cell, as a user would type it."""
        return [
            *_videogn("fit"),
            f"--config={self.folder / FIT_FILE}",
            *self.data,
            f"--trainer.default_root_dir={self.folder}",
            "--trainer.logger=lightning.pytorch.loggers.CSVLogger",
            f"--trainer.logger.save_dir={self.folder}",
            "--trainer.logger.name=",
            "--trainer.logger.version=",
            # Always last.ckpt, also where the folder has moved since it was begun.
            "--checkpoint.enable_version_counter=false",
        ]

    def test_command(self) -> list[str]:
        """The `videogn test` of the trained cell: the training's own configuration, and its last checkpoint."""
        return [
            *_videogn("test"),
            f"--config={self.folder / FIT_FILE}",
            *self.data,
            f"--ckpt_path={self.folder / LAST_CHECKPOINT}",
            f"--model.results_dir={self.folder}",
            "--model.save_clip_probabilities=true",
            f"--trainer.default_root_dir={self.folder}",
            "--trainer.logger=false",
        ]


def machine(environment: Mapping[str, str]) -> dict[str, Any]:
    """What this is: processor, cores, threads of a cell, devices that it sees, system."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": environment.get("OMP_NUM_THREADS"),
        "visible_devices": environment.get("CUDA_VISIBLE_DEVICES"),
        "system": platform.platform(terse=True),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor()


def part_done(folder: Path, cell: Cell) -> float:
    """Part of the training that was validated so far, in [0, 1]; 0 where it is not known."""
    curve = read_curve(folder, cell)
    total_steps = read_cell(folder)[1]["planned"].get("steps")
    if not curve:
        return 0.0
    if cell.budget.kind == "epochs":
        return min(curve[-1].epoch / cell.budget.amount, 1.0)
    return min(curve[-1].step / total_steps, 1.0) if total_steps else 0.0


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _videogn(command: str) -> list[str]:
    return [sys.executable, "-m", "videogn", command]
