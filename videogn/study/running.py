"""One cell, from whatever it has come to, to its result: `videogn fit` and `videogn test` in processes of their own.

This is the contract that every engine keeps: it calls `run_cell` with the folder of a prepared cell.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from videogn.study.cell_files import (
    FIT_FILE,
    LOG_FILE,
    CellResult,
    CellState,
    locked,
    part_done,
    read_cell,
    read_state,
    write_state,
)
from videogn.study.cell_process import COMMAND_MARK, explain, run_command
from videogn.study.trained import half_trained, missing_training
from videogn.study.training_log import LAST_CHECKPOINT, read_curve, resume_arguments, write_curve
from videogn.study.transfers import Transfer, is_finished, remove_tests, transfer_commands, transfer_folder
from videogn.system.module_path import SAFELY
from videogn.system.room import naming
from videogn.system.stopping import StopEvent


def run_cell(
    folder: str | Path,
    *,
    environment: Mapping[str, str] | None = None,
    trust: Collection[str] = (),
    stop: StopEvent | None = None,
    report: Callable[[CellState], None] = lambda state: None,
) -> CellState:
    """Train and test a cell, unless it is finished; resume where it stopped.

    Args:
        folder: Folder of the cell, as `prepare` left it.
        environment: Variables of its processes besides this one's: devices, threads.
        trust: Packages that its configuration may name code from besides the known ones.
        stop: Once set, the training run writes a checkpoint and the cell can be resumed another time.
        report: Called twice a second.

    Returns:
        State of the cell: finished, failed with the reason, or stopped.

    Raises:
        ValueError: It is not the folder of a cell.
        BlockingIOError: Another process runs it.
    """
    folder = Path(folder)
    cell, _ = read_cell(folder)
    with locked(folder):
        if is_finished(folder):
            return CellState(cell, "finished", 1.0)
        # Within a Slurm job Lightning would take the cell for the whole of it; it leaves jobs of this name alone.
        slurm = {"SLURM_JOB_NAME": "interactive"} if "SLURM_JOB_ID" in os.environ else {}
        variables = {**os.environ, **slurm, **(environment or {})}
        run = _Run(folder, variables, trust, stop or StopEvent(), report)
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
        self,
        folder: Path,
        environment: Mapping[str, str],
        trust: Collection[str],
        stop: StopEvent,
        report: Callable[[CellState], None],
    ) -> None:
        self.folder = folder
        self.cell, self.prepared = read_cell(folder)
        self.environment = environment
        self.trust = trust
        self.stop = stop
        self.report = report

    def to_the_end(self) -> CellState:
        """Do what is missing: the training and its test, then the tests at other clip lengths."""
        fit, test = self.commands()
        if half_trained(self.folder):
            remove_tests(self.folder)
        problem = None if CellResult.read(self.folder) is not None else self.train_and_test(fit, test)
        return problem or self.transfer(test) or CellState(self.cell, "finished", 1.0)

    def train_and_test(self, fit: list[str], test: list[str]) -> CellState | None:
        """Train, unless that is done; test; write the result. None where all is well."""
        if missing_training(self.folder) is not None:
            if problem := self.run("training", [*fit, *resume_arguments(self.folder)]):
                return problem
            if missing := missing_training(self.folder):
                return CellState(self.cell, "failed", reason=f"{missing} (see {self.folder / LOG_FILE})")
        started = time.monotonic()
        if problem := self.run("testing", test):
            return problem
        seconds = round(time.monotonic() - started, 2)
        curve = read_curve(self.folder, self.cell)
        write_curve(self.folder, curve)
        CellResult(
            cell=self.cell,
            fingerprint=self.prepared["fingerprint"],
            curve=curve,
            test=self.left("results.json"),
            cost={**self.left("cost.json"), "testing_seconds": seconds},
            planned=self.prepared["planned"],
            attempts=read_state(self.folder)["attempts"],
            machine=machine(self.environment),
            commands=(tuple(fit), tuple(test)),
            folder=self.folder,
        ).write()
        return None

    def transfer(self, test: list[str]) -> CellState | None:
        """Test at the clip lengths that are missing; None where all is well."""
        for clip, command in transfer_commands(test, self.folder):
            if not (self.folder / LAST_CHECKPOINT).is_file():
                reason = f"no {LAST_CHECKPOINT}, which the test of clips {clip.name} needs"
                return CellState(self.cell, "failed", reason=reason, repeats=True)
            started = time.monotonic()
            if problem := self.run("testing", command):
                return problem
            results = self.left(str((transfer_folder(self.folder, clip) / "results.json").relative_to(self.folder)))
            Transfer(clip, results, round(time.monotonic() - started, 2), tuple(command)).write(self.folder)
        return None

    def left(self, name: str) -> dict[str, Any]:
        """Content of a file that the commands must have left."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def run(self, phase: str, command: list[str]) -> CellState | None:
        """Run a command; the state that the cell ends in, or None where all is well."""
        write_state(self.folder, phase=phase)
        log = self.folder / LOG_FILE
        with naming(log), log.open("a", encoding="utf-8") as lines:
            lines.write(f"{COMMAND_MARK}{' '.join(command)}\n")

        def tick() -> None:
            self.report(CellState(self.cell, phase, part_done(self.folder)))

        tick()
        ended = run_command(command, log, environment=self.environment, stop=self.stop, tick=tick)
        if ended.stopped:
            return CellState(self.cell, "stopped")
        if not ended.status:
            return None
        reason = explain(ended.status, log)
        # Status 1 with a line of videogn's: loss, gradients or weights were not finite, and the seed is the same.
        repeats = ended.status == 1 and reason.startswith("videogn: error: ")
        return CellState(self.cell, "failed", reason=reason, repeats=repeats)

    def commands(self) -> tuple[list[str], list[str]]:
        """`videogn fit` and `videogn test` of the cell's last checkpoint, as a user would type them."""
        # Both run here, so that relative paths mean what they meant to whoever made the study.
        root = self.prepared["data_root"]
        both = [f"--config={self.folder / FIT_FILE}", *([] if root is None else [f"--data.root={root}"])]
        place = f"--trainer.default_root_dir={self.folder}"
        logger = {"": "videogn.training.metrics_log.MetricsLog", ".save_dir": self.folder, ".name": "", ".version": ""}
        fit = [place, *(f"--trainer.logger{option}={value}" for option, value in logger.items())]
        # Always last.ckpt, also where the folder has moved since it was begun.
        fit.append("--checkpoint.enable_version_counter=false")
        checkpoint = f"--ckpt_path={self.folder / LAST_CHECKPOINT}"
        results = [f"--model.results_dir={self.folder}", "--model.save_clip_probabilities=true"]
        test = [checkpoint, *results, place, "--trainer.logger=false", "--no-report"]
        both += ["--trust", *self.trust] if self.trust else []
        return [*_videogn("fit"), *both, *fit], [*_videogn("test"), *both, *test]


def machine(environment: Mapping[str, str]) -> dict[str, Any]:
    """Describe this machine: processor, vector instructions, cores, threads of a cell, visible devices, system."""
    import torch  # at the end of a cell, and not where a command only reads a study

    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
        # Other instructions add in another order, so that a cell has other digits there; a name need not tell.
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": environment.get("OMP_NUM_THREADS"),
        "visible_devices": environment.get("CUDA_VISIBLE_DEVICES"),
        "system": platform.platform(terse=True),
    }


def _videogn(command: str) -> list[str]:
    return [sys.executable, *SAFELY, command]
