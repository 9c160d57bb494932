"""The folder of a cell: the prepared configuration, the state, the result, and the lock that keeps others out."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from videogn import checks
from videogn.checks import reading
from videogn.evaluation.stated_results import NEEDED
from videogn.stated_shapes import check_present
from videogn.study import training_log
from videogn.study.cell import Cell, fingerprint
from videogn.study.stated_cell import check_result
from videogn.study.training_log import CurvePoint
from videogn.system.files import write_json, write_text

_log = logging.getLogger(__name__)

#: Configuration for `videogn fit`; config.yaml is the complete one that `fit` saves.
FIT_FILE = "fit.yaml"
#: The cell, its fingerprint, the place of its data, its plan.
CELL_FILE = "cell.json"
STATE_FILE = "state.json"
LOG_FILE = "log.txt"
#: A cell with this file is finished, unless `videogn.study.trained` says that its training was not.
RESULT_FILE = "result.json"
CLIPS_FILE = "clip_probabilities.parquet"
_LOCK_FILE = ".lock"
#: Seconds within which a process that was told to stop lets go of a lock.
LOCK_PATIENCE = 5.0


@dataclass(frozen=True)
class CellState:
    """Progress of a cell.

    Attributes:
        cell: The cell.
        phase: waiting, training, testing, finished, failed or stopped.
        done: Part of the training that is done, in [0, 1], where it is known.
        reason: Reason of a failure, or None.
        repeats: Whether another attempt would come to the same failure.
    """

    cell: Cell
    phase: str
    done: float = 0.0
    reason: str | None = None
    repeats: bool = False


@dataclass(frozen=True)
class CellResult:
    """A finished cell.

    Attributes:
        cell: The cell.
        fingerprint: Hash of its configuration.
        curve: Validations in order.
        test: Content of results.json, which `videogn test` wrote.
        cost: training_seconds, testing_seconds, steps, clips, peak_device_bytes (None on a CPU), peak_process_bytes.
        planned: activation_bytes, peak_bytes, parameters, multiply_adds of the plan; empty where there is none.
        attempts: Number of runs that it took.
        machine: Processor, its vector instructions, cores, threads, devices and system.
        commands: The two commands, `fit` and `test`.
        folder: Folder of the cell.
    """

    cell: Cell
    fingerprint: str
    curve: tuple[CurvePoint, ...]
    test: dict[str, Any]
    cost: dict[str, Any]
    planned: dict[str, Any]
    attempts: int
    machine: dict[str, Any]
    commands: tuple[tuple[str, ...], ...]
    folder: Path

    @property
    def clips_file(self) -> Path:
        """Probabilities of every clip of every test video."""
        return self.folder / CLIPS_FILE

    @staticmethod
    def read(folder: Path) -> CellResult | None:
        """Read the result in a cell's folder; None where the cell is not finished."""
        content = read_result(folder)
        if not content:
            return None
        with reading(folder / RESULT_FILE):
            converted = {
                "cell": Cell.read(content["cell"]),
                "curve": tuple(CurvePoint(**point) for point in content["curve"]),
                "commands": tuple(tuple(command) for command in content["commands"]),
            }
            return CellResult(**{**content, **converted, "folder": folder})

    def write(self) -> None:
        """Write the file that makes the cell finished."""
        content = asdict(self)
        del content["folder"]  # it may move
        write_json(self.folder / RESULT_FILE, content)


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file that holds an object, empty where there is none.

    Raises:
        ValueError: It is damaged.
    """
    content = checks.read_json(path.read_bytes(), path) if path.is_file() else {}
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it must hold a JSON object")
    return content


def read_result(folder: Path) -> dict[str, Any]:
    """Content of the result in a cell's folder, empty where there is none.

    Raises:
        ValueError: It is damaged, or a number is none.
    """
    content = read_json(folder / RESULT_FILE)
    with reading(folder / RESULT_FILE):
        check_result(content)
    return content


def check_complete(results: Iterable[CellResult], needed: Sequence[str] = NEEDED) -> None:
    """Refuse results that lack an entry.

    Args:
        results: Results of cells.
        needed: Places of entries in that of a test. Default: those that tables and reports are made of.

    Raises:
        ValueError: One lacks an entry.
    """
    for result in results:
        with reading(result.folder / RESULT_FILE):
            check_present({"test": result.test}, [f"test.{name}" for name in needed])


def check_settings(folder: Path, identity: str) -> bool:
    """Compare the settings of a cell with those that its folder holds.

    Args:
        folder: Folder of the cell; it need not exist.
        identity: Fingerprint of the cell's configuration.

    Returns:
        True where the folder has these settings or none; False where something was begun with other settings.

    Raises:
        ValueError: The cell is finished, with other settings.
    """
    if read_json(folder / CELL_FILE).get("fingerprint") in (None, identity):
        return True
    if (folder / RESULT_FILE).is_file():
        raise ValueError(
            f"{folder} was run with other settings: name another folder for this study, or remove that one"
        )
    return False


def prepare(
    folder: Path,
    cell: Cell,
    fit_config: Mapping[str, Any],
    *,
    own_data: Mapping[str, Any] | None,
    data_root: Path | None,
    planned: Mapping[str, Any],
    test_clips: Sequence[tuple[int, int]] = (),
) -> None:
    """Write a cell into its folder; what was begun with other settings is put aside.

    Of a finished cell only the further tests change.

    Args:
        folder: Folder of the cell; made if it does not exist.
        cell: The cell.
        fit_config: Configuration of `Cell.fit_config`.
        own_data: What the data set is that the study makes for itself (`OwnData.identity`), or None.
        data_root: Folder of that data set, or None.
        planned: Plan of the cell's memory and steps.
        test_clips: Length and interval of the clips that it is tested with besides its own.

    Raises:
        ValueError: The cell is finished, with other settings.
        BlockingIOError: Another process runs it, with other settings.
    """
    identity = fingerprint(fit_config, own_data)
    content: dict[str, Any] = {"cell": asdict(cell), "fingerprint": identity, "planned": dict(planned)}
    if not check_settings(folder, identity):
        with locked(folder):
            aside = folder.with_name(f"{folder.name}.old-{secrets.token_hex(3)}")
            folder.rename(aside)
        _log.warning("%s was begun with other settings: put aside as %s", folder.name, aside)
    elif (folder / RESULT_FILE).is_file():
        content = read_json(folder / CELL_FILE)
        if list(map(tuple, content.get("test_clips", ()))) != list(test_clips):
            write_json(folder / CELL_FILE, {**content, "test_clips": [list(clip) for clip in test_clips]})
        return
    write_text(folder / FIT_FILE, yaml.safe_dump(dict(fit_config), sort_keys=False))
    content |= {"data_root": None if data_root is None else str(data_root)}
    write_json(folder / CELL_FILE, {**content, "test_clips": [list(clip) for clip in test_clips]})


def read_cell(folder: Path) -> tuple[Cell, dict[str, Any]]:
    """Read a prepared cell.

    Args:
        folder: Folder of the cell.

    Returns:
        The cell, and the other content of its file: fingerprint, data_root, planned.

    Raises:
        ValueError: It is not the folder of a cell.
    """
    content = read_json(folder / CELL_FILE)
    if not content:
        raise ValueError(f"{folder} is not the folder of a cell: it has no {CELL_FILE}")
    with reading(folder / CELL_FILE):
        return Cell.read(content["cell"]), content


def read_state(folder: Path) -> dict[str, Any]:
    """Read phase (see `CellState`), attempts and reason."""
    state = {"phase": "waiting", "attempts": 0, "reason": None, **read_json(folder / STATE_FILE)}
    with reading(folder / STATE_FILE):
        return {**state, "phase": str(state["phase"]), "attempts": int(state["attempts"])}


def write_state(folder: Path, **changes: Any) -> None:
    """Change parts of the state."""
    write_json(folder / STATE_FILE, {**read_state(folder), **changes})


def part_done(folder: Path) -> float:
    """Part of a prepared cell's training that has been validated, in [0, 1]; 0 where it is not known."""
    cell, prepared = read_cell(folder)
    return training_log.part_done(folder, cell, prepared["planned"].get("steps"))


def is_running(folder: Path) -> bool:
    """Whether a process runs the cell now; one that was killed has left its phase behind."""
    if not folder.is_dir():
        return False
    try:
        with FileLock(folder / _LOCK_FILE).acquire(timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of the cell, on this machine or on others that share the folder.

    Raises:
        BlockingIOError: Another process runs it.
    """
    lock = FileLock(folder / _LOCK_FILE, timeout=LOCK_PATIENCE)
    try:
        lock.acquire()
    except Timeout as error:
        raise BlockingIOError(f"another process is running {folder}") from error
    try:
        yield
    finally:
        lock.release()
