"""Running the cells of a study side by side, each in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from videogn.cores import available_cores
from videogn.study.cells import (
    TRAINED_FILE,
    Cell,
    CellResult,
    Recipe,
    evaluation_command,
    planned_epochs,
    prepare,
    validation_errors,
)

_POLL_SECONDS = 0.5
_LOG = "log.txt"


@dataclass(frozen=True)
class CellState:
    """How far a cell is.

    Attributes:
        cell: which one.
        phase: waiting, training, testing, finished or failed.
        epochs: finished epochs.
        total_epochs: epochs of the whole training, None until it is known.
        reason: of a failure: the last line of the cell's log, and where the log is.
    """

    cell: Cell
    phase: str
    epochs: int = 0
    total_epochs: int | None = None
    reason: str | None = None


def run_study(
    cells: Sequence[Cell],
    recipe: Recipe,
    out: str | Path,
    *,
    jobs: int = 1,
    threads: int | None = None,
    report: Callable[[CellState], None] = lambda state: None,
) -> dict[Cell, str]:
    """Train and test every cell that is not finished yet.

    A cell is two processes, `videogn fit` and `videogn test`, with a folder of their own, and is finished when its
    result file is there. An interrupted one goes on after its last whole epoch, and one whose training is done is only
    tested, provided that the recipe is the same.

    Args:
        cells: the grid.
        recipe: what they have in common.
        out: folder of the study, made if it does not exist.
        jobs: cells that run at once.
        threads: CPU threads of each; the cores divided by `jobs` by default.
        report: called from several threads whenever a cell's state changes.

    Returns:
        The cells that failed, with the reason.

    Raises:
        FileNotFoundError: a configuration file of the recipe does not exist.
        ValueError: a finished cell was run with another recipe, or a batch size does not divide `recipe.step_clips`.
    """
    if jobs <= 0:
        raise ValueError(f"jobs must be > 0, got {jobs}")
    out = Path(out).expanduser()
    fingerprint = recipe.fingerprint()
    for cell in cells:
        recipe.accumulate(cell)
    waiting = [cell for cell in cells if not _is_finished(cell, fingerprint, out)]
    for cell in cells:
        report(CellState(cell, "waiting" if cell in waiting else "finished"))
    jobs = min(jobs, max(len(waiting), 1))
    threads = threads or max(available_cores() // jobs, 1)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    run = _Run(recipe, out, environment, report)
    pool = ThreadPoolExecutor(jobs)
    with _only_one(out):
        try:
            outcomes = list(pool.map(run.cell, waiting))
        except BaseException:
            run.stop.set()  # Ctrl-C: the cells' processes must not go on alone
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    return {cell: reason for cell, reason in zip(waiting, outcomes, strict=True) if reason is not None}


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    """Two studies in one folder would remove each other's unfinished cells."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(f"another study is running in {out}") from error


def _is_finished(cell: Cell, fingerprint: str, out: Path) -> bool:
    result = CellResult.read(out / cell.name)
    if result is not None and result.recipe != fingerprint:
        raise ValueError(
            f"{out / cell.name} was run with other settings: name another folder for this study, or remove that one"
        )
    return result is not None


class _Run:
    """One pass over the cells of a study."""

    def __init__(
        self, recipe: Recipe, out: Path, environment: dict[str, str], report: Callable[[CellState], None]
    ) -> None:
        self.recipe = recipe
        self.out = out
        self.environment = environment
        self.report = report
        self.stop = threading.Event()

    def cell(self, cell: Cell) -> str | None:
        """Train and test one cell; the reason when it fails."""
        folder = self.out / cell.name
        resume = prepare(folder, self.recipe.fingerprint())
        started = time.monotonic()
        fit = self.recipe.fit_command(cell, folder)
        commands = {"testing": evaluation_command(folder)}
        if not (folder / TRAINED_FILE).exists():
            commands = {"training": [*fit, *resume], **commands}
        for phase, command in commands.items():
            if self._process(command, cell, phase, folder) != 0:
                reason = f"{_last_line(folder / _LOG)} (see {folder / _LOG})"
                self.report(CellState(cell, "failed", reason=reason))
                return reason
            (folder / TRAINED_FILE).touch()
        CellResult(
            cell,
            self.recipe.fingerprint(),
            validation_errors(folder),
            _read_test(folder),
            round(time.monotonic() - started, 1),
            (tuple(fit), tuple(commands["testing"])),
        ).write(folder)
        self.report(CellState(cell, "finished"))
        return None

    def _process(self, command: list[str], cell: Cell, phase: str, folder: Path) -> int:
        with (folder / _LOG).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self.environment)
            try:
                while process.poll() is None and not self.stop.is_set():
                    self.report(CellState(cell, phase, len(validation_errors(folder)), planned_epochs(folder)))
                    time.sleep(_POLL_SECONDS)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        return process.returncode


def _read_test(folder: Path) -> dict[str, object]:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
